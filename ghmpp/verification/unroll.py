"""A forest read node by node, as the oracles see it: no blocks, no tying, no index maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.errors import EvidenceError, ModelError
from ghmpp.models.forest import Forest
from ghmpp.models.index_maps import edge_tables


@dataclass(frozen=True, slots=True)
class Node:
    """One variable.

    Parameters
    ----------
    variable
        Name of its class.
    position
        The user's position in the class.
    states
        Number of states.
    parent
        Index of the parent in the unrolled sequence; None for a root.
    table
        Potential with the parent, axes (parent state, state), linear; None for a root.
    key, row
        Key and row of the stack that the table comes from; empty for a root or an index map.
    unary
        Unary potential, shape (states,), linear; None when the node has none.
    unary_key, unary_row
        Key and row of the stack that the unary potential comes from.
    """

    variable: str
    position: int
    states: int
    parent: int | None = None
    table: AnyArray | None = None
    key: str = ""
    row: int = 0
    unary: AnyArray | None = None
    unary_key: str = ""
    unary_row: int = 0


def unroll(forest: Forest) -> tuple[Node, ...]:
    """Every variable of a forest, parents before children.

    Index maps become tables of 0 and 1.

    Raises
    ------
    ModelError
        If a potential has no values yet (a free table, an unbound symbol).
    """
    forest.require_values()
    nodes: list[Node] = []
    first: dict[str, int] = {}
    for block in forest.blocks.values():
        first[block.name] = len(nodes)
        edge = forest.edges.get(block.name)
        tables = None if edge is None else edge_tables(forest, edge)
        unaries = None if block.unary is None else forest.data[block.unary]
        order = forest.variables[block.variable].order
        for k in range(block.nodes):
            row = 0 if edge is None else k % edge.rows
            at = block.start + k
            nodes.append(
                Node(
                    variable=block.variable,
                    position=at if order is None else int(order[at]),
                    states=block.states,
                    parent=None if edge is None else first[edge.parent] + k // edge.fanout,
                    table=None if tables is None else tables[row],
                    key=edge.key if edge is not None and edge.kind == "table" else "",
                    row=row,
                    unary=None if unaries is None else unaries[k % block.unary_rows],
                    unary_key=block.unary or "",
                    unary_row=k % block.unary_rows,
                )
            )
    return tuple(nodes)


def by_class(nodes: Sequence[Node], results: Mapping[int, AnyArray]) -> dict[str, AnyArray]:
    """Results by index of the node, each (batch, ...), as (batch, nodes, ...) per class.

    The nodes of a class that have a result come in the user's order. Classes whose nodes have
    results of different shapes (joints with parents of different kinds) are left out.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for index in results:
        found.setdefault(nodes[index].variable, []).append((nodes[index].position, index))
    return {
        name: np.stack([results[index] for _, index in sorted(places)], axis=1)
        for name, places in found.items()
        if len({results[index].shape for _, index in places}) == 1
    }


def means(forest: Forest, posteriors: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Posterior means of the classes with values, shape (batch, nodes); exact stays exact."""
    found: dict[str, AnyArray] = {}
    for name, array in posteriors.items():
        values: AnyArray | None = forest.variables[name].values
        if values is not None:
            values = fractions(values) if array.dtype == object else values
            found[name] = (array * values).sum(axis=-1)
    return found


def variances(forest: Forest, posteriors: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Posterior variances of the classes with values, shape (batch, nodes); exact stays exact."""
    found: dict[str, AnyArray] = {}
    for name, mean in means(forest, posteriors).items():
        array = posteriors[name]
        values: AnyArray = np.asarray(forest.variables[name].values)
        values = fractions(values) if array.dtype == object else values
        found[name] = (array * (values - mean[..., None]) ** 2).sum(axis=-1)
    return found


def fractions(array: AnyArray) -> ObjectArray:
    """The entries as exact fractions; a float is the rational that it stands for.

    Raises
    ------
    ModelError
        If an entry is no rational number, such as ``exp(1/2)``.
    """
    try:
        flat = [Fraction(entry) for entry in np.asarray(array).ravel().tolist()]
    except TypeError as error:
        raise ModelError(
            f"exact arithmetic needs rational entries: {error}; use the float64 forest."
        ) from error
    exact = np.empty(len(flat), dtype=object)
    exact[:] = flat
    return exact.reshape(np.shape(array))


def node_evidence(
    nodes: Sequence[Node], evidence: Mapping[str, AnyArray] | None
) -> tuple[tuple[AnyArray | None, ...], int]:
    """Likelihoods per node, each (batch, states) or None where unobserved, and the batch size.

    ``evidence`` holds (batch, nodes, states) by class in the user's order; None is one row
    without evidence.

    Raises
    ------
    EvidenceError
        If a class is unknown or an array has the wrong shape.
    """
    evidence = evidence or {}
    sizes = {array.shape[0] for array in evidence.values() if array.ndim == 3}
    batch = sizes.pop() if len(sizes) == 1 else 1
    counts = Counter(node.variable for node in nodes)
    states = {node.variable: node.states for node in nodes}
    for name, array in evidence.items():
        if name not in counts:
            raise EvidenceError(
                f"likelihoods: unknown class {name!r}; the model has {sorted(counts)}."
            )
        if array.shape != (batch, counts[name], states[name]):
            raise EvidenceError(
                f"likelihoods of {name!r}: expected shape {(batch, counts[name], states[name])} "
                f"(batch, nodes, states), got {array.shape}; all classes share one batch."
            )
    given = (
        evidence[node.variable][:, node.position] if node.variable in evidence else None
        for node in nodes
    )
    return tuple(given), batch
