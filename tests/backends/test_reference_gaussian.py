"""Messages of Gaussian factors are integrals, checked by quadrature."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp._arrays import FloatArray
from ghmpp.backends.reference_gaussian import (
    components,
    from_component,
    repeated,
    toward_leaves,
    toward_root,
)
from tests.tolerances import ENUMERATION

POINTS = np.linspace(-60, 60, 240_001)
FACTORS = [(0.7, -1.2, 0.3), (0.0, 0.0, 0.0), (3.0, 5.0, -2.0)]
EDGES = [(0.9, 0.4, 0.5), (-2.0, 1.0, 3.0), (0.0, -0.5, 1.5)]


def log_density(y: FloatArray, mean: FloatArray, variance: float) -> FloatArray:
    """Log of a normal density."""
    return -((y - mean) ** 2) / (2 * variance) - np.log(2 * np.pi * variance) / 2


def log_integral(logs: FloatArray) -> float:
    """Log of the integral over the points, by the trapezoid rule (exact for such functions)."""
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum() * (POINTS[1] - POINTS[0])))


def log_factor(parts: FloatArray, x: FloatArray | float) -> FloatArray | float:
    """Log of a factor at x."""
    precision, shift, constant = parts
    return -precision * x**2 / 2 + shift * x + constant


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("edge", EDGES)
def test_toward_the_root_the_child_is_integrated_out(factor, edge):
    a, b, q = edge

    found = toward_root(np.array(factor), *(np.array([part]) for part in edge))

    for x in (-1.3, 0.0, 2.0):
        whole = log_factor(np.array(factor), POINTS) + log_density(POINTS, a * x + b, q)
        assert log_factor(found, x) == pytest.approx(log_integral(whole), abs=ENUMERATION)


@pytest.mark.parametrize("factor", [FACTORS[0], FACTORS[2]])
@pytest.mark.parametrize("edge", EDGES)
def test_toward_the_leaves_the_parent_is_integrated_out(factor, edge):
    a, b, q = edge

    found = toward_leaves(np.array(factor), *(np.array([part]) for part in edge))

    for y in (-1.3, 0.0, 2.0):
        whole = log_factor(np.array(factor), POINTS) + log_density(y, a * POINTS + b, q)
        assert log_factor(found, y) == pytest.approx(log_integral(whole), abs=ENUMERATION)


def test_a_parent_of_which_nothing_is_known_says_nothing():
    flat = np.zeros(3)

    found = toward_leaves(flat, np.array([-2.0]), np.array([1.0]), np.array([3.0]))

    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2] == pytest.approx(-np.log(2.0))  # of an integral over a x


def test_a_component_sends_its_density_with_its_weight():
    logs, means, variances = np.array([-1.0, -np.inf]), np.array([2.0, 0.0]), np.array([0.5, 1.0])

    precision, shift, constant = components(from_component(logs, means, variances))

    at = log_factor(np.array([precision[0], shift[0], constant[0]]), 0.7)
    assert at == pytest.approx(-1.0 + log_density(np.array(0.7), np.array(2.0), 0.5))
    assert constant[1] == -np.inf
    assert np.isfinite([precision[1], shift[1]]).all()


def test_what_is_seen_serves_all_components():
    assert repeated(np.array([1.0, 2.0, 3.0]), 6).tolist() == [1, 1, 2, 2, 3, 3]
