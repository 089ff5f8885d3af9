r"""Piecewise-linear nets of smooth functions: tangents, shifted by half of what they miss.

Where a function is convex, the largest of some of its tangents lies below it, and touches it;
raised by half of the largest gap, which is at a knot, it errs by as much above as below. Where it
is concave, the same upside down. An inflection is crossed by one line that touches the raised
curve on one side and the lowered one on the other. So every slope of the net is a slope of the
function, and no Lipschitz constant grows. Tangents are placed so that the gaps are equal,

.. math:: \zeta \approx \frac{1}{16 N^2} \left(\int \sqrt{|f''(x)|}\, dx\right)^2

with N knots, which no net with N knots beats asymptotically.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ghmpp._arrays import BoolArray, FloatArray, read_only
from ghmpp.approximation.curves import Curve
from ghmpp.approximation.outward import Interval, exact, joined, maximum, minimum
from ghmpp.errors import QueryError

# Points at which bends are measured: evenly, and ever closer around inflections.
_EVEN, _CLOSE = 1 << 16, 1 << 12
# How closely an inflection that is no short number is known.
_ABOUT = 1e-12
_HALVINGS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """A continuous piecewise-linear function.

    Parameters
    ----------
    knots, values
        Points in order, shape (knots,).
    tails
        Slopes left of the first knot and right of the last, shape (2,).
    """

    knots: FloatArray
    values: FloatArray
    tails: FloatArray

    @property
    def slopes(self) -> FloatArray:
        """All slopes from left to right, shape (knots + 1,)."""
        inner = np.diff(self.values) / np.diff(self.knots)
        found: FloatArray = np.concatenate([self.tails[:1], inner, self.tails[1:]])
        return found

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values, shape of x."""
        at = np.asarray(x, dtype=np.float64)
        segment = np.searchsorted(self.knots, at, side="right")
        start = np.maximum(segment - 1, 0)
        found: FloatArray = self.values[start] + self.slopes[segment] * (at - self.knots[start])
        return found


@lru_cache(maxsize=64)
def widest(curve: Curve, knots: int) -> Broken:
    """The net with at most so many knots, of least error.

    Raises
    ------
    QueryError
        If they are too few: 2 for tanh, sigmoid and softplus, 3 for slopes.

    Examples
    --------
    >>> from ghmpp.approximation.curves import curve
    >>> net = widest(curve("tanh"), 64)
    >>> len(net.knots), float(abs(net(net.knots) - np.tanh(net.knots)).max()) < 1.9e-4
    (64, True)
    """
    high = 0.0
    while (best := _net(curve, math.exp(high))) is None:
        high -= 0.25
    if len(best.knots) > knots:
        raise QueryError(
            f"network: a net of {curve.name} has at least {len(best.knots)} knots, got {knots}."
        )
    low = high - 80.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = _net(curve, math.exp(middle), knots)
        if found is None or len(found.knots) > knots:
            low = middle
        else:
            best, high = found, middle
    return best


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Where a curve bends: points, and the length of its bend up to each."""

    x: FloatArray
    arc: FloatArray


@lru_cache(maxsize=64)
def _table(curve: Curve) -> _Table:
    low, high = curve.window
    near = np.geomspace(1e-9, 1.0, _CLOSE)
    around = [turn + sign * near for turn in curve.inflections for sign in (-1, 1)]
    x = np.unique(np.concatenate([np.linspace(low, high, _EVEN + 1), *around, curve.inflections]))
    x = x[(x >= low) & (x <= high)]
    bends = np.sqrt(np.abs(np.diff(curve.slope(x))) * np.diff(x))
    return _Table(x, np.concatenate([[0.0], np.cumsum(bends)]))


# Lines as points on them, and slopes.
_Lines = tuple[FloatArray, FloatArray, FloatArray]


def _net(curve: Curve, error: float, most: int | None = None) -> Broken | None:
    """A net whose error is about ``error``; None if it has more knots than ``most``."""
    edges = [curve.window[0], *(_crossings(curve, error)), curve.window[1]]
    if most is not None:
        arc = np.interp(edges, _table(curve).x, _table(curve).arc)
        if (np.diff(arc)[::2] / (4 * error**0.5)).sum() > most + 2 * len(edges):
            return None
    parts: list[_Lines] = []
    for k in range(0, len(edges), 2):
        if k:
            parts.append(_crossing_line(curve, edges[k - 1], edges[k]))
        parts.append(_tangents(curve, edges[k], edges[k + 1], error, k == 0, k + 2 == len(edges)))
    at, values, slopes = (np.concatenate([part[i] for part in parts]) for i in range(3))
    keep = np.append(True, np.diff(slopes) != 0)
    at, values, slopes = at[keep], values[keep], slopes[keep]
    x = _meets(at, values, slopes)
    y = values[:-1] + slopes[:-1] * (x - at[:-1])
    if (np.diff(x) <= 0).any():
        return None
    return Broken(read_only(x), read_only(y), read_only(slopes[[0, -1]]))


def _meets(at: FloatArray, values: FloatArray, slopes: FloatArray) -> FloatArray:
    """Where lines meet their successors."""
    rise = values[1:] + slopes[1:] * (at[:-1] - at[1:]) - values[:-1]
    found: FloatArray = at[:-1] + rise / (slopes[:-1] - slopes[1:])
    return found


def _tangents(
    curve: Curve, low: float, high: float, error: float, first: bool, last: bool
) -> _Lines:
    """Shifted tangents between two points where the curve bends one way.

    Those at the two ends belong to lines that cross inflections, but for the first and last.
    """
    table = _table(curve)
    start, stop = np.interp([low, high], table.x, table.arc)
    count = max(1, int((stop - start) / (4 * error**0.5)) - 1)
    while True:
        at = np.interp(np.linspace(start, stop, count + 1), table.arc, table.x)
        at[0], at[-1] = low, high
        values, slopes = curve(at), curve.slope(at)
        if curve.ends is not None:
            for end, place in ((0, first), (-1, last)):
                if place:
                    slopes[end], intercept = curve.ends[end]
                    values[end] = slopes[end] * at[end] + intercept
        keep = np.append(True, np.diff(slopes) != 0)
        x = _meets(at[keep], values[keep], slopes[keep])
        gaps = np.abs(curve(x) - values[keep][:-1] - slopes[keep][:-1] * (x - at[keep][:-1]))
        if gaps.max(initial=0.0) <= 2 * error * (1 + 1e-6) + 1e-15:
            break
        count += 1 + count // 200
    sign = curve.bend(np.array([(low + high) / 2]))[0]
    own = slice(0 if first else 1, None if last else -1)
    return at[own], values[own] + sign * error, slopes[own]


def _crossings(curve: Curve, error: float) -> list[float]:
    """Where the lines across inflections touch: two points for each."""
    return [
        float(np.interp(2 * error, gaps, points))
        for left, right, gaps in _parallels(curve)
        for points in (left, right)
    ]


@lru_cache(maxsize=64)
def _parallels(curve: Curve) -> tuple[tuple[FloatArray, FloatArray, FloatArray], ...]:
    """For each inflection, points with parallel tangents on both sides, and how far these are."""
    x, found = _table(curve).x, []
    bounds = [curve.window[0], *curve.inflections, curve.window[1]]
    for before, turn, after in zip(bounds[:-2], bounds[1:-1], bounds[2:], strict=True):
        # What lies between two inflections is shared by them.
        low = before if before == curve.window[0] else (before + turn) / 2
        high = after if after == curve.window[1] else (after + turn) / 2
        left = x[(x >= low) & (x < turn)][::-1]
        right = x[(x > turn) & (x <= high)]
        slopes = curve.slope(right)
        sign = np.sign(slopes[-1] - slopes[0])
        other = np.interp(sign * curve.slope(left), sign * slopes, right)
        slopes = curve.slope(left)
        gaps = np.abs(curve(left) - curve(other) + slopes * (other - left))
        gaps = np.maximum.accumulate(gaps)
        found.append((left, other, gaps))
    return tuple(found)


def _crossing_line(curve: Curve, left: float, right: float) -> _Lines:
    """The line in the middle between two parallel tangents."""
    both = np.array([left, right])
    at, slope = both.mean(), curve.slope(both[:1])[0]
    value = (curve(both) + slope * (at - both)).mean()
    return np.array([at]), np.array([value]), np.array([slope])


def proved_error(curve: Curve, net: Broken, low: float = -np.inf, high: float = np.inf) -> float:
    """The largest error of a net between two numbers, bounded rigorously; inf if there is none.

    In each segment where the function bends one way, the difference is largest at the ends on one
    side, and bounded by a tangent on the other.
    """
    numbers = (net.knots, net.values, net.tails)
    if not all(np.isfinite(part).all() for part in numbers) or (np.diff(net.knots) <= 0).any():
        return np.inf
    error = 0.0
    for side, end in ((0, low), (1, high)):
        if np.isinf(end):
            error = max(error, _tail_error(curve, net, side))
    left = net.knots[0] if np.isinf(low) else low
    right = net.knots[-1] if np.isinf(high) else high
    if curve.ends is None and not (curve.window[0] <= left and right <= curve.window[1]):
        return np.inf
    turns = [
        turn + shift
        for turn in curve.inflections
        for shift in ((0.0,) if turn == 0 else (-_ABOUT, _ABOUT))
    ]
    points = np.concatenate([[left, right], net.knots, turns])
    points = np.unique(points[(points >= left) & (points <= right)])
    return max(error, _segment_errors(curve, net, points))


def _segment_errors(curve: Curve, net: Broken, points: FloatArray) -> float:
    """The largest error between points, of which every knot and turn is one."""
    if len(points) < 2:
        points = np.repeat(points, 2)
    begins, ends = points[:-1], points[1:]
    segment = np.searchsorted(net.knots, begins, side="right")
    steps = exact(net.values[1:]) - net.values[:-1]
    inner = steps / (exact(net.knots[1:]) - net.knots[:-1])
    slopes = joined(exact(net.tails[:1]), inner, exact(net.tails[1:]))[segment]
    anchor = np.maximum(segment - 1, 0)

    def line(x: FloatArray) -> Interval:
        return exact(net.values[anchor]) + slopes * (exact(x) - net.knots[anchor])

    differences = [line(x) - curve.value_enclosure(x) for x in (begins, ends)]
    above = np.maximum(differences[0].hi, differences[1].hi)
    below = np.minimum(differences[0].lo, differences[1].lo)
    convex = curve.bend((begins + ends) / 2) > 0
    touch = _parallel(curve, (slopes.lo + slopes.hi) / 2, begins, ends, convex)
    drift = slopes - curve.slope_enclosure(touch)
    reach = [drift * (exact(x) - touch) for x in (begins, ends)]
    there = line(touch) - curve.value_enclosure(touch)
    tangent_above = (there + maximum(maximum(*reach), 0.0)).hi
    tangent_below = (there + minimum(minimum(*reach), 0.0)).lo
    above = np.where(convex, np.maximum(above, tangent_above), above)
    below = np.where(convex, below, np.minimum(below, tangent_below))
    # Around an inflection nothing is known but slopes, and the way is short.
    turning = np.isin(begins, np.array([turn - _ABOUT for turn in curve.inflections if turn != 0]))
    wide = (maximum(slopes, -slopes) + curve.steepest) * (exact(ends) - begins)
    slack = np.where(turning, wide.hi, 0.0)
    errors = np.maximum(above, -below) + slack
    return float(np.nextafter(errors.max(), np.inf)) if not np.isnan(errors).any() else np.inf


def _parallel(
    curve: Curve, slopes: FloatArray, begins: FloatArray, ends: FloatArray, convex: BoolArray
) -> FloatArray:
    """About where, in each segment, the curve is as steep as given."""
    low, high = begins.copy(), ends.copy()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        right = (curve.slope(middle) < slopes) == convex
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    found: FloatArray = (low + high) / 2
    return found


def _tail_error(curve: Curve, net: Broken, side: int) -> float:
    """The largest error beyond the first (0) or last knot (1)."""
    if curve.ends is None:
        return np.inf
    x, y = net.knots[-side], net.values[-side]
    slope, intercept = curve.ends[side]
    if net.tails[side] != slope or (x < 0) == bool(side):
        return np.inf
    if any((turn - x) * (1, -1)[side] < 0 for turn in curve.inflections):
        return np.inf
    constant = exact(y) - exact(slope) * x - intercept
    start = exact(slope) * x + intercept - curve.value_enclosure(np.array(x))
    whole = (maximum(start, 0.0) + constant).hi, (minimum(start, 0.0) + constant).lo
    return float(max(whole[0], -whole[1]))
