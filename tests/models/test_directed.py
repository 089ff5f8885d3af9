"""Masses, conditionals and the partition function against sums over all configurations."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from ghmpp import _memory
from ghmpp.errors import ModelError, ResourceError
from ghmpp.models.directed import conditionals, log_partition, subtree_masses
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf
from ghmpp.models.summary import node_name
from tests.models.joint import joint_weights, marginal
from tests.strategies import models
from tests.tolerances import ENUMERATION, EXACT


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@given(model=models())
def test_log_partition_is_the_log_of_the_sum_over_configurations(model):
    _, weights = joint_weights(model.graph())

    assert model.log_partition() == pytest.approx(
        math.log(weights.sum()), rel=ENUMERATION, abs=ENUMERATION
    )


@given(model=models(limit=2000))
def test_conditionals_are_those_of_the_joint_law(model):
    forest = model.forest()
    names, weights = joint_weights(model.graph())

    given_parent = conditionals(forest)

    for name, edge in forest.edges.items():
        above, below = forest.blocks[edge.parent], forest.blocks[name]
        for child in range(below.nodes):
            pair = marginal(
                names,
                weights,
                node_name(forest, above, child // edge.fanout),
                node_name(forest, below, child),
            )
            possible = pair.sum(axis=1) > 0
            expected = pair[possible] / pair[possible].sum(axis=1, keepdims=True)
            found = _dense(given_parent[name], child, *pair.shape)[possible]
            np.testing.assert_allclose(found, expected, rtol=0, atol=ENUMERATION)


def _dense(conditional, child, parents, children):
    if conditional.kind == "table":
        return conditional.probabilities[child % len(conditional.probabilities)]
    index = conditional.index[child % len(conditional.index)]
    if conditional.kind == "child_of":
        return (index[:, None] == np.arange(children)).astype(float)
    shares = conditional.probabilities[child % len(conditional.probabilities)]
    return shares * (index == np.arange(parents)[:, None])


@given(model=models())
def test_rows_of_conditional_tables_sum_to_one(model):
    for conditional in conditionals(model.forest()).values():
        if conditional.kind == "table":
            totals = conditional.probabilities.sum(axis=2)
            np.testing.assert_allclose(totals, 1, rtol=EXACT)


def test_masses_of_shared_tables_have_one_row():
    model = GHM(states=(2, 3, 2), branching=(5, 7), tables=[np.ones((2, 3)), np.ones((3, 2))])

    masses = subtree_masses(model.forest())

    assert {name: rows.logs.shape for name, rows in masses.items()} == {
        "x0": (1, 2),
        "x1": (1, 3),
        "x2": (1, 2),
    }
    assert masses["x1"].scales == pytest.approx(7 * np.log(2))
    assert masses["x0"].scales == pytest.approx(5 * np.log(3))


def test_tables_per_edge_give_one_row_per_parent(rng):
    model = Model()
    middle = model.root("a", 2).children("b", 2, 2, potential=np.ones((2, 2)))
    middle.children("c", 3, 4, potential=rng.random((6, 2, 4)) + 0.1)

    masses = subtree_masses(model.forest())

    assert masses["b"].logs.shape == (2, 2)
    assert masses["a"].logs.shape == (1, 2)


def test_a_thousand_children_do_not_underflow():
    table = [[1e-300, 1e-300], [1e-290, 0.0]]
    model = Model()
    model.root("a", 2).children("b", 1000, 2, potential=table)

    expected = np.logaddexp(1000 * math.log(2e-300), 1000 * math.log(1e-290))
    assert model.log_partition() == pytest.approx(expected, rel=EXACT)


def test_masses_far_below_the_largest_still_count_when_only_they_are_allowed():
    model = Model()
    top = model.root("a", 2, prior=[0, 1])
    middle = top.children("b", 1, 2, potential=[[1, 0], [0, 1]])
    middle.children("c", 1000, 1, potential=[[1.0], [1e-3]])

    assert model.log_partition() == pytest.approx(1000 * math.log(1e-3), rel=EXACT)


def test_tiny_weights_under_an_index_map_are_not_lost():
    model = Model()
    top = model.root("a", 2, prior=[0, 1])
    rule = top.children("b", 1, 3, potential=ParentOf([0, 1, 1]))
    rule.children("c", 500, 2, potential=[[1, 1], [1e-4, 0], [0, 1e-4]])

    expected = 500 * math.log(1e-4) + math.log(2)
    assert model.log_partition() == pytest.approx(expected, rel=EXACT)


@pytest.mark.slow
def test_a_long_chain_of_fair_coins_has_one_configuration_per_outcome():
    model = Model()
    model.chain("z", 100_000, 2, potential=np.ones((2, 2)))

    assert model.log_partition() == pytest.approx(100_000 * math.log(2), rel=EXACT)


def test_a_long_chain_agrees_with_its_dominant_eigenvalue(rng):
    table = rng.random((3, 3)) + 0.1
    values, right = np.linalg.eig(table)
    left = np.linalg.inv(right)
    top = int(np.argmax(values.real))
    length = 5_000
    model = Model()
    model.chain("z", length, 3, potential=table)

    prefactor = (right[:, top].sum() * left[top].sum()).real
    expected = (length - 1) * math.log(values[top].real) + math.log(prefactor)
    assert model.log_partition() == pytest.approx(expected, rel=1e-11)


def test_roots_multiply():
    model = Model()
    model.root("a", 2, prior=[1, 2]).children("b", 1, 2, potential=np.ones((2, 2)))
    model.root("c", 3)

    assert model.log_partition() == pytest.approx(math.log(6 * 3), rel=EXACT)


def test_exact_forests_are_read_as_float64():
    model = Model()
    model.root("a", 2, prior=[Fraction(1, 3), Fraction(2, 3)])

    assert log_partition(model.forest(exact=True)) == pytest.approx(0, abs=EXACT)


def test_an_impossible_model_is_refused_where_the_contradiction_is():
    model = Model()
    top = model.root("a", 2)
    top.children("b", 1, 2, potential=[[1, 1], [0, 0]])
    top.children("c", 1, 2, potential=[[0, 0], [1, 1]])

    with pytest.raises(ModelError, match=r"no configuration has positive weight.*'a'"):
        log_partition(model.forest())


def test_an_index_map_that_contradicts_the_prior_is_refused():
    model = Model()
    model.root("a", 2, prior=[1, 0]).children("b", 1, 2, potential=ChildOf([0, 1]), prior=[0, 1])

    with pytest.raises(ModelError, match="no configuration has positive weight"):
        log_partition(model.forest())


def test_missing_tables_are_named_with_the_cure():
    model = GHM(states=2, branching=(2,))

    with pytest.raises(ModelError, match=r"not complete: free tables x0->x1 \(gh\.fit"):
        log_partition(model.forest())


def test_shared_tables_need_little_memory_however_many_nodes_there_are():
    model = GHM(states=(2,) * 30, branching=(2,) * 29, tables=[np.full((2, 2), 0.5)] * 29)

    assert log_partition(model.forest()) == pytest.approx(math.log(2), rel=EXACT)


@pytest.mark.parametrize("verb", [Model.log_partition, Model.normalized])
def test_sums_too_big_for_memory_are_refused_before_anything_is_made(verb):
    star = GHM(states=(2, 2), branching=(10**15,), tables=[np.ones((2, 2))])

    with pytest.raises(ResourceError, match=r"need at least .* PiB, .* limit is .*: 'x1' with"):
        verb(star)


def test_conditionals_that_do_not_fit_beside_each_other_are_refused(monkeypatch):
    model = GHM(states=(40,) * 4, branching=(2,) * 3).initialise(0)
    monkeypatch.setattr(_memory, "physical_memory", lambda: 6 * 8 * 40**2)

    assert np.isfinite(log_partition(model.forest()))
    with pytest.raises(ResourceError, match="need at least"):
        conditionals(model.forest())
