from __future__ import annotations

import math

import pytest

from ghmpp.errors import LearningError
from ghmpp.learning.em.steps import Step, gain


def step(likelihood: float, prior: float = 0.0) -> Step:
    return Step(0, 1, likelihood, prior, 0.0)


def test_the_objective_has_both_terms() -> None:
    assert step(-3.0, -0.5).objective == -3.5


def test_the_gain_is_infinite_at_the_start() -> None:
    assert gain([], step(-3.0)) == math.inf
    assert gain([step(-math.inf)], step(-3.0)) == math.inf


def test_the_gain_is_since_the_last_step() -> None:
    assert gain([step(-9.0), step(-3.0)], step(-2.5, -0.25)) == 0.25


def test_a_fall_beyond_rounding_is_refused() -> None:
    gain([step(-3.0)], step(-3.0 - 1e-12))

    with pytest.raises(LearningError, match=r"objective fell from -3 to -3\.1 .* bug in ghmpp"):
        gain([step(-3.0)], step(-3.1))
