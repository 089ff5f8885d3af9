"""States as a user may declare them."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.models.states import read_states


def test_a_number_gives_names_without_values():
    space = read_states(3, None, "x")

    assert space.names == range(3)
    assert space.values is None
    assert space.arguments == range(3)


@pytest.mark.parametrize("states", [range(1, 4), [1, 2, 3], np.array([1, 2, 3])])
def test_numbers_are_names_and_values(states):
    space = read_states(states, None, "x")

    assert space.names == (1, 2, 3)
    np.testing.assert_array_equal(space.values, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("states", [["sun", "rain"], [("a", 1), None], [True, False], "AC"])
def test_other_hashables_are_names_without_values(states):
    space = read_states(states, None, "x")

    assert space.names == tuple(states)
    assert space.values is None


def test_values_can_be_given_beside_names():
    space = read_states(["low", "high"], [0.5, 2], "x")

    assert space.arguments == (0.5, 2)


def test_whole_values_reach_functions_as_integers():
    arguments = read_states([0.0, 1.5, 2.0], None, "x").arguments

    assert [type(value) for value in arguments] == [int, float, int]


def test_values_cannot_be_changed():
    space = read_states(range(3), None, "x")

    with pytest.raises(ValueError, match="read-only"):
        space.values[0] = 7


@pytest.mark.parametrize(
    ("states", "values", "words"),
    [
        (0, None, "variable x: needs at least one state"),
        (-1, None, "needs at least one state"),
        ([], None, "needs at least one state"),
        (2.5, None, "must be a number of states or a sequence of states, got 2.5"),
        (True, None, "must be a number of states or a sequence"),
        (["a", "b", "a"], None, "state 'a' is listed twice"),
        ([[1], [2]], None, "must be hashable"),
        ([0.0, np.inf], None, "state values must be finite"),
        (2, [1.0, np.nan], "state values must be finite"),
        (2, [1.0, 2.0, 3.0], r"shape \(2,\), got shape \(3,\)"),
        (2, ["a", "b"], "must be real numbers"),
    ],
)
def test_wrong_states_are_refused(states, values, words):
    with pytest.raises(ModelError, match=words):
        read_states(states, values, "variable x")


def test_long_lists_of_names_are_cut_in_messages():
    assert read_states(12, None, "x").listed().endswith("8, 9, ... (12 in all)")
