"""Trees as lists of branches: names, roots, lengths."""

from __future__ import annotations

import networkx as nx
import pytest

from ghmpp.errors import FormatError, ModelError
from ghmpp.models.zoo.branches import Branch, read_branches


def undirected():
    tree = nx.Graph()
    tree.add_weighted_edges_from(
        [("a", "u", 1.0), ("u", "v", 0.5), ("v", "b", 2.0), ("v", "c", 3)], weight="length"
    )
    return tree


def test_text_gives_parents_before_children():
    assert read_branches("((A:1,B:2)ab:.5,C:3);") == [
        Branch("node0", None, None, tip=False),
        Branch("ab", "node0", 0.5, tip=False),
        Branch("A", "ab", 1.0, tip=True),
        Branch("B", "ab", 2.0, tip=True),
        Branch("C", "node0", 3.0, tip=True),
    ]


def test_supports_and_repeated_labels_of_inner_nodes_are_not_names():
    names = [branch.name for branch in read_branches("(((A,B)95,C)0.7,((D,E)x,F)x)top;")]

    assert names == ["top", "node1", "node2", "A", "B", "C", "node6", "node7", "D", "E", "F"]


def test_made_up_names_avoid_those_that_are_taken():
    names = [branch.name for branch in read_branches("((A,node1),B);")]

    assert names == ["node0", "node1'", "A", "node1", "B"]


def test_undirected_trees_start_at_an_inner_node_or_where_they_are_told():
    assert read_branches(undirected())[0].name == "u"
    found = {b.name: b for b in read_branches(undirected(), root="b")}

    assert found["b"].parent is None
    assert found["v"] == Branch("v", "b", 2.0, tip=False)
    assert found["a"] == Branch("a", "u", 1.0, tip=True)


def test_labels_of_a_graph_come_before_its_nodes():
    tree = nx.DiGraph()
    tree.add_node(0, label="ancestor")
    tree.add_edge(0, 1, length=1)

    assert [branch.name for branch in read_branches(tree)] == ["ancestor", "1"]


def test_a_single_node_is_a_tip():
    assert read_branches("A;") == [Branch("A", None, None, tip=True)]


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ("(A:1,A:2);", "2 nodes are called 'A'"),
        ("(A:1,:2);", "the tip that is node 2 of the text has no label"),
        ("(A:-1,B:2);", "the branch to 'A' must have a finite length >= 0, got -1.0"),
        (nx.cycle_graph(3), "one networkx tree"),
        (nx.Graph(), "one networkx tree"),
        (7, "needs Newick text"),
        (nx.DiGraph([(0, 1), (2, 1)]), "all edges point away from its root"),
    ],
)
def test_bad_trees_are_refused(tree, words):
    with pytest.raises(ModelError, match=words):
        read_branches(tree)


def test_roots_must_be_nodes_of_undirected_trees():
    with pytest.raises(ModelError, match="root 'z' is not a node"):
        read_branches(undirected(), root="z")
    with pytest.raises(ModelError, match="needs no root="):
        read_branches("(A,B);", root="A")


def test_bad_text_is_a_format_error():
    with pytest.raises(FormatError, match="line 1, column 1"):
        read_branches("(A,B;")
