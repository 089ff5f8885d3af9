"""Sums and maxima over the entries of an axis that have equal index."""

from __future__ import annotations

from torch import Tensor


def segment_sum(x: Tensor, index: Tensor, start: Tensor, axis: int) -> Tensor:
    """Sum of an axis over equal ``index``, added to ``start``, which nobody else may hold.

    ``index`` has the size of the axis, or as many axes as ``x``.
    """
    if index.ndim > 1:
        return start.scatter_add_(axis, index.expand_as(x), x)
    if axis == 1 and len(x) == 1:  # the same along the first axis, which torch does much faster
        return start[0].index_add_(0, index, x[0])[None]
    return start.index_add_(axis, index, x)


def segment_max(x: Tensor, index: Tensor, start: Tensor, axis: int) -> Tensor:
    """Largest entry of an axis over equal ``index``, and of ``start``."""
    return start.scatter_reduce(axis, whole_index(index, x, axis), x, "amax")


def whole_index(index: Tensor, x: Tensor, axis: int) -> Tensor:
    """An index along an axis of ``x`` in the shape of ``x``."""
    if index.ndim == 1:
        index = index.view(*(1 for _ in x.shape[:axis]), -1, *(1 for _ in x.shape[axis + 1 :]))
    return index.expand_as(x)
