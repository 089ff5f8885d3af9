"""What a picture shows: which blocks of a forest, and which instructions and skips at each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
    helper
        Whether the class is hidden, such as a clique: drawn in a lighter style.
    members
        Of a group: the blocks that it stands for.
    """

    block: str
    parent: str | None
    title: str
    detail: str
    nodes: int
    helper: bool = False
    members: tuple[str, ...] = ()

    @property
    def group(self) -> bool:
        """Whether it stands for blocks that are left out."""
        return self.nodes == 0


def visible_items(
    forest: Forest,
    *,
    used: Collection[str] | None = None,
    per_class: int = 3,
    per_parent: int = 4,
    most: int = 16,
) -> tuple[Item, ...]:
    """The first blocks of each class as items, parents before children; linear time.

    At most ``per_class`` blocks of a class, ``per_parent`` below one block and ``most`` in all
    are shown, with their parents. What hangs below a shown block but is not shown becomes one
    group there. Blocks that are neither ``used`` (None = all are) nor above one that is are left
    out altogether.
    """
    blocks = tuple(forest.blocks) if used is None else _with_parents(forest, used)
    shown = _shown(forest, blocks, per_class, per_parent, most)
    groups = _groups(forest, blocks, shown)
    # A group of one block takes as much room as the block itself.
    shown |= {first for first, members in groups.items() if len(members) == 1}
    return tuple(_items(forest, shown, groups))


def _with_parents(forest: Forest, used: Collection[str]) -> tuple[str, ...]:
    """Some blocks and all above them, parents before children."""
    kept = set(used)
    for name in reversed(tuple(forest.blocks)):
        if name in kept and name in forest.edges:
            kept.add(forest.edges[name].parent)
    return tuple(name for name in forest.blocks if name in kept)


def _shown(
    forest: Forest, blocks: Collection[str], per_class: int, per_parent: int, most: int
) -> set[str]:
    shown: set[str] = set()
    of_class: dict[str, int] = {}
    below: dict[str | None, int] = {}
    for block in map(forest.blocks.__getitem__, blocks):
        parent = forest.edges[block.name].parent if block.name in forest.edges else None
        reachable = parent is None or parent in shown
        room = of_class.get(block.variable, 0) < per_class and below.get(parent, 0) < per_parent
        if reachable and room and len(shown) < most:
            shown.add(block.name)
            of_class[block.variable] = of_class.get(block.variable, 0) + 1
            below[parent] = below.get(parent, 0) + 1
    return shown


def _groups(forest: Forest, blocks: Collection[str], shown: set[str]) -> dict[str, list[str]]:
    """The blocks of each group, by its first; one group below each shown block."""
    group_of: dict[str, str] = {}
    first_below: dict[str | None, str] = {}
    groups: dict[str, list[str]] = {}
    for name in blocks:
        if name in shown:
            continue
        edge = forest.edges.get(name)
        parent = edge.parent if edge else None
        if parent in group_of:
            group_of[name] = group_of[parent]
        else:
            group_of[name] = first_below.setdefault(parent, name)
        groups.setdefault(group_of[name], []).append(name)
    return groups


def _items(forest: Forest, shown: set[str], groups: Mapping[str, Sequence[str]]) -> Iterator[Item]:
    for name, block in forest.blocks.items():
        parent = forest.edges[name].parent if name in forest.edges else None
        if name in shown:
            size = f"{block.nodes:,} {TIMES} {block.states:,}"
            helper = forest.variables[block.variable].hidden
            yield Item(name, parent, name, size, block.nodes, helper)
        elif name in groups:
            members = tuple(groups[name])
            detail = f"{len(members):,} more blocks"
            yield Item(name, parent, f"{name} …", detail, 0, members=members)


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

    @cached_property
    def reached(self) -> frozenset[tuple[Pass, str]]:
        """Which pass reaches which block: by its own instructions, or by a child's message."""
        own = {(way, block) for way, _, block in self.chips}
        sending = (item for item in self.items if ("collect", "pill", item.block) in self.chips)
        return frozenset(own | {("collect", item.parent) for item in sending if item.parent})


def content_of(schedule: Schedule) -> Content:
    """Gather what the picture of a legal schedule shows: blocks that its instructions are about."""
    forest, shapes = schedule.forest, value_shapes(schedule)
    items = visible_items(forest, used={place(op) or forest.roots[0] for op in schedule.ops})
    heads = {block: item.block for item in items for block in _heads(item, forest)}
    chips: dict[tuple[Pass, Where, str], dict[Chip, None]] = {}
    carried_to: dict[tuple[Where, str], dict[str, None]] = {}
    skipped = skips(schedule, shapes)
    for index, (op, phase) in enumerate(zip(schedule.ops, phases(schedule), strict=True)):
        named = place(op) or forest.roots[0]
        if named not in heads:
            continue
        block, where = heads[named], _where(op)
        way: Pass = "collect" if phase == "collect" or block not in forest.edges else "distribute"
        if where == "pill" and phase == "distribute":
            way = "distribute"
        chips.setdefault((way, where, block), {})[Chip(_verb(op), family(op))] = None
        for value in skipped.get(index, ()) if named == block else ():
            names = carried_to.setdefault((where, block), {})
            names[carried(shapes[value], forest).replace("->", "→")] = None
    return Content(
        items,
        {key: tuple(found) for key, found in chips.items()},
        {key: tuple(found) for key, found in carried_to.items()},
    )


def _heads(item: Item, forest: Forest) -> Iterator[str]:
    """The block of an item; of a group, all blocks right below the shown parent."""
    yield item.block
    for name in item.members:
        if name not in forest.edges or forest.edges[name].parent == item.parent:
            yield name


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
