"""Cuts against maximal flows of networkx, and the rank that they bound."""

from __future__ import annotations

from math import log, prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.forest import Block, Forest, VariableClass
from ghmpp.observables.partitions import require_states
from ghmpp.verification.unroll import unroll
from tests.strategies import models
from tests.tolerances import EXACT


def names(model):
    """Nodes with their parents: (class, position), states, index of the parent."""
    return [((n.variable, n.position), n.states, n.parent) for n in unroll(model.forest())]


def flow(model, part, *, edges=False):
    """Smallest cut by a maximal flow: of variables, or of edges (each weighs the fewer states)."""
    graph, nodes = nx.DiGraph(), names(model)
    for node, states, _ in nodes:
        graph.add_edge((node, "in"), (node, "out"), **({} if edges else {"capacity": log(states)}))
        if node[0] in model.forest().leaves:
            within = node[1] in part.get(node[0], ())
            ends = ("A", (node, "in")) if within else ((node, "out"), "B")
            graph.add_edge(*ends)
    for node, states, parent in nodes:
        if parent is not None:
            above, more, _ = nodes[parent]
            weight = {"capacity": log(min(states, more))} if edges else {}
            graph.add_edge((node, "out"), (above, "in"), **weight)
            graph.add_edge((above, "out"), (node, "in"), **weight)
    return nx.minimum_cut_value(graph, "A", "B")


@st.composite
def partitions(draw, model):
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    found = {}
    for name in model.forest().leaves:
        nodes = model.variables[name].nodes
        found[name] = np.flatnonzero(rng.random(nodes) < 0.5).tolist()
    return found


@given(st.data(), models(limit=2_000))
def test_cut_is_the_smallest_of_all(data, model):
    part = data.draw(partitions(model))
    cut = gh.mincut(model, part)

    sizes = {name: states for name, states, _ in names(model)}
    if cut.part and cut.rest:
        assert cut.value == pytest.approx(flow(model, part), abs=EXACT)
    chosen = [_parsed(model, name) for name in cut.variables]
    assert cut.rank == prod(sizes[each] for each in chosen)


@given(st.data(), models(limit=2_000))
def test_without_the_cut_no_path_links_the_parts(data, model):
    part = data.draw(partitions(model))
    cut = gh.mincut(model, part)

    nodes = names(model)
    graph = nx.Graph()
    graph.add_nodes_from(node for node, _, _ in nodes)
    graph.add_edges_from((node, nodes[p][0]) for node, _, p in nodes if p is not None)
    graph.remove_nodes_from([_parsed(model, name) for name in cut.variables])
    for component in nx.connected_components(graph):
        leaves = [node for node in component if node[0] in model.forest().leaves]
        assert len({node[1] in part[node[0]] for node in leaves}) <= 1


def _parsed(model, name):
    base, _, position = name.partition("[")
    return (base, int(position[:-1]) if position else 0)


def test_siblings_on_both_sides_cost_their_parent_and_not_their_edges():
    model, part = gh.zoo.random_ghm(3, (2, 4), bound=2), {"x2": [0, 2, 4, 6]}

    assert gh.mincut(model, part).rank == 9
    assert gh.mincut(model, part).variables == ("x1[0]", "x1[1]")
    assert np.exp(flow(model, part, edges=True)) == pytest.approx(81)


def test_bond_of_a_chain_grows_with_the_number_of_boundaries():
    model = gh.Model("chain")
    model.chain("z", 12, 3, potential=np.ones((3, 3))).children(
        "x", 1, 3, potential=np.ones((3, 3))
    )

    ranks = [gh.mincut(model, {"x": range(0, 12, step)}).rank for step in (2, 3, 6)]
    assert ranks == [3**6, 3**4, 3**2]
    assert gh.mincut(model, {"x": range(6)}).rank == 3


def test_leaves_of_a_bare_chain_are_all_its_variables():
    model = gh.Model("chain")
    model.chain("z", 5, 4, potential=np.ones((4, 4)))

    assert gh.mincut(model, {"z": [1, 2]}).rank == 16
    assert gh.mincut(model, {"z": [3, 4]}).rank == 4


def test_trees_of_a_forest_need_no_cut():
    model = gh.Model("forest")
    for root in "ab":
        model.root(root, 2).children(f"{root} leaf", 3, 2, potential=np.ones((2, 2)))
    cut = gh.mincut(model, {"a leaf": range(3)})

    assert (cut.rank, cut.value, cut.variables) == (1, 0.0, ())
    assert "nothing to cut" in repr(cut)


def test_large_models_have_exact_ranks():
    cut = gh.mincut(gh.GHM(states=3, branching=(2,) * 12), {"x12": range(0, 4096, 2)})

    assert cut.rank == 3**2048
    assert "10^977.1" in repr(cut)


def test_leaves_may_be_named_one_by_one():
    model = gh.GHM(states=2, branching=(2, 2))
    order = gh.GHM(states=2, branching=(2, 2), order=[0, 2, 1, 3])

    assert gh.mincut(model, ["x2[0]", "x2[1]"]) == gh.mincut(model, {"x2": [0, 1]})
    assert gh.mincut(model, ["x2"]).rank == gh.mincut(model, {}).rank == 1
    assert gh.mincut(order, {"x2": [0, 1]}).rank == 4


def test_graphs_are_read_as_models():
    graph = nx.Graph()
    for name in "abc":
        graph.add_node(name, states=2)
    for name in "bc":
        graph.add_edge("a", name, potential=np.ones((2, 2)))

    assert gh.mincut(graph, ["b"]).rank == 2


@pytest.mark.parametrize(
    ("leaves", "words"),
    [
        ({"x1": [0]}, "'x1' is no class of leaves of the model; the leaves are x2"),
        ({"x2": [4]}, r"no leaf x2\[4\].*0 to 3"),
        ({"x2": [-1]}, r"no leaf x2\[-1\]"),
        ({"x2": [1, 1]}, r"x2\[1\] is listed twice"),
        ({"x2": [True, False, False, True]}, "positions of 'x2' must be a list of whole numbers"),
        ({"x2": np.arange(4) > 1}, "must be a list of whole numbers.*got np.False_"),
        ({"x2": [0.5]}, "must be a list of whole numbers.*got 0.5"),
        ({"x2": "01"}, "must be a list of whole numbers.*got '0'"),
        (["x2[0]", "x2"], r"x2\[0\] is listed twice"),
    ],
)
def test_wrong_leaves_are_refused(leaves, words):
    with pytest.raises(QueryError, match=words):
        gh.mincut(gh.GHM(states=2, branching=(2, 2)), leaves)


def test_real_variables_are_refused():
    variable = VariableClass("field", (), None, 1, ("field",))
    forest = Forest(
        "real", {"field": variable}, {"field": Block("field", "field", 0, 1, 1)}, {}, {}
    )

    with pytest.raises(ModelError, match=r"mincut: the variables of 'field' are real numbers"):
        require_states(forest, "mincut")


def test_of_cuts_with_the_same_rank_the_one_with_fewest_variables_is_taken():
    model = gh.GHM(states=(4, 2), branching=(4,))

    found = gh.mincut(model, ["x1[0]", "x1[1]"])
    assert (found.rank, found.variables) == (4, ("x0",))  # two leaves have 2 x 2 states as well
