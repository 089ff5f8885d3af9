"""Where the nodes of a block sit in memory: state-major, ranks reversed.

A value of a block is kept as (states, ranks, parents, batch). The child rank is the outermost
node axis, and the parents follow in *their* order. So the children of one rank are one contiguous
run of columns, every level is a single strided batched matrix product, the product over siblings
is a product of contiguous slices, and reductions over states run over the first axis. Roots have
one rank.

Below irregular parents the columns form a staircase: first the first child of every parent that
has one, in falling order of the number of children, then all second children, and so on. So the
children of a rank still are one run of columns, and belong to the first parents of that order.
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
    Below irregular parents there is one rank in name; then ``counts`` has the number of children
    of each rank, and ``above[p]`` the physical position of the parent of the child at p.
    """

    ranks: int
    parents: int
    order: IntArray
    counts: tuple[int, ...] = ()
    above: IntArray | None = None

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
        if edge.parents is not None:
            found[block.name] = _staircase(forest.slots(edge), parent)
            continue
        key = (id(parent), edge.fanout)
        if key not in known:
            order = (parent.order * edge.fanout + np.arange(edge.fanout)[:, None]).ravel()
            place = Place(edge.fanout, parent.nodes, order)
            name = (edge.fanout, parent.nodes, order.tobytes())
            known[key] = distinct.setdefault(name, place)
        found[block.name] = known[key]
    return found


def _staircase(slots: IntArray, parent: Place) -> Place:
    """Place of a block below irregular parents."""
    by_position = slots[parent.order]
    counts = (by_position >= 0).sum(1)
    falling = np.argsort(-counts, kind="stable")
    steps = (by_position[falling] >= 0).sum(0)
    above = np.concatenate([falling[:size] for size in steps])
    order = np.concatenate([by_position[falling[:size], k] for k, size in enumerate(steps)])
    return Place(1, len(order), order, tuple(steps.tolist()), above)


def columns(forest: Forest, variable: str, places: Mapping[str, Place]) -> IntArray:
    """User's position of each physical column of a class, blocks one after another, (nodes,)."""
    group = forest.variables[variable]
    tree = np.concatenate(
        [block.start + places[block.name].order for block in forest.class_blocks(variable)]
    )
    return tree if group.order is None else group.order[tree]
