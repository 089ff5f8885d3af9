"""Lifetimes of values: nothing is dropped before its last use, and nothing is kept after it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ghmpp.backends.plan import make_plan
from ghmpp.schedule.ir import Choose, Schedule, Unary
from ghmpp.schedule.plan import schedule_for
from ghmpp.schedule.values import results, sources
from tests.strategies import models


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Schedules of posteriors and the log evidence, or of a best configuration."""
    forest = draw(models(limit=500)).forest()
    observed = draw(st.lists(st.sampled_from(list(forest.variables)), unique=True))
    if draw(st.booleans()):
        wanted = [("choice", name) for name in forest.variables]
        return schedule_for(forest, wanted, observed, semiring="max")
    wanted = [("posterior", name) for name in forest.variables]
    return schedule_for(forest, [*wanted, ("log_evidence", "")], observed)


@settings(max_examples=25)
@given(schedule=schedules())
def test_a_value_ends_with_its_last_reader_unless_it_is_needed_again(schedule):
    """Whoever reads a postponed value, or a shared one, reads what it was made from."""
    plan = make_plan(schedule)
    again = {v for op in schedule.ops if isinstance(op, Choose) for v in sources(op)}
    kept = set(schedule.outputs.values()) | again

    expected: dict[int, int] = {}
    for position, op in enumerate(schedule.ops):
        for value in (*results(op), *sources(op)):
            expected[value] = position
    for op in reversed(schedule.ops):
        if op.out in plan.postponed | plan.shared:
            for value in sources(op):
                expected[value] = max(expected[value], expected[op.out])
    found = {value: position for position, ends in enumerate(plan.ending) for value in ends}
    assert found == {value: last for value, last in expected.items() if value not in kept}


@settings(max_examples=10)
@given(schedule=schedules())
def test_unary_potentials_are_borrowed(schedule):
    plan = make_plan(schedule)

    assert plan.borrowed == {op.out for op in schedule.ops if isinstance(op, Unary)}
    assert (plan.ops, plan.outputs) == (schedule.ops, tuple(schedule.outputs.values()))
