"""Orders of the leaves of a picture's tree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import ModelError
from ghmpp.models.layouts import grid_order, morton_order


@given(level=st.integers(0, 6))
def test_morton_order_interleaves_the_bits_of_row_and_column(level):
    side = 2**level

    for leaf, pixel in enumerate(morton_order(side)):
        row, column = divmod(int(pixel), side)
        bits = [(row >> b & 1) << (2 * b + 1) | (column >> b & 1) << (2 * b) for b in range(level)]
        assert leaf == sum(bits)


@given(splits=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=3))
def test_subtrees_are_rectangles(splits):
    order = grid_order(splits)
    height = int(np.prod([rows for rows, _ in splits], initial=1))
    width = int(np.prod([columns for _, columns in splits], initial=1))

    np.testing.assert_array_equal(np.sort(order), np.arange(height * width))
    for rows, columns in splits:
        height, width = height // rows, width // columns
        family = order[: height * width]
        row, column = np.divmod(family, int(np.prod([c for _, c in splits])))
        assert (np.ptp(row) + 1, np.ptp(column) + 1) == (height, width)


def test_a_sequence_keeps_its_order():
    np.testing.assert_array_equal(grid_order([(1, 2), (1, 3)]), np.arange(6))


@pytest.mark.parametrize("side", [0, 3, -2, 4.0, True])
def test_sides_are_powers_of_two(side):
    with pytest.raises(ModelError, match="side must be a power of 2"):
        morton_order(side)


def test_splits_are_positive():
    with pytest.raises(ModelError, match=r"at least \(1, 1\), got \(0, 2\)"):
        grid_order([(2, 2), (0, 2)])
