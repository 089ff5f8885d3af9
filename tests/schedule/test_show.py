"""The printed schedule."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ghmpp.schedule.cost import cost
from ghmpp.schedule.domain import choose_domain
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.show import given_text, outputs_text, report
from tests.schedule.plans import (
    classifier,
    decoder,
    denoiser,
    digits,
    everything,
    in_logs,
    islands,
    plan,
    scenes,
    smoother,
)


def rows(text: str) -> list[str]:
    """Lines that begin with the index of an instruction."""
    return [line for line in text.splitlines() if re.match(r"\s*\d+  [A-Z]", line)]


def test_printing_a_schedule_prints_its_report() -> None:
    assert str(denoiser()) == report(denoiser())


@pytest.mark.parametrize(
    "schedule", [denoiser(), everything(scenes()), everything(islands()), decoder("sample")]
)
def test_without_repetition_every_instruction_has_a_row(schedule: Schedule) -> None:
    indices = [int(row.split()[0]) for row in rows(report(schedule))]

    assert indices == list(range(len(schedule.ops)))


def test_a_row_names_message_values_shape_and_cost() -> None:
    [row] = [line for line in rows(report(denoiser())) if "Message      pixel -> block" in line]

    assert row.split("  ")[-1].strip() == "640 B"
    assert re.search(r"v\d+ +v\d+ +\(B, 16, 5\) +320 +640 B$", row)


def test_sections_are_titled_in_order() -> None:
    titles = [line.split()[0] for line in report(denoiser()).splitlines() if line[:3].isupper()]

    assert titles == ["ENCODER", "BOTTLENECK", "DECODER"]


def test_a_classifier_has_no_decoder() -> None:
    assert "DECODER" not in report(classifier())


def test_skip_connections_are_named_in_the_decoder() -> None:
    text = report(denoiser())
    encoder, decoder_rows = text.split("DECODER")

    assert "skip" not in encoder
    assert re.findall(r"skip v\d+: (.*)", decoder_rows) == [
        "block -> digit",
        "pixel -> block",
        "pixel",
    ]


@pytest.mark.slow
def test_a_long_chain_prints_short_and_accounts_for_every_instruction() -> None:
    schedule = smoother(500)
    text = report(schedule)

    hidden = [
        int(last) - int(first) + 1 for first, last in re.findall(r"\(ops (\d+) to (\d+)\)", text)
    ]
    assert len(text.splitlines()) < 60
    assert len(rows(text)) + sum(hidden) == len(schedule.ops)


@pytest.mark.slow
def test_folded_operations_are_counted() -> None:
    schedule = smoother(500)
    text = report(schedule)

    shown = sum(cost(schedule).rows[int(row.split()[0])].flops for row in rows(text))
    folded = sum(int(n.replace(",", "")) for n in re.findall(r"\): ([\d,]+) FLOPs", text))
    assert shown + folded == cost(schedule).flops


def test_totals_are_those_of_the_cost() -> None:
    schedule = denoiser()
    text, found = report(schedule), cost(schedule)

    assert f"{len(schedule.ops)} instructions, {found.flops:,} FLOPs" in text
    assert f"{found.parameters:,} parameters" in text
    assert f"(op {found.peak_op})" in text
    assert "treewidth  1; largest block pixel, 16 x 2" in text


def test_the_header_says_what_is_computed_from_what() -> None:
    first, model, *_ = report(denoiser()).splitlines()

    assert first == "small: mean of pixel, log evidence given pixel (sum-product)"
    assert model == "model      digit 1 x 3, block 4 x 5, pixel 16 x 2"


def test_the_header_gives_the_reason_of_the_domain() -> None:
    schedule = choose_domain(denoiser())
    assert schedule.domain is not None

    assert f"domain     linear float64: {schedule.domain.reason}" in report(schedule)
    assert "domain     log float64: asked for" in report(in_logs(schedule))
    assert "domain     not chosen yet" in report(denoiser())


def test_maxima_are_called_max_product() -> None:
    assert "(max-product)" in report(decoder("argmax"))


def test_no_line_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in report(denoiser()).splitlines())


def test_free_tables_print_too() -> None:
    schedule = denoiser()
    free = replace(schedule, forest=replace(schedule.forest, data={}))

    assert report(free) == report(schedule)


def test_an_empty_schedule_prints() -> None:
    assert "nothing given nothing" in report(Schedule(digits(), ()))


def test_outputs_are_grouped_by_kind_and_chains_by_class() -> None:
    many = plan(digits(), [("posterior", "digit"), ("posterior", "block")], ["pixel"])

    assert outputs_text(many) == "posterior of digit and block"
    assert outputs_text(smoother(12)) == "posterior of z (12 blocks), log evidence"


def test_observed_classes_are_named_once() -> None:
    assert given_text(smoother(12)) == "x"
