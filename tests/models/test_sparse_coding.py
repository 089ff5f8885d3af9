from __future__ import annotations

import itertools

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError, ResourceError
from ghmpp.models.channels import Given
from tests.tolerances import EXACT, TWEEDIE

PRIOR = ([-1.0, 0.0, 1.0], [0.15, 0.7, 0.15])


def declared(signal=16, factors=8, noise=0.3, seed=0):
    atoms = np.random.default_rng(seed).normal(size=(signal, factors))
    return gh.SparseCoding(atoms / np.linalg.norm(atoms, axis=0), noise, PRIOR)


def seen(model, t, rows, seed=1):
    lam = np.exp(-t)
    sig = np.sqrt(1 - lam**2)
    rng = np.random.default_rng(seed)
    x = model.sample(rows, seed)["x"]
    z = lam * x + sig * rng.normal(size=x.shape)
    return z, gh.noisy("x", sigma=float(sig), scale=float(lam))


def log_density(model, z, lam, sig):
    """Log density of z up to a constant, by a sum over codes of whole Gaussians."""
    cov = (lam**2 * model.noise**2 + sig**2) * np.eye(z.shape[1])
    inverse = np.linalg.inv(cov)
    total = np.zeros(len(z))
    pairs = list(zip(*PRIOR, strict=True))
    for code in itertools.product(pairs, repeat=model.dictionary.shape[1]):
        theta = np.array([value for value, _ in code])
        off = z - lam * model.dictionary @ theta
        density = np.exp(-np.einsum("bi,ij,bj->b", off, inverse, off) / 2)
        total += np.prod([weight for _, weight in code]) * density
    return np.log(total)


def test_the_denoiser_is_the_score():
    model = declared(4, 3)
    z, given = seen(model, 0.3, 5)
    lam, sig = given.channel.scale, given.channel.sigma
    step = 1e-3

    score = np.empty(z.shape)
    for k in range(z.shape[1]):
        at = [log_density(model, z + j * step * np.eye(4)[k], lam, sig) for j in (-2, -1, 1, 2)]
        score[:, k] = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)
    means = model.exact_means(z, given)["x"]

    np.testing.assert_allclose((lam * means - z) / sig**2, score, atol=TWEEDIE / 10)


@pytest.mark.filterwarnings("ignore::ghmpp.errors.GuaranteeWarning")
def test_tap_is_ten_times_better_than_mean_field():
    model = declared()
    z, given = seen(model, 0.3, 400)
    exact = model.exact_means(z, given)

    errors = {}
    for name, engine in (("naive", gh.NaiveMeanField()), ("tap", gh.TAP())):
        asked = [gh.mean("theta"), gh.mean("x")]
        theta, x = gh.compile(model, asked, given, engine=engine).network()(z)
        errors[name] = ((theta.numpy() - exact["theta"]) ** 2).mean()
        share = ((x.numpy() - exact["x"]) ** 2).mean()
        assert share <= errors[name]

    assert errors["tap"] <= 2e-6
    assert errors["naive"] <= 1.5e-5
    assert errors["tap"] * 10 <= errors["naive"]


def test_the_network_passes_verification_and_tap_is_the_default():
    model = declared(5, 4)
    program = gh.compile(model, [gh.mean("theta"), gh.mean("x")], gh.localized("x", time=2.0))
    named = gh.compile(model, gh.mean("x"), gh.localized("x", time=2.0), engine=gh.TAP())

    assert gh.verify(program, rows=2).passed
    assert program.schedule.forest.couplings == named.schedule.forest.couplings


def test_orthogonal_atoms_are_decoded_one_by_one():
    model = gh.SparseCoding(np.eye(3), 0.5, PRIOR)
    z = np.array([[0.3, -2.0, 1.1]])

    found = gh.compile(model, gh.mean("theta"), "x").network()(z).numpy()

    values, weights = map(np.array, PRIOR)
    likelihood = weights * np.exp(-((z[..., None] - values) ** 2) / (2 * 0.25))
    expected = (likelihood * values).sum(-1) / likelihood.sum(-1)
    np.testing.assert_allclose(found, expected, atol=EXACT)
    np.testing.assert_allclose(model.exact_means(z, Given("x"))["theta"], expected, atol=EXACT)


def test_samples_have_the_moments_of_the_model():
    model, n = declared(4, 3), 40_000

    drawn = model.sample(n, seed=2)

    spread = model.dictionary @ model.dictionary.T * 0.3 + 0.09 * np.eye(4)
    np.testing.assert_allclose(np.cov(drawn["x"].T), spread, atol=0.02)
    assert (drawn["theta"] == 0).mean() == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, 2.0], 0.1, PRIOR), r"shape \(signal, factors\)"),
        ((np.eye(2), -0.1, PRIOR), "noise must be finite and >= 0"),
        ((np.eye(2), 0.1, ([0, 1], [1.0])), "one weight for each"),
        ((np.eye(2), 0.1, ([1, 1], [0.5, 0.5])), "different finite values"),
        ((np.eye(2), 0.1, ([0, 1], [0.5, -0.5])), "weights of the prior"),
        ((np.eye(2), 0.1, 3), r"prior must be \(values, weights\), got 3"),
        ((np.eye(2), 0.1, ("a", "b")), "prior must be an array of numbers"),
        (([[1], [1, 2]], 0.1, PRIOR), "dictionary must be an array of numbers"),
    ],
)
def test_wrong_declarations_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        gh.SparseCoding(*arguments)


def test_atoms_of_zeros_leave_the_prior():
    model = gh.SparseCoding(np.zeros((2, 3)), 0.0, PRIOR)
    program = gh.compile(model, [gh.mean("theta"), gh.mean("x")], gh.noisy("x", sigma=1.0))

    theta, x = program.network()(np.ones((1, 2)))

    np.testing.assert_allclose(theta, np.zeros((1, 3)), atol=EXACT)
    np.testing.assert_allclose(x, np.zeros((1, 2)), atol=EXACT)


def test_observations_that_do_not_fit_are_refused():
    model = declared(3, 2)
    clean = gh.SparseCoding(np.eye(2), 0.0, PRIOR)

    for given in ((), "theta", ["x", "theta"]):
        with pytest.raises(QueryError, match="exactly 'x' must be given"):
            gh.compile(model, gh.mean("x"), given)
    with pytest.raises(QueryError, match="give one of the two some noise"):
        gh.compile(clean, gh.mean("theta"), "x")
    with pytest.raises(QueryError, match="the constant correction is for spins"):
        gh.compile(model, gh.mean("x"), "x", engine=gh.TAP(onsager="constant"))
    noisy = gh.noisy("x", sigma=1.0)
    for wrong in ([1.0, 2.0, 3.0], [[1.0, 2.0]], [[1.0, 2.0, np.nan]]):
        with pytest.raises(ModelError, match=r"z must be finite and have shape \(batch, 3\)"):
            model.exact_means(wrong, noisy)
    with pytest.raises(ModelError, match="n must be a whole number >= 0, got -1"):
        model.sample(-1)
    with pytest.raises(ResourceError, match="codes exceed 2,000,000"):
        declared(20, 20).exact_means(np.zeros((1, 20)), gh.noisy("x", sigma=1.0))
