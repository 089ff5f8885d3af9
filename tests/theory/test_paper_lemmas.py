"""Lemmas and remarks of the paper about messages: what holds, and what does not as printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.approximation.paper_nets import UniformExpNet, UniformLogNet
from ghmpp.models.assumptions import birkhoff_diameter
from ghmpp.theory import paper

SEEDS = st.integers(0, 999)


def normalize(h):
    return h - h.max(axis=-1, keepdims=True)


def exact(table, h):
    return np.logaddexp.reduce(np.log(table) + h[..., None, :], axis=-1)


def log_softmax(h):
    return h - np.logaddexp.reduce(h, axis=-1, keepdims=True)


def sup(x):
    return abs(x).max()


# Lemmas 6 and 7


@given(seed=SEEDS)
def test_lemma_6_exact_messages_do_not_expand(seed):
    rng = np.random.default_rng(seed)
    table = np.exp(3 * rng.normal(size=(4, 3)))
    a, b = 5 * rng.normal(size=(2, 50, 3))
    moved = abs(exact(table, a) - exact(table, b)).max(axis=1)

    assert (moved <= abs(a - b).max(axis=1) * (1 + 1e-12)).all()


@given(seed=SEEDS)
def test_lemma_7_normalisation_is_2_lipschitz_in_sup_norm(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 50, 4))
    moved = abs(normalize(a) - normalize(b)).max(axis=1)

    assert (moved <= 2 * abs(a - b).max(axis=1) * (1 + 1e-12)).all()


def test_lemma_5_nets_do_expand():
    """Its proof uses Lemma 6 for the nets themselves."""
    states, bound, delta = 3, 10.0, 5.0
    rng = np.random.default_rng(0)
    exp = UniformExpNet(math.ceil(2 * states * bound**2 / delta))
    log = UniformLogNet(math.ceil(2 * states * bound / delta) - 1, states * bound)
    table = bound ** rng.choice([-1.0, 1.0], size=(20_000, states))
    a = normalize(3 * rng.normal(size=(20_000, states)))
    b = normalize(a + 0.02 * rng.normal(size=a.shape))
    sent = [log((table * exp(h)).sum(axis=1)) for h in (a, b)]
    ratios = abs(sent[0] - sent[1]) / abs(a - b).max(axis=1)

    assert ratios.max() > 1.3


# Lemmas 5 and 21


class Passes:
    """Message passing on a regular model, each message off by at most delta."""

    def __init__(self, seed, delta):
        self.rng = np.random.default_rng(seed)
        self.m = self.rng.integers(1, 4, size=self.rng.integers(1, 4))
        self.states, self.delta = int(self.rng.integers(2, 4)), delta
        size = (self.states, self.states)
        self.tables = [[np.exp(2 * self.rng.normal(size=size)) for _ in range(m)] for m in self.m]
        self.bound = delta * 3 ** len(self.m) * math.prod(self.m)

    def noise(self, shape):
        """Errors of size delta, of random sign."""
        return self.delta * self.rng.choice([-1.0, 1.0], size=shape)

    def collect(self, h, *, noisy):
        """Values of all levels from the leaves to the root, and the messages."""
        values, messages = [h], []
        for m, tables in zip(self.m[::-1], self.tables[::-1], strict=True):
            q = np.stack([exact(tables[k % m], normalize(h[k])) for k in range(len(h))])
            q = q + (self.noise(q.shape) if noisy else 0)
            h = q.reshape(-1, m, self.states).sum(axis=1)
            values.append(h)
            messages.append(q)
        return values[::-1], messages[::-1]

    def distribute(self, values, messages, *, noisy):
        """b of all levels, from the root to the leaves."""
        b = [values[0]]
        for level, (m, tables) in enumerate(zip(self.m, self.tables, strict=True)):
            sent = []
            for k, q in enumerate(messages[level]):
                f = exact(tables[k % m].T, normalize(b[level][k // m] - q))
                sent.append(f + (self.noise(f.shape) if noisy else 0))
            b.append(np.stack(sent) + values[level + 1])
        return b

    def evidence(self):
        return 3 * self.rng.normal(size=(math.prod(self.m), self.states))


@given(seed=SEEDS, delta=st.sampled_from([0.01, 0.5, 3.0]))
def test_lemma_5_error_at_the_root(seed, delta):
    passes = Passes(seed, delta)
    h = passes.evidence()
    true, _ = passes.collect(h, noisy=False)
    found, _ = passes.collect(h, noisy=True)
    product = delta * math.prod(2 * passes.m + 1)

    assert sup(normalize(found[0]) - normalize(true[0])) <= product
    assert product <= paper.lemma_5.value(delta=delta, L=len(passes.m), d=math.prod(passes.m))


@given(seed=SEEDS, delta=st.sampled_from([0.01, 0.5, 3.0]))
def test_theorem_3_error_of_log_posteriors_is_at_most_that_of_the_messages(seed, delta):
    passes = Passes(seed, delta)
    h = passes.evidence()
    true, found = (passes.collect(h, noisy=noisy)[0][0] for noisy in (False, True))
    sums = delta * sum(math.prod(passes.m[: k + 1]) for k in range(len(passes.m)))

    moved = sup(log_softmax(found) - log_softmax(true))

    assert moved <= np.ptp(found - true) + 1e-12
    assert np.ptp(found - true) <= 2 * sums + 1e-12
    assert 2 * sums <= passes.bound


@given(seed=SEEDS, delta=st.sampled_from([0.01, 0.5, 3.0]))
def test_lemma_21_error_at_the_leaves(seed, delta):
    passes = Passes(seed, delta)
    h = passes.evidence()
    true, found = (
        passes.distribute(*passes.collect(h, noisy=noisy), noisy=noisy)[-1]
        for noisy in (False, True)
    )

    bound = paper.lemma_21.value(delta=delta, L=len(passes.m), d=math.prod(passes.m))
    assert sup(found - true) <= bound


@given(seed=SEEDS)
def test_theorem_6_means_differ_by_less_than_its_proof_says(seed):
    rng = np.random.default_rng(seed)
    states = int(rng.integers(2, 7))
    values = np.arange(states) + 1.0
    a, b = rng.choice([0.1, 1.0, 9.0]) * rng.normal(size=(2, 200, states))
    moved = abs((np.exp(log_softmax(a)) - np.exp(log_softmax(b))) @ values)
    tight = (states - 1) * np.tanh(np.ptp(a - b, axis=1) / 4)

    assert (moved <= tight + 1e-12).all()
    assert (tight <= states * abs(a - b).max(axis=1)).all()


def test_theorem_3_log_posteriors_may_move_twice_as_far_as_normalised_values():
    """The last step of its proof, read by itself."""
    epsilon = 0.01
    h = np.array([0.0] * 18 + [-3.0, -epsilon])
    moved = np.array([-epsilon] * 18 + [-3.0 + epsilon, 0.0])

    assert h.max() == moved.max() == 0
    assert sup(log_softmax(moved) - log_softmax(h)) > 1.7 * sup(moved - h)


# Section 2


def test_siblings_are_not_alike_when_tables_depend_on_the_rank():
    tables = np.array([[[3.0, 1.0], [2.0, 1.0]], [[1.0, 2.0], [1.0, 1.0]]])
    beliefs = gh.infer(gh.GHM(2, (2,), [tables]), {})
    marginals = beliefs["x1"][0]

    assert abs(marginals[0] - marginals[1]).max() > 0.2


def test_subtrees_of_one_table_are_alike_given_the_top_but_not_by_themselves():
    rng = np.random.default_rng(1)
    tables = [rng.uniform(0.1, 1, (2, 2, 2)), rng.uniform(0.1, 1, (2, 2))]
    model = gh.GHM(2, (2, 2), tables)
    alone = gh.infer(model, {})["x2"][0]
    given_top = gh.infer(model, {"x1": [[1, 1]]})["x2"][0]

    assert abs(alone[0] - alone[2]).max() > 0.01
    np.testing.assert_allclose(given_top[0], given_top[2], atol=1e-12)


def test_conditional_form_changes_the_bound_and_not_the_birkhoff_diameter():
    rng = np.random.default_rng(0)
    bound, levels = 3.0, 3
    tables = [bound ** rng.choice([-1.0, 1.0], (2, 3, 3)) for _ in range(levels)]
    below = np.ones(3)
    largest = 1.0
    for stack in tables[::-1]:
        conditional = stack * below
        conditional = conditional / conditional.sum(axis=2, keepdims=True)
        largest = max(largest, 1 / conditional.min())
        for table, cast in zip(stack, conditional, strict=True):
            assert birkhoff_diameter(cast) == pytest.approx(birkhoff_diameter(table), rel=1e-9)
        below = (stack @ below).prod(axis=0)

    assert largest > 2 * bound
