"""Langevin encoders as schedules: every step against autograd and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.errors import QueryError
from ghmpp.schedule.ir import Noise, Repeat
from tests.models.generators import BENT, as_torch, latent, linear, module, residual
from tests.tolerances import EXACT, SEARCH, SIGMAS, START


def reference(model, x, engine, kind="code", seed=0):
    """The answer of the reference interpreter, (batch, nodes)."""
    schedule = engine.build(model.forest(), [(kind, "z")], ["x"])
    rng = np.random.default_rng(seed)
    return run(schedule, {"x": x[..., None]}, LogFloat(), rng=rng)[kind, "z"]


def descent(network, x, noise, engine):
    """The same steps without noise, by autograd."""
    z, seen = torch.zeros(x.shape, dtype=torch.float64), torch.tensor(x)

    def gradient(z):
        z = z.detach().requires_grad_()
        (((network(z) - seen) ** 2).sum() / 2).backward()
        return z.grad

    for _ in range(engine.gradient_steps):
        z = z - engine.rate * gradient(z)
    for _ in range(engine.steps):
        z = z - engine.step * (z + gradient(z) / noise**2)
    return z.detach().numpy()


@pytest.mark.parametrize(("gradient_steps", "steps"), [(1, 0), (3, 0), (0, 1), (2, 3)])
@pytest.mark.parametrize("kind", ["lists", "module"])
def test_steps_are_those_of_autograd(kind, gradient_steps, steps):
    network = module() if kind == "module" else as_torch(residual())
    model = latent(network if kind == "module" else residual())
    engine = gh.Langevin(gradient_steps, steps, step=2e-3, rate=0.05)
    x = model.sample(4, seed=1)["x"]
    wanted = descent(network, x, 0.3, engine)
    program = gh.compile(model, gh.code("z"), ["x"], engine=engine)

    assert np.abs(reference(model, x, engine) - wanted).max() < EXACT
    assert np.abs(program.network()(x).detach().numpy() - wanted).max() < EXACT


def test_activation_at_the_end_of_a_generator():
    layers = [(np.eye(2) + 0.1, None, "softplus")]
    model = gh.LatentGaussian(layers, 0.3)
    engine = gh.Langevin(2, 2, step=1e-2, rate=0.2)
    x = model.sample(3)["x"]

    assert (
        np.abs(reference(model, x, engine) - descent(as_torch(layers), x, 0.3, engine)).max()
        < EXACT
    )


def test_code_is_the_most_probable_value():
    model = latent(BENT, noise=0.5)
    x = np.array([[0.5], [-1.2]])
    z = np.linspace(-4, 4, 400_001)[:, None]
    best = [z[np.argmin(model.energy(z, each))] for each in x]

    assert (
        np.abs(gh.compile(model, gh.code("z"), ["x"]).network()(x).numpy() - np.ravel(best)).max()
        < START
    )


def test_draws_have_the_posterior_of_a_linear_generator():
    model, rows = latent(linear(), noise=0.5), 4000
    x = model.sample(1, seed=2)["x"]
    network = gh.compile(model, gh.draw("z"), ["x"], engine=gh.Langevin(step=0.002)).network()
    z = network(np.repeat(x, rows, 0), seed=3).numpy()
    law = gh.encoder_law(model, x[0], gh.Langevin(step=0.002))
    white = np.linalg.solve(np.linalg.cholesky(law.covariance), (z - law.mean).T)

    assert np.abs(white.mean(1)).max() < SIGMAS / np.sqrt(rows)
    assert np.abs(np.cov(white) - np.eye(5)).max() < SIGMAS * np.sqrt(2 / rows)


def test_only_draws_have_noise_and_all_layers_share_weights():
    model = latent(residual())
    schedule = gh.Langevin(5, 7, step=1e-3).build(
        model.forest(), [("draw", "z"), ("code", "z")], ["x"]
    )
    gradient, draw, code = (op for op in schedule.ops if isinstance(op, Repeat))

    assert [op.rounds for op in (gradient, draw, code)] == [5, 7, 7]
    assert [op.scale for op in draw.body if isinstance(op, Noise)] == [np.sqrt(2e-3)]
    assert not any(isinstance(op, Noise) for op in (*gradient.body, *code.body))


def test_defaults_come_from_the_measured_constants():
    model = latent(linear(), noise=0.2)
    found = gh.Langevin().resolved(model.forest())

    assert found.rate == pytest.approx(1 / 4, rel=SEARCH)
    assert found.step == pytest.approx(0.1 / (1 + 4 / 0.04), rel=EXACT)
    assert found.gradient_steps == np.ceil(np.log(5 * 4 / 0.04) * 4)
    assert found.steps == np.ceil(np.log(1000) / (found.step * (1 + 1 / 0.04)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": -1}, "steps must be a whole number >= 0, got -1"),
        ({"gradient_steps": 1.5}, "gradient_steps must be a whole number"),
        ({"gradient_steps": float("inf")}, "gradient_steps must be a whole number"),
        ({"steps": "many"}, "steps must be a whole number >= 0, got 'many'"),
        ({"steps": True}, "steps must be a whole number"),
        ({"step": 0.0}, "step must be finite and > 0"),
        ({"step": "small"}, "step must be finite and > 0, got 'small'"),
        ({"rate": float("nan")}, "rate must be finite"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(QueryError, match=words):
        gh.Langevin(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step": 0.2}, r"step must be below 2 / \(1 \+ M\^2 / beta\^2\) = 0\.118.*got 0\.2"),
        ({"rate": 0.6}, r"rate must be below 2 / M\^2 = 0\.5, or the steps diverge; got 0\.6"),
    ],
)
def test_steps_that_diverge_are_refused_with_the_bound(options, words):
    model = latent([([[2.0]], None)], noise=0.5)

    with pytest.raises(QueryError, match=words):
        gh.compile(model, gh.draw("z"), ["x"], engine=gh.Langevin(**options))


@pytest.mark.parametrize("smallest", [0.2, 0.003])
def test_directions_below_the_noise_need_no_gradient_steps(smallest):
    model = gh.LatentGaussian([(np.diag([1.0, smallest]), None)], 0.5)
    engine = gh.Langevin().resolved(model.forest())
    law = gh.encoder_law(model, [0.8, 0.4])

    assert engine.gradient_steps == np.ceil(np.log(2 / 0.25) / 0.25)
    assert law.divergence < 1e-3


def test_defaults_that_would_never_end_are_refused():
    model = gh.LatentGaussian([(np.diag([1.0, 2e-3]), None)], 1e-3)

    with pytest.raises(QueryError, match=r"more than 100,000.*Pass gradient_steps="):
        gh.Langevin().resolved(model.forest())


@pytest.mark.parametrize(
    ("outputs", "observed", "words"),
    [
        ([("mean", "z")], ["x"], "cannot answer mean of 'z'; ask for a draw"),
        ([("draw", "x")], ["x"], "cannot answer draw of 'x'"),
        ([("draw", "z")], [], "exactly 'x' must be given, got nothing"),
    ],
)
def test_other_questions_are_refused(outputs, observed, words):
    with pytest.raises(QueryError, match=words):
        gh.Langevin().build(latent(linear()).forest(), outputs, observed)


def test_other_models_are_refused():
    with pytest.raises(QueryError, match="no latent Gaussian"):
        gh.Langevin().resolved(gh.LinearHierarchy([np.eye(2)]).forest())
