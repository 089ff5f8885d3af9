"""Graphs that are no models, or say it in words that are not known, are refused by name."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from ghmpp.errors import ConversionError, ModelError
from ghmpp.models.convert import from_networkx
from ghmpp.models.model import Model
from tests.models.laws import AB, path


def test_directed_cycle_is_named():
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "a")])
    nx.set_node_attributes(graph, 2, "states")

    with pytest.raises(ConversionError, match=r"cycle a -> b -> c -> a.*remove an edge"):
        from_networkx(graph)


def test_loop_without_potential_is_refused():
    graph = nx.cycle_graph(["x", "y", "z"])
    nx.set_node_attributes(graph, 2, "states")

    with pytest.raises(ConversionError, match=r"factor over \(x, y\): has no table; outside"):
        from_networkx(graph)


def test_states_are_needed():
    graph = nx.DiGraph()
    graph.add_node("a", colour="red")

    with pytest.raises(ConversionError, match=r"'a': needs the attribute 'states'.*colour"):
        from_networkx(graph)


@pytest.mark.parametrize("name", ["state", "State", "Values", "value", "priors", "potential"])
def test_misspelt_attribute_of_a_node_is_refused(name):
    graph = nx.DiGraph()
    graph.add_node("a", states=2, **{name: [1, 2]})

    message = f"node 'a': the attribute '{name}' means nothing here; .* states, cardinality, values"
    with pytest.raises(ConversionError, match=message):
        from_networkx(graph)


@pytest.mark.parametrize("name", ["potentials", "Potential", "axis", "states"])
def test_misspelt_attribute_of_an_edge_is_refused(name):
    graph = nx.Graph()
    graph.add_nodes_from("ab", states=2)
    graph.add_edge("a", "b", **{name: np.eye(2)})

    with pytest.raises(ConversionError, match=f"edge 'a' - 'b': .* '{name}' .* potential, axes;"):
        from_networkx(graph)


def test_misspelt_attribute_of_a_factor_is_refused():
    model = Model("pair")
    model.root("a", 2).children("b", 1, 2, potential=np.eye(2))
    graph = model.factor_graph()
    graph.nodes["a->b"]["variable"] = ("a", "b")

    with pytest.raises(ConversionError, match="factor 'a->b': the attribute 'variable' means"):
        from_networkx(graph)


def test_other_attributes_are_free():
    graph = nx.DiGraph()
    graph.add_node("a", states=2, label="A", pos=(0, 1), status="new", color="red", size=3)
    graph.add_node("b", states=2, **{"1": 1})
    graph.add_edge("a", "b", potential=np.eye(2), weight=2.0, label="copy", length=1)

    assert list(from_networkx(graph).variables) == ["a", "b"]


def test_other_graphs_are_refused():
    with pytest.raises(ConversionError, match="multigraph"):
        from_networkx(nx.MultiDiGraph([("a", "b")]))
    with pytest.raises(ConversionError, match="no nodes"):
        from_networkx(nx.Graph())
    with pytest.raises(ConversionError, match="root: the edges of a DiGraph say already"):
        from_networkx(path(directed=True), root="b")
    with pytest.raises(ConversionError, match="root: no node 'z'; the nodes are: a, b, c"):
        from_networkx(path(directed=False), root="z")


def test_names_must_differ_as_strings():
    graph = nx.DiGraph()
    graph.add_nodes_from([1, "1"], states=2)

    with pytest.raises(ConversionError, match="1 and '1' would both be called '1'"):
        from_networkx(graph)


def test_axes_must_name_the_edge():
    graph = path(directed=False)
    graph.edges["a", "b"]["axes"] = ("a", "c")

    with pytest.raises(ConversionError, match="'b' - 'a': axes must name its two nodes"):
        from_networkx(graph)


def test_wrong_shape_names_the_edge():
    graph = path(directed=True)
    graph.edges["a", "b"]["potential"] = AB.T

    with pytest.raises(ModelError, match=r"'a' -> 'b'.*\(2, 3\).*got \(3, 2\)"):
        from_networkx(graph)


@pytest.mark.parametrize(
    ("scope", "table", "message"),
    [
        ("ab", None, "factors over a, b: a table to be learned must be the only one"),
        ("ab", np.ones((3, 2)), r"factors over a, b have the shapes \(2, 3\) and \(3, 2\)"),
    ],
)
def test_factors_that_do_not_fit_are_refused(scope, table, message):
    graph = from_networkx(path(directed=True)).factor_graph()
    graph.add_node("new", bipartite=1, variables=tuple(scope), potential=table)
    graph.add_edges_from(("new", variable) for variable in scope)

    with pytest.raises(ConversionError, match=message):
        from_networkx(graph)


def test_factor_must_name_its_neighbours():
    graph = from_networkx(path(directed=True)).factor_graph()
    graph.nodes["a->b"]["variables"] = ("a", "c")

    with pytest.raises(ConversionError, match=r"factor 'a->b': its attribute variables"):
        from_networkx(graph)
