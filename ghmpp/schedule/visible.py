"""What a picture shows: which blocks of a forest, and which instructions and skips at each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ghmpp.models.forest import Forest
from ghmpp.schedule.diagrams import family
from ghmpp.schedule.drawing import TIMES, Chip
from ghmpp.schedule.ir import (
    Choose,
    Evidence,
    Exclude,
    Message,
    Op,
    Pool,
    Readout,
    Schedule,
    Spread,
    Unary,
)
from ghmpp.schedule.outline import carried, place, skips
from ghmpp.schedule.provenance import phases
from ghmpp.schedule.shapes import value_shapes

Pass = Literal["collect", "distribute"]
Where = Literal["card", "pill"]


@dataclass(frozen=True, slots=True)
class Item:
    """A block in a picture, or a group of blocks that are left out.

    Parameters
    ----------
    block
        Name of the block; of a group: of its first block.
    parent
        Name of the parent's block, which is shown; None for roots.
    title, detail
        Lines to print.
    nodes
        Number of nodes; of a group: 0.
    """

    block: str
    parent: str | None
    title: str
    detail: str
    nodes: int

    @property
    def group(self) -> bool:
        """Whether it stands for blocks that are left out."""
        return self.nodes == 0


def visible_items(
    forest: Forest, *, per_class: int = 3, per_parent: int = 4, most: int = 16
) -> tuple[Item, ...]:
    """The first blocks of each class as items, parents before children; linear time.

    At most ``per_class`` blocks of a class, ``per_parent`` below one block and ``most`` in all
    are shown, with their parents. What hangs below a shown block but is not shown becomes one
    group there.
    """
    shown = _shown(forest, per_class, per_parent, most)
    below = _hidden_below(forest, shown)
    return tuple(_items(forest, shown, below))


def _shown(forest: Forest, per_class: int, per_parent: int, most: int) -> set[str]:
    shown: set[str] = set()
    of_class: dict[str, int] = {}
    below: dict[str | None, int] = {}
    for block in forest.blocks.values():
        parent = forest.edges[block.name].parent if block.name in forest.edges else None
        reachable = parent is None or parent in shown
        room = of_class.get(block.variable, 0) < per_class and below.get(parent, 0) < per_parent
        if reachable and room and len(shown) < most:
            shown.add(block.name)
            of_class[block.variable] = of_class.get(block.variable, 0) + 1
            below[parent] = below.get(parent, 0) + 1
    return shown


def _hidden_below(forest: Forest, shown: set[str]) -> dict[str, int]:
    """How many blocks each group stands for, by its first block; one group per shown parent."""
    group_of: dict[str, str] = {}
    first_below: dict[str | None, str] = {}
    counts: dict[str, int] = {}
    for name in forest.blocks:
        if name in shown:
            continue
        edge = forest.edges.get(name)
        parent = edge.parent if edge else None
        if parent in group_of:
            group_of[name] = group_of[parent]
        else:
            group_of[name] = first_below.setdefault(parent, name)
        counts[group_of[name]] = counts.get(group_of[name], 0) + 1
    return counts


def _items(forest: Forest, shown: set[str], hidden: dict[str, int]) -> Iterator[Item]:
    for name, block in forest.blocks.items():
        parent = forest.edges[name].parent if name in forest.edges else None
        if name in shown:
            size = f"{block.nodes:,} {TIMES} {block.states:,}"
            yield Item(name, parent, name, size, block.nodes)
        elif name in hidden:
            count = hidden[name]
            detail = f"{count:,} more block" + ("s" if count > 1 else "")
            yield Item(name, parent, f"{name} …", detail, 0)


@dataclass(frozen=True)
class Content:
    """What a picture of a schedule says.

    Parameters
    ----------
    items
        Blocks shown, parents before children.
    chips
        Instructions inside a block ("card") or on the edge to its parent ("pill"), by pass.
    skips
        What skip connections carry into the card or pill of a block in the decoder.
    """

    items: tuple[Item, ...]
    chips: Mapping[tuple[Pass, Where, str], tuple[Chip, ...]]
    skips: Mapping[tuple[Where, str], tuple[str, ...]]

    @property
    def has_decoder(self) -> bool:
        """Whether anything is sent toward the leaves."""
        return any(way == "distribute" for way, _, _ in self.chips)


def content_of(schedule: Schedule) -> Content:
    """Gather what the picture of a legal schedule shows."""
    forest, shapes = schedule.forest, value_shapes(schedule)
    items = visible_items(forest)
    shown = {item.block for item in items}
    chips: dict[tuple[Pass, Where, str], dict[Chip, None]] = {}
    carried_to: dict[tuple[Where, str], dict[str, None]] = {}
    skipped = skips(schedule, shapes)
    for index, (op, phase) in enumerate(zip(schedule.ops, phases(schedule), strict=True)):
        block = place(op) or forest.roots[0]
        if block not in shown:
            continue
        where = _where(op)
        way: Pass = "collect" if phase == "collect" or block not in forest.edges else "distribute"
        if where == "pill" and phase == "distribute":
            way = "distribute"
        chips.setdefault((way, where, block), {})[Chip(_verb(op), family(op))] = None
        for value in skipped.get(index, ()):
            names = carried_to.setdefault((where, block), {})
            names[carried(shapes[value], forest).replace("->", "→")] = None
    return Content(
        items,
        {key: tuple(found) for key, found in chips.items()},
        {key: tuple(found) for key, found in carried_to.items()},
    )


def _where(op: Op) -> Where:
    return "pill" if isinstance(op, Message | Pool | Spread | Exclude) else "card"


def _verb(op: Op) -> str:
    """The word on a chip."""
    match op:
        case Evidence():
            return "evidence"
        case Unary():
            return "prior"
        case Choose(how=how):
            return how
        case Readout(kind=kind):
            return kind.replace("_", " ")
        case _:
            return type(op).__name__.lower()
