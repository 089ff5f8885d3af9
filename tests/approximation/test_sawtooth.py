"""Squares and products by hats: their errors are the ones that theory gives."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.approximation.sawtooth import hats_for, product, square, square_by_hats, square_error
from ghmpp.errors import QueryError
from tests.tolerances import EXACT


@pytest.mark.parametrize("hats", [2, 4, 8, 12])
def test_the_error_of_the_square_is_attained(hats):
    # The middle between any two points at which it is exact.
    x = (np.arange(2**hats) + 0.5) / 2**hats
    gaps = square(x, hats) - x**2

    assert gaps.max() == pytest.approx(2.0 ** (-2 * hats - 2), rel=1e-8)
    assert gaps.min() == pytest.approx(square_error(hats), rel=1e-8)


@pytest.mark.parametrize("hats", [1, 3, 10])
def test_hats_add_up_to_the_interpolation(hats):
    x = np.random.default_rng(0).random(1000)

    assert np.abs(square_by_hats(x, hats) - square(x, hats)).max() < EXACT


def test_beyond_the_domain_the_last_segments_go_on():
    x = np.array([-1.0, 0.0, 1.0, 2.0])

    assert square(x, 1).tolist() == [-0.5, 0.0, 1.0, 2.5]


def test_products_err_by_at_most_their_bound():
    grid = np.linspace(-3, 3, 1501)
    u, v = np.meshgrid(grid, grid)
    worst = np.abs(product(u, v, 8, (3.0, 3.0)) - u * v).max()

    assert 0.95 * 9 * square_error(8) < worst <= 9 * square_error(8)
    assert np.abs(product(u, v / 3, 8, (3.0, 1.0)) - u * v / 3).max() <= 3 * square_error(8)


def test_products_with_zero_are_zero():
    u = np.linspace(-2, 2, 9)

    assert np.abs(product(u, 0 * u, 5, (2.0, 1.0))).max() < EXACT


def test_too_wide_squares_are_refused():
    with pytest.raises(QueryError, match="at most 16,777,216 for squares"):
        hats_for(2**25)
