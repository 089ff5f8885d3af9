"""The mean field against its closed forms, and against belief propagation on drawn rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import ModelError
from ghmpp.theory import MeanField
from tests.tolerances import DIFFERENCES, EXACT, SIGMAS

# (v, m, s): threshold p* and critical noise; for s = 2 fractions, else to the digits given.
PUBLISHED = {
    (16, 4, 2): (1 / 4, 4 / 5),
    (32, 8, 2): (7 / 24, (17 / 24) * (32 / 31)),
    (8, 3, 2): (2 / 5, 24 / 35),
    (8, 2, 2): (1 / 6, 20 / 21),
    (16, 6, 2): (1 / 2, 8 / 15),
    (16, 8, 2): (7 / 8, 2 / 15),
}


@st.composite
def fields(draw):
    v, s = draw(st.integers(2, 12)), draw(st.integers(2, 4))
    return MeanField(v, draw(st.integers(1, v ** (s - 1))), s)


@pytest.mark.parametrize("sizes", PUBLISHED)
def test_pairs_have_the_closed_form(sizes):
    field = MeanField(*sizes)

    threshold, noise = PUBLISHED[sizes]
    assert field.threshold == pytest.approx(threshold, rel=EXACT)
    assert field.critical_noise == pytest.approx(noise, rel=EXACT)


@pytest.mark.parametrize(
    ("sizes", "threshold", "noise"),
    [((8, 8, 3), 0.35355, 0.7388), ((10, 9, 3), 0.29105, 0.78772)],
)
def test_triples_have_the_published_values(sizes, threshold, noise):
    field = MeanField(*sizes)

    assert field.threshold == pytest.approx(threshold, abs=2e-5)
    assert field.critical_noise == pytest.approx(noise, abs=2e-5)


@given(fields())
def test_certainty_ignorance_and_the_threshold_are_fixed_points(field):
    for point in (1.0, 1 / field.v, field.threshold):
        assert field.upward(point) == pytest.approx(point, rel=1e-7)


@given(fields())
def test_beliefs_grow_above_the_threshold_and_fall_below_it(field):
    low, middle, high = 1 / field.v, field.threshold, 1.0

    for share in (0.1, 0.5, 0.9):
        above, below = middle + share * (high - middle), low + share * (middle - low)
        assert field.upward(above) >= above - EXACT
        assert field.upward(below) <= below + EXACT


@given(fields(), st.floats(0.05, 0.95))
def test_slope_is_the_derivative(field, belief):
    step = 1e-5
    difference = (field.upward(belief + step) - field.upward(belief - step)) / (2 * step)

    assert field.slope(belief) == pytest.approx(difference, rel=DIFFERENCES, abs=DIFFERENCES)


@given(fields())
def test_slope_at_certainty_has_the_closed_form(field):
    v, m, s = field.v, field.m, field.s

    assert field.slope(1.0) == pytest.approx(s * m * (v - 1) / (v**s - 1), rel=EXACT)


def test_there_is_no_transition_where_all_tuples_are_rules_or_each_symbol_has_one():
    every, one = MeanField(8, 8), MeanField(8, 1)

    assert (every.threshold, every.critical_noise) == (1.0, 0.0)
    assert (one.threshold, one.critical_noise) == (1 / 8, 1.0)
    assert np.isnan(every.exponent)
    assert np.isnan(one.exponent)


@pytest.mark.parametrize(("sizes", "exponent"), [((16, 4, 2), 2.25), ((32, 8, 2), 1.89)])
def test_exponent_of_the_length_of_changes(sizes, exponent):
    assert MeanField(*sizes).exponent == pytest.approx(exponent, abs=0.005)


def test_posteriors_without_noise_are_certain():
    np.testing.assert_allclose(MeanField(16, 4).posteriors(0.0, 5), 1.0, rtol=EXACT)


def test_with_all_noise_symbols_that_occur_in_more_rules_are_still_more_probable():
    found = MeanField(16, 4).posteriors(1.0, 5)

    # A place in one of the 64 rules, given that the true rule has the symbol there.
    again = (16 - 1) / (16**2 - 1)
    assert found[0] == pytest.approx(1 / 16, rel=EXACT)
    assert found[1] == pytest.approx((1 + 63 * again) / 64, rel=EXACT)


def test_root_posterior_is_the_recursion_and_stays_at_the_threshold():
    field = MeanField(16, 4)
    belief = field.leaf_belief(0.7)
    for _ in range(7):
        belief = field.upward(belief)

    assert field.posteriors(0.7, 7)[0] == pytest.approx(belief, rel=EXACT)
    assert field.posteriors(0.8, 7)[0] == pytest.approx(1 / 4, rel=EXACT)


def test_downward_is_the_ratio_of_means_over_rules_of_the_message_from_above():
    v, m, s = 8, 3, 2
    rng, above, beside = np.random.default_rng(0), 0.6, 0.7
    true, total = [], []
    for _ in range(3000):
        drawn = rng.permutation(v**s)[: m * v]
        left, right = np.unravel_index(drawn, (v, v))
        parents = np.repeat(np.arange(v), m)
        use = rng.integers(m * v)
        from_parent = np.where(parents == parents[use], above, (1 - above) / (v - 1))
        from_sibling = np.where(right == right[use], beside, (1 - beside) / (v - 1))
        weights = from_parent * from_sibling
        true.append(weights[left == left[use]].sum())
        total.append(weights.sum())

    found = np.mean(true) / np.mean(total)
    error = np.std(np.array(true) - found * np.array(total)) / np.mean(total) / np.sqrt(3000)
    assert abs(found - MeanField(v, m, s).downward(above, beside)) < SIGMAS * error


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((1, 1, 2), "v must be a whole number >= 2"),
        ((4, 0, 2), "m must be a whole number >= 1"),
        ((4, 2, 1), "s must be a whole number >= 2"),
        ((4, 5, 2), "need 20 distinct tuples"),
    ],
)
def test_impossible_sizes_are_refused(sizes, words):
    with pytest.raises(ModelError, match=words):
        MeanField(*sizes)


def test_noise_and_depth_out_of_range_are_refused():
    with pytest.raises(ModelError, match=r"noise must lie in \[0, 1\], got 1.5"):
        MeanField(4, 2).leaf_belief(1.5)
    with pytest.raises(ModelError, match="depth must be at least 1, got 0"):
        MeanField(4, 2).posteriors(0.5, 0)
