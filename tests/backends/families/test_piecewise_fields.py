"""ReLU networks of fields: layers, and errors that never exceed their certificates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.approximation.curves import curve
from ghmpp.approximation.field_nets import CurveNet, ProductNet, SquareNet
from ghmpp.approximation.knots import widest
from ghmpp.approximation.sawtooth import product, square
from ghmpp.backends.families.piecewise_fields import PiecewiseLayer, ProductLayer, SquareLayer
from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.schedule.functions import Function
from tests.approximation.spins import ENGINES, SEEN, distance, program
from tests.models.generators import latent, linear, residual
from tests.tolerances import EXACT, SINGLE


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def worst_inputs(network, exact, z, steps=15):
    """Inputs that gradient ascent on the error finds."""
    z = z.clone().requires_grad_()
    search = torch.optim.Adam([z], lr=0.1)
    for _ in range(steps):
        search.zero_grad()
        (-distance(network, exact, z).square().sum()).backward()
        search.step()
    return z.detach()


@pytest.mark.parametrize("name", ["tanh", "tanh_slope", "sigmoid", "softplus"])
def test_layers_are_their_nets(name):
    net = CurveNet(name, widest(curve(name), 32))
    layer = PiecewiseLayer(Function(name), net, torch.float64)
    x = torch.linspace(-9, 9, 4001, dtype=torch.float64).reshape(1, -1, 1).requires_grad_()
    found = layer((x,), None, -1)
    units = layer._by_units(x, layer.knots, layer.values, torch.tensor(net.net.slopes))
    (slope,) = torch.autograd.grad(found.sum(), x)

    at = x.detach().numpy()
    assert np.abs(found.detach().numpy() - net.net(at)).max() < EXACT
    assert np.abs(units.detach().numpy() - net.net(at)).max() < EXACT
    segment = np.searchsorted(net.net.knots, at, side="right")
    assert np.abs(slope.numpy() - net.net.slopes[segment]).max() < EXACT


def test_observed_states_are_infinite_fields():
    weights = np.random.default_rng(0).normal(size=(5, 3)) * 0.2
    spins = gh.PairwiseSpins.boltzmann(weights)
    compiled = gh.compile(spins, gh.mean("x"), [SEEN, "theta"], engine=gh.NaiveMeanField(5))
    network = compiled.network("relu", width=32, dtype="float64")
    z, states = torch.randn(9, 5, dtype=torch.float64), torch.randint(0, 2, (9, 3))
    found, exact = network(z, states), compiled.network()(z, states)

    # What is observed is certain: the mean of x is tanh of its field.
    field = z + torch.tensor((2 * states.numpy() - 1) @ weights.T)
    assert (exact - torch.tanh(field)).abs().max() < EXACT
    assert 0 < (found - exact).norm(dim=1).max() <= network.certificate.bound


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_units_lose_nothing_far_from_their_knots(dtype):
    net = CurveNet("softplus", widest(curve("softplus"), 32))
    layer = PiecewiseLayer(Function("softplus"), net, dtype)
    x = torch.tensor([-1e6, -1e3, 1e3, 1e6], dtype=dtype)
    units = layer._by_units(x, layer.knots, layer.values, torch.tensor(net.net.slopes, dtype=dtype))

    assert torch.allclose(units, layer((x,), None, -1), rtol=1e-6, atol=1e-6)


def test_layers_of_squares_and_products():
    u, v = torch.rand(2, 1, 50, 1, dtype=torch.float64) * 2 - 1
    squares = [
        SquareLayer(Function(name), SquareNet(name, 5, 1.5), torch.float64)((u,), None, -1)
        for name in ("square", "one_minus_square")
    ]
    gated = ProductLayer(ProductNet(5, (1.0, 2.0)), torch.float64)(u, v)

    wanted = 1.5**2 * square(np.abs(u.numpy()) / 1.5, 5)
    assert np.abs(squares[0].numpy() - wanted).max() < EXACT
    assert np.abs(squares[1].numpy() - 1 + wanted).max() < EXACT
    assert np.abs(gated.numpy() - product(u.numpy(), v.numpy(), 5, (1.0, 2.0))).max() < EXACT


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("query", [gh.mean, gh.posterior])
def test_errors_never_exceed_the_certificate(engine, dtype, query):
    compiled = program(ENGINES[engine], query=query)
    # Beyond sixty, all spins are as good as certain.
    network = compiled.network("relu", width=24, dtype=dtype, evidence_span=60.0)
    exact = compiled.network()
    z = torch.randn(400, 8, dtype=torch.float64) * 2
    z = torch.cat((z, torch.sign(z) * 30, torch.zeros(1, 8)))
    errors = distance(network, exact, z)

    assert 0 < errors.max() <= network.certificate.bound
    assert network.certificate.arithmetic == dtype


@pytest.mark.parametrize("engine", ["tap", "self"])
def test_adversarial_inputs_do_not_exceed_it_either(engine):
    compiled = program(ENGINES[engine])
    network = compiled.network("relu", width=16, dtype="float64")
    exact = compiled.network()
    start = torch.randn(40, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = worst_inputs(network, exact, start)

    gained = distance(network, exact, found).max() / distance(network, exact, start).max()
    assert gained > 1
    assert distance(network, exact, found).max() <= network.certificate.bound


@pytest.mark.parametrize("engine", [gh.LayeredThresholding(), gh.ISTA(6), gh.MLISTA(6)])
def test_thresholding_is_exact(engine):
    rng = np.random.default_rng(0)
    model = gh.LinearHierarchy([rng.normal(size=(5, 6)), rng.normal(size=(6, 4))], [0.1, 0.2])
    compiled = gh.compile(model, gh.code("x2"), "x0", engine=engine)
    network = compiled.network("relu", dtype="float64")
    x = torch.tensor(rng.normal(size=(50, 5)))

    assert network.certificate.bound == 0
    assert (network(x) - compiled.network()(x)).abs().max() < EXACT


def test_rounding_of_thresholding_is_part_of_bounds_for_bounded_numbers():
    model = gh.LinearHierarchy([np.random.default_rng(0).normal(size=(5, 6))], [0.1])
    compiled = gh.compile(model, gh.code("x1"), "x0", engine=gh.LayeredThresholding())
    network = compiled.network("relu", evidence_span=4.0)
    x = torch.rand(400, 5) * 8 - 4
    errors = distance(network, compiled.network(), x.double())

    assert 0 < errors.max() <= network.certificate.bound < SINGLE
    certificate = compiled.network("relu").certificate
    assert (certificate.bound, certificate.couplings) == (0, "stored")


@pytest.mark.parametrize("steps", [1, 2])
def test_gradient_steps_through_a_generator_stay_within_their_certificate(steps):
    model = latent(residual(), 0.5)
    engine = gh.Langevin(steps, 0, step=1e-3, rate=0.03)
    compiled = gh.compile(model, gh.code("z"), "x", engine=engine)
    network = compiled.network("relu", width=4096, dtype="float64", evidence_span=2.0)
    x = torch.rand(300, 3, dtype=torch.float64) * 4 - 2
    errors = distance(network, compiled.network(), x)

    assert 0 < errors.max() <= network.certificate.bound < 0.5


def test_a_gradient_step_with_nets_of_a_ten_thousandth_errs_by_less_than_a_thousandth():
    engine = gh.Langevin(1, 0, step=1e-3, rate=0.02)
    compiled = gh.compile(latent(residual(), 0.5), gh.code("z"), "x", engine=engine)
    network = compiled.network("relu", width=256, dtype="float64", evidence_span=2.0)
    x = torch.rand(300, 3, dtype=torch.float64) * 4 - 2

    assert max(each.own for each in network.certificate.budgets) < 1e-4
    assert network.certificate.bound < 1e-3
    assert 0 < distance(network, compiled.network(), x).max() <= network.certificate.bound


def test_random_draws_share_their_noise():
    compiled = gh.compile(latent(linear()), gh.draw("z"), "x", engine=gh.Langevin(2, 5))
    network = compiled.network("relu", dtype="float64")
    x = torch.randn(4, 5, dtype=torch.float64)

    assert (network(x, seed=3) - compiled.network()(x, seed=3)).abs().max() < EXACT


@pytest.mark.parametrize("engine", ["naive", "self", "loopy"])
def test_plain_networks_compute_the_same(engine):
    network = program(ENGINES[engine]).network("relu", width=16, dtype="float64")
    z = torch.randn(7, 8, dtype=torch.float64)
    found = PlainNetwork(network)(z)

    assert (found - network(z)).abs().max() < EXACT
