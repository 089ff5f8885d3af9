"""Piecewise-linear functions on tensors: the segment of a point by a formula, not by a search.

A function is held as one straight line per segment, ``intercept + slope * x``. Functions of one
layer are stacked, each with as many segments as the longest; those beyond its own are never met.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import AnyArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Stacked piecewise-linear functions.

    Parameters
    ----------
    knots
        Where segments meet, increasing, shape (functions, segments - 1); inf beyond the last.
    intercepts, slopes
        By segment, shape (functions, segments).
    """

    knots: Tensor
    intercepts: Tensor
    slopes: Tensor

    @property
    def segments(self) -> int:
        """Segments of each function."""
        return self.slopes.shape[1]

    def like(self, x: Tensor) -> Lines:
        """The same with the precision and device of x."""
        return Lines(self.knots.to(x), self.intercepts.to(x), self.slopes.to(x))

    def at(self, x: Tensor, segment: Tensor, function: Tensor | None) -> Tensor:
        """Values at x, in given segments (integers, shape of x).

        ``function`` says which function an entry belongs to, broadcast against x; None for the
        only one.
        """
        if function is not None:
            segment = segment + function * self.segments
        flat = segment.reshape(-1)
        intercept = self.intercepts.reshape(-1).index_select(0, flat).view(x.shape)
        slope = self.slopes.reshape(-1).index_select(0, flat).view(x.shape)
        return torch.addcmul(intercept, slope, x)

    def search(self, x: Tensor, function: Tensor | None) -> Tensor:
        """The segment of each entry of x, by bisection."""
        if function is None:
            return torch.bucketize(x.contiguous(), self.knots[0], right=True)
        whole = function.expand(x.shape)
        return (x[..., None] >= self.knots[whole]).sum(-1)


def rising(knots: FloatArray, weights: FloatArray, constant: FloatArray) -> Lines:
    """Lines of ``constant + sum of weights * ReLU(x - knots)``.

    Shapes (functions, units) and (functions,); units of weight 0 are idle, whatever their knot.
    """
    knots, weights, moments = _in_order(knots, weights)
    slopes = np.cumsum(np.pad(weights, ((0, 0), (1, 0))), axis=1)
    intercepts = constant[:, None] - np.cumsum(np.pad(moments, ((0, 0), (1, 0))), axis=1)
    return Lines(*map(torch.tensor, (knots, intercepts, slopes)))


def falling(knots: FloatArray, weights: FloatArray, constant: FloatArray) -> Lines:
    """Lines of ``constant - sum of weights * ReLU(knots - x)``; shapes as in :func:`rising`."""
    knots, weights, moments = _in_order(knots, weights)
    slopes = np.cumsum(np.pad(weights, ((0, 0), (0, 1)))[:, ::-1], axis=1)[:, ::-1]
    falls = np.cumsum(np.pad(moments, ((0, 0), (0, 1)))[:, ::-1], axis=1)[:, ::-1]
    return Lines(*(torch.tensor(x.copy()) for x in (knots, constant[:, None] - falls, slopes)))


def _in_order(knots: FloatArray, weights: FloatArray) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Units by increasing knot, the idle ones last; and weight times knot."""
    knots = np.where(weights == 0, np.inf, knots)
    order = np.argsort(knots, axis=1, kind="stable")
    knots, weights = (np.take_along_axis(each, order, axis=1) for each in (knots, weights))
    return knots, weights, np.where(weights == 0, 0.0, weights * np.where(weights == 0, 0, knots))
