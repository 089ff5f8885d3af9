"""Outward arithmetic, against balls of high precision."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.approximation import outward
from ghmpp.approximation.outward import Interval, exact

FINITE = st.floats(-1e150, 1e150).filter(lambda x: x == 0 or abs(x) > 1e-150)
NUMBERS = st.lists(FINITE, min_size=1, max_size=30).map(np.array)
OPERATIONS = (operator.add, operator.sub, operator.mul, operator.truediv)


@pytest.fixture(autouse=True)
def precise():
    before, ctx.prec = ctx.prec, 400
    yield
    ctx.prec = before


def inside(ball, interval):
    """Whether a ball lies in an interval."""
    return bool(ball >= arb(float(interval.lo))) and bool(ball <= arb(float(interval.hi)))


@given(a=FINITE, b=FINITE, operation=st.sampled_from(OPERATIONS))
def test_operations_contain_the_true_result_and_little_more(a, b, operation):
    if operation is operator.truediv and b == 0:
        return
    true = operation(Fraction(a), Fraction(b))
    found = operation(exact(a), exact(b))

    assert Fraction(float(found.lo)) <= true <= Fraction(float(found.hi))
    assert found.hi - found.lo <= 3 * np.spacing(max(abs(found.lo), abs(found.hi)))


@given(x=st.floats(-740, 700))
def test_exponentials_contain_the_true_one(x):
    found = outward.exp(x)

    assert inside(arb(x).exp(), found)
    assert found.hi - found.lo <= 20 * np.spacing(found.hi) + 1e-307


@given(x=st.floats(1e-307, 1e300))
def test_logarithms_contain_the_true_one(x):
    found = outward.log(x)

    assert inside(arb(x).log(), found)
    assert found.hi - found.lo <= 18 * np.spacing(max(abs(found.lo), abs(found.hi)))


@given(x=NUMBERS)
def test_sums_contain_the_true_ones(x):
    running, whole = outward.running_sum(exact(x)), outward.total(exact(x))
    true = [sum(map(Fraction, x[: k + 1])) for k in range(len(x))]

    for k, each in enumerate(true):
        assert Fraction(float(running.lo[k])) <= each <= Fraction(float(running.hi[k]))
    assert Fraction(float(whole.lo)) <= true[-1] <= Fraction(float(whole.hi))


@given(ends=st.lists(FINITE, min_size=4, max_size=4), places=st.tuples(*[st.floats(0, 1)] * 2))
def test_intervals_contain_what_their_members_give(ends, places):
    first, second = sorted(ends[:2]), sorted(ends[2:])
    members = [
        min(max(low + t * (high - low), low), high)
        for (low, high), t in zip((first, second), places, strict=True)
    ]
    intervals = [Interval(*map(np.array, pair)) for pair in (first, second)]

    for operation in OPERATIONS:
        if operation is operator.truediv and members[1] == 0:
            continue
        found = operation(*intervals)
        true = operation(*map(Fraction, members))
        assert found.lo <= true <= found.hi
    assert outward.maximum(*intervals).lo <= max(members) <= outward.maximum(*intervals).hi
    assert outward.minimum(*intervals).lo <= min(members) <= outward.minimum(*intervals).hi
    hull = outward.hull(*intervals)
    assert hull.lo <= min(members) <= max(members) <= hull.hi


def test_ends_of_the_line_are_kept():
    assert outward.exp(-math.inf).lo == 0
    assert outward.exp(-math.inf).hi < 1e-300
    assert outward.exp(1e4).hi == math.inf
    assert outward.log(0.0).lo == -math.inf
    assert outward.log(Interval(np.array(-1.0), np.array(1.0))).lo == -math.inf


@pytest.mark.parametrize(
    "undefined",
    [
        exact(math.inf) - exact(math.inf),
        exact(0.0) * exact(math.inf),
        exact(1.0) / Interval(np.array(-1.0), np.array(2.0)),
        exact(math.nan) + 1.0,
    ],
)
def test_what_is_undefined_is_the_whole_line(undefined):
    assert (undefined.lo, undefined.hi) == (-math.inf, math.inf)


def test_numbers_may_stand_on_either_side():
    third = 1.0 / exact(np.array([3.0]))

    for found in (2.0 - third, 2.0 + -third, np.array([2.0]) - third):
        assert found.lo < 5 / 3 < found.hi or found.lo <= 5 / 3 <= found.hi
