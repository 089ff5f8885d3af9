"""Potentials as the user declares them, and the stacks of entries that they mean.

A user gives an array, a function of state values, sympy expressions, or one of the records
:class:`Table`, :class:`ChildOf` and :class:`ParentOf`. :func:`read_potential` and
:func:`read_prior` check it once, here, and give a :class:`Stack`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, IntArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.entries import check_exact_weights, check_weights, read_array
from ghmpp.models.expressions import Scalar, exact_entries, substitute, symbols_of, to_float
from ghmpp.models.forest import PotentialKind
from ghmpp.models.states import StateSpace
from ghmpp.models.tabulate import tabulate, tabulate_unary


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
        Index of the child state for each parent state, shape (parent states,); or a mapping
        from parent state names to child state names.
    """

    index: ArrayLike | Mapping[Hashable, Hashable]


@dataclass(frozen=True, eq=False)
class ParentOf:
    """The parent's state is a function of the child's: ``psi(s, a) = 1[index[a] == s]``.

    Parameters
    ----------
    index
        Index of the parent state for each child state, shape (child states,); or a mapping
        from child state names to parent state names.
    """

    index: ArrayLike | Mapping[Hashable, Hashable]


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
        (``Fraction`` or sympy expressions); index maps: int64 (states,).
    symbols
        Names of the free symbols of the entries, sorted.
    """

    kind: PotentialKind
    entries: AnyArray
    symbols: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the stack; an index map counts as one."""
        return 1 if self.kind != "table" else len(self.entries)

    def identity(self) -> Hashable:
        """Equal for potentials that are equal entry by entry (floats: bitwise)."""
        content: Hashable = self.entries.tobytes()
        if self.entries.dtype == object:
            content = tuple(self.entries.flat)
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
        check_weights(numbers, place)
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
    match potential:
        case ChildOf(index=index):
            return Stack("child_of", _read_index(index, place, parent, child))
        case ParentOf(index=index):
            return Stack("parent_of", _read_index(index, place, child, parent))
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
    entries = read_array(tables, place)
    if entries.ndim == 2:
        entries = entries[None]
    axes = "(rows, parent states, child states)"
    _check_shape(entries, place, (len(parent), len(child)), rows, "tables", axes)
    return _stack(entries, place)


def read_prior(prior: PriorLike, place: str, *, states: StateSpace, rows: Sequence[int]) -> Stack:
    """Check a declared unary potential: (states,), (rows, states), or a function of the state."""
    if callable(prior):
        prior = tabulate_unary(prior, place, states)
    entries = read_array(prior, place)
    if entries.ndim == 1:
        entries = entries[None]
    _check_shape(entries, place, (len(states),), rows, "prior", "(rows, states)")
    return _stack(entries, place)


def _stack(entries: AnyArray, place: str) -> Stack:
    """Check the entries and freeze them."""
    if entries.dtype != object:
        check_weights(entries, place)
        return Stack("table", read_only(entries + 0.0))  # -0.0 becomes 0.0
    check_exact_weights(entries, place)
    return Stack("table", read_only(entries), tuple(symbols_of(entries, place)))


def _check_shape(
    entries: AnyArray,
    place: str,
    shape: tuple[int, ...],
    rows: Sequence[int],
    what: str,
    axes: str,
) -> None:
    if entries.shape[1:] == shape and entries.shape[0] in rows:
        return
    allowed = dict.fromkeys([shape, *((r, *shape) for r in rows if r > 1)])
    raise ModelError(
        f"{place}: {what} must have shape {' or '.join(map(str, allowed))}, axes {axes}, "
        f"got {entries.shape}."
    )


def _read_rank(entry: object, place: str, parent: StateSpace, child: StateSpace) -> object:
    """One element of a list: the table of one rank when it is a function or a record."""
    match entry:
        case Table(array=array):
            return array
        case ChildOf() | ParentOf():
            raise ModelError(
                f"{place}: an index map is shared by all ranks and cannot stand in a list; declare "
                f"one children(...) per rank, each with its own map."
            )
        case _ if callable(entry):
            return tabulate(entry, place, parent, child, 1)
    return entry


def _read_index(
    index: ArrayLike | Mapping[Hashable, Hashable],
    place: str,
    sources: StateSpace,
    targets: StateSpace,
) -> IntArray:
    """An index map as int64, one target index for each source state."""
    if isinstance(index, Mapping):
        index = _index_by_name(index, place, sources, targets)
    array = np.asarray(index)
    if array.shape != (len(sources),) or array.dtype.kind not in "iu":
        raise ModelError(
            f"{place}: an index map needs one integer for each of {len(sources)} states, "
            f"got shape {array.shape} and dtype {array.dtype}."
        )
    if array.min() < 0 or array.max() >= len(targets):
        raise ModelError(
            f"{place}: indices must lie in 0..{len(targets) - 1}, "
            f"found {int(array.min())}..{int(array.max())}."
        )
    return read_only(array.astype(np.int64))


def _index_by_name(
    index: Mapping[Hashable, Hashable], place: str, sources: StateSpace, targets: StateSpace
) -> list[int]:
    known = set(sources.names)
    position = {name: i for i, name in enumerate(targets.names)}
    for name, target in index.items():
        if name not in known:
            raise ModelError(f"{place}: unknown state {name!r}; known: {sources.listed()}.")
        if target not in position:
            raise ModelError(f"{place}: unknown state {target!r}; known: {targets.listed()}.")
    for name in sources.names:
        if name not in index:
            raise ModelError(f"{place}: the index map says nothing about state {name!r}.")
    return [position[index[name]] for name in sources.names]
