"""How near samples come to the truth, and at what cost: the published figures."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.diffusion import bits_per_token, total_variation, validity
from tests.diffusion.models import broadcast, extreme, sticky

pytestmark = pytest.mark.slow
MODELS = {"sticky": sticky(), "extreme": extreme(), "broadcast": broadcast(3)}


@pytest.mark.parametrize("name", MODELS)
def test_sixteen_calls_of_the_flow_are_enough(name):
    found = gh.diffuse(MODELS[name], 200_000, steps=15)
    distance = total_variation(found, MODELS[name])
    print(f"{name}: ab2, {found.calls} calls, TV {distance:.4f}")

    assert found.calls == 16
    assert distance < 0.02


def test_twenty_steps_of_localization_on_a_geometric_grid():
    model = broadcast(2)
    found = gh.diffuse(model, 200_000, sampler="euler", grid="geometric", steps=20)
    distance = total_variation(found, model)
    print(f"localization, 20 steps: TV {distance:.4f}")

    assert distance <= 0.012


# Total variation of the uniform grid at 8, 16, 32 and 64 steps; 100,000 samples have 0.006 to
# 0.015 even when they are exact.
UNIFORM = {"sticky": (0.467, 0.290, 0.153, 0.080), "broadcast": (0.088, 0.049, 0.027)}


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_steps_are_as_slow_as_published(name):
    steps = (8, 16, 32, 64)[: len(UNIFORM[name])]
    found = [
        total_variation(
            gh.diffuse(MODELS[name], 100_000, sampler="euler", grid="uniform", steps=k),
            MODELS[name],
        )
        for k in steps
    ]
    print(f"{name}: uniform Euler, {steps} steps: TV {np.round(found, 3)}")

    assert found == pytest.approx(UNIFORM[name], abs=0.006)


@pytest.mark.parametrize("sampler", ["ab2", "euler", "heun", "jump"])
def test_random_rules_are_never_broken_from_fifty_steps(sampler):
    model = gh.zoo.random_hierarchy(v=8, m=3, s=2, L=3)
    found = gh.diffuse(model, 4000, sampler=sampler, steps=50, values=range(8), end=40.0)
    shares = validity(found, model)
    print(f"{sampler}, 50 steps: valid {shares}")

    assert {round(share, 3) for share in shares.values()} == {1.0}


@pytest.mark.parametrize(("sampler", "steps"), [("euler", 32), ("ab2", 64)])
def test_digits_have_the_bits_of_exact_samples(sampler, steps):
    model, n = gh.examples.digits(), 2000
    bits = [
        bits_per_token(samples, model)
        for samples in (
            model.sample(n, 1)["pixel"],
            gh.diffuse(model, n, sampler=sampler, steps=steps),
        )
    ]
    error = np.hypot(*(found.std() / n**0.5 for found in bits))
    means = [found.mean() for found in bits]
    print(f"digits, {sampler}: bits per pixel {means[1]:.4f}, exact {means[0]:.4f} +- {error:.4f}")

    assert abs(means[1] - means[0]) < 2 * error
