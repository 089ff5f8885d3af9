"""Operation counts against closed forms, and against loops that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ghmpp.schedule.ir import Exclude, Message, Op, Pool, Schedule
from ghmpp.schedule.operations import Operations, count_operations
from ghmpp.schedule.shapes import value_shapes
from tests.schedule.plans import classifier, decoder, denoiser, forest_of, in_logs, mapped, plan


def counts(schedule: Schedule, kind: type[Op]) -> list[Operations]:
    shapes = value_shapes(schedule)
    return [count_operations(op, shapes, schedule) for op in schedule.ops if isinstance(op, kind)]


@pytest.mark.parametrize(("branching", "states", "depth"), [(2, 3, 1), (3, 2, 3), (2, 5, 4)])
def test_messages_of_a_regular_unet_cost_4_s_squared_per_edge(
    branching: int, states: int, depth: int
) -> None:
    layers = [(f"x{k}", f"x{k - 1}", branching, states) for k in range(1, depth + 1)]
    forest = forest_of(("x0", None, 1, states), *layers)
    schedule = plan(forest, [("mean", f"x{depth}")], [f"x{depth}"])

    edges = sum(branching**level for level in range(1, depth + 1))
    assert sum(count.flops for count in counts(schedule, Message)) == 4 * states**2 * edges


def excluded_products(messages: int, context: bool) -> int:
    """Multiplications that a loop over prefixes and suffixes makes, ones left out."""
    made = 0

    def product(values: Sequence[int | None]) -> int | None:
        nonlocal made
        present = [value for value in values if value is not None]
        made += max(0, len(present) - 1)
        return 1 if present else None

    before: list[int | None] = [1 if context else None]
    after: list[int | None] = [None]
    for _ in range(messages - 1):
        before.append(product([before[-1], 1]))
        after.append(product([after[-1], 1]))
    for left, right in zip(before, reversed(after), strict=True):
        product([left, right])
    return made


@pytest.mark.parametrize("children", [2, 3, 4, 9])
@pytest.mark.parametrize("prior", [False, True])
def test_exclude_counts_the_prefix_and_suffix_products(children: int, prior: bool) -> None:
    forest = forest_of(("top", None, 1, 7), ("low", "top", children, 2), prior=prior)
    schedule = plan(forest, [("posterior", "low")], ["low"])

    [found] = counts(schedule, Exclude)
    assert found == (7 * excluded_products(children, context=prior), 0)


def test_pool_multiplies_all_siblings() -> None:
    (pixels, blocks) = counts(classifier(), Pool)

    assert pixels == (4 * 3 * 5, 0)
    assert blocks == (1 * 3 * 3, 0)


def test_a_log_sum_exp_has_one_exponential_per_term_and_one_logarithm_per_output() -> None:
    forest = forest_of(("top", None, 1, 7), ("low", "top", 3, 2))
    schedule = in_logs(plan(forest, [("posterior", "top")], ["low"]))

    [found] = counts(schedule, Message)
    assert found.exps == 3 * (7 * 2 + 7)


def test_maxima_need_no_exponentials() -> None:
    schedule = in_logs(decoder("argmax"))

    assert all(count.exps == 0 for count in counts(schedule, Message))


def test_a_gather_is_free_and_its_reverse_is_one_addition_per_term() -> None:
    schedule = plan(mapped("child_of"), [("posterior", "low")], ["low"])

    up, down = counts(schedule, Message)
    assert up == (0, 0)
    assert down == (3 * 6, 0)


def test_parent_index_maps_add_toward_the_root_and_gather_toward_the_leaves() -> None:
    schedule = plan(mapped("parent_of"), [("posterior", "low")], ["low"])

    up, down = counts(schedule, Message)
    assert up == (3 * 6, 0)
    assert down == (0, 0)


def test_the_linear_domain_spends_its_exponentials_on_evidence() -> None:
    linear = denoiser()
    logs = in_logs(linear)
    shapes = value_shapes(linear)

    evidence = linear.ops[0]
    assert count_operations(evidence, shapes, linear) == (0, 16 * 2)
    assert count_operations(evidence, shapes, logs) == (0, 0)


def test_counts_do_not_depend_on_values() -> None:
    schedule = denoiser()
    free = replace(schedule, forest=replace(schedule.forest, data={}))

    assert counts(free, Message) == counts(schedule, Message)
