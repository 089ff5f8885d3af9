"""Orders between a picture, row by row, and the leaves of a tree that halves it repeatedly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ghmpp._arrays import IntArray
from ghmpp.errors import ModelError


def morton_order(side: int) -> IntArray:
    """Order of the pixels of a square picture under a quad-tree (the Z-order curve).

    Parameters
    ----------
    side
        Pixels along a side, a power of 2.

    Returns
    -------
    array of shape (side * side,)
        ``order[k]`` is the pixel ``row * side + column`` at leaf k. Children have the ranks
        0 upper left, 1 upper right, 2 lower left, 3 lower right.

    Raises
    ------
    ModelError
        If ``side`` is not a power of 2.

    Examples
    --------
    >>> morton_order(4).reshape(4, 4)
    array([[ 0,  1,  4,  5],
           [ 2,  3,  6,  7],
           [ 8,  9, 12, 13],
           [10, 11, 14, 15]])
    """
    if isinstance(side, bool) or not isinstance(side, int) or side < 1 or side & (side - 1):
        raise ModelError(f"morton_order: side must be a power of 2, got {side!r}.")
    return grid_order([(2, 2)] * (side.bit_length() - 1))


def grid_order(splits: Sequence[tuple[int, int]]) -> IntArray:
    """Order of the cells of a grid under a tree that splits rows and columns level by level.

    Parameters
    ----------
    splits
        Rows and columns that each level divides a region into, root first; a level has
        ``rows * columns`` children, ranked row by row. The grid has the product of the rows
        times the product of the columns; ``[(1, m), ...]`` is a sequence.

    Returns
    -------
    array of shape (cells,)
        ``order[k]`` is the cell ``row * width + column`` at leaf k.

    Raises
    ------
    ModelError
        If a number of rows or columns is below 1.

    Examples
    --------
    >>> grid_order([(1, 2), (2, 1)])
    array([0, 2, 1, 3])
    """
    for rows, columns in splits:
        if rows < 1 or columns < 1:
            raise ModelError(f"grid_order: splits must be at least (1, 1), got {(rows, columns)}.")
    row = column = np.zeros(1, dtype=np.int64)
    width = 1
    for rows, columns in splits:
        ranks = np.arange(rows * columns)
        row = (row[:, None] * rows + ranks // columns).ravel()
        column = (column[:, None] * columns + ranks % columns).ravel()
        width *= columns
    return row * width + column
