"""Enclosures of smooth functions, against mpmath with fifty digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from ghmpp.approximation.curves import curve, smooth

mpmath.mp.dps = 50
MEANINGS = {
    "tanh": mpmath.tanh,
    "tanh_slope": lambda x: mpmath.sech(x) ** 2,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "sigmoid_slope": lambda x: mpmath.sech(x / 2) ** 2 / 4,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "atanh": mpmath.atanh,
}


def points(name):
    """Small, large and common arguments."""
    rng = np.random.default_rng(0)
    if name == "atanh":
        return np.concatenate([rng.uniform(-0.9, 0.9, 20), [0.0, 1e-9, -0.95, 0.95]])
    return np.concatenate([rng.normal(size=20) * 4, [0.0, 1e-9, -1e-9, 30.0, -30.0, 300.0]])


@pytest.mark.parametrize("name", MEANINGS)
def test_enclosures_contain_values_and_slopes(name):
    x = points(name)
    found = curve(name, 0.96 if name == "atanh" else None)
    for enclosure, meaning in (
        (found.value_enclosure, MEANINGS[name]),
        (found.slope_enclosure, lambda at: mpmath.diff(MEANINGS[name], at)),
    ):
        interval = enclosure(x)
        for at, low, high in zip(x, interval.lo, interval.hi, strict=True):
            true = meaning(mpmath.mpf(float(at)))

            assert low - 1e-25 <= true <= high + 1e-25
            assert high - low < 1e-12 * (1 + abs(at) + abs(true))


@pytest.mark.parametrize("name", MEANINGS)
def test_no_slope_is_steeper_than_the_steepest(name):
    found = curve(name, 0.96 if name == "atanh" else None)
    x = np.linspace(*found.window, 100_001)

    slopes = np.abs(found.slope(x))
    assert slopes.max() <= found.steepest * (1 + 1e-14)
    assert slopes.max() >= found.steepest * (1 - 1e-6)


@pytest.mark.parametrize("name", MEANINGS)
def test_it_bends_one_way_between_inflections(name):
    found = curve(name, 0.96 if name == "atanh" else None)
    x = np.linspace(*found.window, 4001) / 4
    bends = np.diff(found.slope(x))
    apart = np.abs(x[:-1, None] - np.array(found.inflections)[None]).min(1, initial=1) > 0.02
    clear = apart & (np.abs(bends) > 1e-12)

    assert (np.sign(bends) == found.bend((x[1:] + x[:-1]) / 2))[clear].all()


def test_which_functions_are_smooth():
    assert smooth("tanh")
    assert smooth("atanh")
    assert not smooth("soft")
    assert not smooth("prior_mean")
