"""Arguments that the constructors refuse."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.models.zoo.checks import require_probability, require_scale, require_whole


@pytest.mark.parametrize("number", [1, np.int64(1), 7])
def test_whole_numbers_from_the_least_pass(number):
    require_whole("place", count=(number, 1))


@pytest.mark.parametrize("number", [0, True, 1.0, "1", None])
def test_other_things_are_named_with_their_place(number):
    with pytest.raises(ModelError, match="place: count must be a whole number >= 1, got"):
        require_whole("place", count=(number, 1))


@pytest.mark.parametrize("number", [-1e-9, 1 + 1e-9, np.nan, np.inf])
def test_probabilities_lie_between_zero_and_one(number):
    require_probability("place", "flip", 0)
    require_probability("place", "flip", 1)
    with pytest.raises(ModelError, match=r"place: flip must lie in \[0, 1\]"):
        require_probability("place", "flip", number)


@pytest.mark.parametrize("number", [-1, np.nan, np.inf])
def test_scales_are_finite_and_not_negative(number):
    require_scale("place", "spread", 0)
    with pytest.raises(ModelError, match="place: spread must be finite and >= 0"):
        require_scale("place", "spread", number)
