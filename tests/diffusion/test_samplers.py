"""Samplers of Gaussian noise: each is what its formula says, and comes near to the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion import joint_probabilities, sampling_floor, total_variation
from ghmpp.diffusion.grids import read_grid
from ghmpp.diffusion.samplers import SAMPLERS
from tests.diffusion.models import broadcast, sticky
from tests.tolerances import EXACT

TIMES = [0.0, 0.3, 1.0, 4.0]


def walk(name, denoise, seed=0, rows=5, times=TIMES):
    """All steps of a sampler from one seed, and its standard normal start."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.empty(rows, 4, dtype=torch.float64).normal_(generator=generator)
    return w, list(SAMPLERS[name].walk(denoise, list(times), w, generator))


def normals(seed, rows, count):
    """The numbers that a sampler draws after its start."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [
        torch.empty(rows, 4, dtype=torch.float64).normal_(generator=generator)
        for _ in range(count + 1)
    ]
    return drawn[1:]


def test_euler_steps_are_those_of_the_stochastic_equation():
    denoise = gh.denoiser(sticky())
    _, found = walk("euler", denoise)
    z = torch.zeros(5, 4, dtype=torch.float64)
    for k, noise in enumerate(normals(0, 5, 3)):
        step = TIMES[k + 1] - TIMES[k]
        z = z + step * denoise(z, TIMES[k]) + math.sqrt(step) * noise

        torch.testing.assert_close(found[k], z, rtol=0, atol=EXACT)


def test_ddpm_with_the_mean_for_the_values_is_euler():
    denoise = gh.denoiser(sticky())
    _, euler = walk("euler", denoise)
    _, ddpm = walk("ddpm", denoise)

    for one, other in zip(euler, ddpm, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=EXACT)


def test_flow_of_one_value_is_exact():
    # With one value v, w(s) = w(0) + s v, whatever the steps.
    model = gh.GHM((1, 1), (4,), [[[1]]], state_values=[3.0])
    for name in ("ab2", "ddim", "heun_flow"):
        w, found = walk(name, gh.denoiser(model))

        for z, t in zip(found, TIMES[1:], strict=True):
            torch.testing.assert_close(z, math.sqrt(t) * (w + math.sqrt(t) * 3), rtol=EXACT, atol=0)


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("ab2", 2), ("heun_flow", 2)])
def test_flows_converge_with_their_order(name, order):
    denoise = gh.denoiser(sticky())

    def end(steps):
        return walk(name, denoise, rows=2, times=read_grid("power", steps=steps, end=4.0))[1][-1]

    truth = end(400)
    errors = [float((end(steps) - truth).abs().mean()) for steps in (16, 64)]
    assert math.log(errors[0] / errors[1]) / math.log(4) > order - 0.4


def test_adams_bashforth_integrates_linear_slopes_exactly():
    # Order 2 after a first step of Euler's: slopes c s add c (s^2 - s_1^2) / 2 after it.
    class Slope:
        def mean_at(self, z, tau):
            return torch.full_like(z, 2 * math.sqrt(tau))

    w, found = walk("ab2", Slope())
    s = [math.sqrt(t) for t in TIMES]

    for k in (1, 2, 3):
        expected = w + s[k] ** 2 - s[1] ** 2
        torch.testing.assert_close(found[k - 1] / s[k], expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_come_near_to_the_truth(name):
    model, n = broadcast(2), 5000
    found = gh.diffuse(model, n, sampler=name, steps=20)
    floor = sampling_floor(joint_probabilities(model), n)

    assert total_variation(found, model) < 2 * floor
    assert found.calls == (40 if name.startswith("heun") else 20) + 1


@pytest.mark.parametrize("name", SAMPLERS)
def test_last_state_is_as_likely_as_the_process_has_it(name):
    # At the end, z = t x + sqrt(t) noise, so z / t - x has variance 1 / t around the values.
    found = gh.diffuse(broadcast(2), 2000, sampler=name, steps=20, trajectory=True)
    z, t = found.trajectory.z[-1], found.trajectory.times[-1]
    values = np.array([1.0, 2.0])
    spread = np.abs(z[..., None] / t - values).min(-1)

    assert (spread**2).mean() == pytest.approx(1 / t, rel=0.1)
