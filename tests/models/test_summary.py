"""A model as text, HTML and graphs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ResourceError
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf
from ghmpp.models.summary import node_name

ONES = np.ones((2, 2))
BETA = sp.Symbol("beta")


@pytest.fixture
def model():
    model = Model("<m>")
    top = model.root("a", ["x", "y"], prior=[1, 2], values=[0, 1])
    top.children("b", 2, 2, potential=[[1, 2], [3, 4]], order=[1, 0])
    top.children("c", 1, 2, potential=[[1, 2], [3, 4]])
    top.children("d", 1, 3, potential=ParentOf([0, 1, 1]))
    top.children("e", 3, 2)
    model.chain("z", 4, 2, potential=lambda s, a: BETA**s)
    return model


def test_text_shows_ties_kinds_and_symbols(model):
    lines = str(model).splitlines()

    assert lines[0] == "Model '<m>': 6 classes, 12 variables, beta=?"
    assert [line.split("states  ")[1] for line in lines[1:]] == [
        "root, prior",
        "2 per a, 1 table",
        "1 per a, 1 table, tied to a->b",
        "1 per a, parent_of",
        "3 per a, free",
        "chain, 1 table, in beta",
    ]


def test_html_is_a_table_with_escaped_names(model):
    found = model._repr_html_()

    assert "Model &#x27;&lt;m&gt;&#x27;" in found
    assert found.count("<tr>") == 7


def test_the_template_has_one_node_per_class(model):
    template = model.template

    assert dict(template.nodes["a"])["states"] == ("x", "y")
    assert template.nodes["b"]["nodes"] == 2
    np.testing.assert_array_equal(template.nodes["a"]["prior"], [[1, 2]])
    assert template.nodes["b"]["prior"] is None


def test_the_template_has_one_edge_per_class_of_edges(model):
    edges = model.template.edges

    assert (edges["a", "b"]["count"], edges["a", "b"]["free"]) == (2, False)
    assert edges["a", "c"]["key"] == "a->b"
    assert (edges["a", "e"]["potential"], edges["a", "e"]["free"]) == (None, True)
    assert edges["a", "d"]["kind"] == "parent_of"
    assert edges["z", "z"]["length"] == 4
    assert edges["z", "z"]["potential"][0, 1, 0] == BETA


def test_the_graph_has_one_node_per_variable(model):
    graph = model.graph()

    assert nx.is_forest(graph.to_undirected())
    assert list(graph.successors("a")) == ["b[1]", "b[0]", "c", "d", "e[0]", "e[1]", "e[2]"]
    assert list(graph.successors("z[1]")) == ["z[2]"]
    assert graph.nodes["a"]["states"] == ("x", "y")
    np.testing.assert_array_equal(graph.nodes["a"]["prior"], [1, 2])
    assert graph.nodes["z[0]"]["prior"] is None


def test_nodes_are_named_by_class_and_the_users_position(model):
    forest = model.forest()

    assert [node_name(forest, forest.blocks["b"], k) for k in range(2)] == ["b[1]", "b[0]"]
    assert node_name(forest, forest.blocks["z[3]"], 0) == "z[3]"
    assert node_name(forest, forest.blocks["c"], 0) == "c"


def test_edges_of_the_graph_have_their_own_table(model):
    tables = np.arange(8.0).reshape(2, 2, 2) + 1
    model.root("r", 2).children("s", 2, 2, potential=tables, order=[1, 0])

    graph = model.graph()

    np.testing.assert_array_equal(graph.edges["r", "s[1]"]["potential"], tables[0])
    np.testing.assert_array_equal(graph.edges["r", "s[0]"]["potential"], tables[1])
    assert graph.edges["a", "e[0]"]["potential"] is None


def test_index_maps_are_tables_of_zeros_and_ones_in_the_graph(model):
    model.root("r", 2).children("s", 1, 3, potential=ChildOf([2, 0]))

    graph = model.graph()

    np.testing.assert_array_equal(graph.edges["a", "d"]["potential"], [[1, 0, 0], [0, 1, 1]])
    np.testing.assert_array_equal(graph.edges["r", "s"]["potential"], [[0, 0, 1], [1, 0, 0]])


def test_formulas_without_values_are_expressions_in_the_graph(model):
    table = model.graph().edges["z[0]", "z[1]"]["potential"]

    assert table.tolist() == [[1, 1], [BETA, BETA]]
    bound = model.bind(beta=2).graph().edges["z[0]", "z[1]"]["potential"]
    np.testing.assert_array_equal(bound, [[1, 1], [2, 2]])


def test_shared_tables_are_one_array_in_the_graph():
    graph = GHM(states=2, branching=(2, 2), tables=[ONES, 2 * ONES]).graph()

    first, second = graph.edges["x1[0]", "x2[0]"], graph.edges["x1[1]", "x2[3]"]
    assert first["potential"] is second["potential"]


def test_graph_too_big_for_memory_is_refused_before_anything_is_made():
    model = GHM(states=(4,) * 30, branching=(2,) * 29)

    for graph in (model.graph, model.factor_graph):
        with pytest.raises(ResourceError, match=r"1,073,741,823 variables need .*model\.template"):
            graph()
