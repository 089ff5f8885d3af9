"""Bayesian networks as one array over all configurations: an independent truth for EM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ghmpp.models.factors import Factor, Factors, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Tables = dict[str, Array]


@dataclass(frozen=True)
class Network:
    """Numbers of states, and parents of each variable, parents first.

    Tables have one axis per parent, then that of the variable. Rows of data have a state per
    variable, -1 where missing.
    """

    sizes: Mapping[str, int]
    parents: Mapping[str, tuple[str, ...]]

    def scope(self, name: str) -> tuple[str, ...]:
        return (*self.parents[name], name)

    @property
    def edges(self) -> list[tuple[str, str]]:
        return [(above, name) for name, parents in self.parents.items() for above in parents]

    def draw(self, rng: np.random.Generator) -> Tables:
        """Random tables."""
        shapes = {name: [self.sizes[v] for v in self.scope(name)] for name in self.sizes}
        return {name: _normalised(rng.gamma(1.0, size=shapes[name]) + 0.05) for name in self.sizes}

    def factors(self, tables: Mapping[str, Array | None]) -> Factors:
        """As the package takes it."""
        nodes = {name: Node(size) for name, size in self.sizes.items()}
        parts = (Factor(self.scope(name), tables.get(name), name) for name in self.sizes)
        return Factors("network", nodes, tuple(parts))

    def joint(self, tables: Tables) -> Array:
        """Probability of every configuration, one axis per variable."""
        names = list(self.sizes)
        operands: list[object] = []
        for name, table in tables.items():
            operands += [table, [names.index(v) for v in self.scope(name)]]
        result: Array = np.einsum(*operands, range(len(names)))
        return result

    def sample(self, tables: Tables, rows: int, rng: np.random.Generator) -> Rows:
        joint = self.joint(tables)
        drawn = rng.choice(joint.size, size=rows, p=joint.ravel() / joint.sum())
        return np.stack(np.unravel_index(drawn, joint.shape), axis=1)

    def posteriors(self, tables: Tables, rows: Rows) -> tuple[Array, float]:
        """Sum over the rows of the posterior of all variables, and their log likelihood."""
        joint = self.joint(tables)
        total, logs = np.zeros_like(joint), 0.0
        for row, times in zip(*np.unique(rows, axis=0, return_counts=True), strict=True):
            at = tuple(slice(None) if s < 0 else slice(s, s + 1) for s in row)
            mass = joint[at].sum()
            total[at] += times * joint[at] / mass
            logs += times * float(np.log(mass))
        return total, logs

    def step(
        self, tables: Tables, rows: Rows, smoothing: float = 0.0, tie: Mapping[str, str] = {}
    ) -> tuple[Tables, float]:
        """New tables of one step of EM, and the log likelihood of the old ones."""
        total, logs = self.posteriors(tables, rows)
        names = list(self.sizes)
        counts = {}
        for name in names:
            scope = [names.index(v) for v in self.scope(name)]
            counts[name] = np.einsum(total, range(len(names)), scope)
        shared = {name: sum(counts[n] for n in names if _top(n, tie) == name) for name in names}
        return {n: _normalised(shared[_top(n, tie)] + smoothing) for n in names}, logs


def columns(network: Network, rows: Rows) -> dict[str, Rows]:
    """Rows of data as the package takes them."""
    return dict(zip(network.sizes, rows.T, strict=True))


def holes(rows: Rows, share: float, rng: np.random.Generator) -> Rows:
    """The rows with entries missing at random."""
    return np.where(rng.random(rows.shape) < share, -1, rows)


def learned(network: Network, data: Mapping[str, Array]) -> Tables:
    """The tables of a fitted model's potentials, by variable."""
    found = {}
    for name in network.sizes:
        shape = [network.sizes[v] for v in network.scope(name)]
        found[name] = data[f"family {name}" if network.parents[name] else name].reshape(shape)
    return found


def _top(name: str, tie: Mapping[str, str]) -> str:
    return _top(tie[name], tie) if name in tie else name


def _normalised(weights: Array) -> Array:
    result: Array = weights / weights.sum(axis=-1, keepdims=True)
    return result


SPRINKLER = Network(
    {"cloud": 2, "hose": 2, "rain": 3, "wet": 2, "slip": 2},
    {
        "cloud": (),
        "hose": ("cloud",),
        "rain": ("cloud",),
        "wet": ("rain", "hose"),
        "slip": ("wet",),
    },
)
CROSSED = Network(
    {"a": 3, "b": 2, "c": 2, "d": 3},
    {"a": (), "b": (), "c": ("b", "a"), "d": ("a", "c", "b")},
)
