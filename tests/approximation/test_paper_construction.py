"""Whole networks by the paper's construction: their widths, their errors, and refusals."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest

import ghmpp as gh
from ghmpp import _memory
from ghmpp.approximation.bounds import plan_network
from ghmpp.approximation.paper import theorem_3_width, theorem_6_width
from ghmpp.approximation.weights import layer_weights
from ghmpp.errors import QueryError, ResourceError
from ghmpp.verification.enumeration import enumeration
from tests.approximation.networks import adversarial_logs, log_softmax, run

# Branching, states, K, delta: networks of at most 20,000 units that can be run.
CLASSIFIERS = [
    ((2,), 2, 1.5, 0.02),
    ((2, 2), 2, 1.5, 0.1),
    ((3, 3), 2, 1.5, 0.2),
    ((2, 2), 3, 1.5, 0.2),
    ((2, 3), (2, 3, 2), 1.2, 0.2),
    ((2, 2, 2), 2, 1.2, 0.5),
]
DENOISERS = [
    ((2,), 2, 1.5, 0.2),
    ((3,), 2, 1.5, 0.4),
    ((2,), 3, 1.2, 0.5),
    ((3,), (3, 2), 1.1, 0.6),
    ((2, 2), 2, 1.05, 0.9),
]


def model(branching, states, bound, seed=0):
    """A regular model with entries in [1/K, K], both ends attained, and a prior."""
    rng = np.random.default_rng(seed)
    sizes = (states,) * (len(branching) + 1) if isinstance(states, int) else states
    if len(sizes) != len(branching) + 1:
        sizes = (*sizes, sizes[-1])
    tables = []
    for level, ranks in enumerate(branching):
        table = bound ** rng.choice([-1, 1, 0.3], (ranks, sizes[level], sizes[level + 1]))
        table[:, 0, 0], table[:, -1, -1] = bound, 1 / bound
        tables.append(table)
    values = np.arange(sizes[-1]) + 1.0
    prior = rng.uniform(0.5, 1, sizes[0])
    return gh.GHM(sizes, branching, tables, prior=prior, state_values=values)


def all_evidence(forest):
    """Log-likelihoods 0 and -inf of every configuration of the leaves, in product order."""
    (leaf,) = forest.leaves
    block = forest.blocks[leaf]
    x = np.array(list(itertools.product(range(block.states), repeat=block.nodes)))
    with np.errstate(divide="ignore"):
        return {leaf: np.log(np.eye(block.states)[x])}


def all_posteriors(forest):
    """Posterior of the root for every configuration of the leaves, (configurations, states).

    Masses of subtrees are multiplied out, without messages.
    """
    masses = None
    for edge in reversed(forest.edges.values()):
        tables = forest.data[edge.key]
        masses = np.eye(tables.shape[2]) if masses is None else masses
        sent = [tables[rank % len(tables)] @ masses for rank in range(edge.fanout)]
        masses = sent[0]
        for each in sent[1:]:
            masses = (masses[:, :, None] * each[:, None, :]).reshape(len(masses), -1)
    masses = (masses * forest.data[forest.blocks["x0"].unary][0][:, None]).T
    return masses / masses.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("case", CLASSIFIERS, ids=str)
def test_theorem_3_classifier_stays_within_delta_for_every_input(case):
    branching, states, bound, delta = case
    found = model(branching, states, bound)
    plan = plan_network(found, gh.posterior("x0"), delta=delta, construction="paper")
    logs = all_evidence(plan.forest)
    sent = log_softmax(run(plan.forest, plan.propagated, logs)["x0"])[:, 0]
    error = abs(sent - np.log(all_posteriors(plan.forest))).max()

    assert error <= plan.bounds.bound + 1e-12
    assert plan.bounds.bound <= delta
    assert error > 0
    assert plan.bounds.width == plan.bounds.paper_width <= 20_000
    assert plan.bounds.construction == "paper"


@pytest.mark.parametrize("case", DENOISERS, ids=str)
def test_theorem_6_denoiser_stays_within_delta_for_all_noise(case):
    branching, states, bound, delta = case
    found = model(branching, states, bound)
    leaf = f"x{len(branching)}"
    plan = plan_network(found, gh.mean(leaf), delta=delta, construction="paper")
    block = plan.forest.blocks[leaf]
    logs = {leaf: adversarial_logs(np.random.default_rng(1), 150, block.nodes, block.states)}
    true = enumeration(plan.forest, logs).means[leaf]
    values = np.asarray(plan.forest.variables[leaf].values)
    sent = np.exp(log_softmax(run(plan.forest, plan.propagated, logs)[leaf])) @ values

    assert abs(sent - true).max() <= plan.bounds.bound + 1e-11
    assert plan.bounds.bound <= delta
    assert plan.bounds.width == plan.bounds.paper_width <= 60_000


@pytest.mark.parametrize("seed", range(3))
def test_irregular_trees_stay_within_delta(seed):
    rng = np.random.default_rng(seed)
    tree = nx.bfs_tree(nx.random_labeled_tree(6, seed=seed), 0)
    for node in tree:
        tree.nodes[node]["states"] = int(rng.integers(2, 4))
    for parent, child, edge in tree.edges(data=True):
        sizes = (tree.nodes[parent]["states"], tree.nodes[child]["states"])
        edge["potential"] = 1.4 ** rng.uniform(-1, 1, sizes)
    found = gh.from_networkx(tree)
    root = found.forest().roots[0]
    bounds = gh.bounds(found, gh.posterior(root), delta=0.3, construction="paper")

    assert 0 < bounds.bound <= 0.3


def test_widths_are_those_of_the_theorems():
    found = model((2, 2), 2, 1.5)
    classify = plan_network(found, gh.posterior("x0"), delta=0.1, construction="paper").bounds
    denoise = plan_network(found, gh.mean("x2"), delta=0.1, construction="paper").bounds

    assert classify.width == theorem_3_width(2, 1.5, leaves=4, depth=2, delta=0.1)
    assert denoise.width == theorem_6_width(2, 1.5, leaves=4, depth=2, delta=0.1)
    assert [layer.net for layer in classify.layers] == ["paper-symbols", "paper"]


def test_relu_units_of_a_paper_network_are_the_same_function():
    found = model((2, 2), 2, 1.5)
    plan = plan_network(found, gh.posterior("x0"), delta=0.3, construction="paper")
    logs = all_evidence(plan.forest)
    looked_up = log_softmax(run(plan.forest, plan.propagated, logs)["x0"])
    units = log_softmax(run(plan.forest, plan.propagated, logs, dtype=np.float64)["x0"])

    np.testing.assert_allclose(units, looked_up, atol=1e-10)


def test_weights_have_as_many_units_as_the_lemmas_take():
    found = model((2, 2), 2, 1.5)
    plan = plan_network(found, gh.posterior("x0"), delta=0.1, construction="paper")
    layers = layer_weights(plan.forest, plan.propagated.steps)
    x = 2**2 * 1.5**2 * 4 * 3**2 / 0.1  # S^2 K^2 d 3^L / delta
    nets = layers["root", "x1"].nets["exp_log"]

    assert nets.exp_knots.shape[1] == math.ceil(2 * x / 2) + 1 - 2  # M_2, without the constant
    assert nets.log_knots.shape[1] == math.ceil(2 * x / (2 * 1.5)) + 1 - 2  # M_1
    np.testing.assert_array_equal(nets.offsets, 0)
    assert (nets.exp_slopes > 0).all()
    assert (nets.log_slopes > 0).all()


def test_weights_of_observed_states_are_those_of_lemma_15():
    found = model((2, 2), 2, 1.5)
    plan = plan_network(found, gh.posterior("x0"), delta=0.1, construction="paper")
    values = layer_weights(plan.forest, plan.propagated.steps)["root", "x2"].nets["symbols"].values
    exact = np.log(plan.forest.data[plan.forest.edges["x2"].key])
    missed = exact - values[:, :2].swapaxes(1, 2)

    assert values.shape == (2, 3, 2)
    assert missed.min() >= -1e-13
    assert missed.max() <= 0.1 / (4 * 3**2)


def test_a_larger_width_has_a_smaller_error():
    found = model((2, 2), 2, 1.5)
    errors = [
        plan_network(found, gh.posterior("x0"), width=width, construction="paper").bounds.bound
        for width in (50, 500, 5_000, 500_000)
    ]

    assert all(wide < narrow / 8 for narrow, wide in itertools.pairwise(errors))


def test_rounding_that_exceeds_delta_is_refused():
    found = model((2, 2), 2, 1.5)

    with pytest.raises(QueryError, match=r"out of reach.*rounding of float32.*finer dtype"):
        plan_network(found, gh.posterior("x0"), delta=1e-4, construction="paper", dtype="float32")


@pytest.mark.parametrize(
    ("query", "given"),
    [
        (gh.posterior("x1"), None),  # not the root
        (gh.mean("x2"), "x2"),  # means of states that are seen
        (gh.posterior("x0"), gh.noisy("x2", sigma=1.0)),
        (gh.posterior("x0"), ["x1", "x2"]),  # more than the leaves
    ],
)
@pytest.mark.parametrize("size", [{"delta": 0.1}, {"width": 99}])
def test_queries_without_a_theorem_are_refused(query, given, size):
    with pytest.raises(QueryError, match=r"no theorem for this query.*Theorem 3.*Theorem 6"):
        plan_network(model((2, 2), 2, 1.5), query, given, construction="paper", **size)


def test_zeros_are_refused_by_assumption_2():
    found = gh.GHM(2, (2,), [[[1.0, 0.0], [0.5, 0.5]]], state_values=[0, 1])

    with pytest.raises(QueryError, match=r"Theorem 6 needs Assumption 2.*\[1/K, K\].*tight"):
        plan_network(found, gh.mean("x1"), delta=0.1, construction="paper")


def test_joint_rules_have_zeros_and_are_refused():
    found = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2, seed=0)
    root = found.forest().roots[0]

    with pytest.raises(QueryError, match="Assumption 2"):
        plan_network(found, gh.posterior(root), delta=0.1, construction="paper")


def test_other_budgets_than_one_width_are_refused():
    with pytest.raises(QueryError, match="one width for all layers, got budget='min-flops'"):
        plan_network(
            model((2,), 2, 1.5),
            gh.posterior("x0"),
            delta=0.1,
            budget="min-flops",
            construction="paper",
        )


def test_networks_that_do_not_fit_are_refused_with_width_and_memory(monkeypatch):
    plan = plan_network(model((2, 2), 2, 1.5), gh.posterior("x0"), delta=0.1, construction="paper")
    needed = 8 * plan.bounds.parameters
    monkeypatch.setattr(_memory, "physical_memory", lambda: needed - 1)

    with pytest.raises(ResourceError, match=rf"{plan.bounds.width:,} units need.*the limit is"):
        layer_weights(plan.forest, plan.propagated.steps)


def test_networks_that_just_fit_are_made(monkeypatch):
    plan = plan_network(model((2, 2), 2, 1.5), gh.posterior("x0"), delta=0.1, construction="paper")
    monkeypatch.setattr(_memory, "physical_memory", lambda: 8 * plan.bounds.parameters)

    assert layer_weights(plan.forest, plan.propagated.steps)


def test_networks_that_nobody_can_hold_have_bounds_and_are_not_made():
    asked = model((4, 4, 4, 4), 4, 10.0), gh.mean("x4")
    plan = plan_network(*asked, delta=0.01, construction="paper", dtype="real")

    assert plan.bounds.width > 1e12
    assert plan.bounds.bound <= 0.01
    with pytest.raises(ResourceError, match=r"hidden layers of up to .* units need .* PiB"):
        layer_weights(plan.forest, plan.propagated.steps)
    with pytest.raises(ResourceError, match=r"hidden layers of up to .* units need .* PiB"):
        plan_network(*asked, delta=0.01, construction="paper")  # rounding is too large as well
