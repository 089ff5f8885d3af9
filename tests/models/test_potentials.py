"""Potentials as a user may declare them, and every way in which they can be wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.models.potentials import ChildOf, ParentOf, Table, read_potential, read_prior
from ghmpp.models.states import read_states

TWO = read_states(["no", "yes"], None, "p")
THREE = read_states(range(3), None, "c")
RAMP = np.arange(6.0).reshape(2, 3) + 1
BETA = sp.Symbol("beta", positive=True)


def read(potential, *, rows=(1, 2, 4), ranks=2):
    return read_potential(potential, "here", parent=TWO, child=THREE, rows=rows, ranks=ranks)


@pytest.mark.parametrize(
    "potential",
    [
        RAMP,
        RAMP.tolist(),
        Table(RAMP),
        sp.Matrix(RAMP.astype(int).tolist()),
        lambda s, a: 3 * (s == "yes") + a + 1,
        [RAMP],
    ],
    ids=["array", "lists", "Table", "Matrix", "function", "one rank"],
)
def test_a_shared_table_has_one_row(potential):
    stack = read(potential)

    assert (stack.kind, stack.rows, stack.symbols) == ("table", 1, ())
    np.testing.assert_array_equal(stack.numeric({}, "here"), RAMP[None])


@pytest.mark.parametrize(
    "potential",
    [
        np.stack([RAMP, 2 * RAMP]),
        [RAMP, 2 * RAMP],
        [Table(RAMP), lambda s, a: 2 * (3 * (s == "yes") + a + 1)],
        lambda s, a, rank: (rank + 1) * (3 * (s == "yes") + a + 1),
    ],
    ids=["array", "list", "mixed list", "function"],
)
def test_tables_per_rank_have_one_row_each(potential):
    np.testing.assert_array_equal(read(potential).numeric({}, "here"), [RAMP, 2 * RAMP])


def test_tables_per_edge_are_allowed():
    assert read(np.ones((4, 2, 3))).rows == 4


def test_fractions_are_kept():
    stack = read([[Fraction(1, 3)] * 3] * 2)

    assert stack.exact({}, "here")[0, 0, 0] == Fraction(1, 3)
    assert stack.numeric({}, "here")[0, 0, 0] == 1 / 3


def test_floats_are_the_fractions_that_they_are():
    assert read(0.1 * RAMP).exact({}, "here")[0, 0, 0] == Fraction(0.1)


def test_symbols_need_values_to_become_numbers():
    beta = sp.Symbol("beta")
    stack = read(lambda s, a: sp.exp(-beta * a))

    assert stack.symbols == ("beta",)
    assert stack.numeric({}, "here") is None
    assert stack.numeric({"beta": Fraction(1, 2)}, "here")[0, 0, 2] == np.exp(-1)


def test_values_that_give_negative_weights_are_refused():
    stack = read(lambda s, a: 1 - a * sp.Symbol("q"))

    with pytest.raises(ModelError, match="here: entries must be >= 0"):
        stack.numeric({"q": Fraction(1)}, "here")


def test_equal_potentials_have_one_identity():
    zero = RAMP * [1, 1, 0]

    assert read(RAMP).identity() == read(Table(RAMP)).identity()
    assert read(zero).identity() == read(np.where(zero == 0, -0.0, zero)).identity()
    assert read(RAMP).identity() != read(2 * RAMP).identity()
    assert read(ChildOf([0, 1])).identity() != read(ParentOf([0, 1, 0])).identity()


def test_entries_cannot_be_changed_and_do_not_follow_the_users_array():
    mine = RAMP.copy()
    stack = read(mine)
    mine[0, 0] = 100

    assert stack.entries[0, 0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        stack.entries[0, 0, 0] = 7


@pytest.mark.parametrize("index", [[2, 0], {"no": 2, "yes": 0}], ids=["indices", "names"])
def test_child_of_maps_parent_states_to_child_states(index):
    stack = read(ChildOf(index))

    assert (stack.kind, stack.rows) == ("child_of", 1)
    np.testing.assert_array_equal(stack.entries, [[2, 0]])


@pytest.mark.parametrize("index", [[1, 1, 0], {0: "yes", 1: "yes", 2: "no"}])
def test_parent_of_maps_child_states_to_parent_states(index):
    stack = read(ParentOf(index))

    assert stack.kind == "parent_of"
    np.testing.assert_array_equal(stack.exact({}, "here"), [[1, 1, 0]])


PER_RANK = [
    ChildOf([[2, 0], [1, 1]]),
    [ChildOf([2, 0]), ChildOf({"no": 1, "yes": 1})],
    ChildOf([{"no": 2, "yes": 0}, [1, 1]]),
]


@pytest.mark.parametrize("potential", PER_RANK, ids=["array", "list of maps", "map of lists"])
def test_index_maps_may_differ_by_child_rank(potential):
    stack = read(potential)

    assert (stack.kind, stack.rows) == ("child_of", 2)
    np.testing.assert_array_equal(stack.entries, [[2, 0], [1, 1]])


def test_index_maps_of_one_kind_may_differ_by_edge():
    stack = read(ParentOf([[0, 1, 1]] * 3 + [[1, 0, 0]]))

    assert (stack.kind, stack.rows) == ("parent_of", 4)


@pytest.mark.parametrize(
    ("potential", "words"),
    [
        (
            RAMP.T,
            r"here: tables must have shape \(2, 3\) or \(2, 2, 3\) or \(4, 2, 3\), "
            r"last axes \(parent states, child states\), got \(3, 2\)\.",
        ),
        (np.ones((3, 2, 3)), r"got \(3, 2, 3\)"),
        (np.ones(3), r"got \(3,\)"),
        ([RAMP, RAMP.T], "do not form an array"),
        (-RAMP, r"here: entries must be >= 0 \(linear weights, not logarithms\)"),
        (RAMP * np.nan, "entries must be finite"),
        ([[1, 2, 3], [4, 5, np.nan]], "found nan at parent state 1, child state 2"),
        ([[1, 2, 3], [4, -5, 6]], "found -5.0 at parent state 1, child state 1"),
        ([RAMP, [[1, 2, 3], [4, -5, 6]]], "found -5.0 at rank 1, parent state 1, child state 1"),
        (np.stack([RAMP] * 3 + [-RAMP]), "found -1.0 at edge 3, parent state 0, child state 0"),
        ([[1, 2, 3], [4, 5, -BETA]], "found -beta at parent state 1, child state 2"),
        ([[1, 2, 3], [4, sp.zoo, 6]], r"here, entry \(1, 1\): entries must be finite, found zoo"),
        (0 * RAMP, "here: has only zeros"),
        ([RAMP, 0 * RAMP], "rank 1 has only zeros"),
        ("table", "must be real numbers"),
        (lambda s, a: "a", "expected a number|real numbers"),
        (lambda s, a: [1, 2], r"got \(2, 3, 2\)"),
        (lambda s, a: a / 0, r"the function failed at \('no', 0\) with ZeroDivisionError"),
        ([ChildOf([0, 1]), ParentOf([1, 0, 0])], "rank 0: an index map stands in a list of other"),
        ([RAMP, ChildOf([1, 0])], "rank 1: an index map stands in a list of other"),
        (ChildOf([[0, 1]] * 3), "an index map may have 1 or 2 or 4 rows, got 3"),
        ([ChildOf([0, 1]), ChildOf([1])], "do not form an array"),
        (ChildOf([0, 3]), r"indices must lie in 0..2, found 0..3"),
        (ChildOf([0, -1]), "indices must lie in 0..2"),
        (ChildOf([0, 1, 2]), r"one integer for each of 2 states, got shape \(3,\)"),
        (ParentOf([0.0, 1.0, 1.0]), "dtype float64"),
        (ChildOf({"no": 1, "maybe": 2}), "unknown state 'maybe'; known: 'no', 'yes'"),
        (ChildOf({"no": 1, "yes": 7}), "unknown state 7; known: 0, 1, 2"),
        (ChildOf({"no": 1}), "says nothing about state 'yes'"),
    ],
)
def test_wrong_potentials_are_refused(potential, words):
    with pytest.raises(ModelError, match=words):
        read(potential)


def test_what_a_symbol_makes_wrong_is_located():
    stack = read(lambda s, a: 1 - BETA * a)

    with pytest.raises(ModelError, match=r"found -1\.0 at parent state 0, child state 2"):
        stack.numeric({"beta": Fraction(1)}, "here")


@pytest.mark.parametrize("prior", [[1, 2, 3], np.array([1.0, 2.0, 3.0]), lambda s: s + 1])
def test_priors_are_arrays_or_functions_of_the_state(prior):
    stack = read_prior(prior, "here", states=THREE, rows=(1, 4))

    np.testing.assert_array_equal(stack.entries, [[1, 2, 3]])


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ([1, 2], r"prior must have shape \(3,\) or \(4, 3\), last axes \(states\), got \(2,\)"),
        ([1, -2, 3], "must be >= 0 .* found -2.0 at state 1"),
        (np.vstack([np.ones((3, 3)), [1, 1, np.nan]]), "found nan at node 3, state 2"),
        ([0, 0, 0], "only zeros"),
        (np.ones((2, 3)), r"got \(2, 3\)"),
    ],
)
def test_wrong_priors_are_refused(prior, words):
    with pytest.raises(ModelError, match=words):
        read_prior(prior, "here", states=THREE, rows=(1, 4))
