"""Trials: what counts as an error, and which method is best."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.demo.comparison import (
    OURS,
    Trial,
    grid,
    one_of_each,
    table,
    winners,
    without_right_half,
)

TRUTH = np.full((3, 64), 4)


def trial(title: str, damaged: np.ndarray, ours: float, theirs: float) -> Trial:
    """A trial in which every pixel is off by a constant."""
    return Trial(title, damaged, TRUTH, {"theirs": TRUTH + theirs, OURS: TRUTH + ours})


@pytest.fixture
def trials() -> list[Trial]:
    return [trial("a", TRUTH + 1.0, 0.5, 1.0), trial("b", TRUTH + 2.0, 3.0, 2.0)]


def test_errors_are_mean_squares_over_all_pixels(trials):
    assert trials[0].errors == {"theirs": 1.0, OURS: 0.25}


def test_errors_count_missing_pixels_only():
    seen = without_right_half(TRUTH)
    estimate = np.where(np.isnan(seen), TRUTH + 3.0, TRUTH)

    assert Trial("half", seen, TRUTH, {OURS: estimate}).errors == {OURS: 9.0}


def test_best_has_the_smallest_error(trials):
    assert [each.best for each in trials] == [OURS, "theirs"]


def test_table_has_a_row_per_method_and_marks_the_best(trials):
    found = table("errors", trials)

    assert found.head == ["", "a", "b"]
    assert found.rows == [["theirs", "1.00", "4.00"], [OURS, "0.25", "9.00"]]
    assert found.best == {(1, 1), (0, 2)}


def test_winners_are_named_with_the_trials_they_win(trials):
    assert winners(trials) == f"Smallest error: {OURS} (a), theirs (b)."


def test_grid_shows_every_method_and_error(trials):
    pytest.importorskip("matplotlib")

    written = {text.get_text() for axes in grid(trials, [0, 1]).axes for text in axes.texts}
    assert {"given", "theirs", OURS, "truth", "a", "b", "0.25", "9.00"} <= written


def test_one_of_each_digit():
    assert one_of_each(np.array([1, 0, 2, 1, 0]), 3) == [1, 0, 2]


def test_right_half_is_missing_in_every_row_of_the_image():
    seen = without_right_half(TRUTH).reshape(3, 8, 8)

    assert np.isnan(seen[..., 4:]).all()
    np.testing.assert_array_equal(seen[..., :4], 4)
