"""Grids of localization times."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.diffusion.grids import GRIDS, Scale, read_grid, suited
from ghmpp.errors import QueryError
from tests.diffusion.models import broadcast
from tests.tolerances import EXACT


@pytest.mark.parametrize("name", GRIDS)
def test_grids_go_up_from_zero_to_twenty_over_the_squared_gap(name):
    times = read_grid(name, steps=7, scale=Scale(gap=0.5, reach=2.0))

    assert (times.shape, times[0]) == ((8,), 0)
    assert (np.diff(times) > 0).all()
    assert times[-1] == pytest.approx(80)


def test_steps_of_the_grids_are_even_in_their_own_units():
    scale = Scale(gap=2.0, reach=6.0)
    units = {
        "uniform": lambda t: t,
        "square-root": np.sqrt,
        "power": lambda t: t**0.4,
        "geometric": lambda t: np.log1p(4 * t),
        "wide": lambda t: np.log1p(36 * t),
    }
    for name, unit in units.items():
        steps = np.diff(unit(read_grid(name, steps=9, end=3.0, scale=scale)))

        np.testing.assert_allclose(steps, steps[0], rtol=1e3 * EXACT)


def test_scale_of_values_that_repeat_or_are_one():
    assert Scale.of(np.array([3.0, 1.0, 1.0, 8.0])) == Scale(gap=2.0, reach=7.0)
    assert Scale.of(np.array([5.0, 5.0])) == Scale()


def test_many_values_get_the_wide_grid_of_a_flow():
    assert suited("power", Scale(1, 16)) == "wide"
    assert suited("power", Scale(1, 8)) == "power"
    assert suited("uniform", Scale(1, 16)) == "uniform"


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ("linear", "unknown grid 'linear'; known: 'geometric', 'power', 'square-root', 'uniform'"),
        ([-1.0, 2.0], "times must be finite and >= 0, got -1"),
        ([0.0, np.inf], "times must be finite"),
        ([0.0, 2.0, 1.0], "times must increase .* 2.0 is followed by 1.0"),
        ([0.0, 0.0], "times must increase"),
        ([1.0], "two times or more"),
    ],
)
def test_wrong_grids_are_refused(grid, says):
    with pytest.raises(QueryError, match=says):
        gh.diffuse(broadcast(1), 3, grid=grid)


@pytest.mark.parametrize("end", [0.0, -1.0, np.inf, np.nan])
def test_end_must_be_a_positive_time(end):
    with pytest.raises(QueryError, match="end must be a positive time"):
        read_grid("uniform", end=end)


@pytest.mark.parametrize("steps", [0, -3, 2.5, True])
def test_steps_must_be_counted(steps):
    with pytest.raises(QueryError, match="steps must be a whole number >= 1"):
        read_grid("uniform", steps=steps)
