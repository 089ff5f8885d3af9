"""The residual network of Mei and Wu: the iteration that it is, its proof, exported and trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion.residual import residual_network
from ghmpp.errors import CertificateError, QueryError
from ghmpp.exports.tracing import quiet
from ghmpp.models.channels import Given
from tests.tolerances import EXACT, EXPORTED_SINGLE

SEEN = gh.noisy("x", sigma=0.8, scale=0.9)
GAIN = 0.9 / 0.8**2


def spins(norm=0.55, d=12, seed=0):
    """A random model of this norm, with fields."""
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(d, d)), 1)
    matrix = matrix + matrix.T
    return gh.PairwiseSpins(matrix * norm / np.linalg.norm(matrix, 2), 0.2 * rng.normal(size=d))


def observations(n, d=12, seed=1):
    rng = np.random.default_rng(seed)
    return 0.9 * rng.choice([-1.0, 1.0], (n, d)) + 0.8 * rng.normal(size=(n, d))


def fixed_point(model, z):
    """Means after as many rounds of ``m = tanh(A m + a)`` as change nothing any more."""
    field, m = GAIN * z + model.fields, np.zeros_like(z)
    for _ in range(300):
        m = np.tanh(m @ model.couplings + field)
    return m


@pytest.mark.parametrize(("knots", "layers"), [(16, 20), (64, 40)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_distance_to_the_fixed_point_stays_within_the_certificate(knots, layers, seed):
    model, z = spins(seed=seed), observations(2000)
    network = residual_network(model, SEEN, steps=layers, knots=knots)
    away = np.linalg.norm(network(torch.tensor(z)).numpy() - fixed_point(model, z), axis=1)
    found = network.certificate

    alpha, root = np.linalg.norm(model.couplings, 2), np.sqrt(12)
    formula = alpha**layers * root + found.net_error * root * (1 - alpha**layers) / (1 - alpha)
    assert found.bound == pytest.approx(formula, rel=1e-9)
    assert away.max() <= found.bound
    assert away.max() > found.bound / 4


@pytest.mark.slow
def test_wide_and_deep_networks_are_as_close_as_known():
    model, z = spins(norm=0.6), observations(400)
    network = residual_network(model, SEEN, steps=60, knots=256)
    away = np.linalg.norm(network(torch.tensor(z)).numpy() - fixed_point(model, z), axis=1)

    assert away.max() <= network.certificate.bound <= 1.4e-4


@pytest.mark.parametrize("onsager", [False, True])
def test_layers_are_rounds_of_the_compiled_schedule(onsager):
    model, layers = spins(d=7), 6
    engine = gh.TAP(layers + 1, 0.0, "constant") if onsager else gh.NaiveMeanField(layers + 1, 0.0)
    compiled = gh.compile(model, gh.mean("x"), SEEN, engine=engine)
    piecewise = compiled.network("relu", width=32, dtype="float64")
    network = residual_network(model, SEEN, steps=layers, knots=32, onsager=onsager)
    z = observations(200, 7)
    means = network(torch.tensor(z)).numpy()

    matrix = model.couplings - np.diag(
        piecewise.fields.couplings["x onsager"].numpy() if onsager else np.zeros(7)
    )
    # The schedule reads its means off the next field, by tanh itself.
    after = np.tanh(means @ matrix.T + GAIN * z + model.fields)
    assert np.abs(after - piecewise(torch.tensor(z)).numpy()).max() < EXACT


def test_sizes_are_those_of_the_paper():
    network = residual_network(spins(d=5), SEEN, steps=3, knots=8)

    assert tuple(network.w_in.shape) == (11, 6)
    assert tuple(network.w_1[0].shape) == (11, 5 * (8 + 2) + 1)
    assert network.tied
    assert "3 layers with the same weights, width 11, 51 units" in repr(network)


def test_couplings_that_do_not_contract_have_no_certificate():
    model = gh.PairwiseSpins.curie_weiss(12, 1.6)

    with pytest.raises(CertificateError, match=r"norm of A - K is 1.467"):
        residual_network(model, SEEN, steps=20)
    assert residual_network(model, SEEN, steps=20, certificate=False).certificate is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": gh.PairwiseSpins.boltzmann([[0.1, 0.2]])}, "must be one class of spins"),
        ({"given": Given("x")}, "whose log odds"),
        ({"steps": 0}, "steps must be a whole number >= 1"),
        ({"knots": 1}, "at least 2 knots, got 1"),
    ],
)
def test_what_is_no_such_network_is_refused(change, message):
    options = {"model": spins(d=3), "given": SEEN, "steps": 4, "knots": 8} | change

    with pytest.raises(QueryError, match=message):
        residual_network(options.pop("model"), options.pop("given"), **options)


def test_the_proof_holds_for_rounded_weights():
    model, z = spins(), observations(500)
    network = residual_network(model, SEEN, steps=20, knots=32, dtype="float32")
    exact = network.double()

    assert network.check()
    away = np.linalg.norm(exact(torch.tensor(z)).numpy() - fixed_point(model, z), axis=1)
    assert away.max() <= network.certificate.bound + 1e-4  # couplings and gain are rounded, too


@pytest.mark.parametrize("tied", [True, False])
def test_the_twin_learns(tied):
    model = spins(d=4)
    network = residual_network(
        model, SEEN, steps=3, knots=4, trainable=True, tied=tied, dtype="float32"
    )
    z = torch.tensor(observations(64, 4), dtype=torch.float32)
    wanted = torch.tensor(fixed_point(model, z.double().numpy()), dtype=torch.float32)
    before = (network(z) - wanted).square().mean().item()
    search = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(60):
        search.zero_grad()
        loss = (network(z) - wanted).square().mean()
        loss.backward()
        search.step()

    assert loss.item() < before / 3
    assert network.certificate is None
    assert len(network.w_1) == (1 if tied else 3)
    with pytest.raises(CertificateError, match="without a certificate"):
        network.check()


@pytest.mark.slow
def test_onnx_runs_the_same(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = residual_network(spins(d=5), SEEN, steps=4, knots=8, dtype="float32")
    z = torch.tensor(observations(3, 5), dtype=torch.float32)
    path = tmp_path / "network.onnx"
    rows = {0: torch.export.Dim("batch", min=1)}
    program = torch.export.export(network, (z,), dynamic_shapes=(rows,))
    with quiet():
        torch.onnx.export(program, (z,), dynamo=True, verbose=False).save(path)
    session = onnxruntime.InferenceSession(path)
    for batch in (1, 7):
        z = torch.tensor(observations(batch, 5, seed=batch), dtype=torch.float32)
        (found,) = session.run(None, {session.get_inputs()[0].name: z.numpy()})

        assert np.abs(found - network(z).numpy()).max() < EXPORTED_SINGLE
