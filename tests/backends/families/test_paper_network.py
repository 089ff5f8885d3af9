"""Emitted networks with the paper's own nets: within delta of enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ResourceError
from ghmpp.verification.enumeration import enumeration

DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def model():
    rng = np.random.default_rng(3)
    tables = [1.5 ** rng.uniform(-1, 1, (2, 2, 2)) for _ in range(2)]
    return gh.GHM(2, (2, 2), tables, state_values=[1, 2], prior=[0.4, 0.6])


@DTYPES
def test_theorem_3_holds_for_the_emitted_classifier(dtype):
    delta, found = 0.2, model()
    network = gh.compile(found, gh.posterior("x0"), given="x2").network(
        "relu", delta=delta, construction="paper", dtype=dtype
    )
    x = np.array(list(itertools.product(range(2), repeat=4)))
    with np.errstate(divide="ignore"):
        true = enumeration(found.forest(), {"x2": np.log(np.eye(2)[x])}).posteriors["x0"][:, 0]
    error = abs(np.log(np.asarray(network(x))) - np.log(true)).max()

    assert 0 < error <= delta


@DTYPES
def test_theorem_6_holds_for_the_emitted_denoiser(dtype):
    delta, found = 0.8, model()
    network = gh.compile(found, gh.mean("x2"), given=gh.noisy("x2", sigma=1.0)).network(
        "relu", delta=delta, construction="paper", dtype=dtype
    )
    rng = np.random.default_rng(0)
    z = rng.normal(size=(100, 4)) * rng.choice([1.0, 3.0, 50.0], size=(100, 1))
    logs = -((np.array([1.0, 2.0]) - z[:, :, None]) ** 2) / 2
    true = enumeration(found.forest(), {"x2": logs}).means["x2"]

    assert abs(np.asarray(network(z)) - true).max() <= delta


def test_networks_that_do_not_fit_are_refused_before_they_are_made():
    program = gh.compile(model(), gh.mean("x2"), given=gh.noisy("x2", sigma=1.0))

    with pytest.raises(ResourceError, match=r"units need .*iB, but the limit is"):
        program.network("relu", delta=1e-7, construction="paper", dtype="float64")
