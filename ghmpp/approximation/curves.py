"""Smooth functions of one variable as piecewise-linear nets need them: bends, ends, enclosures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.outward import Interval, Operand, exact, exp, log, maximum, minimum
from ghmpp.schedule.functions import SLOPES, Function, FunctionName, evaluate

Line = tuple[float, float]
Enclosure = Callable[[Operand], Interval]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A function whose slope is monotone between few points, its inflections.

    Parameters
    ----------
    name
        Of :mod:`ghmpp.schedule.functions`.
    slope
        Its derivative, in plain numpy.
    value_enclosure, slope_enclosure
        Rigorous values, and derivatives.
    steepest
        Largest slope in size, rounded up.
    inflections
        Increasing; enclosed within ``1e-12``, and 0 exact.
    window
        Where it bends: beyond it is a straight line up to rounding, or, where ``ends`` is None,
        not looked at.
    ends
        Slope and intercept of the straight lines that it nears on the left and on the right.
        The distance to each falls toward its end, from 0 on.
    """

    name: FunctionName
    slope: Callable[[FloatArray], FloatArray]
    value_enclosure: Enclosure
    slope_enclosure: Enclosure
    steepest: float
    inflections: tuple[float, ...]
    window: tuple[float, float]
    ends: tuple[Line, Line] | None

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values in plain numpy."""
        return evaluate(Function(self.name), (x,))

    def bend(self, x: FloatArray) -> FloatArray:
        """1 where it is convex, -1 where it is concave."""
        middles = [-np.inf, *self.inflections, np.inf]
        signs = [
            float(np.sign(np.diff(self.slope(np.array(_inner(low, high, self.window))))[0]))
            for low, high in pairwise(middles)
        ]
        found: FloatArray = np.array(signs)[np.searchsorted(self.inflections, x)]
        return found


@lru_cache(maxsize=64)
def curve(name: FunctionName, limit: float | None = None) -> Curve:
    """The curve of a smooth function.

    Parameters
    ----------
    name
        tanh, tanh_slope, sigmoid, sigmoid_slope, softplus or atanh.
    limit
        c of the domain [-c, c] of atanh, in (0, 1); others take none.

    Examples
    --------
    >>> curve("tanh").steepest, curve("softplus").ends
    (1.0, ((0.0, 0.0), (1.0, 0.0)))
    """
    if name == "atanh":
        assert limit is not None
        assert 0 < limit < 1
        steepest = float((1.0 / (1.0 - exact(limit) * limit)).hi)
        window = (-limit, limit)
        return Curve(name, _atanh_slope, _atanh, _atanh_rise, steepest, (0.0,), window, None)
    slope, value, rise, inflections, reach, ends = _LINE[name]
    steepest = float(np.nextafter(SLOPES[name], 2)) if SLOPES[name] != 1 else 1.0
    return Curve(name, slope, value, rise, steepest, inflections, (-reach, reach), ends)


def smooth(name: FunctionName) -> bool:
    """Whether the function is one of those that are curves."""
    return name in _LINE or name == "atanh"


def _inner(low: float, high: float, window: Line) -> Line:
    """Two points between two inflections."""
    left, right = max(low, window[0]), min(high, window[1])
    return left + (right - left) * 0.2, left + (right - left) * 0.3


def _tanh(x: Operand) -> Interval:
    found = 1.0 - 2.0 / (exp(2.0 * exact(x)) + 1.0)
    return maximum(minimum(found, 1.0), -1.0)


def _sigmoid(x: Operand) -> Interval:
    return maximum(minimum(1.0 / (exp(-exact(x)) + 1.0), 1.0), 0.0)


def _tanh_slope(x: Operand) -> Interval:
    found = _tanh(x)
    return maximum(1.0 - found * found, 0.0)


def _tanh_bend(x: Operand) -> Interval:
    return -2.0 * _tanh(x) * _tanh_slope(x)


def _sigmoid_slope(x: Operand) -> Interval:
    return _sigmoid(x) * _sigmoid(-exact(x))


def _sigmoid_bend(x: Operand) -> Interval:
    return _sigmoid_slope(x) * (1.0 - 2.0 * _sigmoid(x))


def _softplus(x: Operand) -> Interval:
    at = exact(x)
    size = maximum(at, -at)
    return maximum(at, 0.0) + log(1.0 + exp(-size))


def _atanh(x: Operand) -> Interval:
    at = exact(x)
    return log((1.0 + at) / (1.0 - at)) * 0.5


def _atanh_rise(x: Operand) -> Interval:
    at = exact(x)
    return 1.0 / (1.0 - at * at)


def _plain(enclosure: Enclosure) -> Callable[[FloatArray], FloatArray]:
    """The middle of an enclosure, as a function of plain numbers."""

    def middle(x: FloatArray) -> FloatArray:
        found = enclosure(x)
        half: FloatArray = (found.lo + found.hi) / 2
        return half

    return middle


def _atanh_slope(x: FloatArray) -> FloatArray:
    found: FloatArray = 1 / (1 - x**2)
    return found


_Known = tuple[
    Callable[[FloatArray], FloatArray],
    Enclosure,
    Enclosure,
    tuple[float, ...],
    float,
    tuple[Line, Line],
]
_FLAT: tuple[Line, Line] = ((0.0, 0.0), (0.0, 0.0))
# tanh^2 x = 1/3, where the slope of tanh is steepest in its turn.
_TURN = float(np.arctanh(3**-0.5))
_LINE: dict[FunctionName, _Known] = {
    "tanh": (
        lambda x: 1 / np.cosh(x) ** 2,
        _tanh,
        _tanh_slope,
        (0.0,),
        20.0,
        ((0.0, -1.0), (0.0, 1.0)),
    ),
    "tanh_slope": (
        lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2,
        _tanh_slope,
        _tanh_bend,
        (-_TURN, _TURN),
        20.0,
        _FLAT,
    ),
    "sigmoid": (
        lambda x: 1 / (4 * np.cosh(x / 2) ** 2),
        _sigmoid,
        _sigmoid_slope,
        (0.0,),
        40.0,
        ((0.0, 0.0), (0.0, 1.0)),
    ),
    "sigmoid_slope": (
        lambda x: -np.tanh(x / 2) / (4 * np.cosh(x / 2) ** 2),
        _sigmoid_slope,
        _sigmoid_bend,
        (-2 * _TURN, 2 * _TURN),
        40.0,
        _FLAT,
    ),
    "softplus": (_plain(_sigmoid), _softplus, _sigmoid, (), 40.0, ((0.0, 0.0), (1.0, 0.0))),
}
