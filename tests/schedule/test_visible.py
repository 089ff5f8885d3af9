"""Which blocks a picture shows."""

from __future__ import annotations

import pytest

from ghmpp.models.forest import Forest
from ghmpp.schedule.visible import Item, content_of, visible_items
from tests.schedule.plans import (
    chain,
    denoiser,
    digits,
    everything,
    forest_of,
    plan,
    ring,
    scenes,
    smoother,
)


def names(items: tuple[Item, ...]) -> list[str]:
    return [item.title for item in items]


def stars(count: int) -> Forest:
    leaves = [(f"leaf{k}", "root", 1, 2) for k in range(count)]
    return forest_of(("root", None, 1, 2), *leaves)


def test_small_forests_are_shown_whole() -> None:
    assert names(visible_items(digits())) == ["digit", "block", "pixel"]


def test_of_a_chain_the_first_blocks_of_each_class_are_shown() -> None:
    found = visible_items(chain(20), per_class=2)

    assert set(names(found)) == {"z[0]", "z[1]", "x[0]", "x[1]", "z[2] …"}


def test_a_group_counts_everything_below_it() -> None:
    [group] = [item for item in visible_items(chain(20), per_class=2) if item.group]

    assert (group.parent, group.detail) == ("z[1]", "36 more blocks")


@pytest.mark.parametrize(("limits", "left"), [({"most": 4}, 27), ({"per_parent": 5}, 25)])
def test_what_is_left_out_below_one_block_is_one_group(limits: dict[str, int], left: int) -> None:
    groups = [item for item in visible_items(stars(30), **limits) if item.group]

    assert [group.detail for group in groups] == [f"{left} more blocks"]


def test_roots_that_are_left_out_are_one_group() -> None:
    forest = forest_of(*((f"root{k}", None, 1, 2) for k in range(30)))
    groups = [item for item in visible_items(forest, per_parent=10) if item.group]

    assert [(group.parent, group.detail) for group in groups] == [(None, "20 more blocks")]


def test_a_single_block_needs_no_group() -> None:
    assert names(visible_items(stars(5)))[1:] == [f"leaf{k}" for k in range(5)]


def test_blocks_that_no_instruction_is_about_are_left_out() -> None:
    forest = ring().forest()
    schedule = plan(forest, [("posterior", "c")], ["a"])
    content = content_of(schedule)
    shown = {name for item in content.items for name in (item.block, *item.members)}

    assert {"a", "c"} <= shown
    assert not {"b", "d", "e"} & shown
    assert {item.block for item in content.items} == {block for _, block in content.reached}
    assert {item.title for item in content.items if not item.helper and not item.group} <= set("ac")


def test_a_block_is_reached_by_its_own_instructions_or_by_its_children() -> None:
    both = content_of(everything(scenes())).reached
    one = content_of(plan(ring().forest(), [("posterior", "c")], ["a"])).reached

    assert both >= {(way, "part") for way in ("collect", "distribute")}
    assert [way for way, block in one if block == "c"] == ["distribute"]
    assert [way for way, block in one if block == "a"] == ["collect"]


def test_parents_come_before_their_children() -> None:
    for forest in (digits(), chain(9), stars(30)):
        seen: set[str | None] = {None}
        for item in visible_items(forest):
            assert item.parent in seen
            seen.add(item.block)


def test_content_keeps_the_order_of_instructions() -> None:
    chips = content_of(denoiser()).chips

    assert [chip.text for chip in chips["distribute", "card", "pixel"]][-2:] == ["combine", "mean"]
    assert [chip.text for chip in chips["distribute", "pill", "pixel"]] == ["exclude", "message"]


def test_a_step_of_a_chain_reads_its_own_evidence_again() -> None:
    assert "x[1] → z[1]" in content_of(smoother(9)).skips["card", "z[1]"]
