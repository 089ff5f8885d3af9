"""The forest of a declared model: blocks, edges, keys, exact and float entries."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError, ResourceError
from ghmpp.models.forest import Block, Edge
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf

BETA = sp.Symbol("beta", positive=True)
ONES = np.ones((2, 2))


def test_a_class_is_one_block_and_one_edge_class():
    model = Model("m")
    top = model.root("a", 2, prior=[1, 2])
    top.children("b", 3, 4, prior=np.ones((3, 4)), potential=np.ones((3, 2, 4)))

    forest = model.forest()

    assert dict(forest.blocks) == {
        "a": Block("a", "a", 0, 1, 2, "a", 1),
        "b": Block("b", "b", 0, 3, 4, "b", 3),
    }
    assert dict(forest.edges) == {"b": Edge("a", "b", 3, "a->b", "table", 3)}
    assert forest.roots == ("a",)


def test_a_chain_is_one_block_per_step():
    model = Model()
    hidden = model.chain("z", 3, 2, potential=ONES, prior=[1, 2])
    middle = hidden.children("y", 2, 2, potential=2 * ONES)
    middle.children("x", 2, 2)

    forest = model.forest()

    assert [b.name for b in forest.class_blocks("z")] == ["z[0]", "z[1]", "z[2]"]
    assert [forest.blocks[f"z[{k}]"].unary for k in range(3)] == ["z", None, None]
    assert forest.edges["z[2]"] == Edge("z[1]", "z[2]", 1, "z->z", "table", 1)
    assert forest.edges["y[1]"] == Edge("z[1]", "y[1]", 2, "z->y", "table", 1)
    assert forest.blocks["x[2]"] == Block("x[2]", "x", 8, 4, 2)
    assert forest.edges["x[2]"] == Edge("y[2]", "x[2]", 2, "y->x", "table", 2)


def test_a_chain_of_one_step_has_no_edges():
    model = Model()
    model.chain("z", 1, 2, potential=ONES)

    forest = model.forest()

    assert forest.edges == {}
    assert forest.roots == ("z[0]",)
    assert dict(forest.data) == {}


def test_a_chain_of_one_step_has_no_free_table():
    model = Model()
    model.chain("z", 1, 2)

    assert model.free == ()


def test_equal_tables_of_different_edges_share_a_key():
    model = Model()
    top = model.root("a", 2)
    top.children("b", 2, 2, potential=[[1, 0.0], [2, 3]])
    top.children("c", 3, 2, potential=[[1, -0.0], [2, 3]])
    top.children("d", 2, 2, potential=[[1, 1e-300], [2, 3]])

    forest = model.forest()

    assert [forest.edges[name].key for name in "bcd"] == ["a->b", "a->b", "a->d"]
    assert set(forest.data) == {"a->b", "a->d"}


def test_equal_formulas_and_index_maps_share_a_key_and_free_tables_do_not():
    model = Model()
    top = model.root("a", 2)
    for name in "bc":
        top.children(name, 1, 2, potential=lambda s, a: sp.exp(BETA * int(s == a)))
    for name in "de":
        top.children(name, 1, 2, potential=ChildOf([1, 0]))
    for name in "fg":
        top.children(name, 1, 2)

    keys = [model.forest().edges[name].key for name in "bcdefg"]

    assert keys == ["a->b", "a->b", "a->d", "a->d", "a->f", "a->g"]


def test_priors_are_never_shared():
    model = Model()
    model.root("a", 2, prior=[1, 2])
    model.root("b", 2, prior=[1, 2])

    assert set(model.forest().data) == {"a", "b"}


def test_table_stacks_have_three_axes_and_index_maps_and_unaries_two():
    model = Model()
    top = model.root("a", 2, prior=[1, 2])
    top.children("b", 3, 2, potential=ONES)
    top.children("c", 1, 3, potential=ParentOf([0, 1, 1]))

    shapes = {key: entries.shape for key, entries in model.forest().data.items()}

    assert shapes == {"a": (1, 2), "a->b": (1, 2, 2), "a->c": (1, 3)}
    assert model.forest().data["a->c"].dtype == np.int64


def test_free_and_unbound_potentials_have_no_values():
    model = Model()
    top = model.root("a", 2)
    top.children("b", 2, 2)
    top.children("c", 2, 2, potential=lambda s, a: BETA**a)

    forest = model.forest()

    assert forest.keys() == ("a->b", "a->c")
    assert dict(forest.data) == {}
    assert forest.formulas["a->c"].tolist() == [[[1, BETA], [1, BETA]]]
    assert forest.parameters == {}


def test_bound_formulas_have_values_and_stay_formulas():
    model = Model()
    model.root("a", 2).children("b", 2, 2, potential=lambda s, a: BETA**a)

    forest = model.bind(beta=0.5).forest()

    np.testing.assert_array_equal(forest.data["a->b"], [[[1, 0.5], [1, 0.5]]])
    assert forest.formulas["a->b"][0, 0, 1] == BETA
    assert forest.parameters == {"beta": 0.5}


def test_exact_forests_hold_fractions_and_expressions():
    model = Model()
    top = model.root("a", 2, prior=[Fraction(1, 3), 0.1])
    top.children("b", 1, 2, potential=[[0.5, 1], [2, 3]])
    top.children("c", 1, 2, potential=lambda s, a: BETA**a)
    top.children("d", 1, 2, potential=ChildOf([1, 0]))

    data = model.forest(exact=True).data

    assert data["a"].tolist() == [[Fraction(1, 3), Fraction(0.1)]]
    assert {type(entry) for entry in data["a->b"].flat} == {Fraction}
    assert data["a->c"][0, 0, 1] == BETA
    assert data["a->d"].dtype == np.int64


def test_exact_forests_take_bound_values_exactly():
    model = Model()
    model.root("a", 2).children("b", 1, 2, potential=lambda s, a: BETA**a + sp.sqrt(2) * s)

    data = model.bind(beta=Fraction(1, 3)).forest(exact=True).data["a->b"]

    third = sp.Rational(1, 3)
    assert data[0, 0].tolist() == [1, Fraction(1, 3)]
    assert data[0, 1].tolist() == [1 + sp.sqrt(2), third + sp.sqrt(2)]


def test_entries_cannot_be_changed():
    model = Model()
    model.root("a", 2, prior=[1, 2])

    with pytest.raises(ValueError, match="read-only"):
        model.forest().data["a"][0, 0] = 7


def test_a_model_of_65536_leaves_expands_in_no_time():
    model = GHM(states=(4,) * 9, branching=(4,) * 8, tables=[np.ones((4, 4))] * 8)

    start = time.perf_counter()
    forest = model.forest()

    assert time.perf_counter() - start < 0.5
    assert forest.variables["x8"].nodes == 65_536
    assert len(forest.blocks) == 9


def test_a_deep_tree_of_single_children_needs_no_recursion():
    model = Model()
    node = model.root("v0", 2)
    for depth in range(1, 2000):
        node = node.children(f"v{depth}", 1, 2, potential=ONES)

    assert model.log_partition() == pytest.approx(2000 * np.log(2))


def test_a_class_called_like_a_node_is_refused():
    model = Model()
    model.root("a", 2).children("b", 3, 2, potential=ONES)
    model.root("b[1]", 2)

    with pytest.raises(ModelError, match="called like a node"):
        model.forest()


def test_leaves_have_no_other_class_below_and_a_chain_is_not_below_itself():
    model = Model("two")
    root = model.root("root", 2)
    root.children("a", 1, 2)
    root.children("b", 1, 2).children("c", 2, 2)
    model.chain("walk", 4, 2)
    model.chain("hidden", 4, 2).children("seen", 1, 2)

    assert model.forest().leaves == ("a", "c", "walk", "seen")


def test_chain_of_too_many_levels_is_refused_at_once():
    model = Model("long")
    model.chain("z", 10**12, 2, potential=[[1, 2], [3, 4]])

    with pytest.raises(ResourceError, match=r"1,000,000,000,000 levels of model 'long' need .*'z'"):
        model.forest()
