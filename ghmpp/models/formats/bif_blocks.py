"""The blocks of a BIF file: its grammar, and the variables and scopes that it declares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ghmpp.errors import FormatError
from ghmpp.models.formats.text import Text, shown
from ghmpp.models.rooting import shortened

LARGEST_SCOPE = 64  # axes of an array
COMMENT = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_BAR = re.compile(r'"[^"\n]*"|(\|)')
_WORD = re.compile(r'"([^"\n]*)"|[^\s,"]+')
_PLAIN = r'[^{}();"]*(?:"[^"\n]*"[^{}();"]*)*'  # what may stand between brackets
_BLOCK = re.compile(r"\s*(network|variable|probability)\b")
_HEAD = re.compile(rf"({_PLAIN})\{{")
_TYPE = re.compile(rf"\s*type\s+(\w+)\s*\[\s*(\d+)\s*\]\s*\{{({_PLAIN})\}}\s*;?")
_PROPERTY = re.compile(r'\s*property\b[^;"]*(?:"[^"]*"[^;"]*)*;')
_SCOPE = re.compile(rf"\s*\(({_PLAIN})\)\s*\{{")
_TABLE = re.compile(r"\s*(table|default)\b([^{}();]*);")
_ROW = re.compile(rf"\s*\(({_PLAIN})\)([^{{}}();]*);")
_END = re.compile(r"\s*\}")
_REST = re.compile(r"\s*(\S*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A probability block: where its scope stands, and its table, default and rows."""

    scope: tuple[int, int]
    table: re.Match[str] | None
    default: re.Match[str] | None
    rows: Sequence[re.Match[str]]


@dataclass(frozen=True, slots=True)
class Scope:
    """A probability block with its child and parents."""

    child: str
    parents: tuple[str, ...]
    block: Block


@dataclass(slots=True)
class Reader:
    """Reads block by block.

    Parameters
    ----------
    text
        The file.
    content
        Its content, with blanks for comments.
    name
        Name of the network, as far as it is known.
    position
        Offset of what is read next.
    states
        By variable, the index of each state by its name.
    probabilities
        The probability blocks so far; their names are looked up when all variables are known.
    """

    text: Text
    content: str
    name: str
    position: int = 0
    states: dict[str, dict[str, int]] = field(default_factory=dict)
    probabilities: list[Block] = field(default_factory=list)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What the pattern finds here, and go on behind it."""
        found = pattern.match(self.content, self.position)
        if found:
            self.position = found.end()
        return found

    def expect(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """What the pattern finds here; it must be there."""
        found = self.match(pattern)
        if found is None:
            raise self.unexpected(what)
        return found

    def unexpected(self, what: str) -> FormatError:
        """The error for something else than what was expected here."""
        rest = _REST.match(self.content, self.position)
        if rest is None or not rest[1]:
            return self.text.end(f"expected {what}, but the file ends; it is cut short.")
        return self.text.error(f"expected {what}, got {shown(rest[1])}.", rest.start(1))

    def error(self, problem: str, start: int) -> FormatError:
        """The error for a problem with the first word at or behind an offset."""
        word = _REST.match(self.content, start)
        return self.text.error(problem, start if word is None else word.start(1))

    def block(self) -> bool:
        """Read one block; False at the end of the file."""
        found = self.match(_BLOCK)
        if found is None:
            if self.content[self.position :].strip():
                raise self.unexpected("a block: network, variable or probability")
            return False
        match found[1]:
            case "network":
                self._network()
            case "variable":
                self._variable()
            case _:
                self._probability()
        return True

    def words(self, start: int, stop: int) -> list[str]:
        """Words between two offsets, with or without quotation marks, split by space or comma."""
        found = _WORD.finditer(self.content, start, stop)
        return [word[0] if word[1] is None else word[1] for word in found]

    def groups(self, start: int, stop: int) -> list[str]:
        """As ``words``, but split by comma alone, since some writers have names with spaces."""
        found = []
        for piece in re.finditer(r'(?:"[^"\n]*"|[^,"])+', self.content[start:stop]):
            found.append(" ".join(self.words(start + piece.start(), start + piece.end())))
        return [name for name in found if name]

    def scopes(self) -> dict[str, Scope]:
        """The probability block of every variable."""
        if not self.states:
            raise self.text.error("the file has no variables; this is no BIF file.")
        found: dict[str, Scope] = {}
        for block in self.probabilities:
            child, *above = self._checked(self._names(*block.scope), block)
            if child in found:
                raise self.error(f"a second distribution of {child!r}.", block.scope[0])
            found[child] = Scope(child, tuple(above), block)
        missing = [name for name in self.states if name not in found]
        if missing:
            raise self.text.end(
                f"no probability block for: {shortened(missing)}; the file is cut short."
            )
        return found

    def _names(self, start: int, stop: int) -> list[str]:
        """The child and the parents that stand in a scope."""
        bars = (bar.start() for bar in _BAR.finditer(self.content, start, stop) if bar[1])
        bar = next(bars, None)
        if bar is None:
            return self._known(start, stop)
        return [" ".join(self.words(start, bar)), *self._known(bar + 1, stop)]

    def _known(self, start: int, stop: int) -> list[str]:
        """Names of variables, by comma where that gives known ones, else by space too."""
        found = self.groups(start, stop)
        known = all(name in self.states for name in found)
        return found if known else self.words(start, stop)

    def _checked(self, names: list[str], block: Block) -> list[str]:
        """The names of a scope, if they can be one."""
        unknown = [name for name in names if name not in self.states]
        if not names:
            problem = "expected the name of a variable"
        elif unknown:
            problem = f"no variable {unknown[0]!r}; the variables are: {shortened(self.states)}"
        elif len(set(names)) < len(names):
            problem = f"a variable stands twice in {shown(', '.join(names))}"
        elif len(names) > LARGEST_SCOPE:
            problem = f"{len(names)} variables are more than {LARGEST_SCOPE}"
        else:
            return names
        raise self.error(f"probability: {problem}.", block.scope[0])

    def _network(self) -> None:
        head = self.expect(_HEAD, "the name of the network and {")
        self.name = " ".join(self.words(*head.span(1))) or self.name
        while not self.match(_END):
            self.expect(_PROPERTY, "a property or the } of the network")

    def _variable(self) -> None:
        head = self.expect(_HEAD, "the name of a variable and {")
        name = " ".join(self.words(*head.span(1)))
        if not name or name in self.states:
            problem = f"a second variable {name!r}." if name else "expected the name of a variable."
            raise self.error(problem, head.start(1))
        while not self.match(_END):
            if self.match(_PROPERTY):
                continue
            found = self.expect(_TYPE, "type discrete [ n ] { states };, a property or }")
            if name in self.states or found[1] != "discrete":
                problem = "a second type" if name in self.states else f"the type {found[1]!r}"
                raise self.error(
                    f"variable {name!r}: {problem}; expected one type, discrete.", found.start(1)
                )
            self.states[name] = self._states(name, found)
        if name not in self.states:
            raise self.error(f"variable {name!r} has no type.", head.start(1))

    def _states(self, name: str, found: re.Match[str]) -> dict[str, int]:
        """The states that a type lists."""
        states = self.groups(*found.span(3))
        if str(len(states)) != found[2].lstrip("0"):
            states = self.words(*found.span(3))
        if str(len(states)) != found[2].lstrip("0"):
            raise self.error(
                f"variable {name!r}: expected {found[2]} states, got {len(states)}.", found.start(2)
            )
        if len(set(states)) < len(states):
            raise self.error(f"variable {name!r}: two states are equal.", found.start(3))
        return {state: index for index, state in enumerate(states)}

    def _probability(self) -> None:
        head = self.expect(_SCOPE, "( variable | parents ) {")
        single: dict[str, re.Match[str]] = {}
        rows: list[re.Match[str]] = []
        while not self.match(_END):
            found = self.match(_ROW)
            if found:
                rows.append(found)
            elif not self.match(_PROPERTY):
                found = self.expect(_TABLE, "a row (states) numbers;, table numbers; or }")
                if single.setdefault(found[1], found) is not found:
                    raise self.error(f"a second {found[1]} in one block.", found.start(1))
        table, default = single.get("table"), single.get("default")
        if table and (rows or default):
            raise self.error("a block has table, or rows; not both.", table.start(1))
        self.probabilities.append(Block(head.span(1), table, default, rows))
