"""Grammars as text: one model level per level of symbols, one joint rule per production."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from ghmpp.errors import FormatError, UsageError
from ghmpp.models.model import Model
from ghmpp.models.rules import Rules

Weight: TypeAlias = float | Fraction

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\f\v]+|\#[^\n]*)
      | (?P<line>\n)
      | (?P<mark>->|[|;])
      | (?P<weight>\[[^\[\]\n;|]*\])
      | (?P<quoted>'[^'\n]*'|"[^"\n]*")
      | (?P<symbol>(?:(?!->)[^\s|;\[\]\#'"])+)""",
    re.VERBOSE,
)


def grammar(text: str, *, name: str = "grammar") -> Model:
    """The model of a grammar whose derivations all have one shape.

    Parameters
    ----------
    text
        Productions such as ``S -> NP VP [0.7] | VP NP [0.3]; NP -> a b``, separated by ``;`` or
        by new lines; a weight in brackets is a number >= 0 or a fraction such as ``[1/3]``, 1 if
        it is left out. Symbols are words, or quoted: ``'the cat'``. ``#`` starts a comment.
        The first symbol is the root; symbols without productions are terminals.
    name
        Name of the model.

    Returns
    -------
    Model
        Classes ``x0`` (root) to ``xL`` (terminals), whose states are the symbols of their level in
        order of appearance. Weights need not sum to 1 for each symbol: the probability of a
        derivation is proportional to their product.

    Raises
    ------
    UsageError
        If ``text`` is no text.
    FormatError
        With line and column, if the text is malformed; if productions of one level differ in
        length, so that strings would have different lengths; if a level has both terminals and
        symbols with productions; if a symbol derives itself; or if a production is given twice
        or cannot be reached from the root; or if all weights of a level are 0.

    Examples
    --------
    >>> grammar("S -> NP VP [0.7] | VP NP [0.3]; NP -> a b | b a; VP -> c c")
    Model 'grammar': 3 classes, 7 variables
      x0  1 node   1 state   root
      x1  2 nodes  2 states  2 per x0, 2 rules
      x2  4 nodes  3 states  2 per x1, 3 rules
    """
    if not isinstance(text, str):
        raise UsageError(
            f"grammar: expected a text such as 'S -> a b [0.7] | b a [0.3]', got a "
            f"{type(text).__name__}; read a file first: grammar(Path(file).read_text())."
        )
    productions = _parse(text)
    by_symbol: dict[str, list[_Production]] = {}
    for production in productions:
        by_symbol.setdefault(production.left, []).append(production)
    levels = _levels(productions[0].left, by_symbol)
    _refuse_unused(productions, levels)
    model = Model(name)
    above = model.root("x0", levels[0])
    for level, symbols in enumerate(levels[1:], 1):
        used = [each for symbol in levels[level - 1] for each in by_symbol[symbol]]
        rules = _rules(used, levels[level - 1], symbols)
        above = above.children(f"x{level}", rules.ranks, symbols, rules=rules)
    return model


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class _Production:
    """``left -> right [weight]``, and the token where its right side begins."""

    left: str
    right: tuple[str, ...]
    weight: Weight
    at: _Token


def _parse(text: str) -> list[_Production]:
    """All productions, in order; none is there twice."""
    tokens = list(_tokens(text))
    found: list[_Production] = []
    position = 0
    while tokens[position].kind != "end":
        if tokens[position].text == ";":
            position += 1
            continue
        position = _statement(tokens, position, found)
    if not found:
        raise _error("expected a production such as 'S -> a b'", tokens[position])
    seen: dict[tuple[str, tuple[str, ...]], _Token] = {}
    for each in found:
        before = seen.setdefault((each.left, each.right), each.at)
        if before is not each.at:
            written = f"{each.left} -> {' '.join(each.right)}"
            raise _error(
                f"{written} is given twice, first in line {before.line}",
                each.at,
                "keep one of them, with the sum of the weights",
                found="",
            )
    return found


def _statement(tokens: list[_Token], position: int, found: list[_Production]) -> int:
    """Read one symbol and all its alternatives; the position behind them."""
    left = tokens[position]
    if left.kind != "symbol":
        raise _error("expected a symbol", left, "a production begins with one, as in 'S -> a b'")
    if tokens[position + 1].text != "->":
        raise _error(
            f"expected '->' after the symbol {left.text!r}",
            tokens[position + 1],
            f"write {left.text} -> and what it becomes",
        )
    position += 2
    while True:
        start = tokens[position]
        right: list[str] = []
        while tokens[position].kind == "symbol" and not (right and _new_line(tokens, position)):
            right.append(tokens[position].text)
            position += 1
        if not right:
            raise _error(
                f"expected symbols that {left.text!r} becomes",
                tokens[position],
                "a symbol that stands for nothing needs a name too, such as '_'",
            )
        weight: Weight = 1.0
        if tokens[position].kind == "weight":
            weight = _weight(tokens[position])
            position += 1
        found.append(_Production(left.text, tuple(right), weight, start))
        if tokens[position].text != "|":
            break
        position += 1
    follows = tokens[position]
    if follows.kind not in ("end", "symbol") and follows.text != ";":
        raise _error(
            "expected '|', ';' or a new line", follows, "put symbols with such marks in quotes"
        )
    if follows.kind == "symbol" and not _new_line(tokens, position):
        raise _error(
            "expected '|', ';' or a new line after the weight",
            follows,
            "a weight stands behind all symbols of its production",
        )
    return position


def _new_line(tokens: list[_Token], position: int) -> bool:
    """Whether a token stands in a line below the one before."""
    return tokens[position].line > tokens[position - 1].line


def _tokens(text: str) -> Iterator[_Token]:
    line, start, position = 1, 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        column = position - start + 1
        if match is None:
            raise _error(
                "cannot be read",
                _Token("", text[position], line, column),
                "close the quotation mark or bracket, or put the whole symbol in quotes",
            )
        kind, word = match.lastgroup, match.group()
        position = match.end()
        if kind == "line":
            line, start = line + 1, position
        elif kind == "quoted":
            if len(word) == 2:
                raise _error(
                    "a symbol cannot be empty",
                    _Token("", word, line, column),
                    "write a word between the quotation marks",
                )
            yield _Token("symbol", word[1:-1], line, column)
        elif kind != "space":
            yield _Token(str(kind), word, line, column)
    yield _Token("end", "", line, len(text) - start + 1)


def _weight(token: _Token) -> Weight:
    """The number in brackets, >= 0; a fraction stays exact."""
    word = token.text[1:-1].strip()
    try:
        weight: Weight = Fraction(word) if "/" in word else float(word)
    except (ValueError, ZeroDivisionError):
        raise _error("expected a weight such as [0.7] or [1/3]", token) from None
    if not 0 <= weight < float("inf"):
        raise _error(
            "a weight must be finite and >= 0", token, "weights are no logarithms; 0 forbids"
        )
    return weight


def _levels(root: str, by_symbol: Mapping[str, list[_Production]]) -> list[list[str]]:
    """Symbols by level, in order of appearance; the last level has the terminals."""
    levels = [[root]]
    while any(symbol in by_symbol for symbol in levels[-1]):
        used = [each for symbol in levels[-1] for each in by_symbol.get(symbol, ())]
        _refuse_mixture(levels[-1], used, by_symbol)
        if len(levels) > len(by_symbol):
            _refuse_recursion(root, by_symbol)
        levels.append(list(dict.fromkeys(symbol for each in used for symbol in each.right)))
    return levels


def _refuse_mixture(
    symbols: list[str], used: list[_Production], by_symbol: Mapping[str, list[_Production]]
) -> None:
    """Refuse levels whose derivations would differ in shape."""
    for symbol in symbols:
        if symbol not in by_symbol:
            raise _error(
                f"{used[0].left!r} has productions, but {symbol!r} on the same level has none, and "
                f"strings must have one length",
                used[0].at,
                f"let {symbol!r} become {len(used[0].right)} symbols too",
                found="",
            )
    for each in used:
        if len(each.right) != len(used[0].right):
            raise _error(
                f"{each.left!r} becomes {len(each.right)} symbols, but {used[0].left!r} on the "
                f"same level becomes {len(used[0].right)} in line {used[0].at.line}, and strings "
                f"must have one length",
                each.at,
                "fill up the shorter ones with a symbol that stands for nothing, such as '_'",
                found="",
            )


def _refuse_recursion(root: str, by_symbol: Mapping[str, list[_Production]]) -> None:
    """Refuse symbols that derive themselves, naming how."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from(
        (each.left, s) for all_ in by_symbol.values() for each in all_ for s in each.right
    )
    cycle = [edge[0] for edge in nx.find_cycle(graph, root)]
    raise _error(
        f"{cycle[0]!r} derives itself ({' -> '.join([*cycle, cycle[0]])}), so that strings would "
        f"have no end",
        by_symbol[cycle[0]][0].at,
        "name the symbols of each level differently",
        found="",
    )


def _refuse_unused(productions: list[_Production], levels: list[list[str]]) -> None:
    reached = {symbol for level in levels for symbol in level}
    for each in productions:
        if each.left not in reached:
            raise _error(
                f"{each.left!r} cannot be reached from {levels[0][0]!r}, the first symbol",
                each.at,
                "let a symbol above become it, or leave its productions out",
                found="",
            )


def _rules(used: list[_Production], above: list[str], below: list[str]) -> Rules:
    """The rules of one level."""
    if not any(each.weight for each in used):
        problem = f"all weights of {above[0]!r} and its level are 0, so that no string is possible"
        raise _error(problem, used[0].at, "give one of them a positive weight", found="")
    parents = {symbol: state for state, symbol in enumerate(above)}
    children = {symbol: state for state, symbol in enumerate(below)}
    return Rules(
        np.array([parents[each.left] for each in used]),
        np.array([[children[symbol] for symbol in each.right] for each in used]),
        np.array([each.weight for each in used], dtype=object),
    )


def _error(problem: str, token: _Token, cure: str = "", *, found: str | None = None) -> FormatError:
    """The error with its place, and what to do about it."""
    if found is None:
        found = f", found {token.text!r}" if token.text else ", found the end of the text"
    cure = f"; {cure}" if cure else ""
    return FormatError(
        f"grammar, line {token.line}, column {token.column}: {problem}{found}{cure}.",
        line=token.line,
        column=token.column,
    )
