"""Replacing tables, random tables, and values of symbols."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.models.model import Model
from ghmpp.models.tables import read_values

TABLE = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.fixture
def tied():
    model = Model()
    top = model.root("a", 2)
    top.children("b", 2, 2, potential=TABLE)
    top.children("c", 2, 2, potential=TABLE)
    top.children("d", 2, 3)
    return model


def test_a_shared_key_changes_all_its_classes(tied):
    forest = tied.with_tables({"a->b": 2 * TABLE}).forest()

    assert forest.edges["c"].key == "a->b"
    np.testing.assert_array_equal(forest.data["a->b"], [2 * TABLE])
    np.testing.assert_array_equal(tied.forest().data["a->b"], [TABLE])


def test_free_tables_are_filled(tied):
    model = tied.with_tables({"a->d": np.ones((2, 2, 3))})

    assert model.free == ()
    assert model.forest().edges["d"].rows == 2


def test_unaries_are_replaced_or_added_by_class_name(tied):
    forest = tied.with_tables({"a": [[1.0, 3.0]]}).forest()

    np.testing.assert_array_equal(forest.data["a"], [[1, 3]])


def test_numbers_replace_formulas_and_their_symbols():
    model = Model()
    model.root("a", 2).children("b", 1, 2, potential=lambda s, a: sp.Symbol("q") ** a)

    replaced = model.bind(q=2).with_tables({"a->b": TABLE})

    assert replaced.parameters == {}
    assert replaced.forest().formulas == {}


def test_unknown_keys_are_refused_with_the_known_ones(tied):
    with pytest.raises(ModelError, match="no potential has the key 'a->c'; known keys: a->b, a->d"):
        tied.with_tables({"a->c": TABLE})


def test_wrong_stacks_are_refused(tied):
    with pytest.raises(ModelError, match=r"potential of 'a' -> 'd': tables must have shape"):
        tied.with_tables({"a->d": TABLE})


def test_random_tables_are_stochastic_and_near_uniform(tied):
    stack = tied.initialise(seed=3).forest().data["a->d"]

    assert stack.shape == (2, 2, 3)
    np.testing.assert_allclose(stack.sum(axis=2), 1)
    assert stack.min() > 1 / 3 / 1.5
    assert stack.max() < 1.5 / 3


def test_random_tables_depend_on_the_seed(tied):
    first, again, other = (tied.initialise(seed).forest().data["a->d"] for seed in (0, 0, 1))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_values_are_exact():
    symbols = {"x": sp.Symbol("x"), "y": sp.Symbol("y")}

    assert read_values({"x": 0.1, "y": sp.sqrt(2)}, symbols) == {
        "x": Fraction(0.1),
        "y": sp.sqrt(2),
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gamma": 1}, "no symbol 'gamma'; its symbols: beta, x"),
        ({"beta": -1}, "declared positive, got -1"),
        ({"beta": 0}, "declared positive"),
        ({"x": sp.Symbol("y")}, "needs a number, got the expression y"),
        ({"x": np.nan}, r"bind\(x=...\): entries must be finite"),
        ({"x": None}, "found None"),
    ],
)
def test_wrong_values_are_refused(values, words):
    symbols = {"beta": sp.Symbol("beta", positive=True), "x": sp.Symbol("x")}

    with pytest.raises(ModelError, match=words):
        read_values(values, symbols)
