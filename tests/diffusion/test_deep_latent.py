"""Samplers and encoders as deep latent Gaussians: the same numbers for the same noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion import encoder_layers, sampler_layers
from ghmpp.diffusion.samplers import SAMPLERS
from ghmpp.errors import QueryError
from tests.diffusion.models import sticky
from tests.models.generators import BENT, latent
from tests.tolerances import EXACT


@pytest.mark.parametrize("start", [0.0, 0.3])
@pytest.mark.parametrize("steps", [1, 12])
def test_samples_are_those_of_the_sampler_bit_for_bit(start, steps):
    denoiser = gh.denoiser(sticky())
    times = [start, *(start + np.geomspace(0.1, 20, steps)).tolist()]
    model = sampler_layers(denoiser, times)
    found = model.sample(50, torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    w = denoiser.like.new_empty(50, denoiser.variable.nodes).normal_(generator=generator)
    *_, wanted = SAMPLERS["euler"].walk(denoiser, times, w, generator)

    assert torch.equal(found, wanted)
    assert len(model.layers) == steps + 1


def test_layers_are_a_mean_and_a_variance_of_the_time_step():
    denoiser = gh.denoiser(sticky())
    _, layer = sampler_layers(denoiser, [1.0, 1.25]).layers
    z = torch.zeros(1, denoiser.variable.nodes, dtype=denoiser.like.dtype)

    assert layer.deviation == 0.5
    assert torch.equal(layer.mean(z), z + 0.25 * denoiser.mean_at(z, 1.0))


@pytest.mark.parametrize("times", [[1.0], [0.0, 2.0, 1.0], [-1.0, 1.0], [0.0, np.nan], [0, np.inf]])
def test_times_must_increase(times):
    with pytest.raises(QueryError, match="times must increase"):
        sampler_layers(gh.denoiser(sticky()), times)


def test_encoder_has_the_same_layers_as_its_compiled_network():
    model = latent(BENT, noise=0.5)
    engine = gh.Langevin(4, 6, step=0.01, rate=0.05)
    x = np.array([0.4])
    layers = encoder_layers(model, x, engine)
    still = [layer.mean for layer in layers.layers]
    z = torch.ones(1, 1, dtype=torch.float64)
    for mean in still:
        z = mean(z)
    network = gh.compile(model, gh.code("z"), ["x"], engine=engine).network()

    assert abs(z.item() - network(x[None]).item()) < EXACT
    assert repr(layers) == "DeepLatentGaussian: 11 layers, 6 with noise, of 1 nodes"


@pytest.mark.parametrize("x", [np.zeros((2, 1)), [np.inf]])
def test_encoder_needs_one_observation(x):
    with pytest.raises(QueryError, match="encoder_layers: x must be 1 finite numbers, one obs"):
        encoder_layers(latent(BENT), x)
