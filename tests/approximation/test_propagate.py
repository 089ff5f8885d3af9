"""Networks run in numpy, node by node, never leave their bounds, on trees of all kinds."""

from __future__ import annotations

import math
from contextlib import contextmanager

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.approximation.propagate import Domain
from ghmpp.errors import QueryError
from ghmpp.models.grouping import group
from tests.approximation.networks import (
    adversarial_logs,
    certified,
    exact,
    log_softmax,
    run,
    span_error,
)
from tests.strategies import models
from tests.tolerances import ENUMERATION, EXACT

BATCH = 16


@contextmanager
def possible_networks():
    """Draw another model where zeros leave no finite network."""
    try:
        yield
    except QueryError as refused:
        assume("no finite network exists" not in str(refused))
        raise


def drawn_logs(rng, forest, observed, span):
    return {
        name: adversarial_logs(rng, BATCH, block.nodes, block.states, span=span)
        for name, block in forest.blocks.items()
        if block.variable in observed
    }


def assert_within(forest, bounds, logs, *, dtype=None):
    """Every belief of the network is as close to the exact one as was promised."""
    if dtype is not None:
        logs = {name: array.astype(dtype).astype(float) for name, array in logs.items()}
    true, found = run(forest, exact(bounds), logs), run(forest, bounds, logs, dtype=dtype)
    for name, promised in bounds.beliefs.items():
        # Sums of large logs round by as much as these are large.
        slack = 1e-11 if dtype is None else 0
        assert (span_error(found[name], true[name]) <= promised + slack).all()


def random_tree(rng, nodes):
    """An irregular tree with unequal numbers of states and a table per edge."""
    tree = nx.random_labeled_tree(nodes, seed=int(rng.integers(10_000)))
    graph = nx.bfs_tree(tree, 0)
    for node in graph:
        graph.nodes[node]["states"] = int(rng.integers(2, 5))
        graph.nodes[node]["values"] = np.arange(graph.nodes[node]["states"]) + 1.0
    for parent, child, edge in graph.edges(data=True):
        sizes = (graph.nodes[parent]["states"], graph.nodes[child]["states"])
        edge["potential"] = np.exp(rng.choice([0.3, 1.0, 2.0]) * rng.normal(size=sizes))
    return gh.from_networkx(graph)


@settings(max_examples=70)
@given(model=models(limit=2000), data=st.data())
def test_network_stays_within_its_bound(model, data):
    check_within(model, data)


@pytest.mark.slow
@settings(max_examples=500)
@given(model=models(limit=20_000, wide=True), data=st.data())
def test_many_networks_stay_within_their_bounds(model, data):
    check_within(model, data)


def check_within(model, data):
    """Any network on a model, at random evidence of all sizes."""
    forest = model.forest()
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    span = data.draw(st.sampled_from([math.inf, 3.0, 30.0]))
    observed = set(forest.leaves) | {data.draw(st.sampled_from(list(forest.variables)))}
    targets = data.draw(st.sampled_from([forest.roots, tuple(forest.blocks)]))
    width = data.draw(st.sampled_from([5, 9, 16, 60]))
    with possible_networks():
        _, bounds = certified(forest, targets, observed, width, Domain(evidence_span=span))
    assume(bounds is not None)  # errors of narrow layers may demand more than floats hold

    assert_within(forest, bounds, drawn_logs(rng, forest, observed, span))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("grouped", [False, True])
def test_irregular_trees_stay_within_their_bounds(seed, grouped):
    rng = np.random.default_rng(seed)
    model = random_tree(rng, 9)
    forest = group(model.forest()) if grouped else model.forest()
    observed = set(forest.variables) if seed % 3 == 0 else set(forest.leaves)
    width = int(rng.choice([6, 15, 50]))
    _, bounds = certified(forest, tuple(forest.blocks), observed, width, Domain())

    assert_within(forest, bounds, drawn_logs(rng, forest, observed, math.inf))


def test_discovered_classes_of_an_irregular_tree_have_an_index_of_parents():
    forest = group(random_tree(np.random.default_rng(0), 9).forest())

    assert any(edge.parents is not None for edge in forest.edges.values())


@pytest.mark.parametrize("seed", range(3))
def test_climbing_toward_the_worst_input_does_not_leave_the_bound(seed):
    rng = np.random.default_rng(seed)
    forest = gh.zoo.broadcast(2, 0.1, states=3).forest()
    _, bounds = certified(forest, ("x0",), {"x2"}, 13, Domain())
    logs, step, errors = adversarial_logs(rng, BATCH, 4, 3), 1.0, []
    for _ in range(40):
        tried = np.concatenate([logs, logs + step * rng.normal(size=logs.shape)])
        true = run(forest, exact(bounds), {"x2": tried})["x0"]
        found = run(forest, bounds, {"x2": tried})["x0"]
        reached = np.ptp(found - true, axis=-1)[:, 0]
        logs, step = tried[np.argsort(reached)[-BATCH:]], step * 0.95
        errors.append(reached.max())

    assert errors[-1] >= errors[0]
    assert errors[-1] <= bounds.beliefs["x0"][0] + 1e-11
    assert errors[-1] >= bounds.beliefs["x0"][0] / 25


@pytest.mark.parametrize("seed", range(12))
def test_single_precision_stays_within_its_bound(seed):
    rng = np.random.default_rng(seed)
    model = random_tree(rng, 7) if seed % 2 else gh.zoo.broadcast(3, 0.2, states=3)
    forest = group(model.forest())
    width = int(rng.choice([10, 100, 900]))
    domain = Domain(dtype="float32")
    _, bounds = certified(forest, forest.roots, set(forest.leaves), width, domain)

    logs = drawn_logs(rng, forest, set(forest.leaves), math.inf)
    assert_within(forest, bounds, logs, dtype=np.float32)


@settings(max_examples=12)
@given(model=models(limit=500), seed=st.integers(0, 99))
def test_exact_messages_give_the_posteriors(model, seed):
    forest = model.forest()
    with possible_networks():
        _, bounds = certified(
            forest, tuple(forest.blocks), set(forest.leaves), 9, Domain(evidence_span=9.0)
        )
    logs = drawn_logs(np.random.default_rng(seed), forest, set(forest.leaves), 9.0)
    given_logs = {}
    for name in forest.leaves:
        joined = np.concatenate([logs[b.name] for b in forest.class_blocks(name)], axis=1)
        order = forest.variables[name].order
        given_logs[name] = np.empty_like(joined)
        given_logs[name][:, slice(None) if order is None else order] = joined
    beliefs = gh.infer(model, {name: gh.LogLikelihoods(a) for name, a in given_logs.items()})

    found = run(forest, exact(bounds), logs)
    for name, variable in forest.visible.items():
        expected = beliefs[name].reshape(BATCH, variable.nodes, -1)
        if variable.order is not None:
            expected = expected[:, variable.order]
        joined = np.concatenate([found[block] for block in variable.blocks], axis=1)
        np.testing.assert_allclose(np.exp(log_softmax(joined)), expected, atol=ENUMERATION)


def test_hard_evidence_needs_no_bound_without_zeros():
    model = gh.zoo.broadcast(3, 0.1, states=3)
    forest = model.forest()
    _, bounds = certified(forest, tuple(forest.blocks), {"x1", "x3"}, 40, Domain())
    rng = np.random.default_rng(0)
    hard = {
        name: np.where(np.eye(3, dtype=bool)[rng.integers(3, size=(BATCH, nodes))], 0.0, -np.inf)
        for name, nodes in (("x1", 2), ("x3", 8))
    }

    assert_within(forest, bounds, hard)


def test_observed_states_are_sent_without_error():
    forest = gh.zoo.broadcast(2, 0.1, states=3).forest()
    _, bounds = certified(forest, ("x0",), {"x2"}, 40, Domain(), symbols={"x2"})

    assert bounds.messages[0] == 0
    assert bounds.messages[1] > 0


def test_what_carries_no_evidence_is_sent_without_error():
    model = gh.Model()
    root = model.root("root", 3, prior=[1, 2, 3])
    root.children("seen", 2, 3, potential=np.eye(3) + 1)
    root.children("unseen", 2, 3, potential=np.eye(3) + 0.5)
    _, bounds = certified(model.forest(), ("root",), {"seen"}, 20, Domain())

    sent = dict(zip((b.step.edge.child for b in bounds.steps), bounds.messages, strict=True))
    assert sent["unseen"] == 0
    assert sent["seen"] > 0


def test_only_needed_messages_are_sent():
    forest = gh.zoo.broadcast(3, 0.1).forest()
    collect, _ = certified(forest, ("x0",), {"x3"}, 20, Domain())
    both, _ = certified(forest, ("x3",), {"x3"}, 20, Domain())

    assert [step.name for step in collect.steps] == ["x3 -> x2", "x2 -> x1", "x1 -> x0"]
    assert [step.toward for step in both.steps] == ["root"] * 3 + ["leaves"] * 3


@pytest.mark.parametrize("flip", [0.05, 0.2, 0.4])
def test_recursion_is_the_formula_of_a_regular_tree(flip):
    depth, m, states = 4, 2, 2
    forest = gh.zoo.broadcast(depth, flip, branching=m).forest()
    _, bounds = certified(forest, ("x0",), {f"x{depth}"}, 20, Domain(dtype="real"))
    own = [float(bound.errors.max()) for bound in bounds.steps]
    contraction = abs(1 - states * flip)
    expected = 0.0
    for error in own:
        expected = m * (contraction * expected + error)

    assert bounds.beliefs["x0"][0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("grows", [False, True])
def test_denoising_error_is_bounded_in_depth_below_the_threshold(grows):
    flip = 0.05 if grows else 0.25  # 2 (1 - 2 flip)^2 is 1.62 or 0.5
    errors = []
    for depth in (4, 8, 12):
        forest = gh.zoo.broadcast(depth, flip).forest()
        _, bounds = certified(forest, (f"x{depth}",), {f"x{depth}"}, 20, Domain())
        errors.append(float(bounds.beliefs[f"x{depth}"].max()))

    assert (errors[2] > 2 * errors[1]) == grows
    assert grows or errors[2] == pytest.approx(errors[1], rel=0.05)


@pytest.mark.parametrize("toward", ["root", "leaves"])
def test_zeros_and_unbounded_evidence_are_refused_with_the_cure(toward):
    forest = gh.GHM(states=2, branching=(2, 2), tables=[np.eye(2) + 1, np.eye(2)]).forest()
    target = "x0" if toward == "root" else "x2"

    for symbols in ((), ("x2",)):
        with pytest.raises(QueryError, match=r"no finite network .* x2 -> x1.*softened channel"):
            certified(forest, (target,), {"x2"}, 20, Domain(), symbols=symbols)
    _, bounds = certified(forest, (target,), {"x2"}, 20, Domain(evidence_span=8.0))
    assert np.isfinite(bounds.beliefs[target]).all()


def test_states_that_cannot_occur_are_left_out():
    tables = [np.array([[1.0, 2.0, 0.0], [3.0, 1.0, 0.0]]), np.ones((3, 2)) + np.eye(3, 2)]
    forest = gh.GHM(states=(2, 3, 2), branching=(2, 2), tables=tables, prior=[1, 1]).forest()
    _, bounds = certified(forest, ("x0", "x2"), {"x2"}, 30, Domain())

    rng = np.random.default_rng(0)
    assert_within(forest, bounds, drawn_logs(rng, forest, {"x2"}, math.inf))


@pytest.mark.parametrize("target", ["x0", "x2"])
def test_rules_have_networks_for_soft_evidence(target):
    model = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2)
    forest = model.forest()
    domain = Domain(evidence_span=6.0)
    _, bounds = certified(forest, (target,), set(forest.leaves), 400, domain)

    logs = drawn_logs(np.random.default_rng(0), forest, set(forest.leaves), 6.0)
    assert_within(forest, bounds, logs)


def test_evidence_that_reaches_beyond_floats_has_no_network():
    forest = gh.GHM(states=3, branching=(2,), tables=[[[1, 1, 0], [0, 1, 1], [1, 0, 1]]]).forest()

    assert certified(forest, ("x0",), {"x1"}, 999, Domain(evidence_span=700.0))[1] is None


def test_narrow_layers_have_no_bound():
    forest = gh.zoo.broadcast(2, 0.1, states=5).forest()

    assert certified(forest, ("x0",), {"x2"}, 5, Domain())[1] is None
    assert certified(forest, ("x0",), {"x2"}, 6, Domain())[1] is not None


def test_contractions_are_those_of_the_assumptions():
    model = gh.GHM(states=(3, 2, 4), branching=(2, 3)).initialise(3)
    _, bounds = certified(model.forest(), ("x2",), {"x2"}, 30, Domain())
    known = {edge.edge: edge.contractions for edge in model.assumptions().edges}

    for bound in bounds.steps:
        edge = bound.step.edge
        expected = known[f"{edge.parent}->{edge.child}"]
        np.testing.assert_allclose(bound.contractions, expected, rtol=EXACT)
