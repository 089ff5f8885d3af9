"""Names, counts and orders of declared classes."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.models.declaration import (
    Declaration,
    check_name,
    check_node_names,
    read_count,
    read_order,
)
from ghmpp.models.states import read_states

SPACE = read_states(2, None, "x")


def family(*links):
    """Declarations of classes of two nodes each, from (name, parent) pairs."""
    return {name: Declaration(name, SPACE, parent, nodes=2) for name, parent in links}


@pytest.mark.parametrize("name", ["", "a->b", 3, None])
def test_names_are_strings_without_arrows(name):
    with pytest.raises(ModelError, match="non-empty string without '->'"):
        check_name(name, {}, None)


def test_a_name_is_used_once():
    with pytest.raises(ModelError, match="'b' is declared twice; choose another name"):
        check_name("b", family(("a", None), ("b", "a")), "a")


def test_a_second_parent_is_refused():
    known = family(("a", None), ("b", "a"), ("c", "a"))

    with pytest.raises(ModelError, match=r"'b' already has the parent 'a'.* a second one, 'c'"):
        check_name("b", known, "c")


@pytest.mark.parametrize("above", ["a", "b"])
def test_a_cycle_is_refused(above):
    with pytest.raises(ModelError, match=f"'{above}' as a child of 'c' would close a cycle"):
        check_name(above, family(("a", None), ("b", "a"), ("c", "b")), "c")


def test_a_class_called_like_a_node_of_another_is_refused():
    with pytest.raises(ModelError, match=r"'a\[1\]' is called like a node of 'a'"):
        check_node_names(family(("a[1]", None), ("a", None)))


def test_brackets_are_allowed_where_they_name_no_other_node():
    check_node_names(family(("a[7]", None), ("a", None), ("b[0]", None)))


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True])
def test_counts_are_whole_numbers_of_at_least_one(count):
    with pytest.raises(ModelError, match="x: count must be a whole number >= 1"):
        read_count(count, "count", "x")


def test_numpy_integers_are_counts():
    assert read_count(np.int64(3), "count", "x") == 3


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([0, 1], r"x: order must have shape \(3,\)"),
        ([0.0, 1.0, 2.0], "whole numbers, got shape .* dtype float64"),
        ([0, 1, 1], r"must contain each of 0..2 once"),
        ([1, 2, 3], r"must contain each of 0..2 once"),
    ],
)
def test_orders_are_permutations(order, words):
    with pytest.raises(ModelError, match=words):
        read_order(order, 3, "x")
