"""The way from a class of variables down to another: how often each node is divided."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ghmpp._arrays import IntArray
from ghmpp.backends.convolutions.grids import Split, read_splits
from ghmpp.errors import QueryError
from ghmpp.models.layouts import grid_order
from ghmpp.models.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A regular way from a root to the class below it that is observed.

    Parameters
    ----------
    classes
        Visible classes from the root down.
    branching
        Children per node from each class to the next; one less than classes.
    splits
        The same as rows and columns of an image; (1, m) along a line.
    """

    classes: tuple[str, ...]
    branching: tuple[int, ...]
    splits: tuple[Split, ...]

    @property
    def dimensions(self) -> int:
        """1 for a line, 2 for an image."""
        return 2 if any(rows > 1 for rows, _ in self.splits) else 1

    def shape(self, name: str) -> tuple[int, int]:
        """Rows and columns of the nodes of a class."""
        above = self.splits[: self.classes.index(name)]
        return prod(rows for rows, _ in above), prod(columns for _, columns in above)

    def cells(self, name: str, model: Model) -> IntArray:
        """Cell, row by row, of each node of a class in the user's order, (nodes,)."""
        tree: IntArray = grid_order(self.splits[: self.classes.index(name)])
        order = model.variables[name].order
        return tree if order is None else tree[np.argsort(order)]


def find_path(model: Model, bottom: str, where: str) -> Path:
    """The way from a root down to a class.

    Helper classes of joint rules are passed over.

    Raises
    ------
    QueryError
        If the class hangs in no regular tree of declared classes with one node at its root.
    """
    known, visible = model.declarations, model.variables
    if bottom not in known:
        raise QueryError(
            f"{where}: needs a regular tree of declared classes, and {bottom!r} gathers variables "
            "with places of their own. The 'mlp' needs none."
        )
    classes, name, count = [bottom], bottom, 1
    counts: list[int] = []
    while (parent := known[name].parent) is not None:
        count *= known[name].count
        name = parent
        if name in visible:
            classes.insert(0, name)
            counts.insert(0, count)
            count = 1
    if known[name].nodes > 1 or any(known[each].untied for each in classes) or not counts:
        raise QueryError(
            f"{where}: needs a regular tree of declared classes above {bottom!r} with one node at "
            f"its root; found {' -> '.join(classes)}. The 'mlp' needs none."
        )
    line: list[Split] = [(1, each) for each in counts]
    order = visible[bottom].order
    splits = None if order is None else read_splits(order, counts)
    return Path(tuple(classes), tuple(counts), tuple(splits or line))
