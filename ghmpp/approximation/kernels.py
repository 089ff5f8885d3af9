r"""What the error of one message depends on: a few constants of its potential, one direction each.

For weights Psi, axes (receiving state, sending state), a message is ``f(h)_i = log sum_j Psi_ij
e^{h_j}``. Distances are measured in the span seminorm, ``span(v) = max v - min v``: a message is
defined up to a constant, and normalising it changes no span.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.models.assumptions import birkhoff_diameter

# Tables whose rows are proportional up to rounding send a constant.
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False)
class Kernel:
    r"""Constants of one potential in one direction, over the states that can occur.

    Parameters
    ----------
    shape
        Receiving states, sending states.
    sums, least
        Sum and smallest entry of each row, shape (receiving states,); sums are > 0.
    diameter
        Birkhoff diameter Delta, dimensionless; inf with zeros.
    column_span
        :math:`\max_j` span of log Psi over column j, which bounds the span of every message that
        is sent; inf with zeros.
    weights
        The entries, shape (receiving states, sending states); None for index maps.
    index
        Of an index map: for each sending state the state that receives it (a sum over segments),
        or for each receiving state the state that it copies (a gather).
    gather
        Whether it copies, and is exact.
    """

    shape: tuple[int, int]
    sums: FloatArray
    least: FloatArray
    diameter: float
    column_span: float
    weights: FloatArray | None = None
    index: IntArray | None = None
    gather: bool = False

    @property
    def contraction(self) -> float:
        """tau = tanh(Delta / 4): by it a message shrinks spans (Birkhoff-Hopf); 1 with zeros."""
        return math.tanh(self.diameter / 4)

    @property
    def positive(self) -> bool:
        """Whether no entry is 0."""
        return bool((self.least > 0).all())

    @property
    def constant(self) -> bool:
        """Whether what is sent does not depend on the input."""
        return min(self.shape) == 1 or self.diameter < _CONSTANT

    @cached_property
    def log_ratio(self) -> float:
        r"""log rho: how much heavier all entries of a row are than its lightest.

        .. math:: \rho = \max_i \frac{\sum_j \Psi_{ij} - \min_j \Psi_{ij}}{\min_j \Psi_{ij}}
        """
        if not self.positive:
            return math.inf
        return max(0.0, float(np.log((self.sums - self.least) / self.least).max()))

    @cached_property
    def sum_span(self) -> float:
        """Span of the logs of the row sums: what is sent when the input is flat."""
        return float(np.ptp(np.log(self.sums)))

    def sent_span(self, reach: float) -> float:
        """Bound on the span of what is sent when the input has at most the span ``reach``.

        Either no more than the columns differ, or the input and the row sums together.
        """
        return reach if self.gather else min(self.column_span, reach + self.sum_span)

    def send(self, h: FloatArray) -> FloatArray:
        """The exact message: h (..., sending states) -> (..., receiving states).

        Each receiving state has its own shift, so that nothing underflows.
        """
        if self.gather:
            found: FloatArray = h[..., self.index]
            return found
        with np.errstate(divide="ignore"):
            if self.weights is not None:
                terms = h[..., None, :] + np.log(self.weights)
                dense: FloatArray = np.logaddexp.reduce(terms, axis=-1)
                return dense
        return self._segments(h, np.logaddexp, -np.inf)

    def total(self, p: FloatArray) -> FloatArray:
        """Weighted sums: p (..., sending states) -> (..., receiving states)."""
        if self.weights is not None:
            dense: FloatArray = p @ self.weights.T
            return dense
        return self._segments(p, np.add, 0.0)

    def _segments(self, x: FloatArray, add: np.ufunc, nothing: float) -> FloatArray:
        """Sums, of one kind or another, over the segments of an index map."""
        assert self.index is not None
        sums = np.full((self.shape[0], *x.shape[:-1]), nothing)
        add.at(sums, self.index, np.moveaxis(x, -1, 0))
        return np.moveaxis(sums, 0, -1)


def table_kernel(table: FloatArray) -> Kernel:
    """Constants of a table (receiving states, sending states) without rows of zeros."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(table)
        spans = logs.max(axis=0) - logs.min(axis=0)  # NaN in columns of zeros, which do nothing
    return Kernel(
        (int(table.shape[0]), int(table.shape[1])),
        table.sum(axis=1),
        table.min(axis=1),
        birkhoff_diameter(table) if min(table.shape) > 1 else 0.0,
        float(np.nanmax(spans)),
        weights=table,
    )


def gather_kernel(index: IntArray, states: int) -> Kernel:
    """Constants of a map by which each receiving state copies one of ``states``."""
    ones = np.ones(len(index))
    return Kernel((len(index), states), ones, 0 * ones, math.inf, math.inf, None, index, True)


def segment_kernel(index: IntArray, states: int) -> Kernel:
    """Constants of a map that sums the sending states into the ``states`` that receive them.

    One segment for each alone is a permutation, and exact.
    """
    sizes = np.bincount(index, minlength=states).astype(np.float64)
    if len(index) == states and (sizes == 1).all():
        return gather_kernel(np.argsort(index), states)
    return Kernel((states, len(index)), sizes, 0 * sizes, math.inf, math.inf, None, index)


def restricted(array: AnyArray, rows: AnyArray, columns: AnyArray) -> AnyArray:
    """The rows and columns of a table that are alive."""
    return array if rows.all() and columns.all() else array[np.ix_(rows, columns)]
