"""Potentials as the user declares them, and the stacks of entries that they mean.

A user gives an array, a function of state values, sympy expressions, or one of the records
:class:`Table`, :class:`ChildOf` and :class:`ParentOf`. :func:`read_potential` and
:func:`read_prior` check it once, here, and give a :class:`Stack`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.entries import check_exact_weights, check_weights, read_array
from ghmpp.models.expressions import Scalar, exact_entries, substitute, symbols_of, to_float
from ghmpp.models.forest import PotentialKind
from ghmpp.models.index_maps import IndexLike, read_index
from ghmpp.models.states import StateSpace
from ghmpp.models.tabulate import tabulate, tabulate_unary

TABLE_AXES = ("row", "parent state", "child state")
UNARY_AXES = ("row", "state")


@dataclass(frozen=True, eq=False)
class Table:
    """A potential given by its entries.

    Parameters
    ----------
    array
        Shape (parent states, child states), or with a leading axis of child ranks or of edges;
        linear, entries finite and >= 0, at least one > 0; numbers or sympy expressions.
    """

    array: ArrayLike | Sequence[object]


@dataclass(frozen=True, eq=False)
class ChildOf:
    """The child's state is a function of the parent's: ``psi(s, a) = 1[a == index[s]]``.

    Parameters
    ----------
    index
        Index of the child state for each parent state, shape (parent states,), or with a leading
        axis of child ranks or of edges; or a mapping from parent state names to child state
        names, or a list with one per rank.
    """

    index: IndexLike


@dataclass(frozen=True, eq=False)
class ParentOf:
    """The parent's state is a function of the child's: ``psi(s, a) = 1[index[a] == s]``.

    Parameters
    ----------
    index
        Index of the parent state for each child state, shape (child states,), or with a leading
        axis of child ranks or of edges; or a mapping from child state names to parent state
        names, or a list with one per rank.
    """

    index: IndexLike


PotentialLike: TypeAlias = (
    Table | ChildOf | ParentOf | ArrayLike | Sequence[object] | Callable[..., object]
)
PriorLike: TypeAlias = ArrayLike | Sequence[object] | Callable[..., object]


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Checked entries of one potential, as exact as they were given.

    Parameters
    ----------
    kind
        "table" (also for unaries), "child_of" or "parent_of".
    entries
        Tables (rows, parent states, child states) or unaries (rows, states): float64, or objects
        (``Fraction`` or sympy expressions); index maps: int64 (rows, states).
    symbols
        Names of the free symbols of the entries, sorted.
    """

    kind: PotentialKind
    entries: AnyArray
    symbols: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the stack."""
        return len(self.entries)

    def identity(self) -> Hashable:
        """Equal for potentials that are equal entry by entry (floats: bitwise)."""
        content: Hashable
        if self.entries.dtype == object:
            content = tuple(self.entries.flat)
        else:
            content = sha256(np.ascontiguousarray(self.entries).data).digest()
        return self.kind, self.entries.shape, self.entries.dtype.str, content

    def exact(self, values: Mapping[str, Scalar], place: str) -> AnyArray:
        """Entries as fractions, or as expressions in what is not bound; index maps unchanged."""
        if self.kind != "table":
            return self.entries
        if self.entries.dtype != object:
            return exact_entries(self.entries, place)
        return substitute(self.entries, values, place)

    def numeric(self, values: Mapping[str, Scalar], place: str) -> AnyArray | None:
        """Entries as float64 (index maps: int64), or None when a symbol has no value."""
        if self.entries.dtype != object:
            return self.entries
        if not values.keys() >= set(self.symbols):
            return None
        numbers = to_float(substitute(self.entries, values, place), place)
        check_weights(numbers, place, TABLE_AXES if numbers.ndim == 3 else UNARY_AXES)
        return numbers


def read_potential(
    potential: PotentialLike,
    place: str,
    *,
    parent: StateSpace,
    child: StateSpace,
    rows: Sequence[int],
    ranks: int,
) -> Stack:
    """Check a declared potential and give its stack.

    Parameters
    ----------
    potential
        As declared.
    place
        Where it was declared, for messages.
    parent, child
        States at the two ends of the edge.
    rows
        Numbers of rows that a stack may have.
    ranks
        Number of child ranks, for functions that give one table per rank.

    Raises
    ------
    ModelError
        If shapes, entries or indices are wrong.
    """
    potential = _map_per_rank(potential)
    match potential:
        case ChildOf(index=index):
            return Stack("child_of", read_index(index, place, parent, child, rows))
        case ParentOf(index=index):
            return Stack("parent_of", read_index(index, place, child, parent, rows))
        case list() | tuple():
            tables: object = [
                _read_rank(entry, f"{place}, rank {rank}", parent, child)
                for rank, entry in enumerate(potential)
            ]
        case Table(array=array):
            tables = array
        case _ if callable(potential):
            tables = tabulate(potential, place, parent, child, ranks)
        case _:
            tables = potential
    axes = "(parent states, child states)"
    entries = _read_stack(tables, place, (len(parent), len(child)), rows, "tables", axes)
    return _stack(entries, place, ("rank" if len(entries) == ranks else "edge", *TABLE_AXES[1:]))


def read_prior(prior: PriorLike, place: str, *, states: StateSpace, rows: Sequence[int]) -> Stack:
    """Check a declared unary potential: (states,), (rows, states), or a function of the state."""
    if callable(prior):
        prior = tabulate_unary(prior, place, states)
    entries = _read_stack(prior, place, (len(states),), rows, "prior", "(states)")
    return _stack(entries, place, ("node", *UNARY_AXES[1:]))


def _map_per_rank(potential: PotentialLike) -> PotentialLike:
    """A list of index maps of one kind, one per rank, as one map with a row per rank."""
    if not isinstance(potential, (list, tuple)):
        return potential
    for kind in (ChildOf, ParentOf):
        maps = [each.index for each in potential if isinstance(each, kind)]
        if maps and len(maps) == len(potential):
            return kind(maps)
    return potential


def _stack(entries: AnyArray, place: str, axes: Sequence[str]) -> Stack:
    """Check the entries and freeze them."""
    if entries.dtype != object:
        check_weights(entries, place, axes)
        return Stack("table", read_only(entries + 0.0))  # -0.0 becomes 0.0
    check_exact_weights(entries, place, axes)
    return Stack("table", read_only(entries), tuple(symbols_of(entries, place)))


def _read_stack(
    raw: object, place: str, shape: tuple[int, ...], rows: Sequence[int], what: str, axes: str
) -> AnyArray:
    """Entries of the given shape with an axis of rows before it, which the user may leave out."""
    given = read_array(raw, place)
    entries = given[None] if given.ndim == len(shape) else given
    if entries.shape[1:] == shape and entries.shape[0] in rows:
        return entries
    allowed = dict.fromkeys([shape, *((r, *shape) for r in rows if r > 1)])
    raise ModelError(
        f"{place}: {what} must have shape {' or '.join(map(str, allowed))}, last axes "
        f"{axes}, got {given.shape}."
    )


def _read_rank(entry: object, place: str, parent: StateSpace, child: StateSpace) -> object:
    """One element of a list: the table of one rank when it is a function or a record."""
    match entry:
        case Table(array=array):
            return array
        case ChildOf() | ParentOf():
            raise ModelError(
                f"{place}: an index map stands in a list of other potentials; all ranks need maps "
                f"of one kind, or else declare one children(...) per rank."
            )
        case _ if callable(entry):
            return tabulate(entry, place, parent, child, 1)
    return entry
