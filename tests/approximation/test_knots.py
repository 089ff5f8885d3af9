"""Piecewise-linear nets of smooth functions: size, slopes, and errors that are proved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghmpp.approximation.curves import curve
from ghmpp.approximation.knots import Broken, proved_error, widest
from ghmpp.errors import QueryError

NAMES = ("tanh", "tanh_slope", "sigmoid", "sigmoid_slope", "softplus", "atanh")
LIMIT = 0.97


def known(name):
    """The curve, and the domain on which errors are looked at."""
    if name == "atanh":
        return curve(name, LIMIT), (-LIMIT, LIMIT)
    return curve(name), (-np.inf, np.inf)


def measured(bent, net, domain):
    """The largest error on a fine grid, and at knots."""
    low, high = np.maximum(domain[0], -60), np.minimum(domain[1], 60)
    x = np.concatenate([np.linspace(low, high, 200_001), net.knots])
    return np.abs(net(x) - bent(x)).max()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("knots", [3, 4, 9, 64, 1000])
def test_the_proved_error_is_the_true_one(name, knots):
    bent, domain = known(name)
    net = widest(bent, knots)
    proved = proved_error(bent, net, *domain)

    assert len(net.knots) <= knots
    assert measured(bent, net, domain) <= proved
    assert proved <= measured(bent, net, domain) * (1 + 1e-3)


# N sqrt(zeta): the integral of the root of the curvature, over 4.
@pytest.mark.parametrize(
    ("name", "constant"), [("tanh", 3.389 / 4), ("softplus", np.pi / 4), ("sigmoid", 2.396 / 4)]
)
def test_errors_fall_as_theory_says(name, constant):
    bent, domain = known(name)
    for knots in (64, 256):
        proved = proved_error(bent, widest(bent, knots), *domain)

        assert knots * np.sqrt(proved) < constant * 1.01


def test_tanh_is_no_worse_than_known_constructions():
    bent = curve("tanh")

    assert proved_error(bent, widest(bent, 64)) <= 2.08e-4
    assert proved_error(bent, widest(bent, 256)) <= 1.29e-5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("knots", [3, 8, 65, 512])
def test_no_slope_is_steeper_than_the_function(name, knots):
    bent, _ = known(name)
    slopes = widest(bent, knots).slopes

    assert np.abs(slopes).max() <= bent.steepest * (1 + 1e-9)
    if name in ("tanh", "sigmoid", "softplus", "atanh"):
        assert slopes.min() >= 0


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from([each for each in NAMES if each != "atanh"]),
    seed=st.integers(0, 10_000),
    knots=st.integers(2, 12),
)
def test_any_net_is_no_worse_than_proved(name, seed, knots):
    rng, bent = np.random.default_rng(seed), curve(name)
    places = np.sort(rng.normal(size=knots) * 3)
    places[0], places[-1] = -abs(places[0]) - 2, abs(places[-1]) + 2
    tails = np.array([bent.ends[0][0], bent.ends[1][0]])
    net = Broken(places, bent(places) + 0.1 * rng.normal(size=knots), tails)

    proved = proved_error(bent, net)
    assert measured(bent, net, (-np.inf, np.inf)) <= proved
    assert proved <= measured(bent, net, (-np.inf, np.inf)) * (1 + 1e-6) + 1e-9


def test_rounded_numbers_are_what_is_proved():
    bent = curve("tanh")
    net = widest(bent, 64)
    single = Broken(*(getattr(net, name).astype(np.float32).astype(float) for name in FIELDS))

    assert measured(bent, single, (-np.inf, np.inf)) <= proved_error(bent, single)
    assert abs(proved_error(bent, single) - proved_error(bent, net)) < 1e-6


FIELDS = ("knots", "values", "tails")


def test_nets_that_guarantee_nothing():
    bent = curve("tanh")
    net = widest(bent, 8)

    assert proved_error(bent, replace(net, tails=np.array([0.0, 1e-9]))) == np.inf
    assert proved_error(bent, replace(net, values=net.values * np.nan)) == np.inf
    assert proved_error(bent, replace(net, knots=net.knots[::-1])) == np.inf
    assert proved_error(curve("atanh", 0.5), widest(curve("atanh", 0.5), 8), -0.6, 0.6) == np.inf


def test_too_few_knots_are_refused():
    with pytest.raises(QueryError, match=r"tanh_slope has at least 3 knots, got 2"):
        widest(curve("tanh_slope"), 2)
