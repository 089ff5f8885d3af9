"""Plans for single rows agree with the reference interpreter, which defines every instruction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.backends import small_lowering
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.backends.small_lowering import lower
from ghmpp.errors import ScheduleError
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.ghm import GHM
from ghmpp.models.junction import junction_model
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule
from ghmpp.schedule.passes import place_normalization, prune
from tests.tolerances import EXACT

LETTERS = "abcdef"


def drawn_model(seed, zeros=False, tree=False):
    """A junction tree of random factors over two or three of six variables."""
    rng = np.random.default_rng(seed)
    sizes = {name: int(rng.integers(1, 4)) for name in LETTERS}
    factors = []
    for k in range(1, len(LETTERS)):
        others = list(rng.permutation(list(LETTERS[:k]))[: 1 if tree else rng.integers(1, 3)])
        scope = (*map(str, others), LETTERS[k])
        table = rng.random([sizes[name] for name in scope]) * 5
        if zeros:
            table[rng.random(table.shape) < 0.2] = 0
            table.flat[0] = 1
        factors.append(Factor(scope, table))
    nodes = {name: Node(size) for name, size in sizes.items()}
    return junction_model(Factors("drawn", nodes, tuple(factors))), sizes, rng


def schedule_of(model, wanted, observed):
    outputs = [*(("posterior", name) for name in wanted), LOG_EVIDENCE]
    return prune(build_schedule(model.forest(), outputs, observed))


@given(
    seed=st.integers(0, 10_000),
    zeros=st.booleans(),
    hard=st.integers(0, 3),
    table_size=st.sampled_from([1, 8, 4096]),
    dense_size=st.sampled_from([0, 4096]),
)
def test_plans_agree_with_the_reference(seed, zeros, hard, table_size, dense_size):
    model, sizes, rng = drawn_model(seed, zeros)
    names = list(rng.permutation(list(LETTERS)))
    seen = {name: int(rng.integers(sizes[name])) for name in names[:hard]}
    soft = {names[3]: rng.random(sizes[names[3]])}
    soft[names[3]] /= soft[names[3]].max()
    schedule = schedule_of(model, names[4:], [*seen, *soft])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_lowering, "TABLE_SIZE", table_size)
        patch.setattr(small_lowering, "DENSE_SIZE", dense_size)
        plan = lower(schedule, list(seen), list(soft))
    leaves = {name: np.eye(sizes[name])[state][None, None] for name, state in seen.items()}
    leaves |= {name: weights[None, None] for name, weights in soft.items()}
    with np.errstate(divide="ignore"):
        expected = run(schedule, {k: np.log(v) for k, v in leaves.items()}, LogFloat())
    found, log_mass = plan.run(list(seen.values()), list(soft.values()))

    np.testing.assert_allclose(log_mass, expected[LOG_EVIDENCE][0], rtol=EXACT, atol=EXACT)
    for name in names[4:]:
        np.testing.assert_allclose(
            found[name], expected["posterior", name][0, 0], atol=EXACT, rtol=EXACT
        )


def test_what_no_evidence_reaches_is_computed_beforehand():
    model, _, _ = drawn_model(0)
    plan = lower(schedule_of(model, ["a"], []), [])

    assert (plan.look_ups, plan.steps) == ((), ())


def test_what_few_states_decide_is_looked_up():
    model, sizes, _ = drawn_model(1)
    schedule = schedule_of(model, ["a"], ["d", "f"])
    plan = lower(schedule, ["d", "f"])

    assert plan.steps == ()
    assert {look_up.table.shape[:-1] for look_up in plan.look_ups} == {(sizes["d"], sizes["f"])}


def test_large_tables_are_not_made(monkeypatch):
    monkeypatch.setattr(small_lowering, "TABLE_SIZE", 8)
    model, _, _ = drawn_model(1)
    plan = lower(schedule_of(model, ["a"], ["c", "d", "f"]), ["c", "d", "f"])

    assert plan.steps
    assert all(look_up.table.size <= 9 for look_up in plan.look_ups)  # 3 x 3: one-hot states


def test_a_plan_can_run_again():
    model, sizes, _ = drawn_model(2)
    plan = lower(schedule_of(model, ["a"], ["f", "c"]), ["f"], ["c"])
    likelihood = np.linspace(0.1, 1, sizes["c"])
    first = plan.run([0], [likelihood])
    plan.run([sizes["f"] - 1], [np.ones(sizes["c"])])

    np.testing.assert_array_equal(plan.run([0], [likelihood])[0]["a"], first[0]["a"])


@pytest.mark.parametrize(
    ("limit", "value"), [("BLOCK_STATES", 1), ("HARD_STATES", 0)], ids=["block", "observed"]
)
def test_large_models_have_no_plan(monkeypatch, limit, value):
    model, _, _ = drawn_model(1)
    schedule = schedule_of(model, ["a"], ["d"])
    monkeypatch.setattr(small_lowering, limit, value)

    assert lower(schedule, ["d"]) is None


def test_numbers_that_may_underflow_have_no_plan():
    tables = [[[1.0, 1e-100], [1e-100, 1.0]]] * 3
    model = GHM(states=(2,) * 4, branching=(1,) * 3, tables=tables)

    assert lower(schedule_of(model, ["x0"], ["x3"]), ["x3"]) is None


def test_several_nodes_in_a_class_have_no_plan():
    model = GHM(states=(2, 2), branching=(2,), tables=[[[3, 1], [1, 3]]])

    assert lower(schedule_of(model, ["x0"], ["x1"]), ["x1"]) is None


def test_rescales_are_refused():
    model = GHM(states=(2, 2), branching=(1,), tables=[[[3, 1], [1, 3]]])
    schedule = place_normalization(schedule_of(model, ["x0"], ["x1"]))

    with pytest.raises(ScheduleError, match="no small plan can run Normalize"):
        lower(schedule, ["x1"])
