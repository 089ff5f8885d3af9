import numpy as np
import pytest
import torch

from ghmpp.approximation.paper_nets import UniformExpNet
from ghmpp.approximation.piecewise import ExpNet, LogNet
from ghmpp.backends.families.lookup import falling, rising
from ghmpp.backends.families.spacing import Spacing
from tests.tolerances import EXACT

INDEX = torch.zeros(1, 1, dtype=torch.int64)


def stacked(units):
    return units.knots[None], units.weights[None], np.array([units.constant])


@pytest.mark.parametrize("make", [rising, falling])
def test_lines_are_the_sums_of_units(make):
    """Also of units in any order, of any sign, and idle ones."""
    rng = np.random.default_rng(0)
    knots, weights = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    weights[1, 2:4] = 0.0
    constant = rng.normal(size=3)
    x = rng.normal(size=(3, 50)) * 3
    facing = 1 if make is rising else -1
    units = np.maximum(facing * (x[..., None] - knots[:, None]), 0)
    expected = constant[:, None] + facing * (units * weights[:, None]).sum(-1)

    lines, points = make(knots, weights, constant), torch.tensor(x)
    function = torch.arange(3)[:, None].expand(3, 50)
    found = lines.at(points, lines.search(points, function), function)

    np.testing.assert_allclose(found, expected, atol=EXACT)


@pytest.mark.parametrize("log_ratio", [0.0, 1.0, 5.0, 40.0])
@pytest.mark.parametrize("reach", [0.5, 8.0, 400.0, np.inf])
@pytest.mark.parametrize("segments", [1, 2, 25])
def test_the_segment_of_exp_follows_a_formula(log_ratio, reach, segments):
    lines = rising(*stacked(ExpNet(segments, log_ratio, reach).units()))
    spacing = Spacing.of_exp(lines, np.array([log_ratio]), torch.zeros(0, dtype=torch.float64))
    x = torch.tensor(-np.random.default_rng(0).exponential(5, size=(1, 1, 1, 500)))

    assert spacing is not None
    assert (spacing.segment(x, INDEX) == lines.search(x, None)).all()


@pytest.mark.parametrize("reach", [0.5, 8.0])
def test_the_segment_of_exp_with_relative_errors_does_too(reach):
    lines = rising(*stacked(ExpNet(7, np.inf, reach).units()))
    spacing = Spacing.of_exp(lines, np.array([np.inf]), torch.zeros(0, dtype=torch.float64))
    x = torch.linspace(-reach - 1, 0, 301, dtype=torch.float64)[1:].view(1, 1, 1, -1)

    assert spacing is not None
    assert (spacing.segment(x, INDEX) == lines.search(x, None)).all()


@pytest.mark.parametrize("steps", [2, 3, 40, 5_000])
def test_the_segment_of_knots_that_are_uniform_in_value_follows_a_formula(steps):
    lines = rising(*stacked(UniformExpNet(steps).units()))
    spacing = Spacing.of_exp(lines, np.array([1.0]), torch.zeros(0, dtype=torch.float64))
    x = torch.tensor(-np.random.default_rng(0).exponential(5, size=(1, 1, 1, 500)))

    assert spacing is not None
    assert (spacing.segment(x, INDEX) == lines.search(x, None)).all()


@pytest.mark.parametrize("log_range", [0.01, 2.0, 30.0])
@pytest.mark.parametrize("segments", [1, 2, 25])
def test_the_segment_of_log_follows_a_formula(log_range, segments):
    lines = falling(*stacked(LogNet(segments, log_range).units()))
    spacing = Spacing.of_log(lines, torch.zeros(0, dtype=torch.float64))
    x = torch.exp(torch.rand(1, 1, 1, 500, dtype=torch.float64) * log_range * 1.01)

    assert spacing is not None
    assert (spacing.segment(x, INDEX) == lines.search(x, None)).all()


def test_knots_without_the_formula_are_searched():
    lines = rising(np.array([[-3.0, -2.9, -0.1]]), np.ones((1, 3)), np.zeros(1))
    assert Spacing.of_exp(lines, np.array([1.0]), torch.zeros(0)) is None
    lines = falling(np.array([[1.1, 5.0, 5.2]]), np.ones((1, 3)), np.zeros(1))
    assert Spacing.of_log(lines, torch.zeros(0)) is None
