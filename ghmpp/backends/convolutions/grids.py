"""Where the nodes of a class lie in a feature map: along a line, or in the plane of an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ghmpp._arrays import IntArray
from ghmpp.models.forest import Edge, Forest
from ghmpp.models.layouts import grid_order

# Rows and columns into which a level divides a region; a line has one row.
Split = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Grid:
    """The feature map of one class.

    Parameters
    ----------
    shape
        (length,), or (rows, columns).
    order
        The user's position of the node in each cell, cells row by row; None for the same order.
    tree
        The tree's position of the node in each cell; None for the same order.
    """

    shape: tuple[int, ...]
    order: IntArray | None
    tree: IntArray | None


@dataclass(frozen=True, slots=True)
class Grids:
    """Feature maps of a regular forest.

    Parameters
    ----------
    dimensions
        1 (``Conv1d``) or 2 (``Conv2d``).
    splits
        By child block: how a parent's cell is divided.
    of
        By block: its feature map.
    """

    dimensions: int
    splits: Mapping[str, Split]
    of: Mapping[str, Grid]

    def kernel(self, child: str) -> tuple[int, ...]:
        """Kernel and stride of the convolutions on the edge of a child block."""
        return self.splits[child][2 - self.dimensions :]


def find_grids(forest: Forest) -> Grids:
    """Feature maps of all classes; of two dimensions where the order of some class is an image's.

    Requires: one root node, regular fan-outs, one block per class.
    """
    splits = _splits(forest)
    dimensions = 2 if any(rows > 1 for rows, _ in splits.values()) else 1
    found = {}
    for name, block in forest.blocks.items():
        path = [splits[edge.child] for edge in path_to(forest, name)]
        cells = grid_order(path)
        tree = np.argsort(cells)
        order = forest.variables[block.variable].order
        shape = prod(rows for rows, _ in path), prod(columns for _, columns in path)
        found[name] = Grid(
            shape[2 - dimensions :],
            _unless_same(tree if order is None else order[tree]),
            _unless_same(tree),
        )
    return Grids(dimensions, splits, found)


def path_to(forest: Forest, block: str) -> list[Edge]:
    """Edges from the root to a block."""
    found: list[Edge] = []
    while block in forest.edges:
        found.insert(0, forest.edges[block])
        block = found[0].parent
    return found


def read_splits(order: Sequence[int] | IntArray, fanouts: Sequence[int]) -> list[Split] | None:
    """How levels with these fan-outs divide an image, if an order is that of its pixels.

    Images that are nearest to a square are tried first. None where no image has that order.

    Examples
    --------
    >>> read_splits([0, 1, 4, 5, 2, 3, 6, 7], (2, 4))
    [(1, 2), (2, 2)]
    """
    order = np.asarray(order)
    sizes = [n for n in range(1, len(order) + 1) if len(order) % n == 0]
    for width in sorted(sizes, key=lambda n: abs(np.log(n * n / len(order)))):
        splits = list(_splits_at_width(order, fanouts, width))
        whole = len(splits) == len(fanouts) and width == prod(columns for _, columns in splits)
        if whole and np.array_equal(grid_order(splits), order):
            return splits
    return None


def _splits_at_width(order: IntArray, fanouts: Sequence[int], width: int) -> Iterator[Split]:
    """Splits as the first nodes of each level show them; fewer where they form no rectangle."""
    nodes = len(order)
    for fanout in fanouts:
        first = order[: nodes : nodes // fanout]
        columns = len(np.unique(first % width))
        if fanout % columns:
            return
        yield fanout // columns, columns
        nodes //= fanout


def _splits(forest: Forest) -> dict[str, Split]:
    """Split of each edge; all along a line where two classes disagree about an edge."""
    line = {edge.child: (1, edge.fanout) for edge in forest.edges.values()}
    found: dict[str, Split] = {}
    for name, block in forest.blocks.items():
        order = forest.variables[block.variable].order
        path = path_to(forest, name)
        if order is None or _unless_same(order) is None:
            continue
        splits = read_splits(order, [edge.fanout for edge in path])
        for edge, split in zip(path, splits or (), strict=splits is not None):
            if found.setdefault(edge.child, split) != split:
                return line
    return line | found


def _unless_same(order: IntArray) -> IntArray | None:
    """An order, or None if it changes nothing."""
    return None if (order == np.arange(len(order))).all() else order
