"""The declaration of latent Gaussian models."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.declared import FieldModel
from tests.models.generators import BENT, latent, linear, residual
from tests.tolerances import DIFFERENCES, EXACT, SIGMAS


def test_it_is_a_declaration_for_the_compiler():
    model = latent(linear())
    query, given = model.question()

    assert isinstance(model, FieldModel)
    assert gh.compile(model, query, given).queries == (gh.code("z"),)


@pytest.mark.parametrize("noise", [0.0, -1.0, float("nan"), float("inf"), "low"])
def test_noise_must_be_positive(noise):
    with pytest.raises(ModelError, match="noise must be finite and > 0"):
        gh.LatentGaussian(linear(), noise)


def test_forest_has_a_hidden_class_for_every_inner_layer():
    forest = latent(residual()).forest()

    assert list(forest.blocks) == ["z", "h1", "h2", "h3", "x"]
    assert list(forest.visible) == ["z", "x"]
    assert [block.function for block in forest.blocks.values()] == [
        None,
        "tanh",
        None,
        "softplus",
        None,
    ]
    assert "z->h2" in forest.couplings
    assert "h3 bias" not in forest.couplings


def test_samples_have_the_law_of_the_model():
    model = latent(linear(), noise=0.5)
    drawn = model.sample(20_000, seed=1)
    missed = (drawn["x"] - model.generator(drawn["z"])) / 0.5

    assert abs(missed.var() - 1) < SIGMAS * np.sqrt(2 / missed.size)
    assert abs(drawn["z"].var() - 1) < SIGMAS * np.sqrt(2 / missed.size)


@pytest.mark.parametrize("n", [-1, 1.5])
def test_samples_have_a_number(n):
    with pytest.raises(ModelError, match="n must be a whole number >= 0"):
        latent(BENT).sample(n)


def test_gradient_of_the_energy_is_the_drift():
    model = latent(BENT, noise=0.5)
    x, z, step = np.array([0.7]), np.array([[0.2], [-1.0]]), 1e-6
    slope = (model.energy(z + step, x) - model.energy(z - step, x)) / (2 * step)
    drift = z + model.generator.gradient(z, x) / 0.25

    assert np.abs(slope - drift[:, 0]).max() < DIFFERENCES


def test_name_and_size_are_shown():
    assert (
        repr(latent(BENT)) == "LatentGaussian 'latent gaussian': 1 dimension, 2 layers, noise 0.3"
    )
    assert latent(BENT).dimension == 1


def test_energy_at_the_true_point_is_its_prior():
    model = latent(BENT, noise=0.5)
    z = np.array([0.3])

    assert model.energy(z, model.generator(z)) == pytest.approx(0.045, abs=EXACT)


def test_channels_are_refused():
    with pytest.raises(QueryError, match=r"its noise is part of the model \(noise=0\.3\)"):
        gh.compile(latent(linear()), gh.draw("z"), [gh.noisy("x", sigma=0.1)])


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError, match="noise"):
        latent(linear()).noise = 0.0
