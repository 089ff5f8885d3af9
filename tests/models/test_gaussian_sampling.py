"""Samples of forests with real variables: any tree, every class in the user's order."""

from __future__ import annotations

import numpy as np

import ghmpp as gh
from ghmpp.models.gaussian_sampling import moments, of_states, sample
from tests.dense_gaussians import joint
from tests.gaussians import irregular
from tests.tolerances import EXACT, SIGMAS


def test_samples_of_irregular_trees_are_mixtures_of_their_components():
    forest, n = irregular(), 20_000

    drawn = sample(forest, n, 3)

    for state in (0, 1):
        rows = drawn["top"][:, 0] == state
        whole = np.concatenate([drawn[name] for name in ("x", "y", "z")], axis=1)[rows]
        mean, covariance, _ = joint(forest, {("top", 0): state})
        assert (
            np.abs(whole.mean(0) - mean) <= SIGMAS * np.sqrt(np.diag(covariance) / rows.sum())
        ).all()
        scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) * 2 / rows.sum())
        assert (np.abs(np.cov(whole.T) - covariance) <= SIGMAS * scale).all()


def test_the_discrete_part_is_the_model_above():
    above = gh.GHM(states=(2, 3), branching=(2,), tables=[np.ones((2, 3))])
    forest = gh.GaussianGHM(branching=(2,), above=above, prefix="y").forest()

    part = of_states(forest)

    assert dict(part.variables) == dict(above.forest().variables)
    assert part.edges == above.forest().edges
    assert part.data.keys() == above.forest().data.keys()


def test_moments_of_several_trees_are_block_diagonal():
    above = gh.Model("one")
    above.root("s", 1).children("t", 2, 1, potential=[[1.0]])
    forest = gh.GaussianGHM(branching=(2,), weights=0.5, above=above).forest()

    mean, covariance = moments(forest)

    expected, around, _ = joint(forest, {("s", 0): 0, ("t", 0): 0, ("t", 1): 0})
    assert np.abs(mean - expected).max() <= EXACT
    assert np.abs(covariance - around).max() <= EXACT
    assert covariance[0, 1] == 0  # x0[0] and x0[1]
