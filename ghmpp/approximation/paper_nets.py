r"""The nets of the paper for exp and log: knots uniform in value (Lemmas 8 and 9, repaired).

The functions are those of arXiv:2404.18444, their layout is ours. The paper writes the constant
left of all knots as the difference of two units, and lets all units of log face right; both
cancel in floating point. Here constants are the shared constant unit, and units of log face left.

As printed, Lemma 8 divides by :math:`b_2 - b_1 < 0` and so turns the sign of every slope (the
error reaches 2), and knots of Lemma 9 that are uniform in x miss its error with its number of
units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, read_only
from ghmpp.approximation.gaps import log_gap
from ghmpp.approximation.piecewise import LogNet
from ghmpp.approximation.relu import ReluUnits, convex_units, interpolate


@dataclass(frozen=True)
class UniformExpNet:
    r"""Chords of exp between :math:`\log(k / n)`, constant left of the first (Lemma 8).

    .. math:: 0 \le p(u) - e^u \le 1 / n \text{ for all } u \le 0, \qquad p(0) = 1,

    and the error is attained in the limit :math:`u \to -\infty`. With :math:`n = M - 1 = \lceil 1
    / \delta \rceil` it is at most :math:`\delta`.

    Parameters
    ----------
    steps
        Number of knots n, at least 1; the values at the knots are 1/n, 2/n, ..., 1.

    Examples
    --------
    >>> UniformExpNet(4)([0.0, -9.0])
    array([1.  , 0.25])
    """

    steps: int

    @cached_property
    def knots(self) -> FloatArray:
        """Knots, increasing, shape (steps,); the last is 0."""
        array: FloatArray = read_only(np.log(self.values))
        return array

    @cached_property
    def values(self) -> FloatArray:
        """Values at the knots, shape (steps,)."""
        array: FloatArray = read_only(np.arange(1, self.steps + 1) / self.steps)
        return array

    @property
    def error(self) -> float:
        """The largest distance above exp."""
        return 1 / self.steps

    def growth(self, log_ratio: float) -> float:
        r"""The largest that the log of a weighted sum can grow, dimensionless; attained.

        .. math:: 0 \le \log \sum_j w_j p(h_j) - \log \sum_j w_j e^{h_j} \le \log(1 + \rho / n)

        Proof idea: scale the weights to 1 at the maximum, where p is exact; the others have
        total weight at most rho, and their errors are at most 1/n each.

        Parameters
        ----------
        log_ratio
            log rho, as for :class:`ghmpp.approximation.piecewise.ExpNet`; finite.
        """
        return float(np.logaddexp(0.0, log_ratio - math.log(self.steps))) * (1 + 1e-12)

    def __call__(self, u: ArrayLike) -> FloatArray:
        """Value at u <= 0, any shape; -inf is allowed."""
        at = np.maximum(np.asarray(u, dtype=np.float64), self.knots[0])
        if self.steps == 1:
            return np.ones_like(at)
        return interpolate(at, np.floor(self.steps * np.exp(at)) - 1, self.knots, self.values)

    def units(self) -> ReluUnits:
        """The same function as ReLU units that face right, steps - 1 of them."""
        return convex_units(self.knots, self.values)


@dataclass(frozen=True)
class UniformLogNet:
    r"""Chords of log on [1/A, A] between knots :math:`A^{2k/n - 1}` (Lemma 9).

    .. math:: -\delta \le l(y) - \log y \le 0, \qquad \delta = g(A^{2/n}) \approx
              \frac{(\log A)^2}{2 n^2}

    in every segment, with g of :func:`ghmpp.approximation.gaps.log_gap`. Lemma 9 takes :math:`M =
    \lceil 2 A / \delta \rceil + 1` units, two of them for the constant :math:`-\log A`; with n = M
    - 2 steps the error is far below its :math:`\delta`.

    Parameters
    ----------
    segments
        Number of chords n, at least 1.
    bound
        A > 1.

    Examples
    --------
    >>> UniformLogNet(2, 4.0)([0.25, 1.0, 4.0]).round(6)
    array([-1.386294,  0.      ,  1.386294])
    """

    segments: int
    bound: float

    @cached_property
    def scaled(self) -> LogNet:
        """The same net on [1, A^2]: ``l(y) = scaled(A y) - log A``."""
        return LogNet(self.segments, 2 * math.log(self.bound))

    @cached_property
    def knots(self) -> FloatArray:
        """Knots, increasing from 1/A to A, shape (segments + 1,)."""
        array: FloatArray = read_only(np.exp(self.values))
        return array

    @cached_property
    def values(self) -> FloatArray:
        """Values at the knots, shape (segments + 1,)."""
        array: FloatArray = read_only(self.scaled.values - math.log(self.bound))
        return array

    @property
    def error(self) -> float:
        """The largest distance below log, dimensionless."""
        return log_gap(2 * math.log(self.bound) / self.segments) * (1 + 1e-12)

    def __call__(self, y: ArrayLike) -> FloatArray:
        """Value at y in [1/A, A], any shape."""
        return self.scaled(np.asarray(y, dtype=np.float64) * self.bound) - math.log(self.bound)

    def units(self) -> ReluUnits:
        """The same function as ReLU units that face left."""
        found = self.scaled.units()
        return ReluUnits(math.log(self.bound), found.weights * self.bound, self.knots[1:], -1, -1)


@dataclass(frozen=True, slots=True)
class LemmaSizes:
    r"""The nets that Lemmas 13 and 15 take for one potential in a layer of the theorems.

    Theorems 3 and 6 take :math:`D = 4 \lceil S^2 K^2 / \delta \rceil` for an error
    :math:`\delta` of each message; a width D affords each message :math:`\delta = 4 S^2 K^2 / D`,
    with its own S and K. Lemma 13 then has :math:`M_2 = \lceil 2 S K^2 / \delta \rceil + 1` units
    per state for exp and :math:`M_1 = \lceil 2 S K / \delta \rceil + 1` for log, and Lemma 15
    :math:`\lceil K / \delta \rceil + 1` for log. About half of the D units stay idle.

    Parameters
    ----------
    states
        S, the larger number of states at both ends.
    bound
        K >= 1: the entries, at their best scale, lie in [1/K, K].
    width
        D, at least 2 S + 1.
    """

    states: int
    bound: float
    width: int

    @property
    def exp(self) -> UniformExpNet:
        """Of Lemma 13: n = M_2 - 1."""
        units = -(-self.width // (2 * self.states)) + 1
        return UniformExpNet(min(units, (self.width - 1) // self.states) - 1)

    @property
    def log(self) -> UniformLogNet:
        """Of Lemma 13, on [1/(S K), S K]: n = M_1 - 2."""
        units = math.ceil(self.width / (2 * self.states * self.bound)) + 1
        units = min(units, self.width // self.states)
        return UniformLogNet(max(units - 2, 1), self.states * self.bound)

    @property
    def leaf_log(self) -> UniformLogNet:
        """Of Lemma 15, on [1/K, K]: n = M_1 - 2."""
        units = math.ceil(self.width / (4 * self.states**2 * self.bound)) + 1
        return UniformLogNet(max(units - 2, 1), self.bound)
