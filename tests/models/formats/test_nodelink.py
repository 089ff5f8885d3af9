"""Node-link JSON: exact both ways, readable without us, and refused by node."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from ghmpp.errors import FormatError
from ghmpp.models.convert_networkx import bipartite
from ghmpp.models.factors import Factors, Node
from ghmpp.models.formats.nodelink import format_nodelink, parse_json, parse_nodelink
from ghmpp.models.formats.text import Text
from tests.models.formats.drawn import markov_graphs, networks
from tests.strategies import models


def parse(content):
    return parse_nodelink(parse_json(Text(content, "f.json")), "f.json")


def assert_same_graph(found, expected):
    """Equal nodes, edges and attributes: arrays bit for bit, names with their types."""
    assert found.is_directed() == expected.is_directed()
    assert found.graph == expected.graph
    assert list(found.nodes) == list(expected.nodes)
    for node, data in expected.nodes(data=True):
        assert_same_attributes(found.nodes[node], data)
    assert list(found.edges) == list(expected.edges)
    for u, v, data in expected.edges(data=True):
        assert_same_attributes(found.edges[u, v], data)


def assert_same_attributes(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, np.ndarray) or key == "values":
            np.testing.assert_equal(found[key], None if value is None else np.asarray(value))
        else:
            assert found[key] == value
            assert repr(found[key]) == repr(value)


@given(model=models())
def test_graphs_of_models_come_back(model):
    graph = model.graph()

    assert_same_graph(parse(format_nodelink(graph)), graph)


@given(graph=markov_graphs())
def test_factor_graphs_come_back(graph):
    expected = bipartite(graph)

    assert_same_graph(parse(format_nodelink(expected)), expected)


@given(graph=networks())
def test_factors_know_their_children(graph):
    found = parse(format_nodelink(bipartite(graph)))

    children = [data.get("child") for _, data in found.nodes(data=True) if data["bipartite"] == 1]
    assert children == [factor.child for factor in graph.factors]


def test_names_of_all_kinds_come_back():
    graph = nx.Graph(name="mixed")
    graph.add_node((0, "a"), states=[(1, 2), None, True, 0.5], prior=np.ones(4))
    graph.add_node(7, cardinality=2)
    graph.add_edge((0, "a"), 7, potential=np.arange(8.0).reshape(4, 2), axes=((0, "a"), 7))

    found = parse(format_nodelink(graph))

    assert list(found.nodes) == [(0, "a"), 7]
    assert found.nodes[0, "a"]["states"] == ((1, 2), None, True, 0.5)
    assert found.edges[(0, "a"), 7]["axes"] == ((0, "a"), 7)
    np.testing.assert_array_equal(found.edges[(0, "a"), 7]["potential"], np.arange(8).reshape(4, 2))


def test_file_of_networkx_itself_is_read():
    graph = nx.DiGraph()
    graph.add_node("a", states=["y", "n"], prior=[1, 3])
    graph.add_node("b", states=3)
    graph.add_edge("a", "b", potential=[[1, 2, 3], [4, 5, 6]])

    for edges in ("edges", "links"):
        found = parse(json.dumps(nx.node_link_data(graph, edges=edges)))
        assert found.nodes["b"] == {"states": 3}
        assert found.nodes["a"]["prior"].dtype == np.float64
        assert found.edges["a", "b"]["potential"].shape == (2, 3)


def test_networkx_reads_our_file():
    content = json.loads(format_nodelink(bipartite(Factors("m", {"a": Node(2)}, ()))))

    found = nx.node_link_graph(content, edges="edges")

    assert found.nodes["a"]["cardinality"] == 2
    assert (content["format"], content["version"]) == ("ghmpp-graph", 1)


NODE = '{"id": "a", "states": ["y", "n"]}'


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        ("", 1, 1, "is not JSON"),
        ('{"nodes":\n [1,', 2, 5, "is not JSON"),
        ("[" * 100_000, None, None, "is not JSON"),
        ("1" * 5000, None, None, "is not JSON"),
        ("[1]", 1, 1, "expected a JSON record"),
        ("{}", None, None, "is no node-link record: expected 'nodes' with a list of records"),
        ('{"nodes": 3, "edges": []}', None, None, "expected 'nodes' with a list"),
        ('{"nodes": [3], "edges": []}', None, None, "expected 'nodes' with a list of records"),
        ('{"nodes": []}', None, None, "expected 'edges' with a list of records"),
        ('{"nodes": [{}], "edges": []}', None, None, "a node has no 'id'"),
        (f'{{"nodes": [{NODE}], "edges": [{{"source": "a"}}]}}', None, None, "an edge has no"),
        (f'{{"nodes": [{NODE}, {NODE}], "edges": []}}', None, None, "an 'id' stands twice"),
        (
            f'{{"nodes": [{NODE}], "edges": [{{"source": "a", "target": "b"}}]}}',
            None,
            None,
            "an edge has an unknown node",
        ),
        ('{"nodes": [{"id": {}}], "edges": []}', None, None, "is no node-link record"),
        ('{"nodes": [], "edges": [], "graph": 3}', None, None, "is no node-link record"),
        ('{"nodes": [{"id": "a", "states": "yn"}], "edges": []}', None, None, "expected a list"),
        ('{"nodes": [{"id": "a", "states": [{}]}], "edges": []}', None, None, "list of names"),
        ('{"nodes": [{"id": "f", "variables": 3}], "edges": []}', None, None, "expected a list"),
        ('{"format": "other", "nodes": []}', None, None, "has the format 'other'"),
        ('{"version": 99, "nodes": []}', None, None, "has version 99, but this ghmpp reads"),
        (
            '{"nodes": [{"id": "a", "states": 1000000000000}], "edges": []}',
            None,
            None,
            r"node 'a': expected a number of states in 1\.\.1000000, got 1000000000000",
        ),
        ('{"nodes": [{"id": "a", "cardinality": 2.5}], "edges": []}', None, None, "got 2.5"),
        ('{"nodes": [{"id": "a", "states": NaN}], "edges": []}', None, None, "got nan"),
        (
            '{"nodes": [{"id": "a", "states": 2, "prior": [[1, 2], [3]]}], "edges": []}',
            None,
            None,
            "node 'a': prior: expected nested lists of finite numbers, all rows of one length",
        ),
        (
            '{"nodes": [{"id": "a", "prior": ["1"]}], "edges": []}',
            None,
            None,
            "a': prior: expected",
        ),
        (
            '{"nodes": [{"id": "a", "prior": [NaN]}], "edges": []}',
            None,
            None,
            "a': prior: expected",
        ),
        ('{"nodes": [{"id": "a", "prior": [1e999]}], "edges": []}', None, None, "prior: expected"),
        (
            f'{{"nodes": [{NODE}, {NODE.replace("a", "b")}], '
            '"edges": [{"source": "a", "target": "b", "potential": [[1], [2, 3]]}]}',
            None,
            None,
            "edge 'a' - 'b': potential: expected nested lists",
        ),
    ],
)
def test_malformed_files_are_refused(content, line, column, words):
    with pytest.raises(FormatError, match=words) as caught:
        parse(content)

    assert (caught.value.path, caught.value.line, caught.value.column) == ("f.json", line, column)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"states": [frozenset()]}, "states: frozenset.* of type frozenset cannot be saved"),
        ({"states": 2, "prior": np.array([1, "a"], dtype=object)}, "prior: a table has symbols"),
    ],
)
def test_what_json_cannot_hold_is_refused(attributes, words):
    graph = nx.Graph()
    graph.add_node("a", **attributes)

    with pytest.raises(FormatError, match=words):
        format_nodelink(graph)
