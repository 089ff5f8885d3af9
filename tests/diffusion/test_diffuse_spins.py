"""Samples of spins from their denoisers, exact and by mean field."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from tests.spins import configurations, random_couplings, weights

ENGINES = {"exact": "exact", "tap": gh.TAP(), "loopy": gh.LoopyBP()}


@pytest.mark.parametrize("name", ENGINES)
def test_samples_have_the_correlations_of_the_law(name):
    spins = gh.PairwiseSpins(random_couplings(5, np.random.default_rng(0), scale=0.25), 0.2)
    given = gh.noisy("x", sigma=1.0)
    program = gh.compile(spins, gh.posterior("x"), given, engine=ENGINES[name])

    states = gh.diffuse(program, n=4000, steps=12, seed=1)
    x = 2.0 * np.asarray(states.states) - 1

    every, law = configurations(5), weights(spins.couplings, spins.fields)
    np.testing.assert_allclose(x.T @ x / 4000, (every * law[:, None]).T @ every, atol=0.07)


def test_spins_are_sampled_without_compiling():
    spins = gh.PairwiseSpins.sherrington_kirkpatrick(4, 0.3)

    denoise = gh.denoiser(spins)

    assert denoise.variable.name == "x"
    assert np.asarray(gh.diffuse(spins, n=3, steps=2, seed=0).states).shape == (3, 4)
