"""Widths by budget."""

from __future__ import annotations

import math

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.approximation.budgets import choose_widths, cost
from ghmpp.approximation.propagate import Domain, propagate
from ghmpp.approximation.routes import find_routes
from ghmpp.errors import QueryError
from tests.approximation.classics import kernel_model

DOMAIN = Domain(dtype="real")


def largest(beliefs):
    return max(float(errors.max()) for errors in beliefs.values())


def routes_of(model, target, observed):
    return find_routes(model.forest(), (target,), {observed}, symbols={observed} - {target})


@pytest.mark.parametrize("budget", ["equal-width", "min-parameters", "min-flops"])
@pytest.mark.parametrize("target", ["x0", "x3"])
def test_every_budget_keeps_the_promise(budget, target):
    routes = routes_of(kernel_model(2, 3, 3, 3.0), target, "x3")
    widths = choose_widths(routes, 0.05, budget, DOMAIN, largest)

    assert largest(propagate(routes, widths, DOMAIN).beliefs) <= 0.05


def test_equal_width_is_the_smallest():
    routes = routes_of(kernel_model(2, 3, 3, 3.0), "x0", "x3")
    widths = choose_widths(routes, 0.05, "equal-width", DOMAIN, largest)

    (width,) = set(widths.values())
    narrower = propagate(routes, dict.fromkeys(widths, width - 1), DOMAIN)
    assert largest(narrower.beliefs) > 0.05


@pytest.mark.parametrize("budget", ["min-parameters", "min-flops"])
@pytest.mark.parametrize("target", ["x0", "x4"])
def test_budgets_are_not_dearer_than_equal_widths(budget, target):
    routes = routes_of(kernel_model(4, 4, 4, 10.0), target, "x4")
    equal = choose_widths(routes, 0.1, "equal-width", DOMAIN, largest)
    chosen = choose_widths(routes, 0.1, budget, DOMAIN, largest)

    assert cost(routes, chosen, budget, DOMAIN) <= cost(routes, equal, budget, DOMAIN)


def test_least_parameters_are_near_the_known_optimum():
    routes = routes_of(kernel_model(4, 4, 4, 10.0), "x0", "x4")
    chosen = choose_widths(routes, 0.01, "min-parameters", DOMAIN, largest)

    widths = sorted(chosen.values())[1:]  # the exact layer apart
    np.testing.assert_allclose(widths, [579, 913, 1440], rtol=0.05)


def test_no_local_change_of_widths_is_cheaper():
    routes = routes_of(kernel_model(3, 3, 3, 3.0), "x3", "x3")
    widths = dict(choose_widths(routes, 0.05, "min-parameters", DOMAIN, largest))
    for key in widths:
        found = propagate(routes, widths | {key: widths[key] - 3}, DOMAIN)
        assert found is None or largest(found.beliefs) > 0.05


@pytest.mark.parametrize("budget", ["min-parameters", "min-flops"])
@pytest.mark.parametrize("dtype", ["real", "float32"])
def test_layers_that_hardly_matter_are_as_narrow_as_nets_can_be(budget, dtype):
    """A message that is sent on through a nearly constant table needs next to no precision."""
    random = np.random.default_rng(0).normal(size=(2, 3, 3))
    sizes = [1.0, 1e-7, 1.0]
    tables = [np.exp(size * random[k % 2]) for k, size in enumerate(sizes)]
    model = gh.GHM(states=3, branching=(1, 1, 1), tables=tables)
    routes = find_routes(model.forest(), ("x0",), {"x3", "x0"})
    domain = Domain(dtype=dtype)
    widths = choose_widths(routes, 0.05, budget, domain, largest)

    assert largest(propagate(routes, widths, domain).beliefs) <= 0.05
    assert widths["root", "x2", "x3"] == 4


def test_out_of_reach_is_refused():
    routes = routes_of(gh.zoo.broadcast(2, 0.1, states=3), "x0", "x2")

    with pytest.raises(QueryError, match=r"delta=1e-06 is out of reach.*finer dtype"):
        choose_widths(routes, 1e-6, "equal-width", Domain(dtype="float32"), largest)


def test_exact_queries_need_no_width():
    routes = routes_of(gh.zoo.broadcast(1, 0.1, states=3), "x0", "x1")
    widths = choose_widths(routes, 1e-9, "min-parameters", DOMAIN, largest)

    assert largest(propagate(routes, widths, DOMAIN).beliefs) == 0
    assert math.isfinite(cost(routes, widths, "min-parameters", DOMAIN))
