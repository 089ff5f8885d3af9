from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from ghmpp._arrays import FloatArray
from ghmpp.learning.em.ascent import climb
from tests.tolerances import SEARCH


@given(seed=st.integers(0, 1000), size=st.integers(1, 4))
def test_the_top_of_a_quadratic_is_found(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    bend, top = root @ root.T + 0.1 * np.eye(size), rng.normal(size=size)

    def quadratic(x: FloatArray) -> tuple[float, FloatArray]:
        return -float((x - top) @ bend @ (x - top)) / 2, -bend @ (x - top)

    found = climb(quadratic, np.zeros(size), steps=100, precision=1e-14)

    np.testing.assert_allclose(found, top, atol=SEARCH)


@given(share=st.floats(0.01, 0.99), start=st.floats(-8, 8))
def test_the_log_odds_of_a_share_are_found(share: float, start: float) -> None:
    def likelihood(x: FloatArray) -> tuple[float, FloatArray]:
        value = share * x[0] - np.logaddexp(0, x[0])
        return float(value), np.array([share - expit(x[0])])

    found = climb(likelihood, np.array([start]), steps=100, precision=1e-15)

    np.testing.assert_allclose(expit(found[0]), share, atol=SEARCH)


def test_steps_stay_where_the_function_is_defined() -> None:
    seen = []

    def entropy(x: FloatArray) -> tuple[float, FloatArray]:
        if not 0 < x[0] < 1:
            return -np.inf, np.zeros(1)
        seen.append(float(x[0]))
        return float(3 * np.log(x[0]) + np.log(1 - x[0])), 3 / x - 1 / (1 - x)

    found = climb(entropy, np.array([1e-3]), steps=100)

    np.testing.assert_allclose(found, [0.75], atol=SEARCH)
    assert 0 < min(seen) <= max(seen) < 1


def test_a_flat_start_is_returned() -> None:
    found = climb(lambda x: (0.0, np.zeros(2)), np.array([1.0, 2.0]))

    np.testing.assert_array_equal(found, [1.0, 2.0])


def test_a_wrong_gradient_never_leads_down() -> None:
    found = climb(lambda x: (-float(x[0] ** 2), np.array([1.0])), np.array([0.5]))

    assert abs(found[0]) <= 0.5
