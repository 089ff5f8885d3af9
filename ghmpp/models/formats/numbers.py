"""The numbers of a text in order, with counts that are checked before anything is allocated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import FormatError
from ghmpp.models.formats.text import Text, shown

SLAB = 2**20
_TOKEN = re.compile(r"\S+")
_SPACE = re.compile(r"\s")
_STRANGE = re.compile(r"[^0-9eE+\-.\s]")  # Python would take "nan", "inf" and "1_000" too


def parse_floats(piece: str) -> FloatArray | None:
    """The decimal numbers in a piece of text, split by white space; None if one is none.

    Examples
    --------
    >>> parse_floats("1 .5 1e-05")
    array([1.e+00, 5.e-01, 1.e-05])
    >>> parse_floats("1 nan") is None
    True
    """
    if _STRANGE.search(piece):
        return None
    try:
        found: FloatArray = np.fromiter(map(float, piece.split()), np.float64)
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def first_strange(piece: str) -> re.Match[str]:
    """The first token that :func:`parse_floats` stumbles over."""
    return next(token for token in _TOKEN.finditer(piece) if parse_floats(token[0]) is None)


class Numbers:
    """The finite numbers >= 0 of a text, taken one after the other.

    Parameters
    ----------
    text
        The text.
    content
        What to read of it: of the same length, everything blank that does not count.

    Raises
    ------
    FormatError
        If something in it is no such number.
    """

    def __init__(self, text: Text, content: str) -> None:
        self._text = text
        self._content = content
        self._next = 0
        self._values = np.concatenate([np.empty(0), *self._slabs()])
        negative = np.flatnonzero(self._values < 0)
        if len(negative):
            value = self._values[negative[0]]
            raise self._error(f"expected a number >= 0, got {value:g}.", int(negative[0]))

    @property
    def left(self) -> int:
        """How many numbers have not been taken."""
        return len(self._values) - self._next

    def error(self, problem: str, back: int = 1) -> FormatError:
        """The error for a problem with the number that was taken ``back`` numbers ago."""
        return self._error(problem, self._next - back)

    def take(self, count: int, what: str) -> FloatArray:
        """The next numbers."""
        if count > self.left:
            raise self._text.end(
                f"{what}: expected {count} more number(s), but the file has only {self.left}; "
                "it is cut short, or a count in it is wrong."
            )
        found = self._values[self._next : self._next + count]
        self._next += count
        return found

    def whole(self, what: str, least: int = 0, below: float = np.inf) -> int:
        """The next number, which must be whole and in a range."""
        return self.wholes(1, what, least, below)[0]

    def wholes(self, count: int, what: str, least: int = 0, below: float = np.inf) -> list[int]:
        """The next numbers, which must be whole and in a range."""
        found: list[float] = self.take(count, what).tolist()
        for k, number in enumerate(found):
            if not number.is_integer() or not least <= number < below:
                limit = f">= {least}" if below == np.inf else f"in {least}..{below - 1:g}"
                raise self.error(
                    f"{what}: expected a whole number {limit}, got {number:g}.", count - k
                )
        return [int(number) for number in found]

    def finish(self) -> None:
        """Refuse numbers that nobody took."""
        if self.left:
            raise self.error(
                f"{self.left} number(s) are left over from here on; a count above is wrong, or the "
                "file holds more than one model.",
                back=0,
            )

    def _error(self, problem: str, index: int) -> FormatError:
        """The error for a problem with one of the numbers."""
        token = next(islice(_TOKEN.finditer(self._content), max(index, 0), None), None)
        if token is None:
            return self._text.end(problem)
        return self._text.error(problem, token.start())

    def _slabs(self) -> Iterator[FloatArray]:
        """The numbers, some at a time, so that few tokens exist at once."""
        start = 0
        while start < len(self._content):
            cut = _SPACE.search(self._content, start + SLAB)
            stop = cut.start() if cut else len(self._content)
            piece = self._content[start:stop]
            found = parse_floats(piece)
            if found is None:
                strange = first_strange(piece)
                raise self._text.error(
                    f"expected a finite decimal number, got {shown(strange[0])}.",
                    start + strange.start(),
                )
            yield found
            start = stop
