"""Messages of two-state variables as one function."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.approximation.log_odds import LogOddsNet, log_odds
from tests.tolerances import EXACT

DOMAINS = [(-math.inf, math.inf), (-3.0, 9.0), (0.5, 4.0), (-6.0, -1.0), (-1e-3, 2e-3)]


@given(bend=st.floats(0.01, 8), x=st.floats(-20, 20))
def test_message_has_the_closed_form(bend, x):
    expected = 2 * math.atanh(math.tanh(bend / 2) * math.tanh(x / 2))

    assert log_odds(np.array(x), bend) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("low", "high"), DOMAINS)
@given(segments=st.sampled_from([2, 3, 9, 50, 200]), bend=st.sampled_from([0.1, 1.0, 4.6, 40.0]))
def test_error_is_the_largest_on_a_grid(low, high, segments, bend):
    net = LogOddsNet(segments, bend, low, high)
    x = np.linspace(max(low, -bend - 50), min(high, bend + 50), 40_001)
    x = np.concatenate([x, np.clip((net.knots[1:] + net.knots[:-1]) / 2, low, high)])

    measured = abs(net(x) - log_odds(x, bend)).max()
    assert measured <= net.error
    assert measured >= 0.98 * net.error - 2e-15 * (1 + bend)
    assert len(net.knots) <= segments + 1


@pytest.mark.parametrize("bend", [0.4, 1.1, 2.2, 4.6, 13.8, 100.0])
def test_few_segments_are_enough_for_any_table(bend):
    net = LogOddsNet(100, bend, -math.inf, math.inf)

    assert len(net.knots) - 1 <= 2.3 / math.sqrt(net.error)


@pytest.mark.parametrize(("low", "high"), DOMAINS)
@pytest.mark.parametrize("segments", [2, 7, 40])
def test_both_relu_layers_are_the_same_function(low, high, segments):
    net = LogOddsNet(segments, 2.3, low, high)
    x = np.concatenate([np.linspace(max(low, -1e6), min(high, 1e6), 1001), net.knots])

    np.testing.assert_allclose(net.dense(x), net(x), rtol=1e-9, atol=EXACT)
    for half in net.halves():
        assert half is None or (half.weights >= -EXACT).all()


def test_infinite_log_odds_are_allowed():
    net = LogOddsNet(20, 1.5, -math.inf, math.inf)

    assert abs(net([-math.inf, math.inf]) - [-1.5, 1.5]).max() <= net.error
