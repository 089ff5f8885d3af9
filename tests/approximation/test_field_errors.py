"""Errors through schedules of fields: closed forms, and runs of the reference interpreter."""

from __future__ import annotations

import math

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.approximation.curves import curve
from ghmpp.approximation.field_errors import Inputs, field_errors
from ghmpp.approximation.field_forms import Part
from ghmpp.approximation.field_nets import CurveNet, make_local, make_product, steepest
from ghmpp.approximation.field_plan import FieldPlan
from ghmpp.approximation.knots import widest
from ghmpp.errors import QueryError
from ghmpp.models.forest import Block, Coupling, Forest, VariableClass
from ghmpp.schedule.fields import FieldBuilder
from ghmpp.schedule.functions import Function
from ghmpp.schedule.ir import Term
from ghmpp.schedule.passes import unrolled
from tests.tolerances import EXACT

NODES = 6
TANH = CurveNet("tanh", widest(curve("tanh"), 32))


def forest(**matrices):
    """One class of real numbers, and couplings of it."""
    couplings = {name: Coupling(name, "x", "x", name) for name in matrices}
    real = {"x": VariableClass("x", (), None, NODES, ("x",))}
    return Forest(
        "fields", real, {"x": Block("x", "x", 0, NODES, 1)}, {}, matrices, couplings=couplings
    )


def symmetric(norm, seed=0):
    """A random symmetric matrix of this norm."""
    matrix = np.random.default_rng(seed).normal(size=(NODES, NODES))
    matrix = matrix + matrix.T
    return matrix * norm / np.linalg.norm(matrix, 2)


def iteration(matrix, rounds, *, damping=0.0):
    """``m <- tanh(A m + x)``, from 0."""
    build = FieldBuilder(forest(A=matrix))
    seen = build.evidence("x")

    def body(m):
        new = build.local("x", "tanh", build.couple("x", Term(m, "A"), seen))
        if not damping:
            return [new]
        return [build.couple("x", Term(m, scale=damping), Term(new, scale=1 - damping))]

    (m,) = build.repeat(rounds, [build.zero("x")], body)
    return build.schedule([build.readout("mean", "x", m)])


def answer(schedule, nets, inputs=None):
    """What is known of the only answer."""
    found = field_errors(FieldPlan.of(schedule), nets, inputs or Inputs())
    return found.of(schedule.ops[-1].sources[0])


@pytest.mark.parametrize("norm", [0.3, 0.9, 1.5])
@pytest.mark.parametrize("rounds", [1, 2, 30])
def test_rounds_add_up_to_the_geometric_sum(norm, rounds):
    known = answer(iteration(symmetric(norm), rounds), {"tanh": TANH})
    total = sum(norm**k for k in range(rounds)) * TANH.error * math.sqrt(NODES)
    capped = min(total, 2 * math.sqrt(NODES) * (1 + TANH.error))

    assert known.euclid == pytest.approx(capped, rel=1e-6)


def test_many_rounds_stop_at_the_limit():
    known = answer(iteration(symmetric(0.5), 100_000), {"tanh": TANH})

    assert known.euclid == pytest.approx(2 * TANH.error * math.sqrt(NODES), rel=1e-9)


def test_damped_rounds():
    known = answer(iteration(symmetric(0.5), 1, damping=0.25), {"tanh": TANH})

    assert known.euclid == pytest.approx(0.75 * TANH.error * math.sqrt(NODES), rel=1e-9)


@pytest.mark.parametrize("norm", [0.5, 1.3])
def test_repetitions_have_the_bounds_of_their_rounds_written_out(norm):
    schedule = iteration(symmetric(norm), 5, damping=0.3)
    whole = answer(schedule, {"tanh": TANH})
    written = answer(unrolled(schedule), {"tanh": TANH})

    assert whole.euclid == pytest.approx(written.euclid, rel=EXACT)
    assert whole.largest == pytest.approx(written.largest, rel=EXACT)


def test_what_is_linear_is_one_matrix():
    # The norm of 1 - t D'D is 1, of its parts 3; errors of soft thresholding do not grow.
    matrix = np.random.default_rng(0).normal(size=(NODES, NODES))
    matrix[:, 0] = 0
    rate = 1 / np.linalg.norm(matrix, 2) ** 2
    build = FieldBuilder(forest(D=matrix))
    seen = build.evidence("x")
    start = build.local("x", "tanh", seen)

    def body(x):
        missed = build.couple("x", Term(x, "D"), Term(seen, scale=-1.0))
        back = Term(missed, "D", transposed=True, scale=-rate)
        return [build.local("x", "soft", build.couple("x", x, back), parameter=0.1)]

    (x,) = build.repeat(50, [start], body)
    known = answer(build.schedule([build.readout("code", "x", x)]), {"tanh": TANH})

    assert known.euclid == pytest.approx(TANH.error * math.sqrt(NODES), rel=1e-9)


def test_ranges_hold_what_runs_give():
    rng, matrix = np.random.default_rng(0), symmetric(1.2)
    build = FieldBuilder(forest(A=matrix))
    seen = build.evidence("x")
    bent = build.local("x", "softplus", build.couple("x", Term(seen, "A", scale=-2.0)))
    gated = build.gate("x", bent, build.local("x", "tanh", seen))
    square = build.local("x", "one_minus_square", gated)
    last = build.local("x", "soft", build.couple("x", Term(square, "A"), gated), parameter=0.2)
    schedule = build.schedule([build.readout("code", "x", last)])
    known = answer(schedule, {}, Inputs(span=1.5))

    x = rng.uniform(-1.5, 1.5, (5000, NODES))
    p = np.logaddexp(0, -2 * x @ matrix.T) * np.tanh(x)
    h = (1 - p**2) @ matrix.T + p
    found = np.sign(h) * np.maximum(np.abs(h) - 0.2, 0)
    assert (known.low <= found.min(0)).all()
    assert (found.max(0) <= known.high).all()
    assert np.linalg.norm(found, axis=1).max() <= known.norm


def test_other_numbers_of_a_coupling_are_an_error():
    matrix, moved = symmetric(0.5), symmetric(0.5)
    moved[0, 1] += 1e-3
    build = FieldBuilder(forest(A=matrix))
    linear = build.couple("x", Term(build.evidence("x"), "A"))
    schedule = build.schedule([build.readout("mean", "x", linear)])
    known = answer(schedule, {}, Inputs(span=2.0, numbers={"A": moved}))

    assert known.euclid == pytest.approx(2e-3, rel=1e-6)


def test_the_same_noise_is_no_error():
    build = FieldBuilder(forest(A=symmetric(0.5)))
    x = build.noise("x", build.local("x", "tanh", build.evidence("x")), 0.7)
    schedule = build.schedule([build.readout("draw", "x", x)])
    known = answer(schedule, {"tanh": TANH})

    assert known.euclid == pytest.approx(TANH.error * math.sqrt(NODES), rel=1e-9)
    assert np.isinf(known.high).all()


@pytest.mark.parametrize("transposed", [False, True])
def test_maps_know_how_far_rounding_moved_them(transposed):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 5))
    part = Part(second).after(Part(first.T if transposed else first)).times(0.1).plus(Part(first))
    exact = (
        second.astype(np.longdouble) @ (first.T if transposed else first) * np.longdouble(0.1)
        + first
    )

    assert np.linalg.norm((part.matrix - exact).astype(float)) <= part.slack < 1e-13
    assert part.euclid >= np.linalg.norm(exact.astype(float), 2) * (1 - 1e-15)


def test_slopes_of_what_is_steeper_further_out():
    assert steepest(Function("square"), -3.0, 2.0) == 6.0
    assert steepest(Function("atanh"), -0.5, 0.5) == pytest.approx(4 / 3)
    assert steepest(Function("atanh"), -1.0, 0.5) == math.inf


def test_functions_without_a_net_are_refused():
    with pytest.raises(QueryError, match="no net for prior_mean"):
        make_local(Function("prior_mean"), 64, (-1.0, 1.0))
    with pytest.raises(QueryError, match="atanh is not bounded"):
        make_local(Function("atanh"), 64, (-1.0, 0.5))
    with pytest.raises(QueryError, match="square needs bounded inputs"):
        make_local(Function("square"), 64, (-math.inf, 0.5))
    with pytest.raises(QueryError, match="product 'x 1' needs bounded inputs"):
        make_product("x 1", 64, (math.inf, 1.0))


def test_schedules_of_messages_are_refused():
    table = [[2.0, 1.0], [1.0, 3.0]]
    model = gh.GHM(2, (2,), [table])
    schedule = gh.compile(model, gh.posterior("x0"), given="x1").schedule

    with pytest.raises(QueryError, match="is no instruction on fields"):
        FieldPlan.of(schedule)
