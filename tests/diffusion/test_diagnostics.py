"""What noise leaves of each level."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.diffusion import (
    Masking,
    Resampling,
    VariancePreserving,
    forward_backward,
    true_posteriors,
)
from ghmpp.errors import QueryError
from tests.diffusion.models import FLIP, broadcast
from tests.tolerances import ENUMERATION, SIGMAS

NOISES = [(VariancePreserving(), 1e-6, 20.0), (Resampling(2), 0.0, 1.0), (Masking(), 0.0, 1.0)]


@pytest.mark.parametrize(("noise", "little", "much"), NOISES, ids=lambda each: str(each))
def test_no_noise_keeps_the_leaves_and_all_noise_forgets_them(noise, little, much):
    model, n = broadcast(2, values=(-1, 1)), 4000
    kept = forward_backward(model, little, n, noise=noise)
    lost = forward_backward(model, much, n, noise=noise)

    assert kept.changed["x2"] == 0
    assert all(abs(share - 0.5) < SIGMAS * 0.5 / n**0.5 for share in lost.changed.values())
    assert "4,000 samples; changed: x0 0." in repr(kept)


@pytest.mark.parametrize(("noise", "little", "much"), NOISES, ids=lambda each: str(each))
def test_posterior_of_the_truth_goes_down_to_the_prior(noise, little, much):
    model = broadcast(2, values=(-1, 1))
    found = true_posteriors(model, [little, much], 2000, noise=noise)

    assert found["x2"] == pytest.approx([1.0, 0.5], abs=1e-6)
    for sure in found.values():
        assert sure[0] > 0.7
        assert sure[1] == pytest.approx(0.5, abs=1e-6)


def test_masked_leaf_is_guessed_from_its_sibling_as_by_hand():
    # A leaf is seen or, hidden with its probability, known only through the other one.
    model, t, n = broadcast(1), 0.4, 40_000
    law = np.einsum("sa,sb->ab", FLIP, FLIP) / 2
    given_other = (law**2 / law.sum(0)).sum()  # mean posterior of the truth, sibling seen
    expected = (1 - t) + t * (1 - t) * given_other + t * t * 0.5
    found = true_posteriors(model, t, n, noise=Masking())["x1"][0]

    assert found == pytest.approx(expected, abs=SIGMAS * 0.5 / (2 * n) ** 0.5)


def test_samples_drawn_again_are_calibrated():
    # The truth and the sample are two draws from one posterior: as often equal as the mean
    # posterior of the truth says.
    model, n = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=3), 4000
    noise = Resampling(4)
    again = forward_backward(model, 0.4, n, noise=noise)
    sure = true_posteriors(model, 0.4, n, noise=noise)

    for name, share in again.changed.items():
        assert 1 - share == pytest.approx(sure[name][0], abs=SIGMAS * 0.5 / n**0.5)


def test_all_levels_have_samples_and_seeds_repeat_them():
    model = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=2)
    first, second = (forward_backward(model, 0.5, 50, noise=Resampling(4)) for _ in range(2))

    assert {name: x.shape for name, x in first.after.items()} == {
        "x0": (50, 1),
        "x1": (50, 2),
        "x2": (50, 4),
    }
    np.testing.assert_array_equal(first.after["x2"], second.after["x2"])


def test_change_correlations_take_what_comes_back():
    model = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=3)
    again = forward_backward(model, 0.5, 500, noise=Resampling(4))

    assert gh.observables.susceptibility(again.before["x3"], again.after["x3"]) > 1


def test_gaussian_noise_needs_values_and_counts_start_at_one():
    model = gh.zoo.broadcast(1, 0.1)

    with pytest.raises(QueryError, match="use Resampling or Masking"):
        forward_backward(model, 1.0, 5, noise=VariancePreserving())
    with pytest.raises(QueryError, match="n must be at least 1"):
        true_posteriors(model, [0.1], 0, noise=Masking())


def test_exact_limits_are_exact():
    model = broadcast(2)
    found = true_posteriors(model, [0.0], 100, noise=Masking())

    assert found["x2"][0] == pytest.approx(1.0, abs=ENUMERATION)
