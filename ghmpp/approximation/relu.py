"""One-hidden-layer ReLU networks of one variable, in the dense form that exports use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ReluUnits:
    """``constant + sign * sum of weights * ReLU(facing * (x - knots))``.

    All weights are positive, so no two units cancel, whatever x is.

    Parameters
    ----------
    constant
        Value where every unit is off.
    weights, knots
        Shape (units,), weights >= 0.
    facing
        1 for units that are on to the right of their knot, -1 to the left.
    sign
        1 for convex functions, -1 for concave ones.
    """

    constant: float
    weights: FloatArray
    knots: FloatArray
    facing: Literal[1, -1]
    sign: Literal[1, -1]

    def __call__(self, x: ArrayLike, dtype: type[np.floating] = np.float64) -> AnyArray:
        """Value at x, shape (...), every operation in ``dtype``."""
        at = np.asarray(x, dtype=dtype)[..., None]
        units = np.maximum(dtype(self.facing) * (at - self.knots.astype(dtype)), dtype(0))
        found: AnyArray = dtype(self.constant) + dtype(self.sign) * (
            units @ self.weights.astype(dtype)
        )
        return found


def convex_units(knots: FloatArray, values: FloatArray) -> ReluUnits:
    """Units, facing right, of the convex increasing function through points.

    Left of the first knot it is constant; right of the last it goes on with the last slope.

    Parameters
    ----------
    knots, values
        Points, increasing, with slopes that increase; shape (segments + 1,).
    """
    slopes = np.diff(values) / np.diff(knots)
    return ReluUnits(float(values[0]), np.diff(slopes, prepend=0.0), knots[:-1], 1, 1)


def concave_units(knots: FloatArray, values: FloatArray) -> ReluUnits:
    """Units, facing left, of the concave increasing function through points.

    Right of the last knot it is constant; left of the first it goes on with the first slope.

    Parameters
    ----------
    knots, values
        Points, increasing, with slopes that decrease; shape (segments + 1,).
    """
    slopes = np.diff(values) / np.diff(knots)
    return ReluUnits(float(values[-1]), -np.diff(slopes, append=0.0), knots[1:], -1, -1)


def interpolate(
    x: FloatArray, index: AnyArray, knots: FloatArray, values: FloatArray
) -> FloatArray:
    """Linear interpolation in given segments, clipped to the first and last; shape of x.

    A guess of the segment that is off by one, from rounding at a knot, is put right.
    """
    last = len(knots) - 2
    k = np.clip(index, 0, last).astype(np.int64)
    k = np.clip(k + (x >= knots[k + 1]) - (x < knots[k]), 0, last)
    slope = (values[k + 1] - values[k]) / (knots[k + 1] - knots[k])
    found: FloatArray = values[k] + slope * (x - knots[k])
    return found
