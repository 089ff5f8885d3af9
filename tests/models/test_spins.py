from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgmpy.factors.discrete import DiscreteFactor
from pgmpy.models import DiscreteMarkovNetwork

import ghmpp as gh
from ghmpp.errors import ConversionError, ModelError, QueryError
from ghmpp.models.binary import from_binary
from ghmpp.models.spins_forest import joint_matrix, matrix_of
from tests.spins import configurations, random_couplings, weights
from tests.tolerances import ENUMERATION, EXACT

RNG = np.random.default_rng(0)


def test_a_diagonal_is_a_constant_and_dropped():
    matrix = random_couplings(4, RNG)

    spins = gh.PairwiseSpins(matrix + np.diag([1.0, 2, 3, 4]))

    np.testing.assert_array_equal(spins.couplings, matrix)


def test_classes_are_counts_or_positions():
    matrix = random_couplings(5, RNG)

    counted = gh.PairwiseSpins(matrix, names={"x": 3, "theta": 2})
    listed = gh.PairwiseSpins(matrix, names={"x": [4, 0, 2], "theta": [1, 3]})

    assert counted.classes == {"x": (0, 1, 2), "theta": (3, 4)}
    assert listed.position(4) == ("x", 0)
    assert listed.position(3) == ("theta", 1)
    assert gh.PairwiseSpins(matrix, names="s").classes == {"s": (0, 1, 2, 3, 4)}


@pytest.mark.parametrize("density", [1.0, 0.05])
def test_the_forest_has_all_couplings_once(density):
    matrix = random_couplings(12, np.random.default_rng(3), density=density)
    spins = gh.PairwiseSpins(
        matrix, RNG.normal(size=12), {"x": range(0, 12, 2), "y": [1, 3, 5, 7, 9, 11]}
    )
    order = [*spins.classes["x"], *spins.classes["y"]]

    forest = spins.forest()
    whole, places = joint_matrix(forest)

    np.testing.assert_array_equal(whole, matrix[np.ix_(order, order)])
    assert places == {"x": slice(0, 6), "y": slice(6, 12)}
    np.testing.assert_array_equal(forest.data["y field"], spins.fields[1::2])
    kinds = {each.kind for each in forest.couplings.values() if " - " in each.name}
    assert kinds <= ({"dense"} if density == 1 else {"sparse"})
    for each in forest.couplings.values():
        if each.kind != "constant":
            assert matrix_of(forest, each).shape == (6, 6)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_units_of_zero_and_one_have_the_same_law(visible, hidden, seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(visible, hidden))
    a, c = rng.normal(size=visible), rng.normal(size=hidden)

    rbm = gh.PairwiseSpins.boltzmann(table, a, c, binary=True)

    units = (1 + configurations(visible + hidden)) / 2
    logs = np.einsum("cv,vh,ch->c", units[:, :visible], table, units[:, visible:])
    logs += units[:, :visible] @ a + units[:, visible:] @ c
    law = np.exp(logs - logs.max())
    np.testing.assert_allclose(weights(rbm.couplings, rbm.fields), law / law.sum(), atol=EXACT)


def test_the_way_to_units_and_back_is_exact():
    grid = RNG.integers(-64, 64, (6, 6)) / 32  # dyadic, so that sums are exact
    matrix = np.triu(grid, 1) + np.triu(grid, 1).T
    spins = gh.PairwiseSpins(matrix, RNG.integers(-64, 64, 6) / 32)

    units = spins.to_binary()
    couplings, fields = from_binary(units.couplings, units.fields)

    np.testing.assert_array_equal(couplings, spins.couplings)
    np.testing.assert_array_equal(fields, spins.fields)


def test_known_models_have_the_couplings_of_their_definition():
    weiss = gh.PairwiseSpins.curie_weiss(5, 0.9, field=0.2)
    glass = gh.PairwiseSpins.sherrington_kirkpatrick(300, 0.4, seed=1)

    np.testing.assert_allclose(weiss.couplings, 0.18 * (1 - np.eye(5)))
    np.testing.assert_allclose(weiss.fields, 0.2)
    spread = glass.couplings[np.triu_indices(300, 1)].std()
    assert spread == pytest.approx(0.4 / np.sqrt(300), rel=0.02)


def test_graphs_become_spins_in_the_order_of_their_nodes():
    graph = nx.Graph(name="triangle")
    graph.add_node("c", field=0.5)
    graph.add_edge("a", "c", coupling=1.0)
    graph.add_edge("b", "a", coupling=-2)

    spins = gh.PairwiseSpins.from_networkx(graph)

    assert spins.sites == ("c", "a", "b")
    assert spins.fields.tolist() == [0.5, 0, 0]
    assert spins.couplings.tolist() == [[0, 1, 0], [1, 0, -2], [0, -2, 0]]
    assert spins.position("b") == ("x", 2)


def markov(tables, cards=2):
    network = DiscreteMarkovNetwork()
    for scope, table in tables.items():
        network.add_nodes_from(scope)
        network.add_edges_from(itertools.pairwise(scope))
        if len(scope) == 3:
            network.add_edge(scope[0], scope[2])
        network.add_factors(DiscreteFactor(list(scope), [cards] * len(scope), table))
    return network


def test_tables_of_binary_variables_become_couplings_exactly():
    rng = np.random.default_rng(5)
    scopes = [("a", "b"), ("b", "c"), ("c", "a"), ("b",), ("c", "d")]
    tables = {scope: rng.uniform(0.2, 3, (2,) * len(scope)) for scope in scopes}

    spins = gh.PairwiseSpins.from_pgmpy(markov(tables))

    axes = {name: k for k, name in enumerate(spins.sites)}
    law = np.ones(16)
    states = (configurations(4) > 0).astype(int)
    for scope, table in tables.items():
        law *= table[tuple(states[:, axes[name]] for name in scope)]
    np.testing.assert_allclose(
        weights(spins.couplings, spins.fields), law / law.sum(), atol=ENUMERATION
    )


@pytest.mark.parametrize(
    ("tables", "cards", "words"),
    [
        ({("a", "b"): np.ones((3, 3))}, 3, "has 3 states, and a spin has two; ask the discrete"),
        ({("a", "b", "c"): np.ones((2, 2, 2))}, 2, "has 3 variables, and couplings are between"),
        ({("a", "b"): np.array([[1.0, 0], [1, 1]])}, 2, "zero is an infinite coupling"),
    ],
)
def test_what_is_not_pairwise_binary_and_positive_is_refused(tables, cards, words):
    with pytest.raises(ConversionError, match=words):
        gh.PairwiseSpins.from_pgmpy(markov(tables, cards))


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (nx.DiGraph([(1, 2)]), "must be undirected"),
        (nx.Graph(), "no nodes"),
        (nx.Graph([(1, 2)]), "needs the attribute 'coupling'"),
        (nx.Graph([(1, 2, {"coupling": "strong"})]), "must be a finite number, got 'strong'"),
        (nx.Graph([(1, 1, {"coupling": 1.0})]), "coupled to itself"),
    ],
)
def test_graphs_without_couplings_are_refused(graph, words):
    with pytest.raises(ConversionError, match=words):
        gh.PairwiseSpins.from_networkx(graph)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[0, 1], [2, 0]],), r"must be symmetric, but \[0, 1\] is 1 and \[1, 0\] is 2; pass"),
        ((np.zeros((2, 3)),), r"must have shape \(sites, sites\), got \(2, 3\)"),
        (([[0, np.nan], [np.nan, 0]],), r"must be finite, got nan at \[0, 1\]"),
        (("spins",), "must be an array of numbers"),
        ((np.zeros((2, 2)), [1, 2, 3]), r"must be one number or have shape \(2,\)"),
        ((np.zeros((2, 2)), np.inf), "given as evidence"),
        ((np.zeros((2, 2)), 0, {"x": 1}), "each of the 2 sites into one class"),
        ((np.zeros((2, 2)), 0, {"x": [0], "y": [0]}), "each of the 2 sites into one class"),
        ((np.zeros((2, 2)), 0, {"x": 2, "y": 0}), "none of them empty"),
        ((np.zeros((2, 2)), 0, {"x->y": 2}), "without '->'"),
        ((np.zeros((2, 2)), 0, ["x", "y"]), "names must be a text, or a mapping"),
        ((np.zeros((2, 2)), 0, {"x": 1.5}), "class 'x' must have a number of sites, or a list"),
        ((np.zeros((2, 2)), 0, {"x": [0.0, 1.0]}), "a list of their positions"),
        ((np.zeros((2, 2)), 0, {"x": "ab"}), "a list of their positions"),
    ],
)
def test_wrong_numbers_and_names_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        gh.PairwiseSpins(*arguments)


def test_other_wrong_declarations_are_refused():
    with pytest.raises(ModelError, match="must have shape"):
        gh.PairwiseSpins.boltzmann([1.0, 2.0])
    with pytest.raises(ModelError, match="d must be a whole number"):
        gh.PairwiseSpins.curie_weiss(0, 1.0)
    with pytest.raises(ModelError, match="beta must be a finite number"):
        gh.PairwiseSpins.sherrington_kirkpatrick(3, np.inf)
    with pytest.raises(ModelError, match="name each of the 2 sites once"):
        gh.PairwiseSpins(np.zeros((2, 2)), sites=["a"])
    for sites in ("ab", 3, ["a", "a"], [["a"], ["b"]]):
        with pytest.raises(ModelError, match="sites must be a list of different names"):
            gh.PairwiseSpins(np.zeros((2, 2)), sites=sites)
    with pytest.raises(ModelError, match="weights must be an array of numbers"):
        gh.PairwiseSpins.boltzmann([[1, 2], [3]])
    for x in ([1], [0, 1], [[1, 1]]):
        with pytest.raises(ModelError, match=r"shape \(2,\) and entries -1 and 1"):
            gh.PairwiseSpins(np.zeros((2, 2))).log_weight(x)
    with pytest.raises(ModelError, match="no site 7"):
        gh.PairwiseSpins(np.zeros((2, 2))).position(7)
    with pytest.raises(QueryError, match="unknown class 'y'; spins 'spins' has x"):
        gh.PairwiseSpins(np.zeros((2, 2))).forest((gh.noisy("y", sigma=1.0),))
