"""What training and judging read of the same draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.learning.training.draws import Draws, inputs
from ghmpp.learning.training.rows import drawn
from ghmpp.models.lookup import MISSING
from tests.tolerances import SIGMAS

VALUES = np.array([-1.0, 0.5, 2.0])
STATES = np.array([[0, 1, 2, 0], [2, 2, 1, 0]], dtype=np.int8)
NOISE = np.array([[0.5, -1.0, 0.0, 2.0], [1.0, 0.25, -0.5, 0.0]], dtype=np.float32)


def program(given):
    model = gh.zoo.random_ghm([2, 3, VALUES], (2, 2), bound=3, seed=2)
    return gh.compile(model, gh.posterior("x2"), given)


@pytest.mark.parametrize(
    ("given", "changed", "scale", "sigma"),
    [
        (gh.noisy("x2", sigma=0.5), {}, 1.0, 0.5),
        (gh.noisy("x2", sigma=0.5, scale=3.0), {"sigma": 2.0}, 3.0, 2.0),
        (gh.localized("x2", time=4.0), {}, 4.0, 2.0),
        (gh.localized("x2", time=4.0), {"time": 9.0}, 9.0, 3.0),
    ],
)
def test_values_are_seen_through_their_channel(given, changed, scale, sigma):
    (z,) = inputs(program(given), Draws({"x2": STATES}, {"x2": NOISE}), changed)

    assert z.dtype == torch.float64
    np.testing.assert_array_equal(z, scale * VALUES[STATES] + sigma * NOISE)


def test_states_are_seen_but_where_they_are_hidden():
    hidden = np.array([[True, False, False, True], [False, True, False, False]])
    (seen,) = inputs(program("x2"), Draws({"x2": STATES}, {}, hidden, hidden), {})

    assert seen.tolist() == [[MISSING, 1, 2, MISSING], [2, MISSING, 1, 0]]


def test_all_rows_are_drawn_with_the_noise_that_is_asked_for():
    asked = program(gh.localized("x2", time=1.0))
    parts = [x for (x,) in drawn(asked, 10_000, 3, {"time": 100.0})]
    z = torch.cat(parts).numpy() / 100

    assert z.shape == (10_000, 4)
    assert len(parts) > 1
    nearest = VALUES[np.abs(z[..., None] - VALUES).argmin(-1)]  # 0.1 of noise, 1.5 between values
    assert abs((z - nearest).var() / 0.01 - 1) < SIGMAS * (2 / z.size) ** 0.5
