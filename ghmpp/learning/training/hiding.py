"""Which tokens of a sequence are hidden, and which of them are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import BoolArray
from ghmpp.errors import QueryError


@dataclass(frozen=True, slots=True)
class Masked:
    """Tokens hidden at random, at least one of each sequence; the hidden ones are asked for.

    Parameters
    ----------
    low, high
        The probability that a token is hidden is drawn for each sequence, uniform between these.

    Raises
    ------
    QueryError
        If they are no probabilities > 0, or in the wrong order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high <= 1:
            raise QueryError(
                f"masked: rate must be a probability > 0, or two that rise, got "
                f"{self.low} and {self.high}."
            )

    def draw(self, rng: np.random.Generator, rows: int, nodes: int) -> tuple[BoolArray, BoolArray]:
        """What is hidden and what is asked for, both (rows, nodes)."""
        rate = rng.uniform(self.low, self.high, (rows, 1))
        hidden = rng.random((rows, nodes)) < rate
        hidden[np.arange(rows), rng.integers(nodes, size=rows)] = True
        return hidden, hidden


@dataclass(frozen=True, slots=True)
class FromNext:
    """A position drawn for each sequence: it is asked for, it and all after it are hidden."""

    def draw(self, rng: np.random.Generator, rows: int, nodes: int) -> tuple[BoolArray, BoolArray]:
        """What is hidden and what is asked for, both (rows, nodes)."""
        at, places = rng.integers(nodes, size=(rows, 1)), np.arange(nodes)
        return places >= at, places == at


Hiding: TypeAlias = Masked | FromNext
