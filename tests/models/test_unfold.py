"""Any model back to variables and factors: the product of the factors is the model's mass."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given

from ghmpp.errors import ConversionError, ResourceError
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.ghm import GHM
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf
from ghmpp.models.unfold import factors_of, variable_names
from ghmpp.verification.enumeration import enumeration
from tests.strategies import factor_graphs, joint_weights, models
from tests.tolerances import ENUMERATION, EXACT


def with_counts(graph):
    """The same with numbers of states instead of names."""
    nodes = {
        name: Node(n.states if isinstance(n.states, int) else len(n.states), prior=n.prior)
        for name, n in graph.nodes.items()
    }
    return Factors(graph.name, nodes, graph.factors)


@given(factor_graphs())
def test_a_junction_tree_gives_its_factors_back(graph):
    again = factors_of(junction_model(graph, together=[tuple(graph.nodes)[:2]]))

    assert list(again.nodes) == list(graph.nodes)
    np.testing.assert_allclose(joint_weights(again), joint_weights(graph), rtol=EXACT)


@given(models(limit=500))
def test_trees_and_tied_classes_unroll_to_their_law(model):
    graph = with_counts(factors_of(model))
    weights = joint_weights(graph)
    truth = enumeration(model.forest())

    assert list(graph.nodes) == variable_names(model)
    np.testing.assert_allclose(np.log(weights.sum()), truth.log_partition, rtol=ENUMERATION)
    for axis, name in enumerate(graph.nodes):
        variable, _, node = name.partition("[")
        found = weights.sum(tuple(k for k in range(weights.ndim) if k != axis)) / weights.sum()
        position = int(node.rstrip("]")) if node else 0
        expected = truth.posteriors[variable][0, position]
        np.testing.assert_allclose(found, expected, atol=ENUMERATION)


def test_joint_rules_become_a_table_over_parent_and_children():
    psi = np.arange(2 * 3 * 3, dtype=float).reshape(2, 3, 3)
    model = GHM(states=(2, 3), branching=(2,), tables=[psi])
    graph = factors_of(model)

    assert list(graph.nodes) == ["x0", "x1[0]", "x1[1]"]
    assert [factor.variables for factor in graph.factors] == [("x0", "x1[0]", "x1[1]")]
    np.testing.assert_array_equal(graph.factors[0].table, psi)


def test_rules_of_two_levels_have_a_table_per_parent_node():
    model = Model("grammar")
    top = model.root("s", 2, prior=[1, 2])
    top.children("t", 2, 2, rules=np.ones((2, 2, 2))).children("u", 1, 2, potential=np.eye(2))
    graph = factors_of(model)

    scopes = [("s", "t[0]", "t[1]"), ("t[0]", "u[0]"), ("t[1]", "u[1]")]
    assert [factor.variables for factor in graph.factors] == scopes
    np.testing.assert_allclose(joint_weights(graph).sum(), 3 * 4)


def test_a_hidden_class_with_tables_is_summed_over():
    rng = np.random.default_rng(0)
    prior, one, other = rng.random(3), rng.random((3, 2)), rng.random((3, 4))
    model = Model("mixture")
    kind = model.root("kind", 3, prior=prior)
    kind.children("x", 1, 2, potential=one)
    kind.children("y", 1, 4, potential=other)
    kind.children("z", 1, 2, potential=ChildOf([0, 0, 1]))
    hidden = Model.from_declarations("mixture", _hide(model, "kind"))

    (factor,) = factors_of(hidden).factors
    assert factor.variables == ("x", "y", "z")
    expected = np.einsum("k,kx,ky,kz->xyz", prior, one, other, np.eye(2)[[0, 0, 1]])
    np.testing.assert_allclose(factor.table, expected, rtol=EXACT)


def test_neighbouring_hidden_classes_cannot_be_summed_over():
    model = Model()
    model.root("a", 2).children("b", 1, 2, potential=ParentOf([0, 1])).children(
        "c", 1, 2, potential=np.eye(2)
    )

    with pytest.raises(ConversionError, match="hidden classes 'a' and 'b' are neighbours"):
        factors_of(Model.from_declarations("x", _hide(model, "a", "b")))


def _hide(model, *names):
    from dataclasses import replace

    return [replace(d, hidden=d.name in names) for d in model.declarations.values()]


def test_conditional_tables_have_a_child_and_others_none():
    model = Model()
    root = model.root("a", 2)
    root.children("b", 1, 2, potential=[[0.2, 0.8], [1, 0]])
    root.children("c", 1, 2, potential=[[1, 2], [3, 4]])

    assert [factor.child for factor in factors_of(model).factors] == ["b", None]


def test_symbols_and_free_tables_are_kept():
    beta = sympy.Symbol("beta")
    model = Model()
    root = model.root("a", 2)
    root.children("b", 1, 2, potential=lambda s, t: sympy.exp(beta * s * t))
    root.children("c", 1, 2)
    tables = {factor.variables[1]: factor.table for factor in factors_of(model).factors}

    assert tables["b"][1, 1] == sympy.exp(beta)
    assert tables["c"] is None


def test_numbers_that_name_states_get_no_values():
    graph = Factors("g", {"a": Node(3), "b": Node([0, 1]), "c": Node(["x", "y"], [1.5, 2])}, ())
    again = factors_of(model_of(graph)).nodes

    assert again["a"].states == 3
    assert again["a"].values is None
    assert again["b"].values.tolist() == [0, 1]
    assert again["c"].values.tolist() == [1.5, 2]


def test_what_is_too_big_is_refused():
    deep = GHM(states=(2, 2), branching=(10**12,), tables=[np.eye(2)])
    with pytest.raises(ResourceError, match=r"factors of model 'ghm': 1,000,000,000,001 variables"):
        factors_of(deep)
    rules = Model()
    rules.root("a", 32).children("b", 16, 32, rules=[(0, tuple(range(16)))])
    with pytest.raises(ResourceError, match=r"table over a, b\[0\], .* needs"):
        factors_of(rules)


def test_graph_of_a_loop_has_an_edge_per_pair_and_of_triples_is_refused():
    near = np.array([[2.0, 1], [1, 2]])
    pairs = [("c", "a"), ("a", "b"), ("b", "c"), ("a", "b")]
    ring = Factors("ring", {n: Node(2) for n in "abc"}, tuple(Factor(p, near) for p in pairs))
    graph = model_of(ring).graph()

    assert sorted(graph.edges) == [("a", "b"), ("a", "c"), ("b", "c")]
    np.testing.assert_allclose(graph.edges["a", "b"]["potential"], near**2)
    triple = Factors("t", ring.nodes, (Factor(tuple("abc"), np.ones((2, 2, 2))),))
    with pytest.raises(ConversionError, match=r"over a, b, c has no place .* use factor_graph\(\)"):
        model_of(triple).graph()
    assert "a, b, c" in model_of(triple).factor_graph()
