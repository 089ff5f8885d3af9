"""Triangulations are chordal, their cliques form a tree, and the elimination is what it says."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import prod

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import ConversionError, ModelError, TreewidthError
from ghmpp.models.triangulation import junction_forest, largest, width

HEURISTICS = ["best", "min_fill", "min_weight", "weighted_min_fill"]


@st.composite
def hypergraphs(draw):
    """Sizes of up to twelve variables, and up to fourteen scopes of up to four of them."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    names = [f"v{k}" for k in range(len(sizes))]
    scope = st.lists(st.sampled_from(names), max_size=4, unique=True)
    return dict(zip(names, sizes, strict=True)), draw(st.lists(scope, max_size=14))


def joined(scopes):
    """The graph in which the variables of each scope are joined."""
    graph = nx.Graph()
    for scope in scopes:
        graph.add_nodes_from(scope)
        graph.add_edges_from(combinations(scope, 2))
    return graph


@given(hypergraphs(), st.sampled_from(HEURISTICS))
def test_cliques_are_the_maximal_cliques_of_a_chordal_graph(drawn, heuristic):
    sizes, scopes = drawn
    cliques = junction_forest(sizes, scopes, heuristic=heuristic)
    filled = joined(clique.variables for clique in cliques)

    assert nx.is_chordal(filled)
    assert {frozenset(c.variables) for c in cliques} == set(map(frozenset, nx.find_cliques(filled)))
    assert set(filled) == set(sizes)
    assert all(any(set(scope) <= set(c.variables) for c in cliques) for scope in scopes)
    assert all(c.states == prod(sizes[name] for name in c.variables) for c in cliques)


@given(hypergraphs(), st.data())
def test_cliques_with_a_variable_hang_together_below_their_parents(drawn, data):
    sizes, scopes = drawn
    root = data.draw(st.sampled_from([None, *sizes]))
    cliques = junction_forest(sizes, scopes, root=root)

    tops = [name for clique in cliques for name in clique.variables[len(clique.separator) :]]
    assert sorted(tops) == sorted(sizes)  # each variable starts in one clique
    for number, clique in enumerate(cliques):
        assert clique.variables[: len(clique.separator)] == clique.separator
        if clique.parent is None:
            assert clique.separator == ()
        else:
            above = cliques[clique.parent].variables
            assert clique.parent < number
            assert clique.separator == tuple(v for v in above if v in clique.variables)
    if root is not None:
        holding = [clique for clique in cliques if root in clique.variables]
        assert min(holding, key=lambda c: c.states).states in {
            clique.states for clique in holding if clique.parent is None
        }


@given(hypergraphs())
def test_best_has_the_smallest_cliques_of_all(drawn):
    sizes, scopes = drawn
    total = {
        heuristic: sum(c.states for c in junction_forest(sizes, scopes, heuristic=heuristic))
        for heuristic in HEURISTICS
    }

    assert total["best"] == min(total.values())


def test_chordal_graphs_get_no_edges():
    fan = [("hub", f"v{k}", f"v{k + 1}") for k in range(9)]
    sizes = dict.fromkeys(["hub", *(f"v{k}" for k in range(10))], 3)
    cliques = junction_forest(sizes, fan, heuristic="min_fill")

    assert {frozenset(clique.variables) for clique in cliques} == set(map(frozenset, fan))
    assert width(cliques) == 2


def test_grids_have_the_width_of_their_shorter_side():
    grid = nx.grid_2d_graph(4, 30)
    sizes = {str(node): 2 for node in grid}
    cliques = junction_forest(sizes, [(str(a), str(b)) for a, b in grid.edges])

    assert width(cliques) == 4


def test_a_tree_of_cliques_is_rooted_at_its_centre():
    path = [str(k) for k in range(101)]
    cliques = junction_forest(dict.fromkeys(path, 2), pairwise(path))
    depth = [0] * len(cliques)
    for number, clique in enumerate(cliques):
        if clique.parent is not None:
            depth[number] = depth[clique.parent] + 1

    assert max(depth) == 50


def test_weights_choose_the_clique_with_fewer_states():
    ring = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]
    sizes = {"a": 2, "b": 50, "c": 2, "d": 50}

    for heuristic in ("min_weight", "weighted_min_fill"):
        cliques = junction_forest(sizes, ring, heuristic=heuristic)
        assert all({"a", "c"} <= set(clique.variables) for clique in cliques)


@pytest.mark.slow
def test_hubs_and_chains_of_thousands_take_no_quadratic_time():
    names = [str(k) for k in range(4_000)]
    star = [(names[0], name) for name in names[1:]]
    chain = list(pairwise(names))

    for scopes in (star, chain):
        cliques = junction_forest(dict.fromkeys(names, 4), scopes)
        assert len(cliques) == len(names) - 1


def test_the_largest_cliques_are_named():
    cliques = junction_forest({"a": 2, "b": 3, "c": 5}, [("a", "b"), ("b", "c")])

    assert largest(cliques, 1) == "(b, c) with 15 joint states"


def test_cliques_beyond_any_memory_are_refused_before_they_are_looked_for():
    names = [f"v{k}" for k in range(70)]
    sizes = dict.fromkeys(names, 2)

    message = r"at least 69: a clique of 70 variables has 2\^70 .*limit is 2\^60; .*\(v0, v1, "
    with pytest.raises(TreewidthError, match=message):
        junction_forest(sizes, [names])


def test_options_are_listed():
    with pytest.raises(ModelError, match="best, min_fill, min_weight, weighted_min_fill, got 'x'"):
        junction_forest({"a": 2}, [], heuristic="x")
    with pytest.raises(ConversionError, match="root: no node 'z'; the nodes are: a"):
        junction_forest({"a": 2}, [], root="z")
