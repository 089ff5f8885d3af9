r"""Grids: the localization times at which samplers stop.

Times are measured in ``1 / gap^2``, where gap is the smallest distance of two state values: with
one more call of the denoiser at the end, ``20 / gap^2`` is enough to tell states apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError

# Localization time at which sampling ends, in 1 / gap^2.
END = 20.0
# Exponent of the grid of the Adams-Bashforth sampler.
POWER = 1.25
# Where state values reach over more gaps than this, "wide" does better than "power".
MOST_GAPS = 8.0

GridLike: TypeAlias = str | ArrayLike


@dataclass(frozen=True, slots=True)
class Scale:
    """Smallest distance of two different state values, and largest minus smallest value."""

    gap: float = 1.0
    reach: float = 1.0

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """The scale of state values; both are 1 where all values are equal."""
        steps = np.diff(np.unique(values))
        return cls(float(steps.min()), float(steps.sum())) if steps.size else cls()


def uniform(end: float, steps: int, scale: Scale) -> FloatArray:
    """Equal steps in the localization time, as in arXiv:2404.18444."""
    return np.linspace(0.0, end, steps + 1)


def geometric(end: float, steps: int, scale: Scale) -> FloatArray:
    """Equal ratios of ``1 + t gap^2``."""
    return _ratios(end, steps, scale.gap**2)


def wide(end: float, steps: int, scale: Scale) -> FloatArray:
    """Equal ratios of ``1 + t reach^2``, with reach the largest distance of two state values.

    It starts where noise first lets small values be told from large ones; of two states it is
    :func:`geometric`.
    """
    return _ratios(end, steps, scale.reach**2)


def square_root(end: float, steps: int, scale: Scale) -> FloatArray:
    """Equal steps in the square root of the localization time."""
    return np.linspace(0.0, math.sqrt(end), steps + 1) ** 2


def power(end: float, steps: int, scale: Scale) -> FloatArray:
    r"""``sqrt(t_k) = sqrt(end) (k / steps)^1.25``."""
    times: FloatArray = end * np.linspace(0.0, 1.0, steps + 1) ** (2 * POWER)
    return times


def _ratios(end: float, steps: int, rate: float) -> FloatArray:
    """Equal ratios of ``1 + t rate``."""
    times: FloatArray = np.expm1(np.linspace(0.0, math.log1p(end * rate), steps + 1)) / rate
    return times


GRIDS: Mapping[str, Callable[[float, int, Scale], FloatArray]] = {
    "geometric": geometric,
    "power": power,
    "square-root": square_root,
    "uniform": uniform,
    "wide": wide,
}


def read_grid(
    grid: GridLike, *, steps: int = 16, end: float | None = None, scale: Scale = Scale()
) -> FloatArray:
    """Localization times of a named grid, or checked times.

    Parameters
    ----------
    grid
        "geometric", "power", "square-root", "uniform" or "wide"; or times, increasing from 0 or
        above.
    steps
        Steps of a named grid, at least 1.
    end
        Last time of a named grid; None = ``20 / gap^2``.
    scale
        Smallest and largest distance of two state values.

    Returns
    -------
    array of shape (steps + 1,), increasing

    Raises
    ------
    QueryError
        If the grid is unknown, times are negative, not finite or not increasing, or steps or end
        are not positive.

    Examples
    --------
    >>> read_grid("square-root", steps=2)
    array([ 0.,  5., 20.])
    """
    if not isinstance(grid, str):
        return _checked(grid)
    if grid not in GRIDS:
        known = ", ".join(map(repr, GRIDS))
        raise QueryError(f"diffuse: unknown grid {grid!r}; known: {known}, or an array of times.")
    require_steps(steps)
    last = END / scale.gap**2 if end is None else end
    if not 0 < last < math.inf:
        raise QueryError(f"diffuse: end must be a positive time, got {end!r}.")
    return GRIDS[grid](last, steps, scale)


def suited(grid: str, scale: Scale) -> str:
    """The grid itself, or "wide" for the probability flow of values that are many."""
    flow = grid in ("power", "square-root")
    return "wide" if flow and scale.reach > MOST_GAPS * scale.gap else grid


def require_steps(steps: int) -> None:
    """Refuse what is no whole number of at least 1."""
    whole = isinstance(steps, (int, np.integer)) and not isinstance(steps, bool)
    if not whole or steps < 1:
        raise QueryError(f"diffuse: steps must be a whole number >= 1, got {steps!r}.")


def _checked(times: ArrayLike) -> FloatArray:
    """Given times, which must increase from 0 or above."""
    found = np.asarray(times, dtype=np.float64)
    if found.ndim != 1 or found.size < 2:
        raise QueryError(f"diffuse: a grid needs two times or more, got shape {found.shape}.")
    if not (np.isfinite(found).all() and found[0] >= 0):
        raise QueryError(f"diffuse: times must be finite and >= 0, got {found.min()}.")
    if not (np.diff(found) > 0).all():
        place = int(np.argmin(np.diff(found) > 0))
        raise QueryError(
            f"diffuse: times must increase (localization time, from noise to data); "
            f"{found[place]} is followed by {found[place + 1]}."
        )
    return found
