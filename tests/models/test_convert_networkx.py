"""Graphs keep their law: compared with plain products of the given tables."""

from __future__ import annotations

from time import perf_counter

import networkx as nx
import numpy as np
import pytest
import sympy
from hypothesis import given

from ghmpp.models.convert import as_model, factor_graph, from_networkx, to_networkx
from ghmpp.models.model import Model
from ghmpp.models.potentials import ParentOf
from tests.models.laws import AB, BC, CA, SIZES, assert_same_law, law, law_of, parents, path
from tests.strategies import models
from tests.tolerances import EXACT

# --- networkx, directed -------------------------------------------------------------------------


def test_directed_edges_go_from_parent_to_child():
    model = from_networkx(path(directed=True))

    assert parents(model) == {"a": None, "b": "a", "c": "b"}
    assert_same_law(model)


def test_states_come_in_three_forms():
    graph = nx.DiGraph()
    graph.add_node("named", states=["x", "y"])
    graph.add_node("counted", states=2)
    graph.add_node("sized", cardinality=2)
    graph.add_node("valued", states=[2, 5])
    graph.add_node("both", states=["x", "y"], values=[0.5, 1.5])
    variables = from_networkx(graph).variables

    assert [tuple(v.states) for v in variables.values()] == [
        ("x", "y"),
        (0, 1),
        (0, 1),
        (2, 5),
        ("x", "y"),
    ]
    assert [None if v.values is None else v.values.tolist() for v in variables.values()] == [
        None,
        None,
        None,
        [2.0, 5.0],
        [0.5, 1.5],
    ]


def test_missing_potential_is_free():
    graph = nx.DiGraph([("a", "b")])
    nx.set_node_attributes(graph, 2, "states")

    assert from_networkx(graph).free == ("a->b",)


def test_functions_and_formulas_are_kept():
    beta = sympy.Symbol("beta")
    graph = nx.DiGraph([("a", "b")])
    nx.set_node_attributes(graph, 2, "states")
    graph.edges["a", "b"]["potential"] = lambda s, t: sympy.exp(beta * s * t)
    model = from_networkx(graph)

    assert model.parameters == {"beta": None}
    assert from_networkx(model.graph()).parameters == {"beta": None}


def test_equal_tables_are_tied():
    graph = nx.DiGraph()
    graph.add_nodes_from("abc", states=2)
    graph.add_edge("a", "b", potential=np.eye(2))
    graph.add_edge("a", "c", potential=np.eye(2))

    assert from_networkx(graph).forest().keys() == ("a->b",)


def test_nodes_may_be_of_any_kind():
    graph = nx.DiGraph(name="grid")
    graph.add_nodes_from([(0, 0), (0, 1)], states=2)
    graph.add_edge((0, 0), (0, 1), potential=np.ones((2, 2)))
    model = from_networkx(graph)

    assert model.name == "grid"
    assert parents(model) == {"(0, 0)": None, "(0, 1)": "(0, 0)"}


# --- networkx, undirected -----------------------------------------------------------------------


def test_undirected_tree_is_rooted_at_its_centre():
    model = from_networkx(path(directed=False))

    assert parents(model) == {"b": None, "a": "b", "c": "b"}
    assert_same_law(model)


@pytest.mark.parametrize("root", ["a", "b", "c"])
def test_any_root_gives_the_same_law(root):
    model = from_networkx(path(directed=False), root=root)

    assert parents(model)[root] is None
    assert_same_law(model)


def test_first_axis_belongs_to_the_node_added_first():
    graph = nx.Graph()
    graph.add_node("b", states=3)
    graph.add_node("a", states=2)
    graph.add_edge("a", "b", potential=AB.T)

    assert_same_law(from_networkx(graph), AB)
    assert_same_law(from_networkx(graph, root="a"), AB)


def test_axes_say_otherwise():
    graph = path(directed=False)
    graph.add_edge("a", "b", potential=AB.T, axes=("b", "a"))

    assert_same_law(from_networkx(graph))
    assert_same_law(from_networkx(graph, root="a"))


def test_undirected_edges_may_have_functions():
    graph = nx.Graph()
    graph.add_nodes_from("ab", states=range(3))
    graph.add_edge("a", "b", potential=lambda s, t: 1 + s + 5 * t)

    assert_same_law(from_networkx(graph, root="b"), 1 + np.arange(3)[:, None] + 5 * np.arange(3))


def test_every_tree_of_a_forest_has_its_root():
    graph = nx.disjoint_union(nx.path_graph(3), nx.path_graph(5))
    nx.set_node_attributes(graph, 2, "states")
    model = from_networkx(graph, root=0)

    assert [name for name, parent in parents(model).items() if parent is None] == ["0", "5"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [nx.DiGraph, nx.Graph])
def test_long_chains_convert_in_seconds(kind):
    graph = nx.path_graph(5000, create_using=kind)
    nx.set_node_attributes(graph, 2, "states")
    nx.set_edge_attributes(graph, np.ones((2, 2)), "potential")
    start = perf_counter()
    model = from_networkx(graph)

    assert perf_counter() - start < 10
    assert len(model.variables) == 5000
    assert model.log_partition() == pytest.approx(5000 * np.log(2), rel=EXACT)


# --- networkx and back --------------------------------------------------------------------------


@given(model=models(limit=2000))
def test_graph_comes_back_with_one_class_per_variable(model):
    graph = to_networkx(model)
    again = to_networkx(from_networkx(graph))

    assert set(again) == set(graph)
    assert set(again.edges) == set(graph.edges)
    for name, data in graph.nodes(data=True):
        found = again.nodes[name]
        assert found["variable"] == name
        assert found["states"] == data["states"]
        np.testing.assert_equal(found["values"], data["values"])
        np.testing.assert_equal(found["prior"], data["prior"])
    for edge, data in graph.edges.items():
        np.testing.assert_equal(again.edges[edge]["potential"], data["potential"])


@given(model=models(limit=2000))
def test_factor_graph_comes_back_with_the_same_law(model):
    bipartite = model.factor_graph()
    again = as_model(bipartite)

    assert nx.is_bipartite(bipartite)
    for name, data in bipartite.nodes(data=True):
        if data["bipartite"] == 1:
            assert set(bipartite[name]) == set(data["variables"])
    np.testing.assert_allclose(law_of(again), law_of(model), rtol=EXACT)


def test_factors_on_the_same_variables_multiply():
    graph = nx.Graph()
    graph.add_nodes_from("ab", bipartite=0)
    graph.nodes["a"]["states"], graph.nodes["b"]["states"] = 2, 3
    for name, scope, table in [("f", "ab", AB), ("g", "ba", 1 + AB.T), ("h", "a", [1.0, 3.0])]:
        graph.add_node(name, bipartite=1, variables=tuple(scope), potential=table)
        graph.add_edges_from((name, variable) for variable in scope)

    expected = law({"a": 2, "b": 3}, [("ab", AB), ("ab", 1 + AB), ("a", [1.0, 3.0])])
    assert_same_law(from_networkx(graph), expected)


def test_free_tables_stay_free_in_a_factor_graph():
    model = Model()
    model.root("a", 2).children("b", 1, 3)

    assert len(as_model(factor_graph(model)).free) == 1


# --- networkx, loops ----------------------------------------------------------------------------


def test_loops_of_edges_keep_their_law():
    ends = {"a": ("b", AB), "b": ("c", BC), "c": ("a", CA)}
    for graph in (nx.Graph(), nx.DiGraph()):
        graph.add_nodes_from((name, {"states": size}) for name, size in SIZES.items())
        for one, (other, table) in ends.items():
            graph.add_edge(*sorted((one, other)), potential=table if one < other else table.T)
        model = from_networkx(graph, root=None if graph.is_directed() else "b")

        assert model.treewidth == 2
        assert_same_law(model, law(SIZES, [("ab", AB), ("bc", BC), ("ca", CA)]))
        assert_same_law(from_networkx(model.graph()), law_of(model))


def test_loops_of_functions_and_index_maps_keep_their_law():
    graph = nx.cycle_graph(["a", "b", "c"])
    nx.set_node_attributes(graph, SIZES, "states")
    graph.edges["a", "b"]["potential"] = lambda s, t: 1 + s * t
    graph.edges["b", "c"]["potential"] = ParentOf([0, 1, 2, 2])
    graph.edges["c", "a"].update(potential=lambda s, t: 2 + s - t, axes=("c", "a"))

    one = [[1 + s * t for t in range(3)] for s in range(2)]
    two = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]
    three = [[2 + s - t for t in range(2)] for s in range(4)]
    assert_same_law(from_networkx(graph), law(SIZES, [("ab", one), ("bc", two), ("ca", three)]))


def test_two_parents_multiply():
    graph = nx.DiGraph()
    graph.add_nodes_from((name, {"states": size}) for name, size in SIZES.items())
    graph.add_edge("a", "b", potential=AB)
    graph.add_edge("c", "b", potential=BC.T)

    assert_same_law(from_networkx(graph), law(SIZES, [("ab", AB), ("bc", BC)]))
