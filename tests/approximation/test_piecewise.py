"""Nets for exp and log: errors on dense grids against their bounds, and the ReLU form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.approximation.piecewise import ExpNet, LogNet
from tests.tolerances import EXACT

SEGMENTS = st.sampled_from([1, 2, 3, 8, 33, 200])
LOG_RATIOS = st.sampled_from([0.0, 0.7, 3.0, 12.0, 69.0, math.inf])
REACHES = st.sampled_from([1e-9, 0.3, 2.0, 11.0, 60.0, math.inf])


@st.composite
def exp_nets(draw):
    log_ratio = draw(LOG_RATIOS)
    reach = draw(REACHES.filter(lambda reach: math.isfinite(reach) or math.isfinite(log_ratio)))
    return ExpNet(draw(SEGMENTS), log_ratio, reach)


def points(net):
    """A grid, and the middles of all segments, where errors are large."""
    low = max(-net.reach, net.knots[0] - 40)
    middles = (net.knots[1:] + net.knots[:-1]) / 2
    return np.concatenate([np.linspace(low, 0, 20_001), middles, net.knots])


@given(net=exp_nets())
def test_exp_stays_within_its_bound_and_reaches_it(net):
    u = points(net)
    above = net(u) - np.exp(u)
    kappa = (above / (math.exp(-net.log_ratio) + np.exp(u))).max()

    assert above.min() >= -1e-15
    assert np.log1p(kappa) <= net.error * (1 + 1e-9) + 1e-14
    assert np.log1p(kappa) >= 0.98 * net.error - 1e-14


@given(net=exp_nets())
def test_exp_is_exact_at_zero_and_constant_beyond_its_knots(net):
    assert net(0.0) == pytest.approx(1, rel=EXACT)
    assert net(-math.inf) == net.values[0]


@pytest.mark.parametrize(("log_ratio", "reach"), [(3.0, math.inf), (8.0, 5.0), (math.inf, 9.0)])
def test_number_of_knots_is_that_of_the_formula(log_ratio, reach):
    net = ExpNet(200, log_ratio, reach)
    if math.isinf(log_ratio):
        needed = reach / math.sqrt(8 * net.error)
    else:
        root = math.exp(log_ratio / 2)
        stretch = math.asinh(root) - math.asinh(root * math.exp(-reach / 2))
        needed = stretch / math.sqrt(2 * net.error)

    assert net.segments == pytest.approx(needed, rel=0.02)


def greedy_segments(kappa, log_ratio, reach):
    """Fewest chords by going as far as each may, from 0 to the left, on a fine grid."""
    floor = math.exp(-log_ratio)
    end = max(-reach, math.log(kappa * floor) if floor else -math.inf)
    start, count = 0.0, 0
    while start > end + 1e-12:
        short, long = 0.0, start - end
        for _ in range(40):
            middle = (short + long) / 2
            u = np.linspace(start - middle, start, 300)
            chord = np.interp(u, u[[0, -1]], np.exp(u[[0, -1]]))
            fits = (chord - np.exp(u) <= kappa * (floor + np.exp(u))).all()
            short, long = (middle, long) if fits else (short, middle)
        start, count = start - max(short, 1e-9), count + 1
    return count


@pytest.mark.parametrize(("log_ratio", "reach"), [(1.0, math.inf), (7.0, 6.0), (math.inf, 5.0)])
def test_closed_form_knots_are_about_as_good_as_a_greedy_search(log_ratio, reach):
    net = ExpNet(25, log_ratio, reach)
    fewest = greedy_segments(math.expm1(net.error), log_ratio, reach)

    assert 0.93 * net.segments <= fewest <= net.segments + 1


@given(segments=SEGMENTS, log_range=st.floats(1e-6, 60))
def test_log_stays_within_its_bound_and_reaches_it(segments, log_range):
    net = LogNet(segments, log_range)
    y = np.exp(log_range * np.linspace(0, 1, 20_001))
    y = np.concatenate([y, (net.knots[1:] + net.knots[:-1]) / 2])
    below = np.log(y) - net(y)

    assert below.min() >= -1e-13
    assert below.max() <= net.error + 1e-13
    assert below.max() >= 0.98 * net.error - 1e-13


@given(net=exp_nets())
def test_segment_by_formula_is_the_segment_by_search(net):
    u = points(net)

    np.testing.assert_allclose(net(u), np.interp(u, net.knots, net.values), rtol=EXACT)


@given(net=exp_nets())
def test_exp_units_are_the_same_function(net):
    units, u = net.units(), points(net)

    assert len(units.weights) == net.segments
    assert units.facing == 1
    np.testing.assert_allclose(units(u), net(u), rtol=1e-9)


@given(segments=SEGMENTS, log_range=st.floats(0.1, 60))
def test_log_units_are_the_same_function(segments, log_range):
    net = LogNet(segments, log_range)
    y = np.exp(log_range * np.linspace(0, 1, 999))
    units = net.units()

    assert len(units.weights) == segments
    assert units.facing == -1
    np.testing.assert_allclose(units(y), net(y), rtol=1e-9, atol=1e-9)


def test_no_two_units_cancel():
    exp, log = ExpNet(60, 7.0, math.inf).units(), LogNet(60, 7.0).units()

    assert (exp.weights > 0).all()
    assert (log.weights > 0).all()


def test_units_are_accurate_in_single_precision():
    exp, log = ExpNet(80, 6.0, math.inf), LogNet(80, 6.0)
    u, y = -np.geomspace(1e-6, 1e6, 2_000), np.exp(np.linspace(0, 6, 2_000))

    assert abs(exp.units()(u, np.float32) - exp(u)).max() < 1e-6
    assert abs(log.units()(y, np.float32) - log(y)).max() < 5e-6


def test_records_do_not_change():
    net = ExpNet(4, 1.0, math.inf)

    with pytest.raises(AttributeError):
        net.segments = 5
    with pytest.raises(ValueError, match="read-only"):
        net.knots[0] = 0
