r"""How far a net of log-odds with given weights can be from its message, rigorously.

Only the difference of the two entries of a message matters. The true one, as a function of the
difference d of the inputs,

.. math:: \varphi(d) = \log\frac{\Psi_{10} + \Psi_{11} e^d}{\Psi_{00} + \Psi_{01} e^d},

is monotone, convex on one side of its inflection and concave on the other, and the net is
piecewise linear; so in each piece the error lies between its values at the ends and a tangent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import BoolArray, FloatArray
from ghmpp.approximation.analysis import Analysed, all_finite
from ghmpp.approximation.kernels import Kernel
from ghmpp.approximation.outward import (
    Interval,
    exact,
    exp,
    hull,
    log,
    maximum,
    minimum,
    running_sum,
)
from ghmpp.approximation.pieces import Pieces, Units, with_ends
from ghmpp.approximation.weights import LogOddsWeights

# Around a kink that is not known exactly: this many times its uncertainty.
_MARGIN = 4.0
_SMALL = 1e-15


def analyse_log_odds(weights: LogOddsWeights, net: int, kernel: Kernel, reach: float) -> Analysed:
    """The error of a net of the log-odds, for inputs of span at most ``reach``.

    Parameters
    ----------
    weights, net
        The numbers, and which of the nets.
    kernel
        The true potential, two states by two, without zeros.
    reach
        Largest span of the input; inf where unbounded.
    """
    left, right = (int((s[net] != 0).sum()) for s in (weights.left_slopes, weights.right_slopes))
    hopeless = Analysed(math.inf, (left, right))
    if kernel.shape != (2, 2) or not kernel.positive or not all_finite(weights, net):
        return hopeless
    centre = float(weights.centre[net])
    true, odds = _Message.of(kernel, centre), _Odds.of(weights, net)
    low, high = float((exact(centre) - reach).lo), float((exact(centre) + reach).hi)
    knots = np.concatenate([odds.knots(low, high), true.bend(low, high)])
    line = odds.on(odds.kinks(with_ends(low, knots, high)))
    points = line.pieces.points
    errors = [line.pieces.values - true.at(points), _inside(line, true)]
    if math.isinf(reach):
        for end in (0, -1):
            sent = hull(true.at(points)[end], true.limits[end])
            errors.append(odds.tail(line, end) - sent)
    largest = max(float(np.max(np.maximum(-e.lo, e.hi), initial=0.0)) for e in errors)
    return Analysed(largest, (left, right))


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A net on its domain: pieces, and where it is certainly linear within them."""

    pieces: Pieces
    linear: BoolArray


def _inside(line: _Line, true: _Message) -> Interval:
    """Enclosures of the error within each piece, beside those at its ends."""
    pieces = line.pieces
    left, right = pieces.points[:-1], pieces.points[1:]
    before, after = right <= true.inflection.lo, left >= true.inflection.hi
    x = true.steep(pieces, before)
    here = pieces.at(x) - true.at(x)
    drift = pieces.slopes - true.slope(exact(x))
    # Where the message is convex the error is concave, and below its tangents; and the reverse.
    above, below = here + pieces.beyond(drift, x), here - pieces.beyond(-drift, x)
    convex = line.linear & ((before & (true.turn > 0)) | (after & (true.turn < 0)))
    concave = line.linear & ((before & (true.turn < 0)) | (after & (true.turn > 0)))
    growth = (pieces.slopes - true.slope(Interval(left, right))) * Interval(0 * left, right - left)
    loose = pieces.values[:-1] - true.at(left) + growth
    return Interval(
        np.where(concave, below.lo, np.where(convex, np.inf, loose.lo)),
        np.where(convex, above.hi, np.where(concave, -np.inf, loose.hi)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Odds:
    r"""The net, as a function of x: ``sign (min(f, m) + max(g, m) - m) + offset``.

    Parameters
    ----------
    left
        f.
    right
        :math:`-g(-x)`, whose units face right as well.
    middle, sign, offset
        m, and what makes log-odds of them.
    """

    left: Units
    right: Units
    middle: float
    sign: float
    offset: float

    @staticmethod
    def of(weights: LogOddsWeights, net: int) -> _Odds:
        """One net of a stack."""
        return _Odds(
            Units(weights.left_knots[net], weights.left_slopes[net], weights.left_constant[net]),
            Units(
                -weights.right_knots[net], weights.right_slopes[net], -weights.right_constant[net]
            ),
            float(weights.middle[net]),
            float(weights.sign[net]),
            float(weights.offset[net]),
        )

    def knots(self, low: float, high: float) -> FloatArray:
        """Knots strictly between two numbers."""
        return np.concatenate([self.left.inside(low, high), -self.right.inside(-high, -low)])

    def halves(self, points: FloatArray) -> tuple[Pieces, Pieces]:
        """f and g."""
        mirrored = self.right.on(-points[::-1])
        values = -Interval(mirrored.values.lo[::-1], mirrored.values.hi[::-1])
        slopes = Interval(mirrored.slopes.lo[::-1], mirrored.slopes.hi[::-1])
        return self.left.on(points), Pieces(points, values, slopes)

    def kinks(self, points: FloatArray) -> FloatArray:
        """The points, with others on both sides of where f or g crosses m."""
        found = [points]
        for half in self.halves(points):
            steep = (half.slopes.lo + half.slopes.hi) / 2
            with np.errstate(divide="ignore", invalid="ignore"):
                crossing = points[:-1] + (self.middle - half.values.lo[:-1]) / steep
                unsure = half.values.hi[1:] - half.values.lo[1:] + _SMALL * (1 + abs(self.middle))
                margin = _MARGIN * unsure / abs(steep)
                for each in (crossing - margin, crossing + margin):
                    found.append(each[(each > points[:-1]) & (each < points[1:])])
        return np.unique(np.concatenate(found))

    def on(self, points: FloatArray) -> _Line:
        """The net between points that contain all knots and kinks."""
        f, g = self.halves(points)
        odds = minimum(f.values, self.middle) + maximum(g.values, self.middle) - self.middle
        steep, linear = exact(0 * f.slopes.lo), np.ones(len(points) - 1, dtype=bool)
        for half, units, below in ((f, self.left, True), (g, self.right, False)):
            low = (half.values.hi[:-1] <= self.middle) & (half.values.hi[1:] <= self.middle)
            high = (half.values.lo[:-1] >= self.middle) & (half.values.lo[1:] >= self.middle)
            on, off = (low, high) if below else (high, low)
            either = hull(half.slopes, exact(0 * half.slopes.lo))
            own = Interval(
                np.where(off, 0.0, np.where(on, half.slopes.lo, either.lo)),
                np.where(off, 0.0, np.where(on, half.slopes.hi, either.hi)),
            )
            steep = steep + own
            linear &= on | off | (not units.slopes.any())
        values = odds * self.sign + self.offset
        return _Line(Pieces(points, values, steep * self.sign), linear)

    def tail(self, line: _Line, end: int) -> Interval:
        """Values beyond the first (0) or the last point (-1), out to infinity.

        One half is constant there, and the other moves from its value at the end away from m or
        toward it and past it, if its slopes add up to no less than 0.
        """
        points = line.pieces.points
        f, g = (half.values[end] for half in self.halves(points))
        moving = (self.right if end == 0 else self.left).slopes
        if (moving < 0).any() and running_sum(exact(moving)).lo[-1] < 0:
            return Interval(np.array(-np.inf), np.array(np.inf))
        f, g = minimum(f, self.middle), maximum(g, self.middle)
        if end == 0:
            g = hull(g, exact(self.middle))
        else:
            f = hull(f, exact(self.middle))
        return (f + g - self.middle) * self.sign + self.offset


@dataclass(frozen=True, slots=True, eq=False)
class _Message:
    """The true message as a function of ``x = d + centre``.

    Parameters
    ----------
    table
        Positive, shape (2, 2), largest entry about 1.
    centre
        Of the net.
    bends
        Logs of the ratios of entries in each row: the sigmoids of the slope are centred there.
    limits
        Of the message toward minus and plus infinity.
    """

    table: FloatArray
    centre: float
    bends: tuple[Interval, Interval]
    limits: tuple[Interval, Interval]

    @staticmethod
    def of(kernel: Kernel, centre: float) -> _Message:
        """For a positive kernel of two states by two."""
        assert kernel.weights is not None
        # Powers of two scale without rounding.
        table = np.ldexp(kernel.weights, -int(np.frexp(kernel.weights.max())[1]))
        rows = log(exact(table[:, 1]) / table[:, 0])
        columns = log(exact(table[1]) / table[0])
        return _Message(table, centre, (rows[0], rows[1]), (columns[0], columns[1]))

    @property
    def turn(self) -> int:
        """1 where it increases, -1 where it decreases, 0 where neither is certain."""
        change = self.bends[1] - self.bends[0]
        return int(change.lo > 0) - int(change.hi < 0)

    @property
    def inflection(self) -> Interval:
        """Where convex and concave meet."""
        return (self.bends[0] + self.bends[1]) * -0.5 + self.centre

    def bend(self, low: float, high: float) -> FloatArray:
        """Ends of the inflection that lie strictly between two numbers."""
        ends = np.array([self.inflection.lo, self.inflection.hi])
        found: FloatArray = ends[(ends > low) & (ends < high)]
        return found

    def at(self, x: FloatArray) -> Interval:
        """Values."""
        d, right = exact(x) - self.centre, x > self.centre
        decay = exp(Interval(np.where(right, -d.hi, d.lo), np.where(right, -d.lo, d.hi)))
        # Divided through by e^d on the right, so that nothing overflows.
        below, above = (
            np.where(right, row[1], row[0]) + np.where(right, row[0], row[1]) * decay
            for row in self.table
        )
        return log(above / below)

    def slope(self, x: Interval) -> Interval:
        """Derivatives, over intervals of x."""
        d = x - self.centre
        lower, upper = (1.0 / (1.0 + exp(-(d + bend))) for bend in self.bends)
        return upper - lower

    def steep(self, pieces: Pieces, before: BoolArray) -> FloatArray:
        r"""About where the message is as steep as each piece, within it.

        There :math:`\cosh x = \sinh\theta / s - \cosh\theta`, x from the inflection.
        """
        theta = abs(float((self.bends[1] - self.bends[0]).lo)) / 2
        steep = self.turn * (pieces.slopes.lo + pieces.slopes.hi) / 2
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            scaled = np.where(steep > 0, -np.expm1(-2 * theta) / steep, np.inf)
            cosh = (scaled - 1 - np.exp(-2 * theta)) / 2 * np.exp(theta)
            away = np.arccosh(np.maximum(cosh, 1.0))
        x = float(self.inflection.lo) + np.where(before, -away, away)
        found: FloatArray = np.clip(x, pieces.points[:-1], pieces.points[1:])
        return found
