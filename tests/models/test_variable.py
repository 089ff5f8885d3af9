"""Declaring children."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.models.model import Model

ONES = np.ones((2, 2))


@pytest.fixture
def top():
    return Model("m").root("top", 2)


def test_children_of_children_multiply(top):
    top.children("a", 3, 2, potential=ONES).children("b", 4, 5)

    assert top.model.variables["b"].nodes == 12


def test_a_class_may_have_several_branches(top):
    top.children("a", 3, 2)
    top.children("b", 2, 4)

    edges = top.model.forest().children["top"]

    assert [(edge.child, edge.fanout) for edge in edges] == [("a", 3), ("b", 2)]


def test_functions_receive_values_and_names(top):
    seen = set()
    top.children("a", 2, [0.5, 1], potential=lambda s, a: seen.add((s, a)) or 1)

    assert seen == {(0, 0.5), (0, 1), (1, 0.5), (1, 1)}


def test_the_users_order_is_kept(top):
    top.children("a", 3, 2, potential=ONES, order=[2, 0, 1])

    np.testing.assert_array_equal(top.model.variables["a"].order, [2, 0, 1])


def test_a_thousand_children_with_a_table_each(top):
    tables = np.random.default_rng(0).random((1000, 2, 2)) + 0.1
    top.children("a", 1000, 2, potential=tables)

    expected = np.log(np.exp(np.log(tables.sum(axis=2)).sum(axis=0)).sum())
    assert top.model.log_partition() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "top"}, "'top' as a child of 'top' would close a cycle"),
        ({"name": "a->b"}, "without '->'"),
        ({"count": 0}, "variable 'a': count must be a whole number >= 1, got 0"),
        ({"count": 2.0}, "count must be a whole number"),
        ({"states": []}, "needs at least one state"),
        ({"values": [1.0]}, r"state values must have shape \(2,\)"),
        ({"potential": np.ones((3, 2, 2))}, r"potential of 'top' -> 'a': tables must have shape"),
        ({"potential": -ONES}, "potential of 'top' -> 'a': entries must be >= 0"),
        ({"prior": [1, np.nan]}, "prior of 'a': entries must be finite"),
        ({"order": [0, 0]}, "variable 'a': order must contain each of 0..1 once"),
    ],
)
def test_wrong_children_are_refused(top, arguments, words):
    given = {"name": "a", "count": 2, "states": 2} | arguments
    with pytest.raises(ModelError, match=words):
        top.children(given.pop("name"), given.pop("count"), given.pop("states"), **given)


def test_a_class_below_a_chain_has_no_table_per_edge():
    hidden = Model().chain("z", 3, 2, potential=ONES)

    with pytest.raises(ModelError, match=r"\(2, 2\) or \(2, 2, 2\), last axes .* got \(6, 2, 2\)"):
        hidden.children("x", 2, 2, potential=np.ones((6, 2, 2)))


def test_a_second_parent_is_refused(top):
    first = top.children("a", 2, 2)
    first.children("b", 2, 2)

    with pytest.raises(ModelError, match="'b' already has the parent 'a'"):
        top.children("b", 2, 2)


def test_the_repr_names_class_and_model(top):
    assert repr(top) == "Variable 'top' of model 'm': 1 node, 2 states, root"
    assert "<td>top</td>" in top._repr_html_()
