"""Where the nodes of a block sit in memory: state-major, ranks reversed.

A value of a block is kept as (states, ranks, parents, batch). The child rank is the outermost
node axis, and the parents follow in *their* order. So the children of one rank are one contiguous
run of columns, every level is a single strided batched matrix product, the product over siblings
is a product of contiguous slices, and reductions over states run over the first axis. Roots have
one rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import IntArray
from ghmpp.models.forest import Forest


@dataclass(frozen=True, slots=True)
class Place:
    """Shape and node order of one block.

    ``order[p]`` is the node (tree order in its block) at physical position p, shape (nodes,).
    """

    ranks: int
    parents: int
    order: IntArray

    @property
    def nodes(self) -> int:
        """Number of nodes of the block."""
        return self.ranks * self.parents


def places(forest: Forest) -> Mapping[str, Place]:
    """Place of every block of the forest, by name; equal places are one object."""
    found: dict[str, Place] = {}
    known: dict[tuple[int, int], Place] = {}
    distinct: dict[tuple[int, int, bytes], Place] = {}
    for block in forest.blocks.values():
        edge = forest.edges.get(block.name)
        if edge is None:
            found[block.name] = Place(1, block.nodes, np.arange(block.nodes))
            continue
        parent = found[edge.parent]
        key = (id(parent), edge.fanout)
        if key not in known:
            order = (parent.order * edge.fanout + np.arange(edge.fanout)[:, None]).ravel()
            place = Place(edge.fanout, parent.nodes, order)
            name = (edge.fanout, parent.nodes, order.tobytes())
            known[key] = distinct.setdefault(name, place)
        found[block.name] = known[key]
    return found


def columns(forest: Forest, variable: str, places: Mapping[str, Place]) -> IntArray:
    """User's position of each physical column of a class, blocks one after another, (nodes,)."""
    group = forest.variables[variable]
    tree = np.concatenate(
        [block.start + places[block.name].order for block in forest.class_blocks(variable)]
    )
    return tree if group.order is None else group.order[tree]
