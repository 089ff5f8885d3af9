"""Susceptibility: closed forms for changes that are independent, or all alike."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import QueryError
from ghmpp.observables import change_correlations, susceptibility
from tests.tolerances import EXACT


def test_leaves_that_change_together_count_all():
    x = np.zeros((4, 6), int)
    y = np.where(np.arange(4)[:, None] % 2, 1, x)

    assert susceptibility(x, y) == pytest.approx(6, rel=EXACT)


def test_blocks_that_change_together_count_one_block():
    rng = np.random.default_rng(0)
    changed = rng.integers(0, 2, (50_000, 3)).repeat(4, axis=1)

    assert susceptibility(np.zeros_like(changed), changed) == pytest.approx(4, rel=0.02)


def test_leaves_that_change_independently_count_one():
    changed = np.random.default_rng(0).integers(0, 2, (50_000, 8))

    assert susceptibility(np.zeros_like(changed), changed) == pytest.approx(1, rel=0.05)


def test_leaves_that_change_against_each_other_count_none():
    changed = np.array([[0, 1], [1, 0]])

    assert susceptibility(np.zeros((2, 2), int), changed) == pytest.approx(0, abs=EXACT)


@pytest.mark.parametrize("value", [0, 1])
def test_without_any_variation_it_is_one(value):
    assert susceptibility(np.zeros((3, 4), int), np.full((3, 4), value)) == 1.0


def test_covariance_is_that_of_numpy():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 3, (2, 40, 5))

    expected = np.cov(np.where(x == y, 1, -1).T, bias=True)
    np.testing.assert_allclose(change_correlations(x, y), expected, atol=EXACT)


def test_several_samples_of_a_row_are_rows_of_their_own():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 3, (10, 5)), rng.integers(0, 3, (10, 4, 5))

    single = change_correlations(x.repeat(4, axis=0), y.reshape(40, 5))
    np.testing.assert_allclose(change_correlations(x, y), single, atol=EXACT)


@pytest.mark.parametrize(
    ("before", "after"),
    [((3, 4), (3, 5)), ((3, 4), (2, 4)), ((3,), (3,)), ((0, 4), (0, 4)), ((3, 4), (2, 2, 4))],
)
def test_shapes_that_do_not_fit_are_refused(before, after):
    with pytest.raises(QueryError, match=r"x must have shape \(batch, leaves\)"):
        susceptibility(np.zeros(before), np.zeros(after))
