r"""Widths of layers: the smallest that guarantee a wished error, spent where they help most.

A layer of width D has a net error of about ``(a / D)^2``, and adds ``c`` times that to the answer.
Equal widths are the paper's architecture. For the least cost, Lagrange's condition gives errors
in proportion to ``(n a / c)^(2/3)``, n the price of a unit. Both are only guides: every candidate
is judged by the whole certificate, computed anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.costs import layer_flops, layer_parameters
from ghmpp.approximation.propagate import Domain, Propagated, accumulate, propagate
from ghmpp.approximation.routes import LayerKey, Routes, Step
from ghmpp.errors import QueryError

Budget = Literal["equal-width", "min-parameters", "min-flops"]
BUDGETS: tuple[Budget, ...] = get_args(Budget)
LARGEST_WIDTH = 2**20
_PRECISION = 1e-3
_MOST_TRIMMED = 16

Widths: TypeAlias = Mapping[LayerKey, int]
# The error of the answer, from the span errors of the beliefs of the target blocks.
Answer: TypeAlias = Callable[[Mapping[str, FloatArray]], float]


def certify(routes: Routes, widths: Widths, domain: Domain, answer: Answer) -> float:
    """Guaranteed error of the answer at given widths; inf where a layer is too narrow."""
    found = propagate(routes, widths, domain)
    return math.inf if found is None else answer(found.beliefs)


def choose_widths(
    routes: Routes, delta: float, budget: Budget, domain: Domain, answer: Answer
) -> Widths:
    """Widths for which the guaranteed error is at most ``delta``.

    Parameters
    ----------
    routes
        The messages of the query.
    delta
        Wished error of the answer, > 0.
    budget
        "equal-width": the smallest width that all layers can share; "min-parameters" and
        "min-flops": about the smallest cost.

    Raises
    ------
    QueryError
        If no width up to 2^20 is enough, or no finite network exists.
    """

    def good(widths: Widths) -> bool:
        return certify(routes, widths, domain, answer) <= delta

    layers = tuple(routes.layers)

    def error(width: int, within: Domain = domain) -> float:
        return certify(routes, dict.fromkeys(layers, width), within, answer)

    shared = _smallest(error, lambda width: error(width, replace(domain, dtype="real")), delta)
    equal = dict.fromkeys(layers, shared)
    if budget == "equal-width":
        return equal
    return _cheapest(routes, equal, budget, domain, answer, good)


def _smallest(
    error: Callable[[int], float], unrounded: Callable[[int], float], delta: float
) -> int:
    """The smallest width of error at most ``delta``, if no wider one has a larger error."""
    low, high, before = 0, 2, math.inf
    while (reached := error(high)) > delta:
        rounding = reached >= before and unrounded(high) <= delta
        if rounding or 2 * high > LARGEST_WIDTH:
            why = "wider ones lose to rounding" if rounding else "wider ones are not tried"
            raise QueryError(
                f"bounds: delta={delta:g} is out of reach: layers of {high:,} units guarantee "
                f"{reached:.3g}, and {why}; take a larger delta, a smaller evidence_span or a "
                "finer dtype."
            )
        low, high, before = high, 2 * high, reached
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(middle) <= delta else (middle, high)
    return high


def _cheapest(
    routes: Routes,
    equal: Widths,
    budget: Budget,
    domain: Domain,
    answer: Answer,
    good: Callable[[Widths], bool],
) -> Widths:
    """Widths by Lagrange's condition, scaled until they are just good enough."""
    at = propagate(routes, equal, domain)
    assert at is not None
    ideal = _shares(routes, equal, at, budget)
    if not ideal:
        return equal
    least, known = _least(routes), cost(routes, equal, budget, domain)

    def scaled(scale: float) -> dict[LayerKey, int]:
        return {k: max(least[k], int(np.ceil(ideal.get(k, 1.0) * scale)) + 1) for k in equal}

    low, high = 0.0, 1.0
    while not good(scaled(high)):
        if cost(routes, scaled(high), budget, domain) >= known:
            return equal
        low, high = high, 2 * high
    while high - low > _PRECISION * high and scaled(low) != scaled(high):
        middle = (low + high) / 2
        low, high = (low, middle) if good(scaled(middle)) else (middle, high)
    found = _trimmed(scaled(high), good) if len(equal) <= _MOST_TRIMMED else scaled(high)
    return found if cost(routes, found, budget, domain) <= known else equal


def _least(routes: Routes) -> dict[LayerKey, int]:
    """Widths below which a layer has no net: one unit per state, and a constant."""
    states = dict.fromkeys(routes.layers, 0)
    for step in routes.steps:
        largest = max(max(kernel.shape) for kernel in step.kernels)
        states[step.layer] = max(states[step.layer], largest)
    return {key: 1 + count for key, count in states.items()}


def _shares(routes: Routes, equal: Widths, at: Propagated, budget: Budget) -> dict[LayerKey, float]:
    """Widths up to a common factor, of the layers that have nets."""
    shares = {}
    for key in routes.layers:
        bounds = [bound for bound in at.steps if bound.step.layer == key]
        nets = [net for bound in bounds for net in bound.nets if net is not None]
        if not nets:
            continue
        error = max(net.error for net in nets)
        probes = [
            np.where(np.array([net is not None for net in bound.nets]), 1.0, 0.0)
            if bound.step.layer == key
            else np.zeros(len(bound.nets))
            for bound in at.steps
        ]
        reached = accumulate(routes, at.steps, probes).beliefs.values()
        weight = max(float(errors.max()) for errors in reached)
        size = equal[key] * np.sqrt(error)  # a
        price = sum(_price(routes, bound.step, budget) for bound in bounds)
        # eps ~ (n a / c)^(2/3), width = a / sqrt(eps)
        shares[key] = size * (max(weight, 1e-300) / (price * size)) ** (1 / 3)
    return shares


def _price(routes: Routes, step: Step, budget: Budget) -> float:
    """What one more unit of a layer costs, in proportion."""
    states = sum(step.kernels[0].shape) + 2
    nodes = routes.forest.blocks[step.edge.child].nodes
    return float(states * (len(step.kernels) if budget == "min-parameters" else nodes))


def _trimmed(widths: dict[LayerKey, int], good: Callable[[Widths], bool]) -> Widths:
    """Each layer as narrow as it can be while the others stay: they share a few spare units."""
    for key in widths:
        low, high = 0, widths[key]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if good(widths | {key: middle}) else (middle, high)
        widths = widths | {key: high}
    return widths


def cost(routes: Routes, widths: Widths, budget: Budget, domain: Domain) -> float:
    """Parameters or FLOPs of the networks at given widths; inf where a layer is too narrow."""
    found = propagate(routes, widths, domain)
    if found is None:
        return math.inf
    layers = [[bound for bound in found.steps if bound.step.layer == key] for key in routes.layers]
    if budget == "min-flops":
        return sum(layer_flops(routes.forest, bounds) for bounds in layers)
    return sum(layer_parameters(bounds) for bounds in layers)
