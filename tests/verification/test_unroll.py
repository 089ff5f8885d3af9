"""Forests read node by node."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf
from ghmpp.verification.unroll import by_class, fractions, unroll
from tests.verification.forests import chain, two_trees


def test_parents_come_before_their_children() -> None:
    nodes = unroll(two_trees((2, 0, 3, 1)))

    assert len(nodes) == 1 + 2 + 1 + 4 + 2
    assert all(node.parent is None or node.parent < k for k, node in enumerate(nodes))
    assert [node.parent for node in nodes] == [None, 0, 0, 0, 1, 1, 2, 2, None, None]


def test_positions_are_those_of_the_user() -> None:
    nodes = unroll(two_trees((2, 0, 3, 1)))

    assert [node.position for node in nodes if node.variable == "day"] == [2, 0, 3, 1]


def test_every_edge_has_its_own_row_of_the_stack() -> None:
    forest = two_trees()
    days = [node for node in unroll(forest) if node.variable == "day"]

    for k, node in enumerate(days):
        assert node.table is not None
        assert (node.key, node.row) == ("day", k)
        assert np.array_equal(node.table, forest.data["day"][k])


def test_rows_of_unaries_belong_to_nodes() -> None:
    lone = [node for node in unroll(two_trees()) if node.variable == "lone"]

    assert [node.unary.tolist() for node in lone if node.unary is not None] == [[2, 1], [1, 4]]


def test_index_maps_are_tables_of_zero_and_one() -> None:
    model = Model("maps")
    root = model.root("root", 3)
    root.children("down", 1, 2, potential=ChildOf([1, 0, 1]))
    root.children("up", 1, 4, potential=ParentOf([0, 2, 2, 1]))
    _, down, up = unroll(model.forest())

    assert down.table is not None
    assert up.table is not None
    assert down.table.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert up.table.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 0]]
    assert down.key == up.key == ""


def test_a_chain_descends_from_itself() -> None:
    assert [node.parent for node in unroll(chain(4))] == [None, 0, 1, 2]


def test_results_are_gathered_in_the_order_of_the_user() -> None:
    nodes = unroll(two_trees((2, 0, 3, 1)))
    found = by_class(nodes, {k: np.array([10 * k]) for k in range(4, 8)})

    assert {name: array.tolist() for name, array in found.items()} == {"day": [[50, 70, 40, 60]]}


def test_entries_that_are_not_rational_are_refused() -> None:
    import sympy

    with pytest.raises(ModelError, match=r"exact arithmetic needs rational entries.*float64"):
        fractions(np.array([sympy.exp(2)], dtype=object))


def test_a_potential_without_values_is_refused() -> None:
    model = Model("free")
    model.root("root", 2).children("leaf", 2, 2)
    with pytest.raises(ModelError, match=r"not complete: free tables root->leaf"):
        unroll(model.forest())
