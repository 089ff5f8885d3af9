"""The state of a reference run: numbers checked and lifted once, values written one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.backends.algebras import Algebra, LogFloat
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.models.forest import Block, Edge, Forest
from ghmpp.models.index_maps import edge_tables
from ghmpp.schedule.ir import Schedule, Value


@dataclass(frozen=True)
class Machine:
    """What a run knows: the forest, its numbers, and every value written so far.

    ``data`` holds potentials as they are stored, ``lifted`` those met so far as scalars.
    """

    forest: Forest
    algebra: Algebra
    data: Mapping[str, AnyArray]
    leaves: Mapping[str, AnyArray]
    batch: int
    rng: np.random.Generator | None
    values: dict[Value, AnyArray] = field(default_factory=dict)
    lifted: dict[str, AnyArray] = field(default_factory=dict)

    def stored(self, key: str) -> AnyArray:
        """A potential as it is stored: linear, or an index map."""
        if key not in self.data:
            self.forest.require_values(self.data)
        return self.data[key]

    def potential(self, key: str) -> AnyArray:
        """A table stack or unary stack as scalars."""
        if key not in self.lifted:
            self.lifted[key] = self.algebra.lift(self.stored(key))
        return self.lifted[key]

    def tables(self, edge: Edge) -> AnyArray:
        """The potential of an edge as scalars (rows, parent states, child states)."""
        if edge.kind == "table":
            return self.potential(edge.key)
        tables = edge_tables(self.forest, edge, self.stored(edge.key))
        return self.algebra.lift(tables.astype(np.int64))

    def as_value(self, block: Block, array: AnyArray) -> AnyArray:
        """The array repeated to the shape (batch, nodes, states) of a block's value."""
        return np.broadcast_to(array, (self.batch, block.nodes, block.states))

    def ones(self, block: Block) -> AnyArray:
        """The value of a block about which nothing is known."""
        return self.as_value(block, self.algebra.lift(np.ones((1, 1, 1), np.int64)))


def prepare(
    schedule: Schedule,
    leaves: Mapping[str, AnyArray],
    algebra: Algebra,
    *,
    data: Mapping[str, AnyArray] | None = None,
    rng: np.random.Generator | None = None,
) -> Machine:
    """A machine at the start of a schedule; arguments and errors as for :func:`run`."""
    if algebra.semiring != schedule.semiring:
        raise QueryError(
            f"run: the schedule is for the semiring '{schedule.semiring}', the algebra for "
            f"'{algebra.semiring}'; pass {type(algebra).__name__}('{schedule.semiring}')."
        )
    for name, array in leaves.items():
        _check_leaf(schedule.forest, name, np.asarray(array))
    read = {name: algebra.numbers(array) for name, array in leaves.items()}
    sizes = {array.shape[0] for array in read.values()} - {1}
    if len(sizes) > 1:
        found = ", ".join(f"{name}: {array.shape[0]}" for name, array in read.items())
        raise EvidenceError(f"leaves: all batches must have one size (or 1), got {found}.")
    potentials = {**schedule.forest.data, **(data or {})}
    return Machine(schedule.forest, algebra, potentials, read, max(sizes, default=1), rng)


def require_logs(machine: Machine) -> None:
    """Refuse algebras in which real numbers, and Gaussian factors, would mean something else.

    Raises
    ------
    QueryError
        Naming the one algebra that has them.
    """
    if machine.algebra != LogFloat():
        raise QueryError(
            "run: real numbers, and Gaussian factors, which add like logarithms, are kept in "
            f"float64, so their schedules run on LogFloat() only, not on {machine.algebra!r}."
        )


def _check_leaf(forest: Forest, name: str, array: AnyArray) -> None:
    """Refuse what would make a run fail later, or give NaN."""
    if name not in forest.variables:
        raise EvidenceError(f"leaves: unknown class '{name}'; known: {', '.join(forest.visible)}.")
    variable = forest.variables[name]
    nodes, states = variable.nodes, forest.observed_entries(name)
    if array.ndim != 3 or array.shape[1:] != (nodes, states):
        raise EvidenceError(
            f"leaves['{name}']: expected the shape (batch, {nodes}, {states}) for axes (batch, "
            f"nodes, states), got {array.shape}."
        )
    if array.dtype.kind == "f" and not (array < np.inf).all():
        raise EvidenceError(f"leaves['{name}']: found NaN or +inf, which are no likelihoods.")
