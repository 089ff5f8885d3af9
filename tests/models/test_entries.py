"""Arrays of entries: what stays exact, and which weights are refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.models.entries import check_exact_weights, check_weights, read_array, real_numbers


@pytest.mark.parametrize(
    "raw", [[1, 2], [1.0, 2.0], (True, 2), np.array([1, 2], dtype=np.float32), [np.int64(1), 2.0]]
)
def test_plain_numbers_are_float64(raw):
    array = read_array(raw, "here")

    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [1.0, 2.0])


@pytest.mark.parametrize("raw", [[1, Fraction(1, 3)], [2**60 + 1, 1], [10**30, 1], [sp.pi, 0.5]])
def test_what_float64_would_round_stays_exact(raw):
    array = read_array(raw, "here")

    assert array.dtype == object
    assert list(array) == raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([[1, 2], [3]], "here: the entries do not form an array"),
        (["a", "b"], "must be real numbers or sympy expressions"),
        ([1j, 2], "must be real numbers or sympy expressions"),
        ([None, 1], "found None of type NoneType"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(raw, words):
    with pytest.raises(ModelError, match=words):
        read_array(raw, "here")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([[1.0, np.nan]], "here: entries must be finite, found nan"),
        ([[1.0, np.inf]], "entries must be finite, found inf"),
        ([[1.0, 2.0], [3.0, -4.0]], r"must be >= 0 .*found -4.0 at \(1, 1\)"),
        ([[1.0, 2.0], [0.0, 0.0]], "row 1 has only zeros.*at least one positive entry"),
    ],
)
def test_entries_that_are_no_weights_are_refused(entries, words):
    with pytest.raises(ModelError, match=words):
        check_weights(np.array(entries), "here")


def test_place_of_a_wrong_entry_is_said_in_words():
    axes = ("rank", "parent state", "child state")
    stack = np.ones((2, 2, 2))
    stack[1, 0, 1] = np.nan

    with pytest.raises(ModelError, match="found nan at rank 1, parent state 0, child state 1"):
        check_weights(stack, "here", axes)
    with pytest.raises(ModelError, match="found nan at parent state 0, child state 1"):
        check_weights(stack[1:], "here", axes)


def test_exact_entries_are_shown_as_they_were_given():
    with pytest.raises(ModelError, match=r"found -7/2 at \(0, 1\)"):
        check_exact_weights(np.array([[Fraction(1), Fraction(-7, 2)]], dtype=object), "here")


def test_fractions_below_the_range_of_float64_are_positive():
    check_exact_weights(np.array([[Fraction(1, 10**400)]], dtype=object), "here")


def test_signs_that_depend_on_symbols_are_left_open():
    q, p = sp.Symbol("q"), sp.Symbol("p", positive=True)
    check_exact_weights(np.array([[q - 1, p]]), "here")


@pytest.mark.parametrize(
    "value", [Fraction(-1, 10**400), Fraction(-7, 2), -sp.sqrt(2), -sp.Symbol("p", positive=True)]
)
def test_negative_exact_entries_are_refused(value):
    with pytest.raises(ModelError, match="must be >= 0"):
        check_exact_weights(np.array([[value, Fraction(1)]], dtype=object), "here")


@pytest.mark.parametrize("given", ["low", [[1.0], [1.0, 2.0]], 1j * np.eye(2), [None, "a"]])
def test_what_is_no_array_of_real_numbers_is_refused(given):
    with pytest.raises(ModelError, match="here must be an array of numbers, got"):
        real_numbers(given, "here")


def test_real_numbers_are_a_copy():
    given = np.ones(2)
    found = real_numbers(given, "here")
    found[0] = 5.0

    assert given[0] == 1.0
