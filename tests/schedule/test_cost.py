"""Costs before running: totals, memory by liveness, and the refusal of what does not fit."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from ghmpp.errors import ResourceError
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.cost import cost, last_use, require_memory, require_results
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.shapes import value_shapes
from ghmpp.schedule.values import results, sources
from tests.schedule.plans import (
    decoder,
    denoiser,
    digits,
    everything,
    forest_of,
    in_logs,
    mapped,
    plan,
    scenes,
    smoother,
)

PLANS: dict[str, Callable[[], Schedule]] = {
    "denoiser": denoiser,
    "every result": lambda: everything(scenes()),
    "chain": lambda: smoother(9),
    "sample": lambda: decoder("sample"),
    "nothing": lambda: Schedule(digits(), ()),
}


def live_bytes(schedule: Schedule, position: int, batch: int) -> int:
    """Bytes of what is written by then and still read, or written just then."""
    shapes = value_shapes(schedule)
    written = {v for op in schedule.ops[: position + 1] for v in results(op)}
    read = {v for op in schedule.ops[position:] for v in sources(op)}
    kept = read | set(schedule.outputs.values()) | set(results(schedule.ops[position]))
    rows = {v: batch if shapes[v].batched else 1 for v in written}
    return sum(8 * shapes[v].entries * rows[v] for v in written & kept)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", PLANS)
def test_peak_is_the_largest_number_of_live_bytes(name: str, batch: int) -> None:
    schedule = PLANS[name]()
    found = cost(schedule, batch=batch)

    live = [live_bytes(schedule, position, batch) for position in range(len(schedule.ops))]
    assert found.peak_bytes == max(live, default=0)
    assert found.peak_op == (live.index(max(live)) if live else -1)


def test_totals_are_the_sums_of_the_rows() -> None:
    found = cost(everything(scenes()), batch=5)

    assert found.flops == sum(row.flops for row in found.rows)
    assert found.exps == sum(row.exps for row in found.rows)
    assert found.value_bytes == sum(row.bytes for row in found.rows)


def test_bytes_grow_with_the_batch_and_operations_per_row_do_not() -> None:
    one, ten = (cost(denoiser(), batch=batch) for batch in (1, 10))

    assert ten.value_bytes == 10 * one.value_bytes
    assert ten.peak_bytes == 10 * one.peak_bytes
    assert (ten.flops, ten.potential_bytes) == (one.flops, one.potential_bytes)


def test_an_empty_batch_needs_no_memory_for_values() -> None:
    assert cost(denoiser(), batch=0).peak_bytes == 0


def test_expected_counts_have_no_batch_axis() -> None:
    schedule = plan(digits(), [("counts", "pixel")], ["pixel"])

    assert cost(schedule, batch=7).rows[-1].bytes == 4 * 5 * 2 * 8


def test_single_precision_halves_the_memory() -> None:
    single, double = (cost(denoiser(), dtype=dtype) for dtype in ("float32", "float64"))

    assert 2 * single.memory_bytes == double.memory_bytes


def test_the_domain_sets_the_precision() -> None:
    assert cost(in_logs(denoiser())).dtype == "float64"


def test_parameters_count_a_shared_table_once() -> None:
    tables = 3 + 4 * 3 * 5 + 4 * 5 * 2
    chain_tables = 3 + 3 * 3 + 3 * 2

    assert cost(denoiser()).parameters == tables
    assert cost(smoother(9)).parameters == chain_tables


def test_an_index_map_has_one_entry_per_state() -> None:
    schedule = plan(mapped("child_of"), [("posterior", "low")], ["low"])

    assert cost(schedule).parameters == 6 + 6


def test_treewidth_of_a_forest_is_1_and_of_single_variables_0() -> None:
    lonely = plan(forest_of(("a", None, 1, 4)), [("posterior", "a")], ["a"])

    assert cost(denoiser()).treewidth == 1
    assert cost(lonely).treewidth == 0


def test_treewidth_of_a_junction_tree_is_that_of_its_cliques() -> None:
    table = np.ones((2, 2, 2))
    graph = Factors("odd", {name: Node(2) for name in "abc"}, (Factor(tuple("abc"), table),))
    schedule = build_schedule(model_of(graph).forest(), [("posterior", "a")], ["b"])

    assert cost(schedule).treewidth == 2
    assert "treewidth  2; largest block clique 0 (a, b, c), 1 x 8" in str(schedule)


def test_last_use_is_the_last_reader() -> None:
    schedule = everything(scenes())
    last = last_use(schedule)

    outputs = set(schedule.outputs.values())
    for position, op in enumerate(schedule.ops):
        for value in results(op):
            readers = [k for k, later in enumerate(schedule.ops) if value in sources(later)]
            ends = len(schedule.ops) if value in outputs else max(readers, default=position)
            assert last[value] == ends


def test_a_run_that_fits_is_allowed_and_its_cost_returned() -> None:
    schedule = denoiser()
    needed = cost(schedule, batch=4)

    assert require_memory(schedule, batch=4, limit_bytes=needed.memory_bytes) == needed


def test_a_run_that_does_not_fit_is_refused_with_both_numbers_and_the_largest_block() -> None:
    schedule = denoiser()
    limit = cost(schedule, batch=1000).memory_bytes - 1

    with pytest.raises(ResourceError, match=r"batch of 1000 needs .* MiB.*limit is .*'pixel' with"):
        require_memory(schedule, batch=1000, limit_bytes=limit)


def test_the_limit_is_the_memory_of_the_machine() -> None:
    with pytest.raises(ResourceError, match="PiB"):
        require_memory(denoiser(), batch=10**15)


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")

    require_memory(denoiser(), batch=10**15)
    require_results(denoiser(), batch=10**15)


def test_a_smaller_batch_is_the_cure_where_one_row_fits() -> None:
    schedule = denoiser()
    limit = cost(schedule, batch=1).memory_bytes

    with pytest.raises(ResourceError, match="use a smaller batch"):
        require_memory(schedule, batch=2, limit_bytes=limit)


@pytest.mark.parametrize("batch", [1, 2])
def test_where_one_row_does_not_fit_the_cure_is_to_ask_or_declare_less(batch: int) -> None:
    schedule = denoiser()
    limit = cost(schedule, batch=1).memory_bytes - 1

    with pytest.raises(ResourceError, match=r"no smaller batch helps: ask for less .* or declare"):
        require_memory(schedule, batch=batch, limit_bytes=limit)


def test_results_alone_may_be_too_big() -> None:
    with pytest.raises(ResourceError, match=r"results for a batch of .* need .* PiB.*fewer rows"):
        require_results(denoiser(), batch=10**15)


def test_draws_of_choices_are_results() -> None:
    choices = plan(forest_of(("a", None, 1, 4)), [("choice", "a")], ["a"], choose="sample")

    require_results(choices, batch=1000)
    with pytest.raises(ResourceError, match=r"largest class: 'a' with 1 nodes of 4 states"):
        require_results(choices, batch=1000, draws=10**12)
