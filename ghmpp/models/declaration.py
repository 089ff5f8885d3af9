"""One declared class of variables: the record between what a user writes and the forest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import IntArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.expressions import Symbol, add_symbol, symbols_of
from ghmpp.models.potentials import Stack
from ghmpp.models.states import StateSpace


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """A class of tied variables as declared, checked.

    Parameters
    ----------
    name
        Name of the class.
    space
        Its states.
    parent
        Name of the parent class; None for a root or a chain.
    count
        Children per parent node (1 for roots and chains).
    nodes
        Variables in the class.
    levels
        Number of blocks when the class is, or descends from, a chain; else None (one block).
    chain
        Whether node k is the parent of node k + 1.
    potential
        Stack of the edges into the class; None = free tables, or no edge.
    prior
        Unary of the class, rows 1 or ``nodes``; of a chain: of its first node only.
    order
        ``order[k]`` is the user's position of tree node k, shape (nodes,); None = tree order.
    hidden
        Whether it is a helper class that results and summaries leave out unless asked by name.
    free_prior
        Whether its unary is free, to be learned later; then ``prior`` is None.
    scope
        Of a hidden class whose states are joint states of users' variables: their names, one for
        each axis of the joint state (C order, last fastest); else empty.
    child
        Of a family: the variable that its table is a distribution of, given all others; else "".
    untied
        Whether it was declared by itself in an import, where equal parts have yet to be found.
    member
        The class that its only variable belongs to for the user, together with those of other
        declarations, and its node there; None = the class of this name.
    """

    name: str
    space: StateSpace
    parent: str | None = None
    count: int = 1
    nodes: int = 1
    levels: int | None = None
    chain: bool = False
    potential: Stack | None = None
    prior: Stack | None = None
    order: IntArray | None = None
    hidden: bool = False
    free_prior: bool = False
    scope: tuple[str, ...] = ()
    child: str = ""
    untied: bool = False
    member: tuple[str, int] | None = None

    @property
    def source(self) -> str | None:
        """Class of the parents: the chain itself for a chain; None when there is no edge."""
        if self.chain:
            return self.name if self.nodes > 1 else None
        return self.parent

    @property
    def key(self) -> str:
        """Key of the edge potential before equal tables share theirs."""
        return f"{self.source}->{self.name}"

    @property
    def free(self) -> bool:
        """Whether the class has edges without a potential."""
        return self.source is not None and self.potential is None

    @property
    def free_key(self) -> str | None:
        """Key of what is free: the tables of its edges, or its unary; None where nothing is."""
        if self.free:
            return self.key
        return self.name if self.free_prior else None

    @property
    def symbols(self) -> dict[str, Symbol]:
        """Free symbols of its potentials by name.

        Raises
        ------
        ModelError
            If two different symbols have the same name.
        """
        place = f"variable {self.name!r}"
        found: dict[str, Symbol] = {}
        for stack in (self.potential, self.prior):
            if stack is not None and stack.symbols:
                for symbol in symbols_of(stack.entries, place).values():
                    add_symbol(found, symbol, place)
        return found

    @property
    def table_rows(self) -> tuple[int, ...]:
        """Rows that a stack of tables may have: shared, per child rank, per edge."""
        rows = (1,) if self.chain else (1, self.count, self.nodes)
        return tuple(dict.fromkeys(rows if self.levels is None else rows[:2]))

    @property
    def prior_rows(self) -> tuple[int, ...]:
        """Rows that a unary may have: shared, or one per node."""
        return tuple(dict.fromkeys((1, self.nodes))) if self.levels is None else (1,)


def check_name(name: str, known: Mapping[str, Declaration], parent: str | None) -> None:
    """Refuse names that are taken, or that could be mistaken for an edge."""
    if not isinstance(name, str) or not name or "->" in name:
        raise ModelError(f"a variable's name must be a non-empty string without '->': {name!r}.")
    if name in known:
        _refuse_second(name, known, parent)


def check_node_names(declarations: Mapping[str, Declaration]) -> None:
    """Refuse a class called like a node of another class, such as "pixel[3]"."""
    for name in declarations:
        match = re.fullmatch(r"(.+)\[(\d+)\]", name)
        if match and match[1] in declarations and int(match[2]) < declarations[match[1]].nodes:
            raise ModelError(
                f"variable {name!r} is called like a node of {match[1]!r}; choose another name."
            )


def _refuse_second(name: str, known: Mapping[str, Declaration], parent: str | None) -> None:
    ancestor = parent
    while ancestor is not None:
        if ancestor == name:
            raise ModelError(
                f"{name!r} as a child of {parent!r} would close a cycle, since {parent!r} descends "
                f"from it; a model is a forest, so choose another name."
            )
        ancestor = known[ancestor].parent
    above = known[name].parent
    if parent is not None and above is not None and parent != above:
        raise ModelError(
            f"{name!r} already has the parent {above!r} and cannot have a second one, {parent!r}; "
            f"a model is a forest, so choose another name."
        )
    raise ModelError(f"{name!r} is declared twice; choose another name.")


def read_count(count: int, what: str, place: str) -> int:
    """A whole number of at least 1."""
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise ModelError(f"{place}: {what} must be a whole number >= 1, got {count!r}.")
    return int(count)


def read_order(order: ArrayLike | None, nodes: int, place: str) -> IntArray | None:
    """A permutation of the nodes: position in the user's order of each tree node."""
    if order is None:
        return None
    array = np.array(order)
    if array.shape != (nodes,) or array.dtype.kind not in "iu":
        raise ModelError(
            f"{place}: order must have shape ({nodes},) and whole numbers, "
            f"got shape {array.shape} and dtype {array.dtype}."
        )
    if not np.array_equal(np.sort(array), np.arange(nodes)):
        raise ModelError(f"{place}: order must contain each of 0..{nodes - 1} once.")
    return read_only(array.astype(np.int64))
