r"""Piecewise-linear nets for exp and log with knots in closed form, and their proved errors.

exp is replaced by chords above it, log by chords below it, so the errors of the two have one sign
each and neither hides the other. Knots follow the density that makes all segments equally bad,
which has an elementary inverse: the segment of a point is found by a formula, not by a search.
They sharpen Lemmas 8 and 9 of arXiv:2404.18444, whose knots are uniform in value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, read_only
from ghmpp.approximation.gaps import exp_excess, log_gap
from ghmpp.approximation.relu import ReluUnits, concave_units, convex_units, interpolate


@dataclass(frozen=True)
class ExpNet:
    r"""Chords of exp on [-reach, 0], constant left of the last knot.

    With :math:`\log(1 + \kappa)` = ``error``, for all u in [-reach, 0],

    .. math:: 0 \le p(u) - e^u \le \kappa\, (1 / \rho + e^u), \qquad p(0) = 1,

    so for h with maximum 0 and weights w with :math:`\sum_j w_j / \min_j w_j - 1 \le \rho`,
    :math:`0 \le \log \sum_j w_j p(h_j) - \log \sum_j w_j e^{h_j} \le \log(1 + \kappa)`.

    Proof idea: scale w to 1 at the state j* of the maximum, where p is exact. The others have
    total weight at most rho, so the errors add up to at most kappa (1 + sum over j != j*).

    Knots: :math:`u_k = 2 \log(\sinh a_k / \sqrt\rho)` with equispaced :math:`a_k`; as many as
    :math:`(\mathrm{asinh}\sqrt\rho - \mathrm{asinh}(\sqrt\rho e^{-H/2})) / \sqrt{2\kappa}`.
    For infinite rho (weights with zeros) the knots are equispaced in u and the error is relative.

    Parameters
    ----------
    segments
        Number of chords n, at least 1.
    log_ratio
        log rho, >= 0; inf for weights with zeros, and then ``reach`` must be finite.
    reach
        H > 0, dimensionless: inputs are >= -H; inf for unbounded inputs.
    """

    segments: int
    log_ratio: float
    reach: float

    @property
    def relative(self) -> bool:
        """Whether the error is relative, as weights with zeros need."""
        return math.isinf(self.log_ratio)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """First and last knot on the scale on which knots are equispaced."""
        if self.relative:
            return -self.reach, 0.0
        top = math.asinh(math.exp(self.log_ratio / 2))
        bottom = math.asinh(math.exp((self.log_ratio - self.reach) / 2))
        return max(bottom, top / (self.segments * math.sqrt(2) + 1)), top

    @property
    def has_tail(self) -> bool:
        """Whether the domain goes on left of the last knot, where the net is constant."""
        return not self.relative and self._ends[0] > math.asinh(
            math.exp((self.log_ratio - self.reach) / 2)
        )

    @cached_property
    def knots(self) -> FloatArray:
        """Knots, increasing, shape (segments + 1,); the last is 0."""
        scale = np.linspace(*self._ends, self.segments + 1)
        if not self.relative:
            log_sinh = scale + np.log(-np.expm1(-2 * scale)) - math.log(2)
            scale = 2 * log_sinh - self.log_ratio
        scale[-1] = 0.0
        if not self.has_tail:
            scale[0] = -self.reach
        array: FloatArray = read_only(scale)
        return array

    @cached_property
    def values(self) -> FloatArray:
        """Values at the knots, shape (segments + 1,)."""
        array: FloatArray = read_only(np.exp(self.knots))
        return array

    @cached_property
    def error(self) -> float:
        """log(1 + kappa): the largest that the log of a weighted sum can grow; dimensionless."""
        lengths, starts = np.diff(self.knots), self.knots[:-1]
        with np.errstate(over="ignore"):
            weights = np.exp(-self.log_ratio - starts) if not self.relative else 0 * starts
        chords = float(exp_excess(lengths, weights).max())
        tail = self.log_ratio + float(starts[0]) if self.has_tail else -math.inf
        return max(chords, float(np.logaddexp(0, tail)))

    def __call__(self, u: ArrayLike) -> FloatArray:
        """Value at u <= 0, any shape; -inf is allowed."""
        at = np.maximum(np.asarray(u, dtype=np.float64), self.knots[0])
        scale = at if self.relative else np.arcsinh(np.exp((self.log_ratio + at) / 2))
        low, high = self._ends
        index = np.floor((scale - low) / (high - low) * self.segments)
        return interpolate(at, index, self.knots, self.values)

    def units(self) -> ReluUnits:
        """The same function as ReLU units that face right."""
        return convex_units(self.knots, self.values)


@dataclass(frozen=True)
class LogNet:
    r"""Chords of log on [1, R] with geometric knots :math:`R^{k/n}`.

    .. math:: -\delta_1 \le l(y) - \log y \le 0, \qquad \delta_1 = g(R^{1/n}) \approx
              \frac{(\log R)^2}{8 n^2}

    with g of :func:`ghmpp.approximation.gaps.log_gap`; attained in every segment.

    Parameters
    ----------
    segments
        Number of chords n, at least 1.
    log_range
        log R > 0, dimensionless.
    """

    segments: int
    log_range: float

    @cached_property
    def knots(self) -> FloatArray:
        """Knots, increasing from 1 to R, shape (segments + 1,)."""
        array: FloatArray = read_only(np.exp(self.values))
        return array

    @cached_property
    def values(self) -> FloatArray:
        """Values at the knots, shape (segments + 1,)."""
        array: FloatArray = read_only(np.linspace(0.0, self.log_range, self.segments + 1))
        return array

    @cached_property
    def error(self) -> float:
        """The largest distance below log, dimensionless."""
        return log_gap(self.log_range / self.segments) * (1 + 1e-12)

    def __call__(self, y: ArrayLike) -> FloatArray:
        """Value at y in [1, R], any shape."""
        at = np.asarray(y, dtype=np.float64)
        index = np.floor(np.log(np.maximum(at, 1.0)) / self.log_range * self.segments)
        return interpolate(at, index, self.knots, self.values)

    def units(self) -> ReluUnits:
        """The same function as ReLU units that face left."""
        return concave_units(self.knots, self.values)
