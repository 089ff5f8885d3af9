"""Legality, cost and reports of schedules of fields."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ghmpp.errors import ScheduleError
from ghmpp.models.forest import Coupling
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.cost import cost
from ghmpp.schedule.diagrams import mermaid
from ghmpp.schedule.fields import FieldBuilder
from ghmpp.schedule.ir import Op, Repeat, Schedule, Term, Value
from ghmpp.schedule.passes import unrolled
from tests.schedule.random_fields import random_forest, random_schedule


def builder() -> tuple[FieldBuilder, Value]:
    build = FieldBuilder(random_forest(np.random.default_rng(5)))
    return build, build.evidence("z")


def refused(build: FieldBuilder, source: Value, match: str) -> None:
    schedule = build.schedule([build.readout("mean", "z", source)])
    with pytest.raises(ScheduleError, match=match):
        check_schedule(schedule)


def test_a_coupling_must_exist() -> None:
    build, z = builder()
    refused(build, build.couple("z", Term(z, "nothing")), "unknown coupling 'nothing'")


def test_a_coupling_must_lead_to_the_block() -> None:
    build, z = builder()
    refused(build, build.couple("z", Term(z, "dense z x")), "leads to 'x', not to 'z'")


def test_a_term_needs_a_value_or_a_constant() -> None:
    build, _ = builder()
    refused(build, build.couple("z", Term(None)), "neither a value nor a coupling")


def test_a_constant_reads_nothing() -> None:
    build, z = builder()
    refused(build, build.couple("z", Term(z, "constant z z")), "is constant")


def test_fields_of_another_block_do_not_fit() -> None:
    build, z = builder()
    refused(build, build.gate("z", z, build.zero("x")), "expected a field of 'z'")


def test_likelihoods_are_no_field() -> None:
    build, _ = builder()
    refused(build, build.local("x", "tanh", build.evidence("x")), "expected a field of 'x'")


def test_log_odds_need_two_states() -> None:
    build, z = builder()
    refused(build, build.local("z", "spin_logs", z), "two states")


def test_functions_of_a_prior_need_its_key() -> None:
    build, z = builder()
    refused(build, build.local("z", "prior_mean", z, z), "a key is for functions of a prior")


def test_what_is_carried_keeps_its_block() -> None:
    build, z = builder()
    (found,) = build.repeat(2, [z], lambda inside: [build.zero("x")])
    refused(build, found, "which it replaces")


def test_there_is_at_least_one_round() -> None:
    schedule = repeated()
    ops = tuple(replace(op, rounds=0) if isinstance(op, Repeat) else op for op in schedule.ops)
    with pytest.raises(ScheduleError, match="0 rounds"):
        check_schedule(replace(schedule, ops=ops))


@pytest.mark.parametrize(
    ("kind", "shape", "match"),
    [("dense", (1, 2, 3), "must have shape"), ("constant", (99,), "must have shape")],
)
def test_numbers_have_the_size_of_their_coupling(
    kind: str, shape: tuple[int, ...], match: str
) -> None:
    schedule = repeated()
    data = {**schedule.forest.data, f"{kind} z z": np.ones(shape)}
    forest = replace(schedule.forest, data=data)

    with pytest.raises(ScheduleError, match=match):
        check_schedule(replace(schedule, forest=forest))


def test_positions_of_sparse_entries_are_inside() -> None:
    schedule = repeated()
    data = dict(schedule.forest.data)
    data["sparse z z index"] = data["sparse z z index"] + 99

    with pytest.raises(ScheduleError, match="outside"):
        check_schedule(replace(schedule, forest=replace(schedule.forest, data=data)))


def test_a_diagonal_has_equal_ends() -> None:
    schedule = repeated()
    nodes = schedule.forest.blocks["x"].nodes
    assert nodes != schedule.forest.blocks["z"].nodes
    couplings = {**schedule.forest.couplings, "d": Coupling("d", "z", "x", "d", "diagonal")}
    forest = replace(
        schedule.forest, data={**schedule.forest.data, "d": np.ones(nodes)}, couplings=couplings
    )

    with pytest.raises(ScheduleError, match="unequal ends"):
        check_schedule(replace(schedule, forest=forest))


def repeated(rounds: int = 7) -> Schedule:
    build, z = builder()

    def body(inside: Value) -> list[Value]:
        return [build.local("z", "tanh", build.couple("z", Term(inside, "dense z z"), z))]

    (found,) = build.repeat(rounds, [z], body)
    return build.schedule([build.readout("mean", "z", found)])


def test_rounds_cost_what_they_do_one_by_one() -> None:
    schedule = repeated()
    whole, parts = cost(schedule), cost(unrolled(schedule))

    assert (whole.flops, whole.exps) == (parts.flops, parts.exps)
    assert whole.parameters == sum(
        schedule.forest.data[key].size for key in schedule.forest.field_keys
    )
    assert whole.peak_bytes <= parts.value_bytes


def test_instructions_do_not_grow_with_rounds() -> None:
    assert len(repeated(7).ops) == len(repeated(1000).ops)


def test_report_shows_the_body_once() -> None:
    text = str(repeated())

    assert "7 rounds" in text
    assert "LAYERS" in text
    assert text.count("tanh of z") == 1
    assert "treewidth" not in text  # couplings may form any graph
    assert "blocks " in text


def test_schedules_of_fields_have_diagrams() -> None:
    assert "rounds" in mermaid(repeated())


def test_values_inside_are_not_seen_outside() -> None:
    schedule = repeated()
    inner = next(op for op in schedule.ops if isinstance(op, Repeat)).body[0].out
    readout = schedule.ops[-1]
    ops: tuple[Op, ...] = (*schedule.ops[:-1], replace(readout, sources=(inner,)))  # type: ignore[call-arg]

    with pytest.raises(ScheduleError, match="inside"):
        check_schedule(replace(schedule, ops=ops))


@pytest.mark.parametrize("seed", range(5))
def test_random_schedules_are_legal_and_print(seed: int) -> None:
    schedule = random_schedule(np.random.default_rng(seed))
    check_schedule(schedule)

    assert "Couple" in str(schedule) or "Local" in str(schedule)
