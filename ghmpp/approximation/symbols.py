"""Nets for observed symbols: a table's logs, exact or not, through the integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.approximation.kernels import Kernel


@dataclass(frozen=True, slots=True, eq=False)
class SymbolNet:
    r"""The message of an observed symbol as two ReLU layers of width at most S + 1.

    A piecewise-linear function with knots at the integers takes any values there, so
    :math:`\log\psi(s, x)` is represented without error (Lemma 16 of arXiv:2404.18444 has width
    of order K / delta). A missing symbol is one more integer.

    Parameters
    ----------
    logs
        Message by symbol, shape (symbols, parent states), natural logs, finite; the last row may
        stand for a missing symbol.
    """

    logs: FloatArray

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Message (..., parent states) of symbols x, integers of shape (...)."""
        found: FloatArray = self.logs[np.asarray(x)]
        return found

    @property
    def widths(self) -> tuple[int, int]:
        """Units of the two hidden layers, with the constant one."""
        symbols, states = self.logs.shape
        return symbols, states + 1

    def dense(self, x: ArrayLike, dtype: type[np.floating] = np.float64) -> AnyArray:
        """Message by both ReLU layers, every operation in ``dtype``."""
        logs = self.logs.astype(dtype)
        low = logs.min(axis=0)
        at = np.asarray(x, dtype=dtype)[..., None]
        first = np.maximum(at - np.arange(len(logs) - 1, dtype=dtype), dtype(0))
        slopes = np.diff(logs, axis=0)
        kinks = np.diff(slopes, axis=0, prepend=dtype(0) * slopes[:1])
        shifted = first @ kinks + (logs[0] - low)  # >= 0 at the integers
        found: AnyArray = np.maximum(shifted, dtype(0)) + low
        return found


def exact_symbols(kernel: Kernel) -> SymbolNet:
    """The logs of a table without zeros; the last symbol, a missing one, sends the row sums."""
    assert kernel.weights is not None
    return SymbolNet(np.log(np.concatenate([kernel.weights.T, kernel.sums[None]])))
