"""Spins as ordinary models: exact inference on trees and junction trees."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError
from tests.spins import configurations, means, random_couplings, random_tree, weights
from tests.tolerances import ENUMERATION, SIGMAS

SHAPES = {"tree": random_tree, "loops": lambda d, rng: random_couplings(d, rng, density=0.5)}


def declared(shape, d=7, seed=0):
    rng = np.random.default_rng(seed)
    names = {"x": [5, 1, 2, 6], "theta": [0, 3, 4]}
    return gh.PairwiseSpins(SHAPES[shape](d, rng), rng.normal(size=d), names)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_beliefs_and_evidence_are_by_class_in_its_order(shape, seed):
    spins = declared(shape, seed=seed)
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(5, 4))
    hard = rng.choice([-1, 1], (5, 3))

    found = gh.infer(spins, {"x": (z, gh.Gaussian(sigma=2.0)), "theta[2]": hard[:, 2]})

    fields = np.zeros((5, 7))
    fields[:, list(spins.classes["x"])] = z / 4
    fields[:, spins.classes["theta"][2]] = 50.0 * hard[:, 2]
    expected = means(spins.couplings, spins.fields, fields)
    for name, sites in spins.classes.items():
        mean = found[name][..., 1] * 2 - 1
        np.testing.assert_allclose(mean, expected[:, list(sites)], atol=ENUMERATION)


@pytest.mark.parametrize("shape", SHAPES)
def test_exact_programs_are_compiled_by_class(shape):
    spins = declared(shape)
    z = np.random.default_rng(1).normal(size=(4, 4))
    asked = [gh.mean("theta"), gh.mean("x"), gh.log_evidence()]

    program = gh.compile(spins, asked, gh.noisy("x", sigma=1.0), engine="exact")
    theta, x, logs = (each.numpy() for each in program.network()(z))

    fields = np.zeros((4, 7))
    fields[:, list(spins.classes["x"])] = z
    expected = means(spins.couplings, spins.fields, fields)
    law, spin = weights(spins.couplings, spins.fields), configurations(7)
    density = np.exp(-((z[:, None] - spin[:, list(spins.classes["x"])]) ** 2).sum(-1) / 2)
    np.testing.assert_allclose(theta, expected[:, list(spins.classes["theta"])], atol=ENUMERATION)
    np.testing.assert_allclose(x, expected[:, list(spins.classes["x"])], atol=ENUMERATION)
    np.testing.assert_allclose(
        logs, np.log(density @ law) - 2 * np.log(2 * np.pi), atol=ENUMERATION
    )


def test_trees_of_spins_pass_verification():
    spins = declared("tree")

    assert gh.verify(spins, engines=["enumeration", "recursion", "gradient"], rows=1).passed
    assert gh.verify(spins.model(gathered=False), engines=["gradient"], rows=1).passed


@pytest.mark.slow
def test_junction_trees_of_spins_pass_verification():
    spins = declared("loops")

    assert gh.verify(spins, engines=["recursion", "gradient"], rows=2).passed
    assert gh.verify(spins.model(gathered=False), engines=["triangulation"], rows=2).passed


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_have_the_law(shape):
    spins, n = declared(shape), 20_000

    drawn = spins.sample(n, seed=1)

    x = np.empty((n, 7))
    for name, sites in spins.classes.items():
        x[:, list(sites)] = 2 * drawn[name] - 1
    every, law = configurations(7), weights(spins.couplings, spins.fields)
    np.testing.assert_allclose(x.mean(0), law @ every, atol=SIGMAS / np.sqrt(n))
    np.testing.assert_allclose(
        x.T @ x / n, (every * law[:, None]).T @ every, atol=SIGMAS / np.sqrt(n)
    )


def test_the_most_probable_configuration_and_posterior_samples_are_by_class():
    spins = declared("loops", seed=2)
    engine = gh.Inference(spins)

    best = engine.map({"x[0]": 1})
    drawn = engine.posterior_sample({"theta": [[1, -1, 1]]}, n=50)

    every = configurations(7)
    allowed = every[:, spins.classes["x"][0]] == 1
    law = np.where(allowed, weights(spins.couplings, spins.fields), 0)
    expected = (every[law.argmax()] + 1) / 2
    for name, sites in spins.classes.items():
        np.testing.assert_array_equal(best[name][0], expected[list(sites)])
    assert (drawn["theta"] == [1, 0, 1]).all()
    assert drawn["x"].shape == (1, 50, 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_models_of_spins_are_saved_and_read(shape, tmp_path):
    model = declared(shape).model()
    evidence = {"x": [[1, -1, 1, None]]}

    model.save(tmp_path / "model.json")
    again = gh.Model.load(tmp_path / "model.json")

    np.testing.assert_array_equal(
        gh.infer(again, evidence)["theta"], gh.infer(model, evidence)["theta"]
    )


@pytest.mark.slow
def test_exact_networks_are_exported(tmp_path):
    program = gh.compile(
        declared("loops"), gh.posterior("theta"), gh.noisy("x", sigma=1.0), engine="exact"
    )

    assert gh.export(program.network(), tmp_path / "out", formats=("onnx",)).passed


def test_what_single_variables_are_needed_for_is_refused_with_the_cure():
    spins = declared("tree")

    with pytest.raises(QueryError, match=r"spins.model\(gathered=False\)"):
        gh.compile(spins, gh.edge("x"), "theta", engine="exact")
    with pytest.raises(QueryError, match="is not the parent of 'x'"):
        gh.Inference(spins).edge({}, "theta", "x")
    with pytest.raises(QueryError, match="each of the 4 variables of 'x' plays its own"):
        gh.compile(spins, gh.posterior("x"), "theta", engine="exact").network("relu")


def test_couplings_that_overflow_are_refused():
    with pytest.raises(ModelError, match="no finite tables"):
        gh.PairwiseSpins([[0, 800.0], [800.0, 0]]).model()
