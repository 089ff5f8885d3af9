"""Models of 10^5 variables, against log-domain recursions written here."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

import ghmpp as gh
from ghmpp._arrays import FloatArray
from ghmpp.models.factors import Factor, Factors, Node
from tests.tolerances import PGMPY

STEPS, STATES, SYMBOLS = 100_000, 4, 5


def log_sum(x: FloatArray, axis: int) -> FloatArray:
    """Logarithm of a sum of exponentials."""
    largest = x.max(axis, keepdims=True)
    return np.log(np.exp(x - largest).sum(axis)) + largest.squeeze(axis)


def log_product(matrices: FloatArray) -> FloatArray:
    """Logarithms of the product of matrices given in logarithms, (n, S, S), pair by pair."""
    while len(matrices) > 1:
        odd = matrices[len(matrices) & ~1 :]
        first, second = (
            matrices[: len(matrices) & ~1].reshape(-1, 2, *matrices.shape[1:]).swapaxes(0, 1)
        )
        pairs = log_sum(first[:, :, :, None] + second[:, None], 2)
        matrices = np.concatenate([pairs, odd])
    return matrices[0]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Millions of records are made, and none in circles: looking for circles takes seconds."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
@pytest.mark.usefixtures("no_collector")
def test_a_hidden_markov_chain_of_100_000_steps():
    rng = np.random.default_rng(0)
    transition, emission = (
        rng.dirichlet(np.ones(STATES), STATES),
        rng.dirichlet(np.ones(SYMBOLS), STATES),
    )
    prior, seen = rng.dirichlet(np.ones(STATES)), rng.integers(SYMBOLS, size=STEPS)
    model = gh.Model("chain")
    hidden = model.chain("z", STEPS, STATES, potential=transition, prior=prior)
    hidden.children("x", 1, SYMBOLS, potential=emission)
    found = gh.Inference(model).log_evidence({"x": seen})

    start = np.log(prior) + np.log(emission[:, seen[0]])
    steps = np.log(transition) + np.log(emission[:, seen[1:]]).T[:, None, :]
    expected = log_sum(log_sum(start[:, None] + log_product(steps), 0), 0)
    np.testing.assert_allclose(found, [expected], rtol=PGMPY)


@pytest.fixture(scope="module")
def tree() -> tuple[gh.Model, FloatArray, FloatArray]:
    """A GHM of 65,536 leaves, its unnormalised tables, and two rows of leaves, one with holes."""
    rng = np.random.default_rng(0)
    tables = rng.uniform(0.05, 1, size=(8, 4, 4, 4))
    model = gh.GHM(states=(4,) * 9, branching=(4,) * 8, tables=list(tables))
    leaves = model.sample(2, seed=1)["x8"]
    leaves[1, rng.random(4**8) < 0.5] = -1
    return model, tables, leaves


def log_mass(tables: FloatArray, leaves: FloatArray) -> float:
    """Logarithm of the sum over all configurations, level by level."""
    below = np.where((leaves[:, None] == np.arange(4)) | (leaves[:, None] < 0), 0.0, -np.inf)
    for level in tables[::-1]:
        by_rank = below.reshape(-1, 4, 1, 4) + np.log(level)
        below = log_sum(by_rank, 3).sum(1)
    return float(log_sum(below[0], 0))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", PGMPY), ("float32", 1e-6)])
def test_a_regular_model_of_65_536_leaves(tree, dtype, tolerance):
    model, tables, leaves = tree
    beliefs = gh.infer(model, leaves, dtype=dtype)

    nothing = np.full(4**8, -1)
    expected = [log_mass(tables, row) - log_mass(tables, nothing) for row in leaves]
    np.testing.assert_allclose(beliefs.log_evidence, expected, rtol=tolerance)
    np.testing.assert_allclose(beliefs["x8"].sum(-1), 1.0, rtol=1e-5)


def test_nothing_seen_on_65_536_leaves_has_log_evidence_zero(tree):
    model, _, _ = tree

    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-3)):
        found = gh.Inference(model, dtype=dtype).log_evidence()
        np.testing.assert_allclose(found, [0.0], atol=tolerance)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("steps", [1_000, pytest.param(STEPS, marks=pytest.mark.slow)])
def test_a_hidden_markov_chain_given_as_factors(steps):
    rng = np.random.default_rng(0)
    prior, transition, emission = (rng.dirichlet(np.ones(4), n) for n in (1, 4, 4))
    seen = rng.integers(4, size=steps)
    factors = [Factor(("z0",), prior[0], "z0")]
    for k in range(steps):
        if k:
            factors.append(Factor((f"z{k}", f"z{k - 1}"), transition.T, f"z{k}"))
        factors.append(Factor((f"x{k}", f"z{k}"), emission.T, f"x{k}"))
    nodes = {name: Node(4) for k in range(steps) for name in (f"z{k}", f"x{k}")}
    engine = gh.Inference(Factors("chain", nodes, tuple(factors)))
    evidence = {f"x{k}": seen[k : k + 1] for k in range(steps)}
    found = engine.log_evidence(evidence)

    forward = np.log(prior[0]) + np.log(emission[:, seen[0]])
    for symbol in seen[1:]:
        forward = log_sum(forward[:, None] + np.log(transition), 0) + np.log(emission[:, symbol])
    np.testing.assert_allclose(found, [log_sum(forward, 0)], rtol=PGMPY)
    if steps < STEPS:
        last = engine.posteriors(evidence, classes=[f"z{steps - 1}"])[f"z{steps - 1}"]
        np.testing.assert_allclose(last[0], np.exp(forward - log_sum(forward, 0)), rtol=PGMPY)


@pytest.mark.slow
def test_a_long_chain_of_cliques():
    steps, rng = 1_000, np.random.default_rng(0)
    table = rng.dirichlet(np.ones(3), (3, 3))
    names = [f"z{k}" for k in range(steps)]
    triples = zip(names, names[1:], names[2:], strict=False)
    factors = tuple(Factor(scope, table, scope[-1]) for scope in triples)
    engine = gh.Inference(Factors("chain", {name: Node(3) for name in names}, factors))
    seen = rng.integers(3, size=steps)
    found = engine.log_evidence({name: seen[k : k + 1] for k, name in enumerate(names)})

    jumps = table[seen[:-2], seen[1:-1], seen[2:]]
    np.testing.assert_allclose(found, [np.log(jumps).sum() - np.log(9)], rtol=PGMPY)
