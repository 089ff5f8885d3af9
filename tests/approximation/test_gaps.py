"""Gaps of chords, against dense grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.approximation.gaps import exp_excess, exp_gap, log_gap, slope_excess

GRID = np.linspace(0, 1, 20_001)


@given(length=st.floats(1e-3, 30))
def test_gap_of_exp_is_the_largest_on_a_grid(length):
    x = length * GRID
    chord = 1 + np.expm1(length) * GRID

    assert exp_gap(np.array(length)) == pytest.approx((chord - np.exp(x)).max(), rel=1e-6)


@given(length=st.floats(1e-9, 1e-2))
def test_gap_of_exp_has_its_leading_terms_for_short_segments(length):
    assert exp_gap(np.array(length)) == pytest.approx(length**2 / 8 * (1 + length / 2), rel=1e-4)


@given(length=st.floats(1e-6, 40))
def test_slope_of_the_chord_has_no_cancellation(length):
    exact = np.expm1(np.longdouble(length)) / np.longdouble(length) - 1

    assert slope_excess(np.array(length)) == pytest.approx(float(exact), rel=1e-9)


@given(log_ratio=st.floats(1e-2, 60))
def test_gap_of_log_is_the_largest_on_a_grid(log_ratio):
    y = np.exp(log_ratio * GRID)
    chord = log_ratio * (y - 1) / np.expm1(log_ratio)

    gap = log_gap(log_ratio)
    assert gap >= (np.log(y) - chord).max() - 1e-15
    assert gap == pytest.approx((np.log(y) - chord).max(), rel=1e-4)
    assert gap <= log_ratio**2 / 8


@pytest.mark.parametrize("log_ratio", [0.05, 700.0])
def test_gap_of_log_has_no_jump_where_its_formula_changes(log_ratio):
    below, above = log_gap(log_ratio * (1 - 1e-9)), log_gap(log_ratio * (1 + 1e-9))

    assert above == pytest.approx(below, rel=1e-7)


@given(length=st.floats(1e-3, 20), weight=st.sampled_from([0.0, 1e-8, 0.01, 1.0, 1e4]))
def test_excess_is_the_smallest_that_covers_the_chord(length, weight):
    x = length * GRID
    above = 1 + np.expm1(length) * GRID - np.exp(x)

    excess = float(exp_excess(np.array(length), np.array(weight)))
    allowed = np.expm1(excess) * (weight + np.exp(x))
    assert (above <= allowed + 1e-13 * np.exp(x)).all()
    assert excess == pytest.approx(np.log1p((above / (weight + np.exp(x))).max()), rel=1e-5)
