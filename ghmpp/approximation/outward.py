"""Intervals of float64 arrays that contain the true values, whatever rounding does.

Every operation rounds its ends outward by one step of float64 (IEEE 754 rounds +, -, *, / to the
nearest, so the true end is at most one step away). numpy documents at most 4 units in the last
place for exp and log; 8 are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray, IntArray

_ULPS = 8.0
_TINY = float(np.finfo(np.float64).tiny)
_LARGEST = float(np.finfo(np.float64).max)
_ROUNDOFF = 2.0**-53


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Closed intervals, elementwise; an end may be infinite.

    What is undefined (NaN, as from infinity minus infinity) becomes the whole line.

    Parameters
    ----------
    lo, hi
        Ends, of one shape, lo <= hi.

    Examples
    --------
    >>> third = exact(1.0) / 3.0
    >>> bool(third.lo < third.hi), float(third.hi - third.lo) < 1e-15
    (True, True)
    """

    # numpy leaves the operators to this class.
    __array_ufunc__ = None

    lo: FloatArray
    hi: FloatArray

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Operand) -> Interval:
        right = exact(other)
        with np.errstate(invalid="ignore", over="ignore"):
            return _outward(self.lo + right.lo, self.hi + right.hi)

    def __sub__(self, other: Operand) -> Interval:
        return self + -exact(other)

    def __mul__(self, other: Operand) -> Interval:
        right = exact(other)
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            ends = [a * b for a in (self.lo, self.hi) for b in (right.lo, right.hi)]
        # NaN in any of them makes both ends NaN, hence the whole line.
        return _outward(np.minimum.reduce(ends), np.maximum.reduce(ends))

    def __truediv__(self, other: Operand) -> Interval:
        right = exact(other)
        with np.errstate(all="ignore"):
            ends = [a / b for a in (self.lo, self.hi) for b in (right.lo, right.hi)]
            through = (right.lo <= 0) & (right.hi >= 0)
            low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
        return _outward(np.where(through, -np.inf, low), np.where(through, np.inf, high))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Operand) -> Interval:
        return exact(other) - self

    def __rtruediv__(self, other: Operand) -> Interval:
        return exact(other) / self

    def __getitem__(self, key: int | slice | IntArray) -> Interval:
        return Interval(self.lo[key], self.hi[key])


Operand: TypeAlias = Interval | ArrayLike


def exact(value: Operand) -> Interval:
    """Intervals of width 0; intervals stay as they are."""
    if isinstance(value, Interval):
        return value
    array = np.asarray(value, dtype=np.float64)
    return Interval(array, array)


def exp(x: Operand) -> Interval:
    """Exponentials; of -inf, 0."""
    at = exact(x)
    with np.errstate(over="ignore", under="ignore"):
        low, high = np.exp(at.lo), np.exp(at.hi)
    low = np.minimum(low, _LARGEST)
    # What is smaller than normal numbers has lost digits.
    return Interval(np.maximum(low - _ulps(low) - _TINY, 0.0), high + _ulps(high) + _TINY)


def log(x: Operand) -> Interval:
    """Natural logarithms; of what is <= 0, -inf."""
    at = exact(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.log(np.maximum(at.lo, 0.0))
        high = np.log(np.maximum(at.hi, 0.0))
    return Interval(low - _ulps(low), high + _ulps(high))


def hull(x: Interval, y: Interval) -> Interval:
    """The smallest intervals that contain both."""
    return Interval(np.minimum(x.lo, y.lo), np.maximum(x.hi, y.hi))


def maximum(x: Operand, y: Operand) -> Interval:
    """The larger of two numbers, elementwise."""
    left, right = exact(x), exact(y)
    return Interval(np.maximum(left.lo, right.lo), np.maximum(left.hi, right.hi))


def minimum(x: Operand, y: Operand) -> Interval:
    """The smaller of two numbers, elementwise."""
    left, right = exact(x), exact(y)
    return Interval(np.minimum(left.lo, right.lo), np.minimum(left.hi, right.hi))


def running_sum(x: Interval) -> Interval:
    """Sums of the first 1, 2, ... entries of a vector.

    Any order of adding k numbers errs by at most (k - 1) roundoffs of the sum of their sizes.
    """
    sizes = np.cumsum(np.maximum(abs(x.lo), abs(x.hi)))
    slack = sizes * (np.arange(2, len(sizes) + 2) * (1.01 * _ROUNDOFF))
    return _outward(np.cumsum(x.lo) - slack, np.cumsum(x.hi) + slack)


def total(x: Interval) -> Interval:
    """Sums over the last axis."""
    size = np.maximum(abs(x.lo), abs(x.hi)).sum(axis=-1)
    slack = size * ((x.lo.shape[-1] + 2) * 1.01 * _ROUNDOFF)
    return _outward(x.lo.sum(axis=-1) - slack, x.hi.sum(axis=-1) + slack)


def joined(*parts: Interval) -> Interval:
    """Vectors one after another; numbers count as vectors of one entry."""
    return Interval(
        np.concatenate([np.atleast_1d(part.lo) for part in parts]),
        np.concatenate([np.atleast_1d(part.hi) for part in parts]),
    )


def _ulps(y: FloatArray) -> AnyArray:
    """Eight units in the last place; 0 where infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(np.isfinite(y), _ULPS * np.spacing(abs(y)), 0.0)


def _outward(low: AnyArray, high: AnyArray) -> Interval:
    """One step down and up; NaN becomes the whole line."""
    with np.errstate(over="ignore", under="ignore"):
        low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))
