"""How much noise each batch has, where it is not always the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ghmpp.errors import QueryError


@dataclass(frozen=True, slots=True)
class Between:
    """A level drawn for each batch, its logarithm uniform.

    Parameters
    ----------
    low, high
        Bounds, finite and > 0, in the units of the channel's parameter.

    Raises
    ------
    QueryError
        If they are not, or in the wrong order.

    Examples
    --------
    >>> Between(0.1, 10.0)
    Between(low=0.1, high=10.0)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < math.inf:
            raise QueryError(f"Between: needs 0 < low <= high, got {self.low} and {self.high}.")


# One level drawn for each batch, or several in turn, one per batch.
Levels: TypeAlias = Between | tuple[float, ...]


def read_levels(levels: float | Between | Sequence[float]) -> tuple[float, Levels | None]:
    """A level to compile with, and those of the batches; None where all have this one.

    Raises
    ------
    QueryError
        If there are none.

    Examples
    --------
    >>> read_levels(2.0), read_levels([1.0, 2.0])
    ((2.0, None), (1.0, (1.0, 2.0)))
    """
    if isinstance(levels, Between):
        return math.sqrt(levels.low * levels.high), levels
    if not isinstance(levels, Sequence):
        return levels, None
    if not levels:
        raise QueryError("levels: an empty sequence has no noise level; list at least one.")
    return levels[0], tuple(map(float, levels))


def level(levels: Levels, step: int, rng: np.random.Generator) -> float:
    """The level of a step.

    Examples
    --------
    >>> [level((1.0, 2.0), step, np.random.default_rng(0)) for step in range(3)]
    [1.0, 2.0, 1.0]
    """
    if isinstance(levels, Between):
        return math.exp(rng.uniform(math.log(levels.low), math.log(levels.high)))
    return levels[step % len(levels)]
