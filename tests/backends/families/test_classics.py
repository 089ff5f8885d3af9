"""Networks of the models whose widths and guarantees are known, emitted and measured."""

import numpy as np
import pytest
import torch

import ghmpp as gh
from tests.approximation.classics import CLASSIFICATION, DENOISING, kernel_model
from tests.backends.families.nets import adversarial

ROWS = 100
TABLE = ("m", "depth", "states", "entry", "delta", "width", "known")


@pytest.mark.slow
@pytest.mark.parametrize(TABLE, CLASSIFICATION)
def test_classifiers_keep_the_known_guarantee(m, depth, states, entry, delta, width, known):
    model, leaf = kernel_model(m, depth, states, entry), f"x{depth}"
    program = gh.compile(model, gh.posterior("x0"), leaf)
    network = program.network("relu", width=width, log_odds=False, dtype="float64")
    x = torch.tensor(np.random.default_rng(0).integers(0, states, size=(ROWS, m**depth)))

    error = float((network(x).log() - program.network()(x).log()).abs().max())

    assert error <= network.certificate.bound <= 1.05 * known
    assert network.certificate.check(network, model).verdict == "holds"


@pytest.mark.slow
@pytest.mark.parametrize(TABLE, DENOISING)
def test_denoisers_keep_the_known_guarantee(m, depth, states, entry, delta, width, known):
    model, leaf = kernel_model(m, depth, states, entry), f"x{depth}"
    program = gh.compile(model, gh.mean(leaf), gh.noisy(leaf, sigma=1.0))
    network = program.network("relu", width=width, log_odds=False, dtype="float64")
    z = adversarial(ROWS, m**depth)

    error = float((network(z) - program.network()(z)).abs().max())

    assert error <= network.certificate.bound <= 1.05 * known
    assert network.certificate.check(network, model).verdict == "holds"
