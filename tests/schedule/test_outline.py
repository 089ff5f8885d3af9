"""Sections, repeated levels and skip connections of a schedule."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.outline import carried, hidden_blocks, outline, skips
from ghmpp.schedule.shapes import value_shapes
from tests.schedule.plans import (
    classifier,
    decoder,
    denoiser,
    digits,
    everything,
    forest_of,
    plan,
    scenes,
    smoother,
)

PLANS: dict[str, Callable[[], Schedule]] = {
    "classifier": classifier,
    "denoiser": denoiser,
    "chain": lambda: smoother(40),
    "every result": lambda: everything(scenes()),
    "most probable configuration": lambda: decoder("argmax"),
    "nothing": lambda: Schedule(digits(), ()),
}


def pattern(schedule: Schedule, index: int) -> str:
    """An instruction as text, without the numbers of values and blocks."""
    return re.sub(r"\d+", "#", repr(schedule.ops[index]))


@pytest.mark.parametrize("name", PLANS)
def test_spans_cover_every_instruction_once_in_order(name: str) -> None:
    schedule = PLANS[name]()
    spans = [span for part in outline(schedule) for span in part.spans]

    covered = [index for span in spans for index in (*span.shown, *span.hidden)]
    assert covered == list(range(len(schedule.ops)))


@pytest.mark.parametrize("name", PLANS)
def test_repeated_runs_are_equal_up_to_their_numbers(name: str) -> None:
    schedule = PLANS[name]()
    for part in outline(schedule):
        for span in part.spans:
            for index in span.hidden:
                first = span.start + (index - span.start) % span.period
                assert pattern(schedule, index) == pattern(schedule, first)


@pytest.mark.parametrize("length", [100, 400])
def test_a_chain_shows_a_number_of_instructions_that_does_not_grow(length: int) -> None:
    spans = [span for part in outline(smoother(length)) for span in part.spans]

    assert sum(span.period for span in spans) < 50


def test_levels_of_different_classes_are_not_folded() -> None:
    layers = [(f"x{k}", f"x{k - 1}", 2, 3) for k in range(1, 8)]
    forest = forest_of(("x0", None, 1, 3), *layers)
    schedule = plan(forest, [("mean", "x7")], ["x7"])

    assert all(span.repeats == 1 for part in outline(schedule) for span in part.spans)


def test_hidden_blocks_are_named_from_first_to_last() -> None:
    schedule = smoother(40)
    folded = [span for part in outline(schedule) for span in part.spans if span.repeats > 1]

    named = hidden_blocks(schedule, folded[-1])
    assert re.fullmatch(r"[zx]\[\d+\] to [zx]\[39\]", named)


def sections(schedule: Schedule) -> list[str]:
    return [part.section for part in outline(schedule)]


def test_a_classifier_is_an_encoder_and_a_bottleneck() -> None:
    assert sections(classifier()) == ["encoder", "bottleneck"]


def test_a_denoiser_has_a_decoder() -> None:
    assert sections(denoiser()) == ["encoder", "bottleneck", "decoder"]


def test_a_single_variable_is_all_bottleneck() -> None:
    lonely = plan(forest_of(("a", None, 1, 4)), [("posterior", "a")], ["a"])

    assert sections(lonely) == ["bottleneck"]


def skip_names(schedule: Schedule) -> list[str]:
    shapes = value_shapes(schedule)
    return [
        carried(shapes[value], schedule.forest)
        for values in skips(schedule, shapes).values()
        for value in values
    ]


def test_skips_of_a_denoiser_carry_every_message_and_the_leaves() -> None:
    assert sorted(skip_names(denoiser())) == ["block -> digit", "pixel", "pixel -> block"]


def test_a_classifier_has_no_skips() -> None:
    assert skip_names(classifier()) == []


def test_choices_skip_from_what_was_collected_below() -> None:
    assert set(skip_names(decoder("argmax"))) == {"object", "part", "texture", "light"}
