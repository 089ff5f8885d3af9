"""The leaves of a model in two parts: some that are named, and all others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import BoolArray, IntArray, read_only
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.evidence import find_variable
from ghmpp.models.forest import Block, Forest, VariableClass
from ghmpp.models.rooting import shortened

LeavesLike: TypeAlias = Mapping[str, Collection[int]] | Iterable[str]


@dataclass(frozen=True, eq=False)
class Partition:
    """Which leaves of a forest belong to the part, by class.

    Parameters
    ----------
    forest
        Whose leaves; its classes of leaves are ``forest.leaves``.
    part
        Whether each node of a class of leaves is in the part, shape (nodes,), user's order.
    """

    forest: Forest
    part: Mapping[str, BoolArray]

    def sides(self, block: Block) -> BoolArray | None:
        """Which nodes of a block are in the part, tree order; None if they are no leaves."""
        if block.variable not in self.part:
            return None
        return self.part[block.variable][self.positions(block)]

    def positions(self, block: Block) -> IntArray:
        """The user's positions of the nodes of a block."""
        found = np.arange(block.start, block.start + block.nodes)
        order = self.forest.variables[block.variable].order
        return found if order is None else order[found]

    def names(self, inside: bool) -> tuple[str, ...]:
        """Names of the leaves that are in the part, or of those that are not."""
        return tuple(
            node_of(self.forest.variables[name], int(k))
            for name, within in self.part.items()
            for k in np.flatnonzero(within == inside)
        )


def node_of(variable: VariableClass, position: int) -> str:
    """Name of a node of a class at a position in the user's order."""
    return variable.name if variable.nodes == 1 else f"{variable.name}[{position}]"


def read_partition(forest: Forest, leaves: LeavesLike, where: str) -> Partition:
    """Check which leaves are meant.

    Parameters
    ----------
    forest
        Of the model.
    leaves
        Positions of nodes by class, ``{"x2": [0, 2]}``; or names of classes and nodes,
        ``["x1", "x2[0]"]``.
    where
        The caller, for messages.

    Raises
    ------
    QueryError
        If a class is unknown or has no leaves, or a position is out of range, repeated, or no
        whole number.
    """
    part = {name: np.zeros(forest.variables[name].nodes, dtype=bool) for name in forest.leaves}
    for name, positions in _listed(forest, leaves, where):
        if name not in part:
            raise QueryError(
                f"{where}: {name!r} is no class of leaves of the model; the leaves are "
                f"{shortened(part)}."
            )
        within, nodes = part[name], len(part[name])
        for position in positions:
            if not 0 <= position < nodes:
                raise QueryError(
                    f"{where}: no leaf {name}[{position}]; {name!r} has the positions 0 to "
                    f"{nodes - 1}."
                )
            if within[position]:
                raise QueryError(f"{where}: {name}[{position}] is listed twice; list it once.")
            within[position] = True
    for within in part.values():
        read_only(within)
    return Partition(forest, part)


def require_states(forest: Forest, where: str) -> None:
    """Refuse real-valued variables."""
    real = [name for name, found in forest.variables.items() if found.real]
    if real:
        raise ModelError(
            f"{where}: the variables of {real[0]!r} are real numbers, but here all need states."
        )


def _listed(forest: Forest, leaves: LeavesLike, where: str) -> list[tuple[str, list[int]]]:
    """Class names with positions of nodes."""
    if isinstance(leaves, Mapping):
        return [(str(name), _positions(name, given, where)) for name, given in leaves.items()]
    found = []
    for name in [leaves] if isinstance(leaves, str) else leaves:
        variable, node = find_variable(name, forest.visible)
        found.append((variable.name, [*range(variable.nodes)] if node is None else [node]))
    return found


def _positions(name: str, given: Collection[int], where: str) -> list[int]:
    """Positions of nodes, which are whole numbers and no mask."""
    found = list(given) if isinstance(given, Iterable) else [given]
    for position in found:
        if isinstance(position, (bool, np.bool_)) or not isinstance(position, (int, np.integer)):
            raise QueryError(
                f"{where}: positions of {name!r} must be a list of whole numbers, such as [0, 2], "
                f"got {position!r}."
            )
    return [int(position) for position in found]
