"""Generators as numbers: values and derivatives against torch, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ghmpp.errors import ModelError
from ghmpp.models.latent_generator import read_generator
from tests.models.generators import BENT, as_torch, linear, module, residual
from tests.tolerances import EXACT

Z = np.random.default_rng(3).normal(size=(4, 3))


@pytest.fixture(params=["lists", "module"])
def pair(request):
    """A generator, and the same in torch."""
    if request.param == "module":
        network = module()
        return read_generator(network), network
    return read_generator(residual()), as_torch(residual())


def test_values_are_those_of_torch(pair):
    generator, network = pair
    wanted = network(torch.tensor(Z)).detach().numpy()

    assert np.abs(generator(Z) - wanted).max() < EXACT


def test_jacobian_is_that_of_autograd(pair):
    generator, network = pair
    wanted = [torch.autograd.functional.jacobian(network, torch.tensor(z)).numpy() for z in Z]

    assert np.abs(generator.jacobian(Z) - wanted).max() < EXACT


def test_gradient_is_that_of_autograd(pair):
    generator, network = pair
    x = np.ones(3)
    z = torch.tensor(Z, requires_grad=True)
    (((network(z) - torch.tensor(x)) ** 2).sum() / 2).backward()

    assert np.abs(generator.gradient(Z, x) - z.grad.numpy()).max() < EXACT


def test_weights_are_copied_and_read_only():
    network = module()
    generator = read_generator(network)
    with torch.no_grad():
        network[0].weight.zero_()

    assert generator.layers[0].weight.any()
    with pytest.raises(ValueError, match="read-only"):
        generator.layers[0].weight[0, 0] = 1


def test_half_precision_is_read():
    network = nn.Linear(2, 2).to(torch.bfloat16)
    weight = network.weight.detach().double().numpy()

    assert (read_generator(network).layers[0].weight == weight).all()


def test_sigmoid_and_two_activations_in_a_row():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Tanh(), nn.Linear(2, 2)).double()
    z = torch.randn(3, 2, dtype=torch.float64)

    assert np.abs(read_generator(network)(z.numpy()) - network(z).detach().numpy()).max() < EXACT


def test_linear_generators_are_known():
    assert read_generator(linear()).linear
    assert not read_generator(BENT).linear


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.ReLU(), "ReLU is not differentiable where its pieces meet"),
        (nn.LeakyReLU(), "LeakyReLU is not differentiable"),
        (nn.ELU(), "ELU has a second derivative that jumps"),
        (nn.Softplus(beta=2), "Softplus must have beta=1"),
        (nn.Dropout(), "unknown layer 'Dropout'; known: Linear, Tanh"),
    ],
)
def test_layers_are_refused_by_name(layer, reason):
    with pytest.raises(ModelError, match=reason):
        read_generator(nn.Sequential(nn.Linear(2, 2), layer))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "at least one linear layer"),
        (nn.Sequential(nn.Tanh(), nn.Linear(2, 2)), "Tanh must come after a Linear"),
        ([(np.eye(2), None, "sgn")], "sgn jumps"),
        ([np.eye(2)], r"layer 0 must be \(weight, bias, activation\)"),
        ([(np.eye(2), [0.0], None)], r"must have shape \(1, 2\)"),
        ([(np.eye(2), None), (np.eye(3), None)], r"weight of layer 1 must have shape \(3, 2\)"),
        ([("heavy", None)], "weight of layer 0 must be an array of numbers, got 'heavy'"),
        ([([[1.0], [1.0, 2.0]], None)], "weight of layer 0 must be an array of numbers"),
        ([(np.eye(2) * np.nan, None)], "with NaN or infinity"),
        ([(np.eye(2), None, None, np.eye(2))], "first layer has no layer before"),
        (
            [(np.eye(2), None), (np.eye(2), None, None, np.eye(3))],
            r"skip of layer 1 must have shape \(2, 2\)",
        ),
    ],
)
def test_what_is_no_generator_is_refused(given, words):
    with pytest.raises(ModelError, match=words):
        read_generator(given)
