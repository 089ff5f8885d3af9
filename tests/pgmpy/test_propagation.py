"""The look-alike of BeliefPropagation: calibrated beliefs, and queries."""

from __future__ import annotations

import numpy as np
import pytest
from pgmpy.factors.discrete import DiscreteFactor
from pgmpy.inference import BeliefPropagation as Theirs
from pgmpy.models import DiscreteMarkovNetwork, JunctionTree

from ghmpp.errors import ConversionError, QueryError
from ghmpp.pgmpy import BeliefPropagation
from tests.pgmpy.networks import example, random_network, ring, truth
from tests.tolerances import ENUMERATION, EXACT, PGMPY


@pytest.fixture
def apart():
    """Two pairs of variables that have nothing to do with each other."""
    rng = np.random.default_rng(0)
    network = DiscreteMarkovNetwork([("a", "b"), ("c", "d")])
    network.add_factors(
        *(DiscreteFactor(pair, [2, 3], rng.random((2, 3))) for pair in (["a", "b"], ["c", "d"]))
    )
    return network


@pytest.mark.parametrize("seed", range(3))
def test_queries_agree_with_pgmpy(seed):
    network = random_network(seed + 40, connected=True)
    ours, theirs = BeliefPropagation(network), Theirs(network)
    for variables, evidence in ((["a"], {}), (["b", "g"], {"e": "s1"}), (["f"], {"c": "s0"})):
        found = ours.query(variables, evidence)
        expected = theirs.query(variables, evidence, show_progress=False)

        np.testing.assert_allclose(found.values, expected.values, atol=PGMPY)


def test_results_of_markov_networks_sum_to_one():
    network = ring()
    found = BeliefPropagation(network).query(["v0", "v2"], {"v1": 0}, joint=False)

    assert list(found) == ["v0", "v2"]
    for name, factor in found.items():
        expected = truth(network, [name], {"v1": 0})
        np.testing.assert_allclose(factor.values, expected / expected.sum(), atol=ENUMERATION)


@pytest.mark.parametrize("best", [False, True])
@pytest.mark.parametrize("network", ["ring", "random", "asia"])
def test_calibrated_beliefs_are_masses_of_cliques_and_separators(network, best):
    made = {"ring": lambda: ring(5), "random": lambda: random_network(41)}
    network = made.get(network, lambda: example("asia"))()
    engine = BeliefPropagation(network)
    assert not engine.get_clique_beliefs()
    assert not engine.get_sepset_beliefs()
    (engine.max_calibrate if best else engine.calibrate)()

    assert list(engine.get_clique_beliefs()) == engine.get_cliques()
    for clique, belief in engine.get_clique_beliefs().items():
        assert tuple(belief.variables) == clique
        expected = truth(network, clique, best=best)
        np.testing.assert_allclose(belief.values, expected, atol=ENUMERATION)
    for (one, other), belief in engine.get_sepset_beliefs().items():
        assert set(belief.variables) == set(one) & set(other)
        expected = truth(network, belief.variables, best=best)
        np.testing.assert_allclose(belief.values, expected, atol=ENUMERATION)


def test_cliques_hold_the_scope_of_every_factor():
    network = random_network(42, connected=True)
    engine = BeliefPropagation(network)
    cliques = [set(clique) for clique in engine.get_cliques()]

    assert all(any(set(cpd.variables) <= clique for clique in cliques) for cpd in network.cpds)
    assert len(engine._tree[1]) == len(cliques) - 1


def test_junction_trees_keep_their_cliques_and_masses():
    rng = np.random.default_rng(3)
    tree = JunctionTree([(("a", "b"), ("b", "c"))])
    tree.add_factors(
        *(DiscreteFactor(clique, [2, 2], rng.random((2, 2)) * 5) for clique in tree.nodes)
    )
    ours, theirs = BeliefPropagation(tree), Theirs(tree)
    ours.calibrate()
    theirs.calibrate()

    assert set(ours.get_cliques()) == set(theirs.get_cliques())
    for clique, belief in theirs.get_clique_beliefs().items():
        found = ours.get_clique_beliefs()[clique].values
        order = [belief.variables.index(name) for name in clique]
        np.testing.assert_allclose(found, belief.values.transpose(order), rtol=PGMPY)


def test_beliefs_are_copies_that_stay(apart):
    engine = BeliefPropagation(apart)
    engine.calibrate()
    belief = engine.get_clique_beliefs()[engine.get_cliques()[0]]
    belief.values[:] = 0
    found = engine.query(["a"]).values

    np.testing.assert_allclose(found.sum(), 1, atol=EXACT)
    assert engine.get_clique_beliefs()


def test_models_that_fall_apart_are_answered(apart):
    engine = BeliefPropagation(apart)
    engine.calibrate()
    joint = truth(apart, ["a", "d"])
    found = engine.query(["a", "d"])

    assert len(engine.get_cliques()) == 2
    assert not engine.get_sepset_beliefs()
    np.testing.assert_allclose(found.values, joint / joint.sum(), atol=EXACT)


def test_map_query_is_that_of_pgmpy():
    network = random_network(43)
    found = BeliefPropagation(network).map_query(["a", "b", "g"], {"d": "s0"})
    table = truth(network, ["a", "b", "g"], {"d": "s0"})

    best = np.unravel_index(table.argmax(), table.shape)
    assert found == {n: f"s{k}" for n, k in zip(["a", "b", "g"], best, strict=True)}


def test_wrong_questions_are_refused():
    engine = BeliefPropagation(ring())
    with pytest.raises(QueryError, match="at least one variable"):
        engine.query([])
    with pytest.raises(ConversionError, match="cannot convert a str"):
        BeliefPropagation("ring")
