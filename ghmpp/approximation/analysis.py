r"""How far a net with given weights can be from its message: a rigorous bound, from the weights.

It holds for any numbers, rounded or changed ones too. All arithmetic is outward, so no rounding
of ours can make a bound too small. What a bound rests on is the true potential alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from ghmpp._arrays import BoolArray, FloatArray
from ghmpp.approximation.kernels import Kernel
from ghmpp.approximation.outward import Interval, exact, exp, log, total
from ghmpp.approximation.pieces import Pieces, Units, with_ends
from ghmpp.approximation.weights import ExpLogWeights, NetWeights, SymbolWeights

_STEPS = 12


@dataclass(frozen=True, slots=True)
class Analysed:
    """What the weights of one net guarantee.

    Parameters
    ----------
    error
        Bound on the span of (net - exact message) over the domain, in exact arithmetic; inf
        where the weights guarantee nothing.
    segments
        Units of (exp, log), or of the two halves.
    start, log_range, offsets
        First knot, log of the range of the sums, and span of the offsets: what rounding scales
        with.
    """

    error: float
    segments: tuple[int, int]
    start: float = 0.0
    log_range: float = 0.0
    offsets: float = 0.0


def all_finite(weights: NetWeights, net: int) -> bool:
    """Whether every number of a net is finite."""
    return all(
        bool(np.isfinite(getattr(weights, each.name)[net]).all()) for each in fields(weights)
    )


def analyse_exp_log(
    weights: ExpLogWeights,
    net: int,
    kernel: Kernel,
    sending: BoolArray,
    receiving: BoolArray,
    reach: float,
) -> Analysed:
    r"""The error of a net ``l(sum_j inner_ij p(h_j)) + offset_i``.

    It is a sum of three: of log, of exp, and of the matrix and offsets of each row,

    .. math::
        [l(y_i) - \log y_i] + \Big[\log \frac{\sum_j \Psi_{ij} p(h_j)}
        {\sum_j \Psi_{ij} e^{h_j}}\Big] + \Big[\log \frac{\sum_j W_{ij} p(h_j)}
        {\sum_j \Psi_{ij} p(h_j)} + o_i\Big],

    each enclosed over the domain; the span is the sum of the lengths.

    Parameters
    ----------
    weights, net
        The numbers, and which of the nets.
    kernel
        The true potential between the states that can occur.
    sending, receiving
        Those states.
    reach
        Largest span of the input.
    """
    exp_units = Units(weights.exp_knots[net], weights.exp_slopes[net], weights.exp_constant[net])
    segments = (int((exp_units.slopes != 0).sum()), int((weights.log_slopes[net] != 0).sum()))
    hopeless = Analysed(math.inf, segments)
    if not all_finite(weights, net) or (math.isinf(reach) and not kernel.positive):
        return hopeless
    if weights.inner.shape[1:] != (len(receiving), len(sending)):
        return hopeless
    inner = weights.inner[net][receiving]
    matrix, table = inner[:, sending], kernel.total(np.eye(kernel.shape[1])).T
    # What no factor on the true entries makes up for has no bound.
    if (inner[:, ~sending] != 0).any() or ((matrix > 0) != (table > 0)).any() or matrix.min() < 0:
        return hopeless
    found = _Exp.of(exp_units, reach, _inverse_ratio(kernel, table))
    if found.least.lo < 0:
        return hopeless
    low, high = _sums(matrix, found)
    if not 0 < low <= high < math.inf:
        return hopeless
    offsets = weights.offsets[net][receiving]
    rows = _rows(matrix, table) + offsets
    parts = (_log_error(weights, net, low, high), found.growth, rows)
    error = sum((exact(part.hi.max()) - part.lo.min() for part in parts), exact(0.0))
    return Analysed(
        float(error.hi) if np.isfinite(error.hi) else math.inf,
        segments,
        float(exp_units.inside(-math.inf, 0.0).min(initial=0.0)),
        math.log(high / low),
        float(np.ptp(offsets)),
    )


def analyse_symbols(
    weights: SymbolWeights, net: int, kernel: Kernel, sending: BoolArray, receiving: BoolArray
) -> Analysed:
    """The error of a net of observed states: of each, and of a missing one."""
    assert kernel.weights is not None
    if weights.values.shape[1:] != (len(sending) + 1, len(receiving)):
        return Analysed(math.inf, (0, 0))
    values = weights.values[net][:, receiving]
    rows = np.append(sending, True)
    if not np.isfinite(values[rows]).all():
        return Analysed(math.inf, (0, 0))
    missing = total(exact(kernel.weights))
    true = Interval(
        np.vstack([kernel.weights.T, missing.lo]), np.vstack([kernel.weights.T, missing.hi])
    )
    difference = exact(values[rows]) - log(true)
    spans = exact(difference.hi.max(axis=1)) - difference.lo.min(axis=1)
    return Analysed(float(spans.hi.max()), (0, len(values) - 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Exp:
    """What is known of p on the domain: extremes, p(0), and the log of what sums may grow by."""

    least: Interval
    most: Interval
    top: Interval
    growth: Interval

    @staticmethod
    def of(units: Units, reach: float, inverse: float) -> _Exp:
        r"""Of p against exp, with ``inverse`` a lower bound of 1 / rho.

        With :math:`-\kappa_- \le (p(u) - e^u) / (1 / \rho + e^u) \le \kappa_+`, and e the error
        at 0, where one input is, a weighted sum grows by a factor in :math:`[1 - \kappa_- - e_-,
        1 + \kappa_+ + e_+]`. Where 1 / rho is 0, errors are relative, and e is one of them.
        """
        points = with_ends(-reach, units.inside(-reach, 0.0), 0.0)
        pieces = units.on(points)
        scale = exp(points) + inverse
        under = ((exp(points) - pieces.values) / scale).hi.max()
        over = _largest_excess(pieces, inverse)
        least, most = pieces.values.lo.min(), pieces.values.hi.max()
        if math.isinf(reach):  # constant left of the first point
            tail = exact(units.constant) / inverse
            over, under = max(over, float(tail.hi)), max(under, -float(tail.lo))
        top = pieces.values[-1]
        grown, shrunk = exact(max(over, 0.0)), exact(max(under, 0.0))
        if inverse > 0:
            grown = grown + max(float((top - 1.0).hi), 0.0)
            shrunk = shrunk + max(float((1.0 - top).hi), 0.0)
        growth = Interval(log(1.0 - shrunk).lo, log(1.0 + grown).hi)
        return _Exp(exact(least), exact(most), top, growth)


def _largest_excess(pieces: Pieces, inverse: float) -> float:
    r"""Largest :math:`(p(u) - e^u) / (1 / \rho + e^u)` over the pieces, rounded up.

    For any g, it is at most g plus the largest of :math:`p(u) - (1 + g) e^u - g / \rho` over its
    denominator; that function is concave in each piece, so it lies below its tangents. Good g and
    tangents are found without rigour, by Dinkelbach's iteration.
    """
    if len(pieces.points) < 2:
        return -math.inf
    left, right = pieces.points[:-1], pieces.points[1:]
    slopes, starts = (pieces.slopes.lo + pieces.slopes.hi) / 2, pieces.values.lo[:-1]
    guess = np.zeros(len(left))
    for _ in range(_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            u = np.clip(np.log(np.maximum(slopes, 0.0) / (1 + guess)), left, right)
            reached = (starts + slopes * (u - left) - np.exp(u)) / (inverse + np.exp(u))
        guess = np.where(np.isfinite(reached), np.maximum(reached, 0.0), guess)
    curve = (1.0 + exact(guess)) * exp(u)
    above = pieces.at(u) - curve - exact(guess) * inverse
    above = above + pieces.beyond(pieces.slopes - curve, u)
    bound = guess + (Interval(above.lo, np.maximum(above.hi, 0.0)) / (exp(left) + inverse))
    return float(bound.hi.max())


def _inverse_ratio(kernel: Kernel, table: FloatArray) -> float:
    """A lower bound of 1 / rho; 0 where entries are 0, and rho is infinite."""
    if not kernel.positive:
        return 0.0
    least = table.min(axis=1)
    # rho is at least 1, as for the knots.
    return min(float((least / (total(exact(table)) - least)).lo.min()), 1.0)


def _sums(matrix: FloatArray, found: _Exp) -> tuple[float, float]:
    """Range of ``sum_j W_ij p(h_j)`` over rows and inputs: one entry of p is p(0)."""
    sums, least = total(exact(matrix)), matrix.min(axis=1)
    lows = sums * found.least + exact(least) * (found.top - found.least)
    return float(lows.lo.min()), float((sums * found.most).hi.max())


def _rows(matrix: FloatArray, table: FloatArray) -> Interval:
    """By row: log of the factor by which the matrix makes sums of p >= 0 larger than the table."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = log(exact(matrix) / np.where(table > 0, table, 1.0))
    low = np.where(table > 0, ratios.lo, np.inf).min(axis=1)
    return Interval(low, np.where(table > 0, ratios.hi, -np.inf).max(axis=1))


def _log_error(weights: ExpLogWeights, net: int, low: float, high: float) -> Interval:
    """Range of ``l(y) - log y`` for y in [low, high].

    It is convex in each piece: largest at its ends, and above its tangents.
    """
    # In v = -y the units face right, and l = constant - units(v).
    units = Units(-weights.log_knots[net], weights.log_slopes[net], 0.0)
    pieces = units.on(with_ends(-high, units.inside(-high, -low), -low))
    constant = float(weights.log_constant[net])
    ends = constant - pieces.values - log(-exact(pieces.points))
    if len(pieces.points) < 2:
        return Interval(ends.lo.min(), ends.hi.max())
    slopes = (pieces.slopes.lo + pieces.slopes.hi) / 2
    with np.errstate(divide="ignore"):
        flat = np.where(slopes > 0, -1 / slopes, -np.inf)
    v = np.clip(flat, pieces.points[:-1], pieces.points[1:])
    below = constant - pieces.at(v) - log(-exact(v))
    # The derivative by v is -slope - 1 / v.
    drop = pieces.beyond(pieces.slopes + 1.0 / exact(v), v)
    return Interval((below - drop).lo.min(), ends.hi.max())
