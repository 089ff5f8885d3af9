"""Errors derived from weights on whole forests: no input exceeds them, and little is given away."""

from __future__ import annotations

import math
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.approximation.asked import Problem, Query
from ghmpp.approximation.derive import derive, held_potentials, ratio_span, rounded
from ghmpp.approximation.propagate import Domain, propagate
from ghmpp.approximation.routes import find_routes
from ghmpp.approximation.weights import arrays, layer_weights, with_arrays
from ghmpp.errors import QueryError
from ghmpp.models.grouping import group
from tests.approximation.classics import CLASSIFICATION, DENOISING, kernel_model
from tests.approximation.networks import adversarial_logs, exact, run, span_error
from tests.approximation.raw import planned, sender
from tests.strategies import models

BATCH = 16


def everywhere(forest, observed, width, domain, symbols=()):
    """A problem that asks for all beliefs, with nets of one width, and what was planned."""
    routes = find_routes(forest, tuple(forest.blocks), observed, symbols=symbols)
    problem = Problem(forest.name, forest, routes, Query("posterior", "", 0.0), (), domain)
    found = propagate(routes, dict.fromkeys(routes.layers, width), domain)
    if found is None:
        return problem, None, None
    return problem, found, layer_weights(forest, found.steps)


def drawn_logs(rng, forest, observed, span):
    return {
        name: adversarial_logs(rng, BATCH, block.nodes, block.states, span=span)
        for name, block in forest.blocks.items()
        if block.variable in observed
    }


def assert_within(problem, planned_steps, layers, logs, dtype=np.float64, held=None):
    """Every belief of the network with these weights is as near as was derived."""
    derived = derive(problem, layers, held)
    logs = {name: array.astype(dtype).astype(float) for name, array in logs.items()}
    true = run(problem.forest, exact(planned_steps), logs)
    send = sender(problem.forest, layers, dtype)
    found = run(problem.forest, planned_steps, logs, dtype=dtype, send=send)
    for name, promised in derived.beliefs.items():
        slack = 1e-11 if dtype is np.float64 else 0
        assert (span_error(found[name].astype(float), true[name]) <= promised + slack).all()
    return derived


def irregular(rng, nodes):
    """A tree with unequal numbers of states and a table per edge."""
    graph = nx.bfs_tree(nx.random_labeled_tree(nodes, seed=int(rng.integers(9999))), 0)
    for node in graph:
        graph.nodes[node]["states"] = int(rng.integers(2, 5))
    for parent, child, edge in graph.edges(data=True):
        sizes = (graph.nodes[parent]["states"], graph.nodes[child]["states"])
        edge["potential"] = np.exp(rng.choice([0.3, 1.0, 2.0]) * rng.normal(size=sizes))
    return gh.from_networkx(graph)


@pytest.mark.parametrize("seed", range(8))
def test_irregular_trees_stay_within_what_their_weights_guarantee(seed):
    rng = np.random.default_rng(seed)
    model = irregular(rng, 8)
    forest = group(model.forest()) if seed % 2 else model.forest()
    observed = set(forest.variables) if seed % 3 == 0 else set(forest.leaves)
    dtype = ("float64", "float32")[seed // 4]
    problem, found, layers = everywhere(forest, observed, 30, Domain(dtype=dtype))
    _, layers = rounded(layers, dtype)

    logs = drawn_logs(rng, forest, observed, math.inf)
    derived = assert_within(problem, found, layers, logs, np.dtype(dtype).type)
    for name, own in derived.beliefs.items():
        assert (own <= found.beliefs[name] * (1 + 1e-3) + 1e-9).all()


@settings(max_examples=15)
@given(model=models(limit=500), seed=st.integers(0, 999))
def test_models_of_all_kinds_stay_within_what_their_weights_guarantee(model, seed):
    check_models(model, seed)


@pytest.mark.slow
@settings(max_examples=250)
@given(model=models(limit=5000, wide=True), seed=st.integers(0, 999))
def test_many_models_stay_within_what_their_weights_guarantee(model, seed):
    check_models(model, seed)


def check_models(model, seed):
    """Index maps, zeros, priors and shared tables, with weights as made and with one changed."""
    rng = np.random.default_rng(seed)
    forest = model.forest()
    span = float(rng.choice([3.0, 30.0, math.inf]))
    try:
        domain = Domain(evidence_span=span)
        problem, found, layers = everywhere(forest, set(forest.leaves), 24, domain)
    except QueryError:
        assume(False)
    assume(found is not None)
    logs = drawn_logs(rng, forest, set(forest.leaves), span)
    derived = assert_within(problem, found, layers, logs)
    assert all(np.isfinite(own).all() for own in derived.beliefs.values())
    kept = {name: array.copy() for name, array in arrays(layers).items()}
    if kept:
        array = kept[str(rng.choice(sorted(kept)))]
        if array.size:
            array.flat[rng.integers(array.size)] *= rng.choice([1.01, 0.9, 2.0])
        assert_within(problem, found, with_arrays(layers, kept), logs)


def test_rules_stay_within_what_their_weights_guarantee():
    forest = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2).forest()
    leaves = set(forest.leaves)
    problem, found, layers = everywhere(forest, leaves, 300, Domain(evidence_span=6.0))

    logs = drawn_logs(np.random.default_rng(0), forest, leaves, 6.0)
    derived = assert_within(problem, found, layers, logs)
    assert all(np.isfinite(own).all() for own in derived.beliefs.values())


@pytest.mark.parametrize("at", [0, 5, 12, 18, 24, 30])
def test_known_guarantees_are_derived_from_the_weights(at):
    check_known(at, (CLASSIFICATION + DENOISING)[at])


@pytest.mark.slow
@pytest.mark.parametrize("at", range(len(CLASSIFICATION) + len(DENOISING)))
def test_all_known_guarantees_are_derived_from_the_weights(at):
    check_known(at, (CLASSIFICATION + DENOISING)[at])


def check_known(at, case):
    m, depth, states, entry, delta, width, known = case
    query = "x0" if at < len(CLASSIFICATION) else gh.mean(f"x{depth}")
    model = kernel_model(m, depth, states, entry)
    plan, layers = planned(model, query, width=width, log_odds=False)
    bound = plan.asked.answer(derive(plan.problem, layers).beliefs)

    assert bound <= 1.05 * known
    assert bound == pytest.approx(plan.bounds.bound, rel=1e-6)
    assert bound <= delta * 1.05


def test_what_is_derived_reaches_as_far_as_what_was_sent():
    plan, layers = planned(kernel_model(2, 3, 3, 3.0), "x3", delta=0.05)
    derived = derive(plan.problem, layers)

    for own, wished in zip(derived.steps, plan.propagated.steps, strict=True):
        np.testing.assert_allclose(own.reaches, wished.reaches, rtol=1e-9)
        np.testing.assert_allclose(own.errors, wished.errors, rtol=1e-6, atol=1e-12)
        assert [net.widths for net in own.nets if net] == [net.widths for net in wished.nets if net]


def test_a_worse_net_makes_later_nets_serve_more_inputs():
    plan, layers = planned(kernel_model(2, 3, 3, 3.0), "x0", "x3", evidence_span=3.0, delta=0.05)
    kept = {name: array.copy() for name, array in arrays(layers).items()}
    kept["collect.x3.exp_log.offsets"][0, 0] += 1.0
    before, after = (derive(plan.problem, each) for each in (layers, with_arrays(layers, kept)))

    assert after.steps[1].reaches[0] > before.steps[1].reaches[0] + 0.5


def test_potentials_that_are_used_as_they_are_count():
    model = gh.Model()
    root = model.root("root", 3, prior=[0.1, 0.2, 0.7])
    root.children("seen", 2, 3, potential=np.eye(3) + 1)
    root.children("unseen", 2, 3, potential=np.eye(3) + 0.5)
    plan, layers = planned(model, "root", "seen", width=30)
    held = held_potentials(plan.problem)
    bound = plan.asked.answer(derive(plan.problem, layers).beliefs)

    unseen = plan.forest.edges["unseen"].key
    for key, times in ((plan.forest.blocks["root"].unary, 1), (unseen, 2)):
        wrong = held[key].copy()
        wrong.flat[0] *= 1.01
        found = plan.asked.answer(derive(plan.problem, layers, {key: wrong}).beliefs)
        assert found == pytest.approx(bound + times * math.log(1.01), abs=1e-9)
    wrong = 3 * held[unseen]  # a scale is no error
    found = plan.asked.answer(derive(plan.problem, layers, {unseen: wrong}).beliefs)
    assert found == pytest.approx(bound, rel=1e-9)
    wrong = replace(plan.problem, domain=replace(plan.problem.domain, dtype="float32"))
    assert plan.asked.answer(derive(wrong, layers).beliefs) > bound + 1e-8


@pytest.mark.parametrize("found", [[1.0, 0.0], [1.0, 1.0], [math.nan, 1.0]])
def test_entries_that_appear_or_vanish_have_no_ratio(found):
    true = np.array([1.0, 2.0]) if found[1] == 0 else np.array([1.0, 0.0])

    assert ratio_span(np.array(found), true) == math.inf
    assert ratio_span(np.array([2.0, 4.0]), np.array([1.0, 2.0])) < 1e-14


def test_symbols_with_a_prior_or_children_have_nets_for_all_evidence():
    model = gh.Model()
    root = model.root("root", 2)
    middle = root.children("middle", 2, 3, potential=np.ones((2, 3)) + np.eye(2, 3))
    middle.children("leaf", 2, 2, potential=np.ones((3, 2)) + np.eye(3, 2))
    biased = gh.Model()
    biased.root("root", 2).children(
        "leaf", 2, 3, potential=np.ones((2, 3)) + np.eye(2, 3), prior=[1, 2, 3]
    )

    for each, given_class, kind in (
        (model, "leaf", "symbols"),
        (model, "middle", "exp-log"),
        (biased, "leaf", "exp-log"),
    ):
        layers = gh.bounds(each, "root", given=given_class).layers
        sent = {layer.message.split()[0]: layer.net for layer in layers}
        assert sent[given_class] == kind


def test_log_odds_are_for_variables_of_two_states_alone():
    table = [[1.0, 2.0, 0.0], [3.0, 1.0, 0.0]]
    model = gh.GHM(states=(2, 3), branching=(2,), tables=[table])

    found = gh.bounds(model, "x0", given="x1", evidence_span=5.0)
    assert found.layers[0].net == "exp-log"
