r"""Messages between two-state variables as one piecewise-linear function of the log-odds.

Only the difference of the two entries of a message matters, and it depends on the difference of
the two entries of its input alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray, read_only
from ghmpp.approximation.relu import ReluUnits, concave_units, convex_units

_GRID = 800
_CORRECTIONS = 4
_TAIL = 45.0  # beyond the bend by this much, nothing is left in float64
LARGEST_BEND = 300.0
_ROUNDING = 1 + 1e-12


def log_odds(x: FloatArray, bend: float) -> FloatArray:
    r"""Centred log-odds message :math:`2\,\mathrm{atanh}(\tanh(\theta/2) \tanh(x/2))`.

    It increases from -theta to theta, is odd, and convex for x < 0.

    Parameters
    ----------
    x
        Log-odds of the input, centred, dimensionless; any shape.
    bend
        theta >= 0: half the Birkhoff diameter of the table.
    """
    found: FloatArray = np.logaddexp(0, x + bend) - np.logaddexp(0, x - bend) - bend
    return found


@dataclass(frozen=True)
class LogOddsNet:
    r"""Interpolant of the centred log-odds message on [low, high], constant outside its knots.

    The span error of the message is the distance of two numbers, so it is the largest gap of a
    segment; error epsilon takes at most about :math:`2.25 / \sqrt\epsilon` segments, for any
    table. The inflection at 0 is a knot, so each half is convex or concave, and its units do not
    cancel: two units of the second hidden layer join the halves.

    Parameters
    ----------
    segments
        Number of chords, at least 2.
    bend
        theta > 0, half the Birkhoff diameter, at most 300.
    low, high
        Range of the input, low < high; infinite where unbounded.
    """

    segments: int
    bend: float
    low: float
    high: float

    @cached_property
    def knots(self) -> FloatArray:
        """Knots, increasing, shape (segments + 1,)."""
        ends = [
            (max(0.0, -self.high), max(0.0, -self.low)),  # of the half below 0, mirrored
            (max(0.0, self.low), max(0.0, self.high)),
        ]
        shares = [_mass(self.bend, *each) if each[1] > each[0] else 0.0 for each in ends]
        below = round(self.segments * shares[0] / (sum(shares) or 1.0))
        if shares[0] and shares[1]:
            below = min(max(below, 1), self.segments - 1)
        parts = [
            sign * _half(self.bend, *each, count)
            for sign, each, count in zip((-1, 1), ends, (below, self.segments - below), strict=True)
            if count
        ]
        array: FloatArray = read_only(np.unique(np.concatenate(parts) + 0.0))
        return array

    @cached_property
    def values(self) -> FloatArray:
        """Values at the knots, shape (segments + 1,)."""
        array: FloatArray = read_only(log_odds(self.knots, self.bend))
        return array

    @cached_property
    def error(self) -> float:
        """The largest gap of a segment, or of what lies outside the knots."""
        knots, values, theta = self.knots, self.values, self.bend
        ends = np.array([max(self.low, -800.0), min(self.high, 800.0)])
        tails = abs(log_odds(np.array([min(ends[0], knots[0]), max(ends[1], knots[-1])]), theta))
        beyond = tails - abs(values[[0, -1]])
        return float(max(_gaps(knots, theta).max(), beyond.max())) * _ROUNDING + 4e-16 * (1 + theta)

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Value at centred log-odds x, any shape; infinite x is allowed."""
        found: FloatArray = np.interp(np.asarray(x, dtype=np.float64), self.knots, self.values)
        return found

    def halves(self) -> tuple[ReluUnits | None, ReluUnits | None]:
        """First hidden layer: the convex half, units facing right, and the concave, facing left.

        Each goes on linearly over the other half; None where a half is empty.
        """
        left, right = self.knots <= 0, self.knots >= 0
        return (
            convex_units(self.knots[left], self.values[left]) if left.sum() > 1 else None,
            concave_units(self.knots[right], self.values[right]) if right.sum() > 1 else None,
        )

    def dense(self, x: ArrayLike, dtype: type[np.floating] = np.float64) -> AnyArray:
        """Value by both ReLU layers, every operation in ``dtype``: equal to calling it."""
        convex, concave = self.halves()
        middle = dtype(0 if convex and concave else self.values[-1 if convex else 0])
        found: AnyArray = np.full(np.shape(x), middle)
        if convex is not None:
            found = found - np.maximum(middle - convex(x, dtype), dtype(0))
        if concave is not None:
            found = found + np.maximum(concave(x, dtype) - middle, dtype(0))
        return found


@lru_cache(maxsize=4096)
def log_odds_error(segments: int, bend: float, low: float, high: float) -> float:
    """The error of a :class:`LogOddsNet`, remembered."""
    return LogOddsNet(segments, bend, low, high).error


def _density(bend: float, start: float, stop: float) -> tuple[FloatArray, FloatArray]:
    """Points of a half, and the integral of the root of the curvature up to each."""
    end = min(stop, max(bend + _TAIL, start + 1))
    near = np.clip(bend + np.linspace(-_TAIL, _TAIL, 2 * _GRID), start, end)
    points = np.unique(np.concatenate([np.linspace(start, end, _GRID), near]))
    # sinh(theta) sinh(x) / (cosh x + cosh theta)^2, divided through by e^(2 max) / 4
    larger = np.maximum(points, bend)
    scaled = np.exp(points - larger) + np.exp(-points - larger)
    scaled = scaled + np.exp(bend - larger) + np.exp(-bend - larger)
    sinhs = -np.expm1(-2 * points) * -np.expm1(-2 * bend) * np.exp(points + bend - 2 * larger)
    root = np.sqrt(sinhs) / scaled
    steps = np.diff(points) * (root[1:] + root[:-1]) / 2
    return points, np.concatenate([[0.0], np.cumsum(steps)])


def _mass(bend: float, start: float, stop: float) -> float:
    return float(_density(bend, start, stop)[1][-1])


def _gaps(knots: FloatArray, bend: float) -> FloatArray:
    r"""Gap of each segment, at the point where the slope is that s of the chord.

    There :math:`\cosh x = \sinh\theta / s - \cosh\theta`; no segment has 0 inside.
    """
    values = log_odds(knots, bend)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slopes = np.diff(values) / np.diff(knots)
        # cosh x, divided by e^theta / 2 so that nothing overflows
        scaled = -np.expm1(-2 * bend) / slopes - 1 - np.exp(-2 * bend)
        points = np.arccosh(np.maximum(scaled / 2 * np.exp(bend), 1.0))
    inside = np.clip(np.sign(knots[:-1] + knots[1:]) * points, knots[:-1], knots[1:])
    found: FloatArray = abs(log_odds(inside, bend) - values[:-1] - slopes * (inside - knots[:-1]))
    return found


def _half(bend: float, start: float, stop: float, count: int) -> FloatArray:
    """Knots of the half x >= 0 between two ends; the last lies where the tail is as good.

    The density is right for short segments; a few corrections make the long ones as good.
    """
    points, mass = _density(bend, start, stop)
    limit = log_odds(np.array(min(stop, bend + 2 * _TAIL)), bend)
    tail = limit - log_odds(points, bend)
    cut = max(int(np.argmin(np.maximum(tail, (mass / count) ** 2 / 8))), 1)
    points, mass = points[: cut + 1], mass[: cut + 1]
    shares, found = np.ones(count), points
    for _ in range(_CORRECTIONS):
        ends = np.concatenate([[0.0], np.cumsum(shares)])
        found = np.interp(ends / ends[-1] * mass[-1], mass, points)
        gaps = _gaps(found, bend) + 1e-15 * (1 + bend)
        shares = shares * np.sqrt(gaps.mean() / gaps)
    return found
