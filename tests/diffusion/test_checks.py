"""Denoisers of the wrong noise convention are found out."""

from __future__ import annotations

import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion import (
    StochasticLocalization,
    VarianceExploding,
    VariancePreserving,
    check_denoiser,
    tweedie_defect,
)
from ghmpp.errors import DenoiserError
from tests.diffusion.models import extreme, sticky

LOCALIZED, PRESERVING, EXPLODING = (
    StochasticLocalization(),
    VariancePreserving(),
    VarianceExploding(),
)


def convention(model, process, predicts):
    """The exact denoiser, as a function of another convention."""
    exact = gh.denoiser(model, process=process)

    def function(z, t):
        alpha, sigma = process.coefficients(t)
        mean = exact(z, t)
        if predicts == "noise":
            return (z - alpha * mean) / sigma
        return (alpha * mean - z) / sigma**2 if predicts == "score" else mean

    return function


@pytest.mark.parametrize(
    ("process", "predicts"),
    [
        (LOCALIZED, "noise"),
        (LOCALIZED, "score"),
        (PRESERVING, "mean"),
        (PRESERVING, "noise"),
        (EXPLODING, "mean"),
        (EXPLODING, "noise"),
    ],
    ids=str,
)
def test_other_conventions_are_refused_and_named(process, predicts):
    model = sticky()
    function = convention(model, process, predicts)
    fits = rf"Tweedie's identity fails.*it fits process={type(process).__name__}\(\), .*{predicts}"

    with pytest.raises(DenoiserError, match=fits):
        gh.denoiser(function, like=model)


@pytest.mark.parametrize(("process", "predicts"), [(LOCALIZED, "mean"), (EXPLODING, "noise")])
def test_localization_is_no_other_process(process, predicts):
    model = sticky()
    function = convention(model, process, predicts)

    with pytest.raises(DenoiserError, match=r"no posterior means for VariancePreserving\(\)"):
        gh.denoiser(function, like=model, process=PRESERVING)


def test_what_fits_no_convention_is_refused():
    with pytest.raises(DenoiserError, match="no other convention fits: is it trained"):
        gh.denoiser(lambda z, t: torch.sin(3 * z) * 100, like=sticky())


def test_check_can_be_left_out():
    denoise = gh.denoiser(lambda z, t: 0 * z, like=sticky(), check=False)

    assert float(denoise(torch.ones(1, 4, dtype=torch.float64), 1.0).sum()) == 0


@pytest.mark.parametrize("model", [sticky(), extreme()], ids=["sticky", "extreme"])
def test_exact_denoisers_have_no_defect(model):
    x = torch.tensor(model.sample(4000, 1)["x2"]) + 1.0
    found = check_denoiser(gh.denoiser(model), x.double())

    assert found < 10 / len(x)


def test_small_errors_of_training_are_allowed():
    model = sticky()
    exact = gh.denoiser(model)
    x = (torch.tensor(model.sample(4000, 1)["x2"]) + 1.0).double()
    denoise = gh.denoiser(lambda z, t: exact(z, t) + 0.1 * torch.sin(5 * z), like=model)

    assert check_denoiser(denoise, x) < 0.05


def test_defect_is_what_the_best_affine_map_takes_away():
    model = sticky()
    exact = gh.denoiser(model)
    x = (torch.tensor(model.sample(20_000, 1)["x2"]) + 1.0).double()

    def defect(function):
        denoise = gh.denoiser(function, like=model, check=False)
        return tweedie_defect(denoise, x, 1.0, torch.Generator().manual_seed(0))

    z = StochasticLocalization().noise(x, 1.0, torch.Generator().manual_seed(0))
    best = float((x - exact(z, 1.0)).square().mean())
    shifted = defect(lambda z, t: exact(z, t) + 0.5)
    assert shifted == pytest.approx(0.25 / (best + 0.25), abs=0.01)


def test_networks_can_be_checked_too():
    model = sticky()
    program = gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1))
    network = program.network("trainable", width=4)
    generator = torch.Generator().manual_seed(0)
    for layers in (network.collect, network.distribute):
        for parameter in layers.parameters():
            torch.nn.init.normal_(parameter.detach(), std=3.0, generator=generator)
    untrained = gh.denoiser(network)
    x = (torch.tensor(model.sample(1000, 1)["x2"]) + 1.0).float()

    with pytest.raises(DenoiserError, match="gives no posterior means"):
        check_denoiser(untrained, x)
