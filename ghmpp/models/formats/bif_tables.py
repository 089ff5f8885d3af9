"""The tables of a BIF file, from the rows of its probability blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import FormatError
from ghmpp.models.factors import Factor
from ghmpp.models.formats.bif_blocks import Reader, Scope
from ghmpp.models.formats.numbers import first_strange, parse_floats
from ghmpp.models.formats.text import shown
from ghmpp.models.rooting import shortened

# A default row may stand for any number of configurations; these are the entries allowed.
LARGEST_DEFAULT = 10**7


@dataclass(frozen=True, slots=True)
class Distribution:
    """The table of one probability block."""

    reader: Reader
    scope: Scope

    def factor(self) -> Factor:
        """The distribution, axes (parents, child)."""
        given = [len(self.reader.states[name]) for name in self.scope.parents]
        states = len(self.reader.states[self.scope.child])
        block = self.scope.block
        if block.table:
            entries = self._floats(block.table, prod(given) * states)
            table = np.moveaxis(entries.reshape([states, *given]), 0, -1)
        else:
            table = self._from_rows(given, states).reshape([*given, states])
        return Factor((*self.scope.parents, self.scope.child), table, self.scope.child)

    def _from_rows(self, given: Sequence[int], states: int) -> FloatArray:
        """The rows, one for each configuration of the parents."""
        block, count = self.scope.block, prod(given)
        rows: dict[int, FloatArray] = {}
        for row in block.rows:
            place = self._configuration(row)
            if place in rows:
                raise self._error("a second row for the same states of the parents", row.start(1))
            rows[place] = self._floats(row, states)
        if len(rows) < count and not block.default:
            missing = next(k for k in range(count) if k not in rows)
            names = self._states_of(missing, given)
            raise self._error(
                f"expected {count} rows, got {len(rows)}; the first that is missing is "
                f"({', '.join(names)})",
                block.scope[0],
            )
        if block.default:
            if count * states > LARGEST_DEFAULT:
                raise self._error(
                    f"default would stand for a table of {count * states} entries, more than "
                    f"{LARGEST_DEFAULT}",
                    block.default.start(1),
                )
            default = self._floats(block.default, states)
            rows |= {k: default for k in range(count) if k not in rows}
        return np.stack([rows[k] for k in range(count)])

    def _configuration(self, row: re.Match[str]) -> int:
        """Which configuration of the parents a row is for, in C order."""
        names = self.reader.groups(*row.span(1))
        if len(names) != len(self.scope.parents):
            names = self.reader.words(*row.span(1))
        if len(names) != len(self.scope.parents):
            raise self._error(
                f"expected a state for each of the {len(self.scope.parents)} parents, got "
                f"({', '.join(names)})",
                row.start(1),
            )
        place = 0
        for parent, state in zip(self.scope.parents, names, strict=True):
            states = self.reader.states[parent]
            if state not in states:
                raise self._error(
                    f"{parent!r} has no state {state!r}; its states are: {shortened(states)}",
                    row.start(1),
                )
            place = place * len(states) + states[state]
        return place

    def _states_of(self, place: int, given: Sequence[int]) -> list[str]:
        """The states of the parents in a configuration."""
        found = []
        for parent, size in zip(reversed(self.scope.parents), reversed(given), strict=True):
            found.append(list(self.reader.states[parent])[place % size])
            place //= size
        return found[::-1]

    def _floats(self, found: re.Match[str], count: int) -> FloatArray:
        """The numbers of a row or table, all >= 0."""
        piece = found[2].replace(",", " ")
        numbers = parse_floats(piece)
        if numbers is None:
            strange = first_strange(piece)
            raise self._error(
                f"expected a finite decimal number, got {shown(strange[0])}",
                found.start(2) + strange.start(),
            )
        if len(numbers) != count:
            raise self._error(f"expected {count} numbers, got {len(numbers)}", found.start(2))
        if (numbers < 0).any():
            raise self._error(f"expected numbers >= 0, got {numbers.min():g}", found.start(2))
        return numbers

    def _error(self, problem: str, offset: int) -> FormatError:
        return self.reader.error(f"distribution of {self.scope.child!r}: {problem}.", offset)
