"""Rules of a legal schedule: every builder's schedule keeps them, every broken one is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from ghmpp.errors import ScheduleError
from ghmpp.models.model import Model
from ghmpp.schedule.build import Output, build_schedule
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.ir import (
    Combine,
    Evidence,
    Exclude,
    Message,
    Normalize,
    Pool,
    Readout,
    Schedule,
    Unary,
)
from ghmpp.schedule.passes import place_normalization, prune
from tests import strategies
from tests.schedule.plans import (
    changed,
    classifier,
    decoder,
    denoiser,
    digits,
    everything,
    find,
    islands,
    mapped,
    scenes,
    smoother,
)

LEGAL: dict[str, Callable[[], Schedule]] = {
    "classifier": classifier,
    "denoiser": denoiser,
    "smoother": lambda: smoother(7),
    "most probable configuration": lambda: decoder("argmax"),
    "sample": lambda: decoder("sample"),
    "every result": lambda: everything(scenes()),
    "two trees": lambda: everything(islands()),
    "gather": lambda: everything(mapped("child_of")),
    "segment sum": lambda: everything(mapped("parent_of")),
    "nothing": lambda: Schedule(digits(), ()),
}


@pytest.mark.parametrize("name", LEGAL)
def test_accepts_what_the_builder_makes(name: str) -> None:
    check_schedule(LEGAL[name]())


@given(strategies.models())
def test_every_pass_keeps_a_drawn_model_legal(model: Model) -> None:
    forest = model.forest()
    wanted: list[Output] = [("posterior", name) for name in forest.blocks]
    built = build_schedule(forest, [*wanted, ("log_evidence", "")], list(forest.variables))
    scaled = place_normalization(built)

    check_schedule(built)
    check_schedule(scaled)
    check_schedule(prune(scaled, [("log_evidence", "")]))


def test_accepts_free_tables() -> None:
    check_schedule(denoiser(replace(digits(), data={})))


def refused(schedule: Schedule, why: str) -> None:
    with pytest.raises(ScheduleError, match=why):
        check_schedule(schedule)


def test_a_value_must_be_written_before_it_is_read() -> None:
    schedule = denoiser()
    position = find(schedule, Pool)
    late = Pool("pixel", 1000, schedule.ops[position].out)

    refused(changed(schedule, position, late), "value 1000 is read before it is written")


def test_a_value_must_not_be_written_twice() -> None:
    schedule = denoiser()
    first = schedule.ops[0].out

    refused(changed(schedule, find(schedule, Unary), Evidence("digit", first)), "a second time")


def test_a_block_must_exist() -> None:
    refused(changed(denoiser(), 0, Evidence("voxel", 0)), "unknown block 'voxel'")


def test_a_message_needs_an_edge() -> None:
    schedule = denoiser()
    position = find(schedule, Message)
    op = schedule.ops[position]
    assert isinstance(op, Message)

    refused(changed(schedule, position, replace(op, edge="digit")), "'digit' is no edge")


def test_a_unary_must_be_that_of_its_block() -> None:
    schedule = denoiser()
    position = find(schedule, Unary)
    wrong = Unary("digit", "block->pixel", schedule.ops[position].out)

    refused(changed(schedule, position, wrong), "is not the unary of 'digit'")


def test_pooling_takes_messages_only() -> None:
    schedule = denoiser()
    wrong = Pool("pixel", 0, schedule.ops[find(schedule, Pool)].out)

    refused(changed(schedule, find(schedule, Pool), wrong), "expected the messages of 'pixel'")


def test_a_message_to_the_leaves_must_leave_out_the_childs_own() -> None:
    schedule = denoiser()
    away = next(
        i for i, op in enumerate(schedule.ops) if isinstance(op, Message) and op.toward == "leaves"
    )
    exclude = schedule.ops[find(schedule, Exclude)]
    assert isinstance(exclude, Exclude)
    wrong = Message("block", "leaves", exclude.messages, schedule.ops[away].out)

    refused(changed(schedule, away, wrong), "expected what parents tell 'block', got a message")


def test_combined_values_must_belong_to_the_block() -> None:
    schedule = denoiser()
    position = find(schedule, Combine)
    wrong = Combine("digit", (0,), schedule.ops[position].out)

    refused(changed(schedule, position, wrong), "expected a value of block 'digit'")


def test_siblings_are_not_one_value_of_their_parent() -> None:
    schedule = denoiser()
    position = find(schedule, Combine)
    message = schedule.ops[find(schedule, Message)].out
    wrong = Combine("block", (message,), schedule.ops[position].out)

    refused(changed(schedule, position, wrong), "expected a value of block 'block', got a message")


def test_a_choice_follows_the_choice_of_its_parent() -> None:
    schedule = decoder("argmax")
    position = len(schedule.ops) - 1
    op = schedule.ops[position]
    other = schedule.outputs["choice", "part"]

    refused(changed(schedule, position, replace(op, parent=other)), "expected the choice of")


def test_only_a_root_is_chosen_without_parent() -> None:
    schedule = decoder("sample")
    position = len(schedule.ops) - 1

    refused(changed(schedule, position, replace(schedule.ops[position], parent=None)), "is no root")


def test_argmax_needs_maxima_and_samples_need_sums() -> None:
    refused(replace(decoder("argmax"), semiring="sum"), "needs semiring='max'")
    refused(replace(decoder("sample"), semiring="max"), "needs semiring='sum'")


def test_an_output_is_what_its_key_says() -> None:
    schedule = denoiser()
    value = schedule.outputs["mean", "pixel"]

    wrong = {("posterior", "pixel"): value}
    refused(replace(schedule, outputs=wrong), "is the mean of 'pixel'")


def test_an_output_must_be_written() -> None:
    schedule = replace(denoiser(), outputs={("mean", "pixel"): 999})

    refused(schedule, "value 999 is no result and is never written")


def test_a_posterior_reads_one_belief() -> None:
    schedule = classifier()
    position = find(schedule, Readout)
    op = schedule.ops[position]
    assert isinstance(op, Readout)

    refused(changed(schedule, position, replace(op, sources=op.sources * 2)), "one belief, got 2")


def log_evidence_of(schedule: Schedule) -> tuple[int, Readout]:
    position = next(
        i
        for i, op in enumerate(schedule.ops)
        if isinstance(op, Readout) and op.kind == "log_evidence"
    )
    op = schedule.ops[position]
    assert isinstance(op, Readout)
    return position, op


def test_log_evidence_reads_every_root() -> None:
    schedule = everything(islands())
    position, op = log_evidence_of(schedule)

    refused(changed(schedule, position, replace(op, roots=1)), "the forest has 2")


def test_log_evidence_reads_the_roots_in_order() -> None:
    schedule = everything(islands())
    position, op = log_evidence_of(schedule)
    first, second, *scales = op.sources
    swapped = replace(op, sources=(second, first, *scales))

    refused(changed(schedule, position, swapped), "expected a value of block 'a'")


def test_log_evidence_reads_every_scale_below_its_roots() -> None:
    schedule = denoiser()
    position, op = log_evidence_of(schedule)

    fewer = replace(op, sources=op.sources[:-1])
    refused(changed(schedule, position, fewer), "not those of the Normalize below its roots")


def test_log_evidence_reads_no_scale_twice() -> None:
    schedule = denoiser()
    position, op = log_evidence_of(schedule)

    twice = replace(op, sources=(*op.sources, op.sources[-1]))
    refused(changed(schedule, position, twice), "not those of the Normalize below its roots")


def test_a_normalize_below_the_roots_keeps_its_scale() -> None:
    schedule = denoiser()
    position = find(schedule, Normalize)
    op = schedule.ops[position]
    assert isinstance(op, Normalize)
    at, total = log_evidence_of(schedule)
    lost = changed(schedule, position, replace(op, scale=None))
    rest = tuple(value for value in total.sources if value != op.scale)

    refused(changed(lost, at, replace(total, sources=rest)), "has no scale")


def test_a_table_has_the_shape_that_its_edge_promises() -> None:
    forest = digits()
    data = {**forest.data, "block->pixel": np.ones((4, 2, 5))}

    refused(denoiser(replace(forest, data=data)), r"must have shape \(4, 5, 2\), got \(4, 2, 5\)")


def test_an_edge_has_all_its_children() -> None:
    forest = digits()
    edges = {**forest.edges, "pixel": replace(forest.edges["pixel"], fanout=3, rows=3)}

    refused(denoiser(replace(forest, edges=edges)), "fanout of edge 'pixel'")


def test_a_refusal_shows_the_instruction_in_its_place_and_says_whose_fault_it_is() -> None:
    broken = changed(denoiser(), 0, Evidence("voxel", 0))

    with pytest.raises(ScheduleError) as caught:
        check_schedule(broken)
    lines = str(caught.value).splitlines()
    assert "op 0, Evidence(block='voxel', out=0)" in lines[0]
    assert "bug in ghmpp" in lines[0]
    assert lines[1] == ">     0  Evidence(block='voxel', out=0)"


def test_a_refusal_of_a_long_schedule_stays_short() -> None:
    schedule = smoother(200)
    position = len(schedule.ops) // 2
    broken = changed(schedule, position, Evidence("voxel", 10**6))

    with pytest.raises(ScheduleError) as caught:
        check_schedule(broken)
    assert len(str(caught.value).splitlines()) < 40
