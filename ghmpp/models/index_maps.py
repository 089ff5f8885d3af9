"""Index maps: potentials of zeros and ones by which one end of an edge determines the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray, IntArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.forest import Edge, Forest, PotentialKind
from ghmpp.models.states import StateSpace

IndexLike: TypeAlias = ArrayLike | Mapping[Hashable, Hashable] | Sequence[object]


def read_index(
    index: IndexLike,
    place: str,
    sources: StateSpace,
    targets: StateSpace,
    rows: Sequence[int],
) -> IntArray:
    """An index map as int64, shape (rows, sources): one target state for each source state.

    Parameters
    ----------
    index
        Indices (sources,) or (rows, sources); or a mapping of state names, or one per row.
    place
        Where it was declared, for messages.
    sources, targets
        States of the end that determines the other, and of the other.
    rows
        Numbers of rows that it may have.

    Raises
    ------
    ModelError
        If shape, type, names or range are wrong.
    """
    if isinstance(index, Mapping):
        index = _by_name(index, place, sources, targets)
    elif isinstance(index, (list, tuple)) and any(isinstance(row, Mapping) for row in index):
        index = [
            _by_name(row, f"{place}, rank {rank}", sources, targets)
            if isinstance(row, Mapping)
            else row
            for rank, row in enumerate(index)
        ]
    array = _array(index, place)
    shaped = array[None] if array.ndim == 1 else array
    if shaped.ndim != 2 or shaped.shape[1] != len(sources) or array.dtype.kind not in "iu":
        raise ModelError(
            f"{place}: an index map needs one integer for each of {len(sources)} states, "
            f"got shape {array.shape} and dtype {array.dtype}."
        )
    if len(shaped) not in rows:
        allowed = " or ".join(map(str, dict.fromkeys((1, *rows))))
        raise ModelError(f"{place}: an index map may have {allowed} rows, got {len(shaped)}.")
    if array.min() < 0 or array.max() >= len(targets):
        raise ModelError(
            f"{place}: indices must lie in 0..{len(targets) - 1}, "
            f"found {int(array.min())}..{int(array.max())}."
        )
    return read_only(shaped.astype(np.int64))


def zeros_and_ones(kind: PotentialKind, index: AnyArray, parents: int, children: int) -> FloatArray:
    """The tables that an index map stands for.

    Parameters
    ----------
    kind
        "child_of" or "parent_of".
    index
        Index map (rows, parent states) or (rows, child states).
    parents, children
        Numbers of states at the two ends.

    Returns
    -------
    float64 array of shape (rows, parents, children)
        1 where the map links the two states, else 0.

    Examples
    --------
    >>> zeros_and_ones("child_of", np.array([[1, 0, 1]]), 3, 2)
    array([[[0., 1.],
            [1., 0.],
            [0., 1.]]])
    """
    if kind == "child_of":
        linked = index[:, :, None] == np.arange(children)
    else:
        linked = index[:, None, :] == np.arange(parents)[:, None]
    tables: FloatArray = linked.astype(np.float64)
    return tables


def edge_tables(forest: Forest, edge: Edge, stack: AnyArray | None = None) -> AnyArray:
    """The potential of an edge class as tables (rows, parent states, child states).

    Index maps become zeros and ones; ``stack`` stands in for the forest's own entries.
    """
    entries = forest.data[edge.key] if stack is None else stack
    if edge.kind == "table":
        return entries
    parents, children = forest.blocks[edge.parent].states, forest.blocks[edge.child].states
    return zeros_and_ones(edge.kind, entries, parents, children)


def _array(index: object, place: str) -> AnyArray:
    try:
        return np.asarray(index)
    except ValueError as error:
        raise ModelError(f"{place}: the index maps do not form an array: {error}.") from None


def _by_name(
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
