"""Processes: maps between times, observations and scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.diffusion import StochasticLocalization, VarianceExploding, VariancePreserving
from ghmpp.errors import QueryError
from tests.diffusion.models import sticky
from tests.tolerances import EXACT, SIGMAS, TWEEDIE

PROCESSES = [StochasticLocalization(), VariancePreserving(), VarianceExploding()]
every = pytest.mark.parametrize("process", PROCESSES, ids=str)


@every
@given(tau=st.floats(1e-4, 1e4))
def test_times_go_there_and_back(process, tau):
    t = process.time(tau)

    assert process.localization_time(t) == pytest.approx(tau, rel=EXACT)


@every
@given(tau=st.floats(1e-3, 1e3), x=st.floats(-3, 3), noise=st.floats(-3, 3))
def test_all_processes_show_the_same_observation(process, tau, x, noise):
    t = process.time(tau)
    alpha, sigma = process.coefficients(t)
    z = torch.tensor(alpha * x + sigma * noise, dtype=torch.float64)
    seen = process.to_localization(z, t)

    assert float(seen) == pytest.approx(tau * x + math.sqrt(tau) * noise, rel=1e-9, abs=1e-9)
    assert float(process.from_localization(seen, t)) == pytest.approx(float(z), rel=EXACT)


@every
def test_noise_has_the_mean_and_the_variance_of_the_coefficients(process):
    alpha, sigma = process.coefficients(0.7)
    x = torch.full((50_000,), 1.5, dtype=torch.float64)
    z = process.noise(x, 0.7, torch.Generator().manual_seed(0))

    error = SIGMAS * sigma / math.sqrt(len(z))
    assert float(z.mean()) == pytest.approx(1.5 * alpha, abs=error)
    assert float(z.std()) == pytest.approx(sigma, abs=error)


def slope(log_density, z):
    """Gradient by central differences of order 4."""
    h, found = 1e-3, np.empty_like(z)
    for k in range(z.shape[1]):
        step = np.zeros_like(z)
        step[:, k] = h
        near = log_density(z + step) - log_density(z - step)
        far = log_density(z + 2 * step) - log_density(z - 2 * step)
        found[:, k] = (8 * near - far) / (12 * h)
    return found


@every
@pytest.mark.parametrize("tau", [0.3, 2.0])
def test_score_is_the_gradient_of_the_log_evidence(process, tau):
    model, t = sticky(), process.time(tau)
    engine = gh.Inference(model)
    x = torch.tensor(model.sample(20, 0)["x2"] + 1.0)
    z = process.noise(x, t, torch.Generator().manual_seed(0))

    def log_density(z):
        logs = engine.log_evidence({"x2": gh.Observed(z, process.channel(t))})
        if isinstance(process, StochasticLocalization):
            logs = logs - (z**2).sum(1) / (2 * t)  # it is relative to N(0, t)
        return logs

    score = process.score(gh.denoiser(model, process=process)(z, t), z, t)
    assert float(np.abs(score.numpy() - slope(log_density, z.numpy())).max()) < TWEEDIE


@every
@given(tau=st.floats(0.01, 100), mean=st.floats(-3, 3), noise=st.floats(-3, 3))
def test_means_come_back_from_scores_and_noise(process, tau, mean, noise):
    t = process.time(tau)
    alpha, sigma = process.coefficients(t)
    z = torch.tensor(alpha * mean + sigma * noise, dtype=torch.float64)
    m = torch.tensor(mean, dtype=torch.float64)

    back = process.mean_from_score(process.score(m, z, t), z, t)
    assert float(back) == pytest.approx(mean, abs=1e-9)
    found = process.mean_from_noise(torch.tensor(noise, dtype=torch.float64), z, t)
    assert float(found) == pytest.approx(mean, abs=1e-9)


def test_localization_and_ddpm_are_one_denoiser():
    model, ddpm = sticky(), VariancePreserving()
    localized = gh.denoiser(model)
    preserving = gh.denoiser(model, process=ddpm)
    network = gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1)).network()
    y = torch.randn(200, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2
    for t in (0.05, 0.4, 1.5, 3.0):
        alpha, sigma = ddpm.coefficients(t)
        direct = network(y, sigma=sigma, scale=alpha)

        torch.testing.assert_close(preserving(y, t), direct, rtol=0, atol=EXACT)
        z, tau = ddpm.to_localization(y, t), ddpm.localization_time(t)
        torch.testing.assert_close(localized(z, tau), direct, rtol=0, atol=EXACT)


@every
@pytest.mark.parametrize("t", [-0.1, math.nan])
def test_times_that_mean_nothing_are_refused(process, t):
    with pytest.raises(QueryError, match="times must be >= 0"):
        process.coefficients(t)


@pytest.mark.parametrize("process", PROCESSES[1:], ids=str)
def test_time_without_noise_has_no_score_and_no_channel(process):
    z = torch.zeros(1, 4)

    for asked in (process.channel, lambda t: process.score(z, z, t)):
        with pytest.raises(QueryError, match="there is no noise at time 0"):
            asked(0.0)
    assert process.localization_time(0.0) == math.inf


def test_time_at_which_nothing_is_seen_has_no_observation():
    with pytest.raises(QueryError, match="nothing is seen"):
        VariancePreserving().from_localization(torch.zeros(1), math.inf)
    with pytest.raises(QueryError, match="is infinite"):
        VarianceExploding().noise(torch.zeros(1), math.inf, torch.Generator())
