"""Pair probabilities against closed forms, sums over all configurations, and samples."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.inference import tokens
from ghmpp.observables import (
    pair_probabilities,
    sampled_pair_probabilities,
    token_correlations,
)
from tests.tolerances import ENUMERATION, EXACT, SIGMAS


def path_law(rules, bits, v):
    """Law of a leaf and of the pair below one parent, from joint tables along a path."""
    law = np.full(v, 1 / v)
    for bit in bits:
        law = np.einsum("a,abc->bc", law, rules).sum(axis=1 - bit)
    return law


def test_siblings_of_random_rules_have_the_joint_of_their_rules():
    model = gh.zoo.random_hierarchy(5, 3, 2, 2, seed=3)
    first, second = (model.rules[name].to_table(5, 5) for name in ("x1", "x2"))
    pairs = pair_probabilities(model)

    for bit in (0, 1):
        above = path_law(first, [bit], 5)
        expected = np.einsum("a,abc->bc", above, second)
        np.testing.assert_allclose(pairs[2 * bit, 2 * bit + 1], expected, atol=ENUMERATION)


def test_pairs_across_the_root_go_over_its_rule():
    model = gh.zoo.random_hierarchy(5, 3, 2, 2, seed=3)
    first, second = (model.rules[name].to_table(5, 5) for name in ("x1", "x2"))
    joint = np.einsum("abc->bc", first) / 5
    left, right = second.sum(axis=2), second.sum(axis=1)

    expected = left.T @ joint @ right
    np.testing.assert_allclose(pair_probabilities(model)[0, 3], expected, atol=ENUMERATION)


def test_broadcast_pairs_have_the_closed_form():
    flip, depth = 0.1, 3
    found = token_correlations(pair_probabilities(gh.zoo.broadcast(depth, flip)))

    i = np.arange(2**depth)
    height = sum((i[:, None] >> h != i >> h).astype(int) for h in range(depth))
    np.testing.assert_allclose(found, (1 - 2 * flip) ** (2 * height) / 4, rtol=ENUMERATION)


def test_pairs_are_symmetric_and_have_one_mass():
    pairs = pair_probabilities(gh.zoo.random_ghm(3, (2, 2), bound=4, seed=0))

    np.testing.assert_allclose(pairs, pairs.transpose(1, 0, 3, 2), atol=ENUMERATION)
    np.testing.assert_allclose(pairs.sum(axis=(2, 3)), 1, rtol=ENUMERATION)
    for i in range(4):
        np.testing.assert_array_equal(pairs[i, i], np.diag(np.diag(pairs[i, i])))


def test_states_of_probability_zero_have_no_pairs():
    model = gh.GHM((2, 3), (2,), [[[0.5, 0.5, 0], [0.1, 0.9, 0]]])
    pairs = pair_probabilities(model)

    assert np.isfinite(pairs).all()
    assert (pairs[..., 2] == 0).all()
    np.testing.assert_allclose(pairs.sum(axis=(2, 3)), 1, rtol=EXACT)


def test_portions_change_nothing(monkeypatch):
    model = gh.zoo.random_ghm(3, (2, 2), bound=4, seed=0)
    whole = pair_probabilities(model)
    monkeypatch.setattr(tokens, "PORTION", 1)

    np.testing.assert_allclose(pair_probabilities(model), whole, rtol=EXACT)


def test_samples_agree_with_the_model():
    model, samples = gh.zoo.random_hierarchy(4, 2, 2, 2, seed=0), 20_000
    exact = pair_probabilities(model)
    found = sampled_pair_probabilities(model.sample(samples, seed=5)["x2"], states=4)

    spread = np.sqrt(exact * (1 - exact) / samples)
    assert (np.abs(found - exact) <= SIGMAS * spread + EXACT).all()


def test_independent_samples_leave_the_noise_that_is_stated():
    samples, states = 5000, 8
    x = np.random.default_rng(0).integers(0, states, (samples, 10))
    strength = token_correlations(sampled_pair_probabilities(x, states))

    off = strength[~np.eye(10, dtype=bool)]
    assert off.mean() == pytest.approx(1 / (states * np.sqrt(samples)), rel=0.15)


@pytest.mark.parametrize(
    "x", [np.zeros((0, 3), int), np.zeros((2, 3)), [0, 1], [[0, 2]], [[-1, 0]]]
)
def test_samples_that_are_none_are_refused(x):
    with pytest.raises(QueryError, match=r"x must have shape \(samples, tokens\)"):
        sampled_pair_probabilities(x, states=2)
