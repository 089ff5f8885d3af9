"""Piecewise-linear functions given by ReLU units of any signs, with rigorous values and slopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.outward import Interval, exact, joined, maximum, running_sum, total


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """``constant + sum of slopes * ReLU(x - knots)``: units that face right, in any order.

    Units that face left, ``constant - sum of slopes * ReLU(knots - x)``, are the negative of such
    a function of -x.

    Parameters
    ----------
    knots, slopes
        Shape (units,); slopes may have any sign.
    constant
        Value left of all knots.
    """

    knots: FloatArray
    slopes: FloatArray
    constant: float

    @property
    def finite(self) -> bool:
        """Whether every number is."""
        parts = (self.knots, self.slopes, np.array(self.constant))
        return all(bool(np.isfinite(part).all()) for part in parts)

    def inside(self, low: float, high: float) -> FloatArray:
        """Knots of units that do something, strictly between two numbers."""
        knots = self.knots[self.slopes != 0]
        found: FloatArray = knots[(knots > low) & (knots < high)]
        return found

    def on(self, points: FloatArray) -> Pieces:
        """The function between points, increasing, with every knot between their ends in them."""
        order = np.argsort(self.knots, kind="stable")
        knots, slopes = self.knots[order], self.slopes[order]
        before = running_sum(exact(np.concatenate([[0.0], slopes])))
        starts = np.searchsorted(knots, points[:-1], side="right")
        on = knots <= points[0]
        base = total(exact(slopes[on]) * (points[0] - exact(knots[on]))) + self.constant
        steep = before[starts]
        steps = steep * (exact(points[1:]) - points[:-1])
        return Pieces(points, running_sum(joined(base, steps)), steep)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """A piecewise-linear function between points.

    Parameters
    ----------
    points
        Increasing, shape (pieces + 1,).
    values
        At the points.
    slopes
        Between them, shape (pieces,).
    """

    points: FloatArray
    values: Interval
    slopes: Interval

    def at(self, x: FloatArray) -> Interval:
        """Values at one number in each piece, shape (pieces,)."""
        return self.values[:-1] + self.slopes * (exact(x) - self.points[:-1])

    def beyond(self, slope: Interval, x: FloatArray) -> Interval:
        """By how much a line through x, one for each piece, can rise above its value at x."""
        rise = maximum(slope * (exact(self.points[1:]) - x), slope * (exact(self.points[:-1]) - x))
        return maximum(rise, 0.0)


def with_ends(low: float, inside: FloatArray, high: float) -> FloatArray:
    """Points of a domain, increasing, each once; an infinite end is left out."""
    ends = [end for end in (low, high) if np.isfinite(end)]
    return np.unique(np.concatenate([ends, inside]))
