"""Continuous observations: densities, noise levels, and what they say about the states."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.models.observations import LogLikelihoods, Observed
from tests.tolerances import ENUMERATION, EXACT

VALUES = np.array([-1.0, 0.0, 2.0])
RNG = np.random.default_rng(0)
MODEL = gh.GHM(
    states=(2, 3),
    branching=(2,),
    tables=RNG.uniform(0.5, 2, size=(1, 2, 2, 3)),
    state_values=VALUES,
)
ENGINE = gh.Inference(MODEL)
PRIOR = ENGINE.posteriors()["x1"][0]
CHANNELS = [gh.Gaussian(0.7), gh.Gaussian(2.0, scale=-1.5), gh.Localization(0.8)]


@pytest.mark.parametrize("channel", CHANNELS, ids=repr)
def test_the_log_evidence_is_a_density(channel):
    """It integrates to one; that of localization is relative to N(0, t)."""
    grid = np.linspace(-25, 25, 251)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    z = np.stack([first.ravel(), second.ravel()], 1)
    logs = ENGINE.log_evidence({"x1": Observed(z, channel)})
    if isinstance(channel, gh.Localization):
        variance = channel.time
        logs = logs - (z**2).sum(1) / (2 * variance) - np.log(2 * np.pi * variance)

    assert np.exp(logs).sum() * (grid[1] - grid[0]) ** 2 == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize("channel", CHANNELS, ids=repr)
def test_a_channel_only_makes_log_likelihoods(channel):
    z = RNG.normal(size=(5, 2)) * 3
    through = ENGINE.posteriors({"x1": (z, channel)})

    given = LogLikelihoods(channel.log_likelihood(VALUES, z))
    direct = ENGINE.posteriors({"x1": given})
    np.testing.assert_allclose(through["x1"], direct["x1"], atol=EXACT)
    np.testing.assert_allclose(through.log_evidence, direct.log_evidence, rtol=ENUMERATION)


def test_a_function_may_stand_for_a_channel():
    gaussian = gh.Gaussian(0.7)
    z = np.array([[0.3, np.nan], [-4.0, 1.0]])
    found = ENGINE.posteriors({"x1": (z, gh.LogLikelihood(gaussian.log_likelihood))})

    expected = ENGINE.posteriors({"x1": (z, gaussian)})
    np.testing.assert_allclose(found["x0"], expected["x0"], atol=EXACT)
    np.testing.assert_allclose(found.log_evidence, expected.log_evidence, rtol=EXACT)


def test_denoising_is_the_posterior_mean():
    z = RNG.normal(size=(5, 2)) * 3
    posterior = ENGINE.posteriors({"x1": Observed(z, gh.Gaussian(1.3))})["x1"]

    np.testing.assert_allclose(ENGINE.denoise(z, 1.3), posterior @ VALUES, atol=EXACT)


def test_much_noise_leaves_the_prior_and_little_the_nearest_value():
    z = np.array([[-0.6, 1.2]])

    np.testing.assert_allclose(ENGINE.denoise(z, 1e9)[0], PRIOR @ VALUES, atol=1e-8)
    np.testing.assert_allclose(ENGINE.denoise(z, 1e-3)[0], [-1.0, 2.0], atol=EXACT)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 30.0])
def test_far_away_observations_lose_no_digits(sigma, dtype):
    z = np.array([[1e3, -1e3], [-1e3, 1e3], [1e3, np.nan]])
    found = gh.Inference(MODEL, dtype=dtype).denoise(z, sigma)

    logs = np.where(np.isnan(z)[..., None], 0.0, -((z[..., None] - VALUES) ** 2) / (2 * sigma**2))
    exact = ENGINE.posteriors({"x1": LogLikelihoods(logs)})["x1"] @ VALUES
    np.testing.assert_allclose(found, exact, atol=2e-4 if dtype == "float32" else ENUMERATION)


def test_a_missing_observation_is_marginalised():
    seen = ENGINE.posteriors({"x1": Observed([[0.3, np.nan]], gh.Gaussian(0.7))})
    alone = gh.Gaussian(0.7).log_likelihood(VALUES, np.array([[0.3]]))
    expected = ENGINE.posteriors({"x1[0]": np.exp(alone)})

    np.testing.assert_allclose(seen["x1"], expected["x1"], atol=EXACT)
    np.testing.assert_allclose(seen.log_evidence, expected.log_evidence, rtol=ENUMERATION)


def test_classes_may_have_channels_of_their_own():
    model = gh.Model("two")
    root = model.root("a", [0.0, 1.0])
    root.children("b", 1, [0.0, 1.0], potential=[[2, 1], [1, 2]])
    given = [gh.noisy("a", sigma=0.5), gh.localized("b", time=2.0)]
    network = gh.compile(model, gh.posterior("a"), given).network()
    found = network(torch.tensor([0.2]), torch.tensor([1.4]))

    values = np.array([0.0, 1.0])
    a, b = np.exp(-((0.2 - values) ** 2) / 0.5), np.exp(1.4 * values - values**2)
    weights = a * (np.array([[2, 1], [1, 2]]) @ b)
    np.testing.assert_allclose(found[0], weights / weights.sum(), rtol=1e-6)


def test_time_zero_says_nothing():
    beliefs = ENGINE.posteriors({"x1": Observed(np.zeros((1, 2)), gh.Localization(0.0))})

    np.testing.assert_allclose(beliefs["x1"][0], PRIOR, atol=EXACT)
    np.testing.assert_allclose(beliefs.log_evidence, [0.0], atol=EXACT)


def test_scale_zero_is_noise_alone():
    found = ENGINE.log_evidence(
        {"x1": Observed(np.array([[1.0, 3.0]]), gh.Gaussian(2.0, scale=0.0))}
    )

    expected = -(1 + 9) / (2 * 4) - 2 * np.log(2 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(found, [expected], rtol=EXACT)


def test_no_gradient_is_dropped_silently_in_a_function():
    function = gh.LogLikelihood(lambda values, z: -abs(z[..., None] - values))
    z = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)

    with pytest.raises(gh.errors.EvidenceError, match=r"no gradient.*LogLikelihoods"):
        ENGINE.posteriors({"x1": (z, function)})
