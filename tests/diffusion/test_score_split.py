"""The three parts of a score's error, against enumeration and an iteration of our own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion.residual import residual_network
from ghmpp.diffusion.score_split import score_error
from ghmpp.errors import QueryError
from ghmpp.models.channels import Given
from tests.tolerances import SIGMAS

D = 6
SEEN = gh.noisy("x", sigma=1.5)
MODEL = gh.PairwiseSpins.sherrington_kirkpatrick(D, 0.35, seed=3)


def means(z):
    """Posterior means by all configurations."""
    x = np.array(list(itertools.product([-1, 1], repeat=D)), dtype=float)
    logs = np.einsum("ci,ij,cj->c", x, MODEL.couplings, x) / 2 + z @ x.T / 1.5**2
    weights = np.exp(logs - logs.max(1, keepdims=True))
    return weights @ x / weights.sum(1, keepdims=True)


def fixed_point(z):
    m = np.zeros_like(z)
    for _ in range(1000):
        m = np.tanh(m @ MODEL.couplings + z / 1.5**2)
    return m


def drawn(n):
    rng = np.random.default_rng(5)
    x = np.array(list(itertools.product([-1, 1], repeat=D)), dtype=float)
    logs = np.einsum("ci,ij,cj->c", x, MODEL.couplings, x) / 2
    rows = rng.choice(len(x), n, p=np.exp(logs) / np.exp(logs).sum())
    return x[rows] + 1.5 * rng.normal(size=(n, D))


def test_parts_are_those_of_enumeration():
    network = residual_network(MODEL, SEEN, steps=4, knots=8)
    trained = residual_network(MODEL, SEEN, steps=5, knots=16)
    found = score_error(MODEL, SEEN, network, trained=trained, n=2000)

    z = drawn(2000)
    answers = [module(torch.tensor(z)).numpy() for module in (network, trained)]
    wanted = {
        "variational": fixed_point(z) - means(z),
        "network": answers[0] - fixed_point(z),
        "estimation": answers[1] - answers[0],
        "total": answers[1] - means(z),
        "trivial": np.tanh(z / 1.5**2) - means(z),
    }
    for name, gap in wanted.items():
        squares, estimate = (gap**2).mean(1), getattr(found, name)
        allowed = SIGMAS * np.hypot(estimate.error, squares.std() / 2000**0.5)
        assert abs(estimate.value - squares.mean()) < allowed
    assert found.total.value <= found.bound
    assert found.factor == pytest.approx(1.5**-4)
    assert found.unsettled < 1e-9
    assert "estimation" in repr(found)


def test_the_exact_denoiser_undoes_the_variational_error():
    exact = gh.compile(MODEL, gh.mean("x"), SEEN, engine="exact").network()
    found = score_error(MODEL, SEEN, exact, n=200)

    assert found.total.value < 1e-25
    assert found.network.value == pytest.approx(found.variational.value)
    assert found.estimation is None
    assert "estimation" not in repr(found)


def test_the_fixed_point_of_another_engine():
    network = residual_network(MODEL, SEEN, steps=30, knots=64, onsager=True)
    naive = score_error(MODEL, SEEN, network, n=500)
    tap = score_error(MODEL, SEEN, network, engine=gh.TAP(onsager="constant"), n=500)

    assert tap.network.value < naive.network.value / 100
    assert tap.variational.value < naive.variational.value


def test_iterations_that_do_not_settle_are_said():
    model = gh.PairwiseSpins([[0, -3.0], [-3.0, 0]])
    network = residual_network(model, SEEN, steps=3, knots=8, certificate=False)
    found = score_error(model, SEEN, network, engine=gh.NaiveMeanField(damping=0.0), n=50)

    assert found.unsettled > 1e-3
    assert "no fixed point" in repr(found)


def test_wrong_questions_are_refused():
    with pytest.raises(QueryError, match=r"expected given=gh\.noisy"):
        score_error(MODEL, Given("x"), torch.tanh)
    with pytest.raises(QueryError, match="n must be at least 2"):
        score_error(MODEL, SEEN, torch.tanh, n=1)
