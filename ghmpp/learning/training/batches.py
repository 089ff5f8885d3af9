"""Batches of training data, and the order in which a fixed data set is gone through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from torch import Tensor

from ghmpp._arrays import IntArray

# What a random number is for: the last part of its seed.
ROWS, NOISE, LEVEL, ORDER, HELD_OUT, SPLIT, WEIGHTS = range(7)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of data.

    Parameters
    ----------
    inputs
        What a network reads, in order, as :meth:`ghmpp.backends.network.Network.forward` says.
    target
        What it should answer: states (batch, nodes) as integers, or values (batch, nodes);
        without the axis of nodes for a class with one node.
    channel
        Channel parameters of these rows, such as ``{"sigma": 2.0}``; empty for states.
    asked
        Which targets count, bool (batch, nodes); None for all.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    channel: Mapping[str, float] = field(default_factory=dict)
    asked: Tensor | None = None

    def __len__(self) -> int:
        return len(self.target)

    def to(self, like: Tensor) -> Batch:
        """On the device, and real numbers in the precision, of a tensor."""

        def moved(x: Tensor) -> Tensor:
            return x.to(like.device, like.dtype if x.is_floating_point() else x.dtype)

        asked = None if self.asked is None else self.asked.to(like.device)
        inputs = tuple(map(moved, self.inputs))
        return replace(self, inputs=inputs, target=moved(self.target), asked=asked)

    def parts(self, rows: int | None) -> Iterator[Batch]:
        """The batch in parts of at most so many rows."""
        if rows is None or rows >= len(self):
            yield self
            return
        for start in range(0, len(self), rows):
            part = slice(start, start + rows)
            yield replace(
                self,
                inputs=tuple(x[part] for x in self.inputs),
                target=self.target[part],
                asked=None if self.asked is None else self.asked[part],
            )


class Source(Protocol):
    """Where batches come from."""

    @property
    def varying(self) -> bool:
        """Whether channel parameters differ from batch to batch."""

    def batch(self, step: int, size: int) -> Batch:
        """The batch of a step, the same whenever it is asked for."""

    def described(self) -> dict[str, str]:
        """What tells these data from others."""


def generator(*seed: int) -> np.random.Generator:
    """Random numbers of their own for each seed and purpose."""
    return np.random.default_rng(seed)


class Order:
    """Rows of a fixed data set, shuffled anew each time that all have been used.

    Any step can be asked for alone: the order is a function of seed and step.

    Parameters
    ----------
    n, seed
        Number of rows, and of the shuffles.

    Examples
    --------
    >>> order = Order(4, seed=0)
    >>> sorted([*order.rows(0, 2).tolist(), *order.rows(1, 2).tolist()])
    [0, 1, 2, 3]
    """

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed
        self._shuffled: dict[int, IntArray] = {}

    def rows(self, step: int, size: int) -> IntArray:
        """Rows of the batch of a step, (size,), or all if there are fewer."""
        size = min(size, self.n)
        places = np.arange(step * size, (step + 1) * size)
        epochs = places // self.n
        return np.concatenate(
            [self._epoch(int(e))[places[epochs == e] % self.n] for e in np.unique(epochs)]
        )

    def _epoch(self, epoch: int) -> IntArray:
        if epoch not in self._shuffled:
            shuffled: IntArray = generator(self.seed, epoch, ORDER).permutation(self.n)
            self._shuffled = {e: rows for e, rows in self._shuffled.items() if e == epoch - 1}
            self._shuffled[epoch] = shuffled
        return self._shuffled[epoch]
