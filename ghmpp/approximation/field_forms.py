"""Values of a schedule of fields as affine forms of the values that its functions write.

Between two functions everything is linear, so what an error does there is one matrix: the norm of
``1 - t D'D`` is known to be at most 1, where that of its parts is 3. Matrices come with a bound
of what rounding has done to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.norms import frobenius_bound, row_bound, spectral_bound

_ROUNDOFF = 2.0**-53
Atom: TypeAlias = int | str


@dataclass(frozen=True, eq=False)
class Part:
    """A linear map and how far rounding may have moved it.

    Parameters
    ----------
    matrix
        (nodes, nodes of what it reads).
    slack
        Bound of the Frobenius norm of (matrix - true one).
    """

    matrix: FloatArray
    slack: float = 0.0

    @cached_property
    def size(self) -> FloatArray:
        """Absolute values."""
        found: FloatArray = np.abs(self.matrix)
        return found

    @cached_property
    def halves(self) -> tuple[FloatArray, FloatArray]:
        """Entries above and below 0."""
        return np.maximum(self.matrix, 0), np.minimum(self.matrix, 0)

    @cached_property
    def frobenius(self) -> float:
        """Bound of the Frobenius norm of the true map."""
        return frobenius_bound(self.matrix) + self.slack

    @cached_property
    def euclid(self) -> float:
        """Bound of the operator norm of the true map."""
        return (spectral_bound(self.matrix) + self.slack) * (1 + 2 * _ROUNDOFF)

    @cached_property
    def largest(self) -> float:
        """Bound of its norm for largest entries."""
        wide = self.slack * self.matrix.shape[1] ** 0.5
        return float((row_bound(self.matrix) + wide) * (1 + 2 * _ROUNDOFF))

    def after(self, first: Part) -> Part:
        """The composition with a map that comes first."""
        unit = (self.matrix.shape[1] + 2) * 1.01 * _ROUNDOFF
        slack = (
            unit * self.frobenius * first.frobenius
            + self.frobenius * first.slack
            + self.slack * first.frobenius
        )
        return Part(self.matrix @ first.matrix, slack * (1 + 8 * _ROUNDOFF))

    def plus(self, other: Part) -> Part:
        """The sum of two maps."""
        whole = self.matrix + other.matrix
        slack = self.slack + other.slack + _ROUNDOFF * 1.01 * frobenius_bound(whole)
        return Part(whole, slack * (1 + 4 * _ROUNDOFF))

    def times(self, scale: float) -> Part:
        """The map times a number."""
        if scale == 1:
            return self
        rounding = 0.0 if scale == -1 else _ROUNDOFF * 1.01 * abs(scale) * self.frobenius
        slack = (abs(scale) * self.slack + rounding) * (1 + 4 * _ROUNDOFF)
        return Part(self.matrix * scale, slack)


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a value, in both schedules: the exact one and the approximate one.

    Parameters
    ----------
    low, high
        Range of each node, (nodes,), of both.
    norm
        Bound of the Euclidean norm over nodes, of both.
    euclid, largest
        Bounds of their difference: its Euclidean norm over nodes, and its largest entry.
    """

    low: FloatArray
    high: FloatArray
    norm: float
    euclid: float = 0.0
    largest: float = 0.0

    @staticmethod
    def between(low: FloatArray, high: FloatArray) -> Known:
        """A value of which its range is known, the same in both schedules."""
        return Known(low, high, math.inf).tightened()

    @cached_property
    def size(self) -> FloatArray:
        """Largest value of each node in size."""
        found: FloatArray = np.maximum(-self.low, self.high)
        return found

    def tightened(self) -> Known:
        """The same with each norm bounded by the others."""
        up, root = 1 + (len(self.low) + 4) * _ROUNDOFF, len(self.low) ** 0.5
        with np.errstate(over="ignore"):
            norm = min(self.norm, float(np.linalg.norm(self.size)) * up)
        euclid = min(self.euclid, self.largest * root * up, 2 * norm)
        return Known(
            np.maximum(self.low, -norm),
            np.minimum(self.high, norm),
            norm,
            euclid,
            min(self.largest, euclid),
        )

    def same(self) -> Known:
        """Its range, without a difference."""
        return replace(self, euclid=0.0, largest=0.0)

    def within(self, other: Known) -> bool:
        """Whether its range is part of another's."""
        inside = (self.low >= other.low).all() and (self.high <= other.high).all()
        return bool(inside) and self.norm <= other.norm

    def hull(self, other: Known) -> Known:
        """The range that contains both; errors of this one."""
        return replace(
            self,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            norm=max(self.norm, other.norm),
        )

    def over(self, other: Known) -> Known:
        """These errors, and the range of another."""
        return replace(self, low=other.low, high=other.high, norm=other.norm)


@dataclass(frozen=True, eq=False)
class Form:
    """A sum of maps of atoms: what is linear between functions.

    Parameters
    ----------
    nodes
        How many numbers it has.
    parts
        Maps by atom: the number of a value, or the name of a coupling that is a constant.
    """

    nodes: int
    parts: Mapping[Atom, Part]

    @staticmethod
    def of_atom(atom: Atom, nodes: int) -> Form:
        """An atom itself."""
        return Form(nodes, {atom: Part(np.eye(nodes))})

    def plus(self, other: Form) -> Form:
        """The sum."""
        parts = dict(self.parts)
        for atom, part in other.parts.items():
            parts[atom] = parts[atom].plus(part) if atom in parts else part
        return Form(self.nodes, parts)

    def through(self, part: Part) -> Form:
        """What a map makes of it."""
        parts = {atom: part.after(first) for atom, first in self.parts.items()}
        return Form(len(part.matrix), parts)

    def times(self, scale: float) -> Form:
        """Times a number."""
        return Form(self.nodes, {atom: part.times(scale) for atom, part in self.parts.items()})

    def known(self, atoms: Mapping[Atom, Known]) -> Known:
        """Range and errors, from those of the atoms."""
        low, high, sizes = (np.zeros(self.nodes) for _ in range(3))
        norm = euclid = largest = 0.0
        for atom, part in self.parts.items():
            found = atoms[atom]
            below, above = _spread(part, found)
            low, high = low + below, high + above
            sizes = sizes + np.maximum(np.abs(below), np.abs(above))
            norm += gained(part.euclid, found.norm)
            euclid += gained(part.euclid, found.euclid)
            largest += gained(part.largest, found.largest)
        unit = (2 * len(self.parts) + 2) * _ROUNDOFF
        slack, up = unit * np.where(np.isfinite(sizes), sizes, 0.0), 1 + unit
        return Known(low - slack, high + slack, norm * up, euclid * up, largest * up).tightened()


def gained(gain: float, error: float) -> float:
    """The product; 0 if either is, however large the other."""
    return gain * error if gain and error else 0.0


def _spread(part: Part, found: Known) -> tuple[FloatArray, FloatArray]:
    """Range of a map of a value, rounded outward."""
    up, down = part.halves
    finite = np.isfinite(found.low) & np.isfinite(found.high)
    low, high = np.where(finite, found.low, 0.0), np.where(finite, found.high, 0.0)
    size = np.where(finite, found.size, 0.0)
    unit = (part.matrix.shape[1] + 4) * 2 * _ROUNDOFF
    slack = unit * (part.size @ size) + part.slack * (1.01 * math.sqrt(len(size)) * size.max())
    below, above = up @ low + down @ high - slack, up @ high + down @ low + slack
    if finite.all():
        return below, above
    # Which nodes read something that is not bounded.
    open_low = (up @ np.isinf(found.low)) - (down @ np.isinf(found.high)) > 0
    open_high = (up @ np.isinf(found.high)) - (down @ np.isinf(found.low)) > 0
    slacked = part.slack > 0
    return (
        np.where(open_low | slacked, -np.inf, below),
        np.where(open_high | slacked, np.inf, above),
    )
