"""Discrete samplers: resampled symbols and hidden ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion import (
    Masking,
    Resampling,
    joint_probabilities,
    sampling_floor,
    total_variation,
    validity,
)
from ghmpp.errors import QueryError
from tests.diffusion.models import broadcast, sticky
from tests.tolerances import EXACT, SIGMAS


def test_resampling_is_its_likelihood():
    process, n = Resampling(3), 30_000
    x = torch.full((n, 1), 2)
    y = process.noise(x, 0.6, torch.Generator().manual_seed(0))
    expected = process.likelihood(torch.tensor([2]), 0.6, torch.float64)[0]

    torch.testing.assert_close(
        expected, torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64), rtol=0, atol=EXACT
    )
    shares = torch.bincount(y.flatten(), minlength=3) / n
    assert float((shares - expected).abs().max()) < SIGMAS * 0.5 / n**0.5


def test_resampling_twice_is_resampling_once():
    # Transition matrices: 1 - t multiplies.
    process = Resampling(4)
    states = torch.arange(4)
    first, second = (process.likelihood(states, t, torch.float64) for t in (0.2, 0.5))

    both = process.likelihood(states, 1 - 0.8 * 0.5, torch.float64)
    torch.testing.assert_close(first @ second, both, rtol=0, atol=EXACT)


def test_masking_hides_the_wanted_share():
    x = torch.zeros(100, 100, dtype=torch.int64)
    hidden = Masking().noise(x, 0.3, torch.Generator().manual_seed(0)) == -1

    assert float(hidden.double().mean()) == pytest.approx(0.3, abs=SIGMAS * 0.5 / 100)


@pytest.mark.parametrize("process", [Masking(), Resampling(2)], ids=str)
@pytest.mark.parametrize("t", [-0.1, 1.1, float("nan")])
def test_levels_lie_between_zero_and_one(process, t):
    with pytest.raises(QueryError, match=r"(lie in \[0, 1\]|must be >= 0)"):
        process.noise(torch.zeros(1, 1, dtype=torch.int64), t, torch.Generator())


@pytest.mark.parametrize("model", [broadcast(2), sticky()], ids=["broadcast", "sticky"])
def test_one_token_at_a_time_is_exact(model):
    n = 20_000
    found = gh.diffuse(model, n, sampler="masked", steps=100)

    assert found.calls == 4
    assert total_variation(found, model) < 1.5 * sampling_floor(joint_probabilities(model), n)


def test_many_small_changes_of_symbols_come_near_to_the_truth():
    model, n = broadcast(2), 5000
    distances = [
        total_variation(gh.diffuse(model, n, sampler="symbols", steps=steps), model)
        for steps in (4, 40)
    ]

    assert distances[1] < 0.04 < 0.1 < distances[0]


def test_revealing_all_at_once_draws_from_the_marginals():
    model, n = broadcast(1), 40_000
    found = gh.diffuse(model, n, sampler="masked", steps=1).states

    assert abs((found[:, 0] == found[:, 1]).mean() - 0.5) < SIGMAS * 0.5 / n**0.5


def test_hidden_tokens_of_rules_one_by_one_are_always_valid():
    model = gh.zoo.random_hierarchy(v=8, m=3, s=2, L=3)

    assert set(validity(gh.diffuse(model, 1000, sampler="masked"), model).values()) == {1.0}


def test_rows_that_became_impossible_are_counted_and_have_states():
    model = gh.zoo.random_hierarchy(v=8, m=3, s=2, L=3)
    found = gh.diffuse(model, 1000, sampler="masked", steps=4)

    assert 0 < found.impossible < 1000
    assert found.states.min() >= 0
    assert "found impossible" in repr(found)


@pytest.mark.parametrize("sampler", ["masked", "symbols"])
def test_discrete_samplers_follow_a_clamped_root(sampler):
    model = broadcast(2)
    found = gh.diffuse(model, 5000, sampler=sampler, steps=50, given={"x0": 1}).states
    share = 0.9 * 0.9 + 0.1 * 0.1

    assert abs(found.mean() - share) < SIGMAS * 0.5 / 5000**0.5 + 0.01


def test_way_of_hidden_tokens_only_reveals():
    found = gh.diffuse(broadcast(2), 50, sampler="masked", trajectory=True)
    z = found.trajectory.z

    assert z.shape == (4, 50, 4)
    assert found.trajectory.times.tolist() == [0.75, 0.5, 0.25, 0.0]
    assert ((z[:-1] == -1) | (z[:-1] == z[1:])).all()
    assert [(step == -1).sum() // 50 for step in z] == [3, 2, 1, 0]
    np.testing.assert_array_equal(z[-1], found.states)


@pytest.mark.parametrize("option", [{"grid": "uniform"}, {"end": 3.0}])
def test_discrete_samplers_have_no_grid(option):
    with pytest.raises(QueryError, match="'masked' has no grid"):
        gh.diffuse(broadcast(1), 3, sampler="masked", **option)
