"""Newick: what is read, what is written, and where errors are."""

from __future__ import annotations

import sys

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import FormatError, ModelError
from ghmpp.models.zoo.newick import read_newick, write_newick


def described(tree):
    """Structure, labels, lengths and comments, in the order of the text."""
    nodes = [(node, data["label"], data["comment"]) for node, data in tree.nodes(data=True)]
    return nodes, list(tree.edges(data="length")), tree.nodes[0].get("length")


def test_labels_lengths_and_children_are_read_in_order():
    tree = read_newick("((A:1,B:.5)ab:2.,C:1e-3,D:+4E+2)root:0;")

    assert [label for _, label in tree.nodes(data="label")] == ["root", "ab", "A", "B", "C", "D"]
    assert list(tree.edges(data="length")) == [
        (0, 1, 2.0),
        (0, 4, 0.001),
        (0, 5, 400.0),
        (1, 2, 1.0),
        (1, 3, 0.5),
    ]
    assert tree.nodes[0]["length"] == 0.0


def test_nodes_may_lack_everything():
    tree = read_newick("(,(,));")

    assert len(tree) == 5
    assert {label for _, label in tree.nodes(data="label")} == {None}
    assert {length for *_, length in tree.edges(data="length")} == {None}


@pytest.mark.parametrize("text", [";", "A;", "A:1.5;", "  'one node'  ;  [the end] "])
def test_one_node_is_a_tree(text):
    assert len(read_newick(text)) == 1


def test_quoted_labels_may_contain_anything():
    tree = read_newick("('it''s a (test); [no comment]', '', 'tab\there', under_score);")

    labels = [label for _, label in tree.nodes(data="label")][1:]
    assert labels == ["it's a (test); [no comment]", "", "tab\there", "under_score"]


def test_comments_may_stand_anywhere_and_be_nested():
    tree = read_newick("[&R] ( [one] A [two[2]] : [three] 1 [four] , B )[five]root[six];[seven]")

    assert tree.nodes[1]["comment"] == "one two[2] three four"
    assert tree.nodes[0]["comment"] == "&R five six"
    assert tree.edges[0, 1]["length"] == 1.0


def test_blanks_and_line_breaks_are_free():
    assert described(read_newick("(\n\tA :\r\n 1 ,\n B )\n ;\n")) == described(
        read_newick("(A:1,B);")
    )


def test_ten_thousand_nested_levels_are_read_and_written():
    depth = 10_000
    assert depth > sys.getrecursionlimit()
    text = "(" * depth + "A" + ":1.0)" * depth + ";"

    tree = read_newick(text)
    assert nx.dag_longest_path_length(tree, weight=None) == depth
    assert write_newick(tree) == text


LABELS = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=6))
LENGTHS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def trees(draw):
    tree = nx.DiGraph()
    tree.add_node(0, label=draw(LABELS), comment=draw(st.sampled_from(["", "a", "a[b]c"])))
    for node in range(1, draw(st.integers(1, 8))):
        parent = draw(st.integers(0, node - 1))
        tree.add_node(node, label=draw(LABELS), comment="")
        tree.add_edge(parent, node, length=draw(LENGTHS))
    return nx.convert_node_labels_to_integers(tree.subgraph(nx.dfs_preorder_nodes(tree, 0)))


@given(trees())
def test_what_is_written_is_read_back(tree):
    read = read_newick(write_newick(tree))

    order = list(nx.dfs_preorder_nodes(tree, 0))
    assert [read.nodes[k]["label"] for k in range(len(order))] == [
        tree.nodes[node]["label"] for node in order
    ]
    position = {node: k for k, node in enumerate(order)}
    assert {(a, b): length for a, b, length in read.edges(data="length")} == {
        (position[a], position[b]): length for a, b, length in tree.edges(data="length")
    }
    assert read.nodes[0]["comment"] == tree.nodes[0]["comment"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1: the text ends before the ';'"),
        ("(A,B)", "line 1, column 6: the text ends before the ';'"),
        ("(A,(B,C);", r"line 1, column 1: this '\(' is never closed"),
        ("(A,\n (B,C", r"line 2, column 2: this '\(' is never closed"),
        ("(A,B));", r"line 1, column 6: this '\)' closes nothing"),
        ("(A,B);\n(C,D);", r"line 2, column 1: more follows after the ';'"),
        ("(A,B);'", "line 1, column 7: this quote is never closed"),
        ("(A:x,B);", "line 1, column 4: a branch length must be a finite number, found 'x'"),
        ("(A:1e999,B);", "a branch length must be a finite number, found '1e999'"),
        ("(A:nan,B);", "a branch length must be a finite number, found 'nan'"),
        ("(A:1_0,B);", "a branch length must be a finite number, found '1_0'"),
        ("(A:,B);", "line 1, column 4: expected a branch length, found ','"),
        ("(A:'1',B);", "expected a branch length, found '1'"),
        ("(A:1:2,B);", r"line 1, column 5: expected ',' or '\)', found ':'"),
        ("(A\nB,C);", r"line 2, column 1: expected ':' or ',' or '\)', found 'B'"),
        ("A,B;", "line 1, column 2: expected ':' or ';', found ','"),
        ("(A)(B);", r"line 1, column 4: expected a label or ':' or ';', found '\('"),
        ("('A''s,B);", "line 1, column 2: this quote is never closed"),
        ("(A[x[y],B);", r"line 1, column 3: this '\[' is never closed"),
        ("(A]);", "line 1, column 3: this ']' closes nothing"),
        ("(A,B)\x00(;", "found"),
    ],
)
def test_errors_name_line_and_column(text, words):
    with pytest.raises(FormatError, match=words):
        read_newick(text)


@given(st.text(alphabet="()[]',:;AB 1.e-\n", max_size=30))
def test_any_text_is_a_tree_or_an_error_with_its_place(text):
    try:
        found = nx.is_arborescence(read_newick(text))
    except FormatError as error:
        found = str(error).startswith("newick: line ")

    assert found


def test_bytes_are_refused():
    with pytest.raises(FormatError, match="needs text, got bytes"):
        read_newick(b"(A,B);")


def test_graphs_that_are_no_rooted_trees_are_not_written():
    for graph in (nx.DiGraph(), nx.DiGraph([(0, 1), (2, 1)]), nx.DiGraph([(0, 1), (1, 0)])):
        with pytest.raises(ModelError, match="must be one rooted tree"):
            write_newick(graph)


def test_lengths_and_comments_that_cannot_be_read_are_not_written():
    tree = nx.DiGraph()
    tree.add_edge("a", "b", length=float("nan"))
    with pytest.raises(ModelError, match="the length of 'b' is nan"):
        write_newick(tree)
    tree.edges["a", "b"]["length"] = 1
    tree.nodes["b"]["comment"] = "]["
    with pytest.raises(ModelError, match="brackets in the comment"):
        write_newick(tree)


def test_plain_graphs_are_written_without_labels():
    assert write_newick(nx.DiGraph([("r", "a"), ("r", "b")])) == "(,);"
