"""Diffusion on random hierarchies: the root is lost where the mean field says."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.observables import change_correlations, softened
from ghmpp.theory import MeanField
from tests.tolerances import MEAN_FIELD


def measured(v, m, depth, noise, *, grammars, batch, changes=False):
    """Mean posterior of the true root and leaves, and the susceptibility (NaN if not asked)."""
    leaves, root, leaf, covariance = f"x{depth}", [], [], 0.0
    for seed in range(grammars):
        model = gh.zoo.random_hierarchy(v, m, 2, depth, seed=seed)
        drawn = model.sample(batch, seed=100 + seed)
        engine = gh.Inference(model, dtype="float32")
        evidence = {leaves: softened(drawn[leaves], noise, v)}
        beliefs = engine.posteriors(evidence, classes=["x0", leaves])
        root.append(np.take_along_axis(beliefs["x0"], drawn["x0"], axis=1).mean())
        true = drawn[leaves][..., None]
        leaf.append(np.take_along_axis(beliefs[leaves], true, axis=2).mean())
        if changes:
            y = engine.posterior_sample(evidence, seed=seed, classes=[leaves])[leaves]
            covariance = covariance + change_correlations(drawn[leaves], y)
    together = covariance.sum() / np.trace(covariance) if changes else np.nan
    return np.mean(root), np.mean(leaf), together


def test_root_and_leaves_follow_the_mean_field_far_from_the_transition():
    field = MeanField(16, 4)
    for noise in (0.6, 0.9):
        root, leaf, _ = measured(16, 4, 6, noise, grammars=2, batch=50)

        expected = field.posteriors(noise, 6)
        assert root == pytest.approx(expected[0], abs=MEAN_FIELD)
        assert leaf == pytest.approx(expected[-1], abs=MEAN_FIELD)


def test_leaves_change_together_at_the_transition():
    found = [
        measured(16, 4, 6, noise, grammars=3, batch=60, changes=True)[2]
        for noise in (0.5, 0.8, 0.95)
    ]

    assert np.argmax(found) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("v", "m", "depth", "noises"),
    [
        (16, 4, 7, (0.3, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)),
        (32, 8, 8, (0.7, 0.72, 0.74, 0.76)),
    ],
)
def test_root_and_leaves_follow_the_mean_field_through_the_transition(v, m, depth, noises):
    field = MeanField(v, m)
    for noise in noises:
        root, leaf, _ = measured(v, m, depth, noise, grammars=8, batch=100)

        expected = field.posteriors(noise, depth)
        assert root == pytest.approx(expected[0], abs=MEAN_FIELD)
        assert leaf == pytest.approx(expected[-1], abs=MEAN_FIELD)


@pytest.mark.slow
def test_root_and_leaves_are_inverted_by_the_transition():
    below = measured(16, 4, 7, 0.6, grammars=8, batch=100)
    above = measured(16, 4, 7, 0.8, grammars=8, batch=100)

    assert below[0] > below[1]
    assert above[0] < above[1]


@pytest.mark.slow
@pytest.mark.parametrize(("v", "m", "depth"), [(16, 4, 7), (32, 8, 7)])
def test_susceptibility_peaks_at_the_critical_noise(v, m, depth):
    critical = MeanField(v, m).critical_noise
    noises = critical + np.linspace(-0.15, 0.15, 13)
    found = [
        measured(v, m, depth, noise, grammars=8, batch=100, changes=True)[2] for noise in noises
    ]

    assert noises[np.argmax(found)] == pytest.approx(critical, abs=0.05)
