from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ghmpp.backends.leaves import exact_leaves, log_leaves
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Gaussian
from ghmpp.models.evidence import read_evidence
from ghmpp.models.forest import VariableClass

VARIABLES = {
    "x": VariableClass("x", (0, 1, 2), np.arange(3.0), 3, ("x",), np.array([2, 0, 1])),
    "y": VariableClass("y", (0, 1), np.arange(2.0), 1, ("y",)),
}


def test_states_are_zero_or_minus_infinity_in_tree_order():
    observations, _ = read_evidence({"x": [[0, 1, None]]}, VARIABLES)
    leaves = log_leaves(observations, VARIABLES)

    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(
            leaves["x"], np.log([[[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        )


def test_exact_leaves_are_the_exponentials_of_log_leaves():
    evidence = {"x": [[0, 1, None], [2, 2, 1]], "y": np.array([[0.5, 0.25], [1.0, 0.0]])}
    observations, _ = read_evidence(evidence, VARIABLES)
    exact, logs = (leaves(observations, VARIABLES) for leaves in (exact_leaves, log_leaves))

    for name in evidence:
        np.testing.assert_allclose(exact[name].astype(float), np.exp(logs[name]))


def test_exact_leaves_hold_integers_and_fractions():
    evidence = {"x": [[0, 1, None]], "y": np.array([[0.5, 0.25]])}
    observations, _ = read_evidence(evidence, VARIABLES)
    leaves = exact_leaves(observations, VARIABLES)

    assert {type(entry) for entry in leaves["x"].flat} == {int}
    assert leaves["y"].tolist() == [[[Fraction(1, 2), Fraction(1, 4)]]]


def test_log_leaves_are_densities_of_continuous_observations():
    observations, _ = read_evidence({"y": (np.array([0.5]), Gaussian(sigma=2.0))}, VARIABLES)
    leaves = log_leaves(observations, VARIABLES)

    density = np.exp(-(0.5**2) / 8) / np.sqrt(8 * np.pi)
    np.testing.assert_allclose(np.exp(leaves["y"]), [[[density, density]]])


def test_continuous_observations_are_not_exact():
    observations, _ = read_evidence({"y": (np.array([0.5]), Gaussian(sigma=2.0))}, VARIABLES)

    with pytest.raises(EvidenceError, match="y: exact arithmetic takes states or likelihoods"):
        exact_leaves(observations, VARIABLES)
