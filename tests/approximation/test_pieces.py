"""Piecewise-linear functions from units, against exact rationals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.approximation.pieces import Units, with_ends

SMALL = st.floats(-9, 9)


@st.composite
def units(draw):
    """Units in any order, with slopes of any sign, some idle, some knots twice."""
    pairs = draw(st.lists(st.tuples(SMALL, SMALL | st.just(0.0)), max_size=8))
    if pairs and draw(st.booleans()):
        pairs.append(pairs[0])
    array = np.array(pairs).reshape(-1, 2)
    return Units(array[:, 0], array[:, 1], draw(SMALL))


def true_value(found, x):
    terms = zip(found.knots, found.slopes, strict=True)
    return Fraction(found.constant) + sum(
        Fraction(a) * max(Fraction(x) - Fraction(t), 0) for t, a in terms
    )


@given(found=units(), low=st.floats(-12, 0), high=st.floats(0.5, 12), place=st.floats(0, 1))
def test_values_and_slopes_contain_the_true_ones(found, low, high, place):
    points = with_ends(low, found.inside(low, high), high)
    pieces = found.on(points)
    x = np.clip(points[:-1] + place * np.diff(points), points[:-1], points[1:])
    between = pieces.at(x)

    for k, point in enumerate(points):
        assert pieces.values.lo[k] <= true_value(found, point) <= pieces.values.hi[k]
        assert pieces.values.hi[k] - pieces.values.lo[k] < 1e-10
    for k, point in enumerate(x):
        assert between.lo[k] <= true_value(found, point) <= between.hi[k]
        start, stop = Fraction(points[k]), Fraction(points[k + 1])
        rise = true_value(found, stop) - true_value(found, start)
        assert pieces.slopes.lo[k] * (stop - start) <= rise <= pieces.slopes.hi[k] * (stop - start)


@given(found=units(), x=SMALL)
def test_left_of_all_knots_the_constant_is_left(found, x):
    points = with_ends(-math.inf, found.inside(-math.inf, 10.0), 10.0)
    pieces = found.on(points)

    assert pieces.values.lo[0] <= found.constant <= pieces.values.hi[0] or len(points) == 1


def test_lines_rise_by_the_larger_of_both_sides():
    found = Units(np.array([0.0]), np.array([2.0]), 1.0)
    pieces = found.on(np.array([-1.0, 0.0, 3.0]))
    rise = pieces.beyond(pieces.slopes, np.array([-0.5, 1.0]))

    np.testing.assert_allclose(rise.hi, [0.0, 4.0], atol=1e-12)
