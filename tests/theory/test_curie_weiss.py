from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.theory.curie_weiss import (
    curie_weiss_mean_field,
    curie_weiss_means,
    curie_weiss_samples,
)
from tests.spins import diffused, means
from tests.tolerances import SIGMAS


@pytest.mark.parametrize("beta", [0.5, 0.9, 1.6])
def test_the_integral_is_the_sum_over_all_spins(beta):
    fields = 2 * np.random.default_rng(0).normal(size=(20, 10))

    found = curie_weiss_means(fields, beta)

    expected = means(beta / 10 * (1 - np.eye(10)), np.zeros(10), fields)
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "least", "most"), [(0.5, 0.002, 0.008), (0.9, 0.04, 0.16)])
@pytest.mark.parametrize("d", [30, 100, 300, 1000, 3000])
def test_the_error_of_mean_field_falls_as_the_square_of_the_size(beta, least, most, d):
    rows = max(10, 30_000 // d)
    z, lam, sig = diffused(
        curie_weiss_samples(d, beta, rows, seed=1), 0.5, np.random.default_rng(2)
    )
    fields = lam / sig**2 * z
    exact = curie_weiss_means(fields, beta)

    naive = ((curie_weiss_mean_field(fields, beta) - exact) ** 2).mean()
    overlap = float((exact**2).mean())
    tap = ((curie_weiss_mean_field(fields, beta, overlap=overlap) - exact) ** 2).mean()

    assert least <= d**2 * naive <= most
    assert tap < naive / 2


@pytest.mark.parametrize("beta", [0.5, 1.6])
def test_samples_have_the_law(beta):
    n, d = 20_000, 8

    total = curie_weiss_samples(d, beta, n, seed=3).sum(1)

    sums = np.arange(-d, d + 1, 2)
    counts = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1])
    law = counts * np.exp(beta * sums**2 / (2 * d))
    law /= law.sum()
    shares = np.array([(total == each).mean() for each in sums])
    np.testing.assert_allclose(shares, law, atol=SIGMAS * np.sqrt(0.25 / n))


def test_wrong_numbers_are_refused():
    with pytest.raises(ModelError, match=r"fields must be finite and have shape \(batch, d\)"):
        curie_weiss_means([1.0], 0.5)
    with pytest.raises(ModelError, match="fields must be finite"):
        curie_weiss_means([[np.inf]], 0.5)
    with pytest.raises(ModelError, match="fields must be an array of numbers"):
        curie_weiss_mean_field([["a"]], 0.5)
    with pytest.raises(ModelError, match="beta must be finite and > 0"):
        curie_weiss_means([[1.0]], 0.0)
    with pytest.raises(ModelError, match="beta must be finite and > 0, got 'a'"):
        curie_weiss_mean_field([[1.0]], "a")
    with pytest.raises(ModelError, match="steps must be at least 1, got 0"):
        curie_weiss_mean_field([[1.0]], 0.5, steps=0)
    with pytest.raises(ModelError, match="need d >= 1 and n >= 0, got d=0 and n=1"):
        curie_weiss_samples(0, 0.5, 1)
