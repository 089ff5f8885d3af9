"""Errors derived from weights: against closed forms, dense inputs, and balls of high precision."""

from __future__ import annotations

import math
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ghmpp.approximation.analysis import _Exp, analyse_exp_log, analyse_symbols
from ghmpp.approximation.kernels import segment_kernel, table_kernel
from ghmpp.approximation.odds_analysis import analyse_log_odds
from ghmpp.approximation.pieces import Units
from ghmpp.approximation.weights import SymbolWeights
from tests.approximation.networks import adversarial_logs
from tests.approximation.raw import Both, changed, evaluate, net_of, rounded_to, with_number
from tests.tolerances import EXACT

SEEDS = st.integers(0, 9_999)
FACTORS = st.sampled_from([1.01, 0.99, 1.3, 0.0, -1.0, 1 + 1e-9])


def random_table(rng, shape, zeros=False):
    table = np.exp(rng.choice([0.3, 2.0, 5.0]) * rng.normal(size=shape))
    if zeros:
        table = np.where(rng.random(table.shape) < 0.4, 0, table)
        table[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = 1
        table[:, table.sum(axis=0) == 0] = 1
    return table


def analysed(kind, weights, kernel, reach):
    """The derived error of the only net."""
    if kind == "log_odds":
        return analyse_log_odds(weights, 0, kernel, reach).error
    step = Both(kernel)
    return analyse_exp_log(weights, 0, kernel, step.sending, step.receiving[0], reach).error


def inputs(rng, states, reach):
    """Inputs of all sizes, and a fine line through the domain."""
    drawn = adversarial_logs(rng, 300, 1, states, span=reach)[:, 0]
    line = np.zeros((400, states))
    line[:, 0] = -np.linspace(0, min(reach, 40.0), 400)
    return np.concatenate([drawn, *(np.roll(line, k, axis=1) for k in range(states))])


def measured(weights, kernel, h):
    found = evaluate(weights, 0, h) - kernel.send(h)
    return float((found.max(axis=1) - found.min(axis=1)).max())


@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(2, 4), st.integers(2, 4)),
    zeros=st.booleans(),
    reach=st.sampled_from([0.2, 3.0, 12.0, math.inf]),
    width=st.sampled_from([6, 13, 40, 300]),
    two_state=st.booleans(),
)
@settings(max_examples=25)
def test_derived_error_is_that_of_the_closed_form(seed, shape, zeros, reach, width, two_state):
    zeros = zeros and math.isfinite(reach)
    rng = np.random.default_rng(seed)
    kernel = table_kernel(random_table(rng, shape, zeros))
    assume(not kernel.constant)
    kind, weights, sized = net_of(kernel, reach, width, two_state=two_state)
    found = analysed(kind, weights, kernel, reach)

    assert found <= sized.error + sized.floating + EXACT
    assert found >= 0.98 * sized.error - EXACT
    assert measured(weights, kernel, inputs(rng, shape[1], reach)) <= found + 1e-11


@given(
    seed=SEEDS,
    shape=st.sampled_from([(2, 2), (3, 2), (2, 3), (3, 4)]),
    reach=st.sampled_from([0.5, 6.0, math.inf]),
    width=st.sampled_from([7, 20, 90]),
    two_state=st.booleans(),
    factor=FACTORS,
)
@settings(max_examples=50)
def test_no_input_has_a_larger_error_than_derived_for_changed_weights(
    seed, shape, reach, width, two_state, factor
):
    rng = np.random.default_rng(seed)
    kernel = table_kernel(random_table(rng, shape))
    kind, weights, _ = net_of(kernel, reach, width, two_state=two_state)
    for _ in range(rng.integers(1, 3)):
        name = rng.choice([each.name for each in fields(weights)])
        weights = changed(weights, name, rng.integers(getattr(weights, name).size), factor)

    found = analysed(kind, weights, kernel, reach)
    assert measured(weights, kernel, inputs(rng, shape[1], reach)) <= found + 1e-11


@given(seed=SEEDS, width=st.sampled_from([9, 60, 400]), two_state=st.booleans())
@settings(max_examples=12)
def test_rounded_weights_have_nearly_the_same_error(seed, width, two_state):
    rng = np.random.default_rng(seed)
    states = 2 if two_state else 3
    kernel = table_kernel(random_table(rng, (states, states)))
    kind, weights, _ = net_of(kernel, math.inf, width, two_state=two_state)
    single = rounded_to(weights, np.float32)
    found = analysed(kind, single, kernel, math.inf)

    assert abs(found - analysed(kind, weights, kernel, math.inf)) < 1e-4
    assert measured(single, kernel, inputs(rng, states, math.inf)) <= found + 1e-11


def test_segment_sums_are_analysed_too():
    kernel = segment_kernel(np.array([0, 0, 1, 1, 1, 2]), 3)
    kind, weights, sized = net_of(kernel, 7.0, 40)

    assert analysed(kind, weights, kernel, 7.0) == pytest.approx(sized.error, rel=1e-9)
    assert analysed(kind, weights, kernel, math.inf) == math.inf


def ball_excess(knots, slopes, constant, inverse):
    """Largest (p(u) - e^u) / (inverse + e^u) from the first knot to 0, by bisection in balls."""
    order = np.argsort(knots)
    ends = [arb(float(knots[k])) for k in order] + [arb(0)]
    value, slope, best = arb(float(constant)), arb(0), None
    for k, (left, right) in enumerate(pairwise(ends)):
        slope += arb(float(slopes[order[k]]))

        def excess(u, left=left, value=value, slope=slope):
            return (value + slope * (u - left) - u.exp()) / (inverse + u.exp())

        def rises(u, left=left, value=value, slope=slope):
            e = u.exp()
            return (slope - e) * (inverse + e) - (value + slope * (u - left) - e) * e > 0

        low, high = left, right
        for _ in range(90):
            middle = (low + high).mid() / 2
            low, high = (middle, high) if rises(middle) else (low, middle)
        for u in (left, (low + high).mid() / 2, right):
            best = excess(u) if best is None or excess(u) > best else best
        value += slope * (right - left)
    return best


@pytest.mark.parametrize(("entry", "width"), [(1.5, 9), (3.0, 40), (10.0, 200)])
@pytest.mark.parametrize("single", [False, True])
def test_exp_of_a_net_is_as_far_as_balls_of_high_precision_say(entry, width, single):
    before, ctx.prec = ctx.prec, 300
    rng = np.random.default_rng(3)
    kernel = table_kernel(entry ** rng.choice([-1.0, 1.0], size=(3, 3)))
    _, weights, _ = net_of(kernel, math.inf, width)
    if single:
        weights = rounded_to(weights, np.float32)
    # An exact net of log, and a matrix without error, leave what exp does.
    least, sums = kernel.weights.min(axis=1), kernel.weights.sum(axis=1)
    inverse = arb(1) / max((arb(s) - arb(m)) / arb(m) for s, m in zip(sums, least, strict=True))
    knots, slopes = weights.exp_knots[0], weights.exp_slopes[0]
    excess = ball_excess(knots, slopes, weights.exp_constant[0], inverse)
    excess = max(excess, arb(float(weights.exp_constant[0])) / inverse)
    units = Units(knots, slopes, weights.exp_constant[0])
    found = _Exp.of(units, math.inf, float(inverse.lower()) * (1 - 1e-15))
    top = arb(float(weights.exp_constant[0])) + sum(
        arb(float(a)) * -arb(float(t)) for t, a in zip(knots, slopes, strict=True)
    )
    true = (1 + excess + max(top - 1, arb(0))).log()
    ctx.prec = before

    assert true <= arb(float(found.growth.hi))
    assert float(found.growth.hi) <= float(true) * (1 + 1e-9) + 1e-13


@given(seed=SEEDS, factor=FACTORS)
@settings(max_examples=20)
def test_observed_states_have_the_error_of_their_row(seed, factor):
    rng = np.random.default_rng(seed)
    table = random_table(rng, (3, 4))
    kernel = table_kernel(table)
    logs = np.log(np.vstack([table.T, table.sum(axis=1)]))
    weights = SymbolWeights(logs[None])
    place = int(rng.integers(logs.size))
    wrong = changed(weights, "values", place, factor)
    step = Both(kernel)
    exact, found = (
        analyse_symbols(each, 0, kernel, step.sending, step.receiving[0]).error
        for each in (weights, wrong)
    )

    assert exact <= 1e-13
    assert found == pytest.approx(abs(logs.flat[place] * (factor - 1)), abs=1e-12)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("two_state", [False, True])
def test_numbers_that_are_not_finite_guarantee_nothing(number, two_state):
    kernel = table_kernel(np.array([[3.0, 1.0], [1.0, 4.0]]))
    kind, weights, _ = net_of(kernel, math.inf, 20, two_state=two_state)

    for each in fields(weights):
        wrong = with_number(weights, each.name, 0, number)
        assert analysed(kind, wrong, kernel, math.inf) == math.inf


@pytest.mark.parametrize("number", [0.0, -1.0])
def test_entries_that_lose_a_way_guarantee_nothing(number):
    kernel = table_kernel(np.array([[3.0, 1.0], [1.0, 4.0]]))
    kind, weights, _ = net_of(kernel, math.inf, 20)

    wrong = with_number(weights, "inner", 0, number)
    assert analysed(kind, wrong, kernel, math.inf) == math.inf


def test_weights_of_other_sizes_guarantee_nothing():
    kernel = table_kernel(np.eye(3) + 1)
    _, weights, _ = net_of(table_kernel(np.eye(4) + 1), math.inf, 20)
    step = Both(kernel)

    found = analyse_exp_log(weights, 0, kernel, step.sending, step.receiving[0], math.inf)
    assert found.error == math.inf
    symbols = SymbolWeights(np.zeros((1, 5, 4)))
    found = analyse_symbols(symbols, 0, kernel, step.sending, step.receiving[0])
    assert found.error == math.inf
    _, odds, _ = net_of(table_kernel(np.eye(2) + 1), math.inf, 20, two_state=True)
    assert analyse_log_odds(odds, 0, kernel, math.inf).error == math.inf


def test_order_of_units_does_not_matter():
    rng = np.random.default_rng(0)
    kernel = table_kernel(random_table(rng, (3, 3)))
    kind, weights, _ = net_of(kernel, math.inf, 60)
    arrays = {each.name: getattr(weights, each.name) for each in fields(weights)}
    for half in ("exp", "log"):
        order = rng.permutation(arrays[f"{half}_knots"].shape[1])
        for part in ("knots", "slopes"):
            arrays[f"{half}_{part}"] = arrays[f"{half}_{part}"][:, order]

    shuffled = analysed(kind, type(weights)(**arrays), kernel, math.inf)
    assert shuffled == pytest.approx(analysed(kind, weights, kernel, math.inf), rel=1e-9)


@pytest.mark.parametrize("reach", [1e-3, 2.0, math.inf])
@pytest.mark.parametrize("entries", [(3.0, 1.0), (1.0, 3.0), (1e60, 1.0), (1.0001, 1.0)])
def test_log_odds_of_all_kinds_are_analysed_tightly(reach, entries):
    table = np.array([entries, entries[::-1]]) * np.array([[1.0, 7.0]])
    kernel = table_kernel(table)
    kind, weights, sized = net_of(kernel, reach, 12, two_state=True)

    assert kind == "log_odds"
    found = analysed(kind, weights, kernel, reach)
    assert found == pytest.approx(sized.error, rel=1e-6, abs=sized.floating)
