"""Maximising a smooth function of a few variables, never going down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray

Objective: TypeAlias = Callable[[FloatArray], tuple[float, FloatArray]]

# A step must gain at least this share of what the slope promises (Armijo's rule).
SUFFICIENT = 1e-4
SHORTEST = 1e-9


def climb(
    objective: Objective, start: FloatArray, *, steps: int = 30, precision: float = 1e-12
) -> FloatArray:
    """A point at least as high as the start: quasi-Newton (BFGS) with backtracking.

    Parameters
    ----------
    objective
        Gives value and gradient, shape (n,), at a point; value -inf where the function is not
        defined, so that steps never leave its domain.
    start
        Where to begin, shape (n,); the value there is finite.
    steps
        At most this many.
    precision
        Stop when the slope promises less than this share of the value.

    Returns
    -------
    array of shape (n,)

    References
    ----------
    J. Nocedal, S. Wright, Numerical Optimization, 2nd ed., algorithm 6.1.

    Examples
    --------
    >>> climb(lambda x: (-float(x @ x), -2 * x), np.array([3.0, -1.0])).round(6) + 0.0
    array([0., 0.])
    """
    point = start
    value, gradient = objective(point)
    # No first step is longer than 1 in any coordinate.
    metric = np.eye(len(point)) / max(float(np.abs(gradient).max(initial=0.0)), 1e-300)
    for step in range(steps):
        direction = metric @ gradient
        slope = float(direction @ gradient)
        if not slope > precision * (1 + abs(value)):
            break
        length, found = 1.0, objective(point + direction)
        while not found[0] >= value + SUFFICIENT * length * slope:
            length /= 2
            if length < SHORTEST:
                return point
            found = objective(point + length * direction)
        metric = _updated(metric, length * direction, gradient - found[1], first=step == 0)
        point, value, gradient = point + length * direction, *found
    return point


def _updated(metric: FloatArray, move: FloatArray, bend: FloatArray, *, first: bool) -> FloatArray:
    """The inverse of the curvature after a move along which the gradient fell by ``bend``."""
    curvature = float(move @ bend)
    if curvature <= 1e-12 * float(np.linalg.norm(move) * np.linalg.norm(bend)):
        return metric
    identity = np.eye(len(move))
    if first:
        metric = identity * curvature / float(bend @ bend)
    turn = identity - np.outer(move, bend) / curvature
    updated: FloatArray = turn @ metric @ turn.T + np.outer(move, move) / curvature
    return updated
