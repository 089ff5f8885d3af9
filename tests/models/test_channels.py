"""Channels are checked against scipy's densities and their own quadratic form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from ghmpp.errors import EvidenceError
from ghmpp.models.channels import (
    Gaussian,
    Given,
    Localization,
    LogLikelihood,
    localized,
    noisy,
)
from tests.tolerances import EXACT, SIGMAS

VALUES = np.array([-1.0, 0.0, 2.5])
POSITIVE = st.floats(0.1, 10)
REAL = st.floats(-10, 10)


@given(sigma=POSITIVE, scale=REAL, z=REAL)
def test_gaussian_is_the_density_of_scipy(sigma, scale, z):
    found = Gaussian(sigma, scale).log_likelihood(VALUES, np.array([z]))

    expected = norm.logpdf(z, loc=scale * VALUES, scale=sigma)
    np.testing.assert_allclose(found, expected[None], rtol=EXACT, atol=EXACT)


@given(time=POSITIVE, z=REAL)
def test_localization_is_relative_to_the_law_without_signal(time, z):
    found = Localization(time).log_likelihood(VALUES, np.array([z]))

    spread = np.sqrt(time)
    expected = norm.logpdf(z, time * VALUES, spread) - norm.logpdf(z, 0, spread)
    np.testing.assert_allclose(found, expected[None], rtol=1e-10, atol=1e-10)


def test_localization_at_time_zero_says_nothing():
    found = Localization(0.0).log_likelihood(VALUES, np.array([0.0]))

    assert np.array_equal(found, np.zeros((1, 3)))


@given(
    channel=st.one_of(st.builds(Gaussian, POSITIVE, REAL), st.builds(Localization, POSITIVE)),
    z=REAL,
)
def test_coefficients_and_rest_give_the_log_likelihood(channel, z):
    gain, curvature = channel.coefficients()

    quadratic = gain * VALUES * z - curvature * VALUES**2 / 2 + channel.rest(np.array(z))
    np.testing.assert_allclose(
        quadratic, channel.log_likelihood(VALUES, np.array(z)), rtol=1e-9, atol=1e-9
    )


def test_observations_of_any_shape_gain_an_axis_of_states():
    z = np.zeros((4, 5))

    for channel in (
        Gaussian(1.0),
        Localization(1.0),
        LogLikelihood(lambda values, z: z[..., None] * values),
    ):
        assert channel.log_likelihood(VALUES, z).shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("channel", "mean", "spread"),
    [(Gaussian(sigma=0.5, scale=2.0), 6.0, 0.5), (Localization(time=4.0), 12.0, 2.0)],
)
def test_samples_have_the_mean_and_spread_of_the_channel(channel, mean, spread):
    n = 40_000
    z = channel.sample(np.full(n, 3.0), np.random.default_rng(0))

    assert z.shape == (n,)
    assert abs(z.mean() - mean) < SIGMAS * spread / np.sqrt(n)
    assert abs(z.std() - spread) < SIGMAS * spread / np.sqrt(2 * n)


def test_with_parameters_gives_a_new_channel():
    channel = Gaussian(sigma=1.0, scale=3.0)

    assert channel.with_parameters(sigma=4.0) == Gaussian(4.0, 3.0)
    assert Localization(1.0).with_parameters(time=2.0) == Localization(2.0)
    assert channel == Gaussian(1.0, 3.0)


def test_unknown_parameter_lists_the_known_ones():
    with pytest.raises(EvidenceError, match=r"Gaussian: no parameter 'time'.*sigma, scale"):
        Gaussian(1.0).with_parameters(time=2.0)
    with pytest.raises(EvidenceError, match=r"LogLikelihood: no parameter 'sigma'.*none"):
        LogLikelihood(lambda values, z: z[..., None] * values).with_parameters(sigma=1.0)


def test_given_records_what_compile_is_given():
    assert noisy("pixel", sigma=2.0) == Given("pixel", Gaussian(2.0))
    assert noisy("pixel", sigma=2.0, scale=0.5) == Given("pixel", Gaussian(2.0, 0.5))
    assert localized("pixel", time=3.0) == Given("pixel", Localization(3.0))
    assert Given("pixel").channel is None


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf, "wide"])
def test_sigma_must_be_positive(sigma):
    with pytest.raises(EvidenceError, match="sigma must be finite and > 0"):
        Gaussian(sigma)


def test_other_parameters_must_be_in_range():
    with pytest.raises(EvidenceError, match="scale must be a finite number"):
        Gaussian(1.0, scale=np.inf)
    with pytest.raises(EvidenceError, match="time must be a finite number"):
        Localization(np.nan)
    with pytest.raises(EvidenceError, match="time must be >= 0, got -1"):
        localized("pixel", time=-1.0)


def test_function_must_return_one_number_per_state():
    channel = LogLikelihood(lambda values, z: z)

    with pytest.raises(EvidenceError, match=r"must return shape \(2, 3\).*got \(2,\)"):
        channel.log_likelihood(VALUES, np.zeros(2))
