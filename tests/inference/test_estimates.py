"""Means of draws with standard errors."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from ghmpp.inference.estimates import Estimate, mean_of
from tests.tolerances import EXACT


def test_error_is_that_of_the_mean():
    draws = [0.5, 2.0, -1.0, 4.0]
    found = mean_of(np.array(draws))

    assert found.value == pytest.approx(statistics.mean(draws), rel=EXACT)
    assert found.error == pytest.approx(statistics.stdev(draws) / 2, rel=EXACT)
    assert float(found) == found.value


def test_interval_holds_the_truth_in_95_of_100_cases():
    draws = np.random.default_rng(0).normal(3, 2, size=(4000, 50))
    bounds = np.array([mean_of(row).interval for row in draws])

    held = ((bounds[:, 0] < 3) & (bounds[:, 1] > 3)).mean()
    assert held == pytest.approx(0.95, abs=0.02)


def test_one_infinite_draw_makes_the_mean_infinite():
    assert mean_of(np.array([1.0, math.inf])) == Estimate(math.inf, 0.0)


def test_exact_values_are_shown_without_an_error():
    assert repr(Estimate(0.125, 0.0)) == "0.125"
    assert repr(Estimate(0.125, 0.0123)) == "0.125 +- 0.012"
