"""Every message is what belief propagation says it is: Lemmas 1 and 2, Propositions 2 and 5.

The truth sums over every configuration: the factors of the subtree of a node alone, the others
alone, and all of them. arXiv:2404.18444, equations (BP-CLS), (BP-DNS), (MP-CLS), (MP-DNS).
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import execute
from ghmpp.backends.reference_machine import prepare
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import Combine, Message, Pool, Readout
from ghmpp.schedule.passes import place_normalization
from tests.tolerances import EXACT

# States by layer, branching.
SHAPES = [
    ((2, 2), (3,)),
    ((3, 2, 4), (2, 1)),
    ((2, 3, 2), (2, 2)),
    ((3, 4, 2), (1, 3)),
    ((2, 2, 2, 2), (2, 1, 2)),
    ((3, 2, 2), (2, 3)),
]


def ghm(states, branching, seed):
    """A model with a table per rank, a prior that is not uniform, and state values 1 .. S."""
    rng = np.random.default_rng(seed)
    tables = [
        np.exp(1.5 * rng.normal(size=(ranks, above, below)))
        for ranks, above, below in zip(branching, states, states[1:], strict=False)
    ]
    values = np.arange(states[-1]) + 1.0
    return gh.GHM(
        states, branching, tables, prior=rng.uniform(0.2, 1, states[0]), state_values=values
    )


class Enumerated:
    """Log weights of all configurations, apart for the inside and the outside of each node."""

    def __init__(self, model, evidence):
        forest = model.forest()
        self.names = list(forest.blocks)
        self.nodes = [(name, k) for name in self.names for k in range(forest.blocks[name].nodes)]
        sizes = [range(forest.blocks[name].states) for name, _ in self.nodes]
        self.x = np.array(list(itertools.product(*sizes)))
        self.states = [len(size) for size in sizes]
        self.above, self.terms = {}, {}
        for at, (name, k) in enumerate(self.nodes):
            own = evidence[k] if name == forest.leaves[0] else np.zeros(self.states[at])
            if name == "x0":
                self.prior = np.log(forest.data[forest.blocks["x0"].unary][0])[self.x[:, at]]
                self.terms[at] = own[self.x[:, at]]
                continue
            edge = forest.edges[name]
            parent = self.nodes.index((edge.parent, k // edge.fanout))
            tables = forest.data[edge.key]
            table = np.log(tables[k % edge.fanout % len(tables)])
            self.above[at] = parent, table[self.x[:, parent], self.x[:, at]]
            self.terms[at] = own[self.x[:, at]]

    def inside(self, at):
        """Log weight of the nodes below (with their own evidence), and of the node's."""
        total = self.terms[at]
        for child, (parent, edge) in self.above.items():
            if parent == at:
                total = total + edge + self.inside(child)
        return total

    def marginal(self, logs, at):
        """Normalised sums over all configurations, by the state of a node."""
        weights = np.exp(logs - logs.max())
        sums = np.array([weights[self.x[:, at] == s].sum() for s in range(self.states[at])])
        return sums / sums.sum()

    def down(self, at):
        return self.marginal(self.inside(at), at)

    def up(self, at):
        return self.marginal(self.everything() - self.inside(at), at)

    def posterior(self, at):
        return self.marginal(self.everything(), at)

    def everything(self):
        return self.prior + self.inside(0)


def softmax(logs):
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


class Run:
    """The values of all messages of a schedule that asks for the posterior of every node."""

    def __init__(self, model, evidence, *, normalized=False):
        forest = model.forest()
        self.leaf = forest.leaves[0]
        wanted = [("posterior", name) for name in forest.blocks] + [("mean", self.leaf)]
        schedule = build_schedule(forest, wanted, [self.leaf])
        schedule = place_normalization(schedule) if normalized else schedule
        machine = prepare(schedule, {self.leaf: evidence[None]}, LogFloat())
        for _ in execute(machine, schedule.ops):
            pass
        self.forest, self.ops, self.values = forest, schedule.ops, machine.values
        self.outputs = {key: self.values[out][0] for key, out in schedule.outputs.items()}

    def sent(self, name, toward):
        """The instruction that sends the messages of an edge."""
        return next(
            op
            for op in self.ops
            if isinstance(op, Message) and (op.edge, op.toward) == (name, toward)
        )

    def q(self, name):
        return self.values[self.sent(name, "root").out][0]

    def up(self, name):
        return self.values[self.sent(name, "leaves").out][0]

    def h(self, name, evidence):
        """Own evidence and the pooled messages from below, without the prior."""
        if name == self.leaf:
            return evidence
        edge = self.forest.children[name][0].child
        pools = [op for op in self.ops if isinstance(op, Pool) and op.edge == edge]
        return self.values[pools[0].out][0] if pools else self.q(edge)  # an only child

    def belief(self, name):
        (source,) = next(
            op.sources for op in self.ops if isinstance(op, Readout) and op.block == name
        )
        assert any(isinstance(op, Combine) and op.out == source for op in self.ops)
        return self.values[source][0]


@pytest.fixture(params=[0, 1, 2])
def seed(request):
    return request.param


@pytest.fixture(params=SHAPES, ids=str)
def model(request, seed):
    return ghm(*request.param, seed)


@pytest.fixture
def states_seen(model, seed):
    """Observed states of the leaves, as 0 and -inf."""
    leaf = model.variables[model.forest().leaves[0]]
    x = np.random.default_rng(seed).integers(len(leaf.states), size=leaf.nodes)
    with np.errstate(divide="ignore"):
        return np.log(np.eye(len(leaf.states))[x])


@pytest.fixture
def noisy(model, seed):
    """``-(x - z)^2 / 2`` for values x = 1 .. S and noisy z."""
    leaf = model.variables[model.forest().leaves[0]]
    z = np.random.default_rng(seed).normal(1.5, 2, size=leaf.nodes)
    return -((np.arange(len(leaf.states)) + 1 - z[:, None]) ** 2) / 2


def test_proposition_2_collected_values_are_the_beliefs_of_classification(model, states_seen):
    truth, run = Enumerated(model, states_seen), Run(model, states_seen)
    for at, (name, node) in enumerate(truth.nodes):
        if name != run.leaf:
            np.testing.assert_allclose(
                softmax(run.h(name, states_seen))[node], truth.down(at), atol=EXACT
            )


def test_lemma_1_the_root_has_the_posterior_of_the_class(model, states_seen):
    truth, run = Enumerated(model, states_seen), Run(model, states_seen)

    np.testing.assert_allclose(run.outputs["posterior", "x0"][0], truth.posterior(0), atol=EXACT)


def test_proposition_5_downward_messages(model, noisy):
    truth, run = Enumerated(model, noisy), Run(model, noisy)
    for at, (name, node) in enumerate(truth.nodes):
        np.testing.assert_allclose(softmax(run.h(name, noisy))[node], truth.down(at), atol=EXACT)


def test_proposition_5_upward_messages_are_beliefs_without_the_own_evidence(model, noisy):
    truth, run = Enumerated(model, noisy), Run(model, noisy)
    for at, (name, node) in enumerate(truth.nodes):
        difference = run.belief(name) - run.h(name, noisy)  # b - h
        np.testing.assert_allclose(softmax(difference)[node], truth.up(at), atol=EXACT)
        if name != "x0":
            np.testing.assert_allclose(softmax(run.up(name))[node], truth.up(at), atol=EXACT)


def test_proposition_5_inputs_of_the_upward_nets_are_u_minus_q(model, noisy):
    run = Run(model, noisy)
    for name, edge in run.forest.edges.items():
        u = run.belief(edge.parent)[run.forest.parent_nodes(edge)]
        context = run.values[run.sent(name, "leaves").source][0]

        np.testing.assert_allclose(softmax(context), softmax(u - run.q(name)), atol=EXACT)


@pytest.mark.parametrize("normalized", [False, True])
def test_softmax_of_the_decoder_is_the_posterior_of_every_node(model, noisy, normalized):
    truth, run = Enumerated(model, noisy), Run(model, noisy, normalized=normalized)
    for at, (name, node) in enumerate(truth.nodes):
        np.testing.assert_allclose(softmax(run.belief(name))[node], truth.posterior(at), atol=EXACT)
        np.testing.assert_allclose(
            run.outputs["posterior", name][node], truth.posterior(at), atol=EXACT
        )


def test_lemma_2_posterior_means_are_those_of_the_denoiser(model, noisy):
    truth, run = Enumerated(model, noisy), Run(model, noisy)
    leaves = [at for at, (name, _) in enumerate(truth.nodes) if name == run.leaf]
    values = np.arange(noisy.shape[1]) + 1.0

    for node, at in enumerate(leaves):
        mean = truth.posterior(at) @ values
        assert softmax(run.belief(run.leaf))[node] @ values == pytest.approx(mean, rel=EXACT)
        assert run.outputs["mean", run.leaf][node] == pytest.approx(mean, rel=EXACT)
