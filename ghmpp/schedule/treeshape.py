"""The picture of a forest: one disc per variable, roots at the top, chains from left to right."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.drawing import (
    FACTS_SIZE,
    HEADLINE_SIZE,
    HELPER,
    MUTED,
    PALETTE,
    SKIP,
    TIMES,
    Point,
    Sheet,
    classes_text,
    text_width,
)
from ghmpp.schedule.visible import Item, visible_items

Key = TypeVar("Key", bound=Hashable)
Node = tuple[str, int]

GROUP = -1
MOST_NODES, MOST_LEAVES, ENDS = 300, 81, 4
CHAIN_BLOCKS, MOST_BLOCKS, MOST_LABELS = 8, 40, 3
MARGIN, HEADER, ROW, LINE, RADIUS = 0.35, 0.85, 0.8, 0.2, 0.1
LABEL_SIZE, NAME_SIZE = 8.5, 6.5


def tidy(
    roots: Sequence[Key],
    children: Mapping[Key, Sequence[Key]],
    following: Mapping[Key, Key],
    gaps: Collection[Key] = (),
) -> dict[Key, float]:
    """Horizontal places: leaves at 0, 1, 2, ... and parents over the middle of their children.

    Parameters
    ----------
    roots
        Where to begin, from left to right.
    children
        Children of each node, from left to right; missing = none.
    following
        The next node of a chain, which stands beside its parent and not below it.
    gaps
        Leaves that leave one place free on their left.

    Examples
    --------
    >>> tidy(["root"], {"root": ["a", "b"]}, {})
    {'a': 0.0, 'b': 1.0, 'root': 0.5}
    """
    places: dict[Key, float] = {}
    free = 0.0
    stack: list[tuple[Key, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, visited = stack.pop()
        below = children.get(node, ())
        if below and not visited:
            stack += [(node, True), *((child, False) for child in reversed(below))]
            continue
        if below:
            places[node] = (places[below[0]] + places[below[-1]]) / 2
        else:
            places[node] = free + (node in gaps)
            free = places[node] + 1
        if node in following:
            stack.append((following[node], False))
    return places


@dataclass
class _Tree:
    """The nodes that a picture shows; ``(block, GROUP)`` stands for blocks that are left out."""

    roots: list[Node] = field(default_factory=list)
    children: dict[Node, list[Node]] = field(default_factory=dict)
    following: dict[Node, Node] = field(default_factory=dict)
    gaps: dict[Node, Node] = field(default_factory=dict)
    fading: set[Node] = field(default_factory=set)


def paint_forest(forest: Forest) -> Sheet:
    """Draw a forest; of long rows and long chains the middle is left out."""
    items = visible_items(forest, per_class=CHAIN_BLOCKS, per_parent=MOST_BLOCKS, most=MOST_BLOCKS)
    tree = _tree_of(forest, items)
    places = tidy(tree.roots, tree.children, tree.following, tree.gaps)
    depths = _class_depths(forest, items)
    rows = [[v for v, d in depths.items() if d == row] for row in range(1 + max(depths.values()))]
    named = max(map(len, rows)) > MOST_LABELS
    labels = {} if named else {variable: _label(forest, variable) for variable in depths}
    pitch = _pitch(forest, max(places.values()), named=named)
    left = MARGIN + max((text_width(text, LABEL_SIZE) + 0.5 for text in labels.values()), default=0)
    left += pitch / 2 if named else 0.0
    nodes = sum(variable.nodes for variable in forest.visible.values())
    helpers = len(forest.variables) - len(forest.visible)
    facts = f"{nodes:,} variables in {classes_text(len(forest.visible), helpers)}"
    headline = max(text_width(forest.name, HEADLINE_SIZE, "bold"), text_width(facts, FACTS_SIZE))
    width = max(left + pitch * (max(places.values()) + 0.5), MARGIN + headline) + MARGIN
    sheet = Sheet(width, HEADER + ROW * len(rows))
    sheet.headline(forest.name, facts)
    height = {v: sheet.height - HEADER - ROW * (d + 0.4) for v, d in depths.items()}
    at = {
        node: (left + pitch * place, height[forest.blocks[node[0]].variable])
        for node, place in places.items()
    }
    _paint_edges(sheet, tree, at)
    shades = depths if named else {variable: k for k, variable in enumerate(depths)}
    colours = {
        variable: PALETTE[k % len(PALETTE)] if variable in forest.visible else HELPER
        for variable, k in shades.items()
    }
    for node, point in at.items():
        colour = colours[forest.blocks[node[0]].variable]
        _paint_node(sheet, node, point, min(RADIUS, 0.38 * pitch), colour, named=named)
    for row in rows if labels else ():
        for line, variable in enumerate(row):
            start = (MARGIN, height[variable] + LINE * ((len(row) - 1) / 2 - line))
            _, ink = colours[variable]
            sheet.text(start, labels[variable], size=LABEL_SIZE, colour=ink, side="left")
    return sheet


def _pitch(forest: Forest, last: float, *, named: bool) -> float:
    """Distance of neighbouring places: what the width of a page allows, or the names need."""
    pitch = min(0.5, max(0.2, 8.0 / (1 + last)))
    if not named:
        return pitch
    return max(pitch, 0.12 + max(text_width(name, NAME_SIZE) for name in forest.blocks))


def _tree_of(forest: Forest, items: Sequence[Item]) -> _Tree:
    """Nodes of the shown blocks; of many nodes, the first and last few of each block."""
    real = [item for item in items if not item.group]
    inner = {item.parent for item in items}
    leaves = sum(item.nodes for item in real if item.block not in inner)
    whole = sum(item.nodes for item in real) <= MOST_NODES and leaves <= MOST_LEAVES
    tree = _Tree()
    shown: dict[str | None, list[int]] = {}
    for item in items:
        edge = forest.edges.get(item.block)
        shown[item.block] = [GROUP] if item.group else _kept(item.nodes, whole=whole)
        kept = shown[item.block]
        nodes = [(item.block, index) for index in kept]
        if len(kept) < item.nodes:
            tree.gaps[nodes[ENDS]] = nodes[ENDS - 1]
        if edge is None:
            tree.roots += nodes
            continue
        above = forest.parent_nodes(edge).tolist()
        for node in nodes:
            position = shown[edge.parent][-1] if item.group else above[node[1]]
            parent = (edge.parent, position)
            if _is_chain(forest, edge):
                tree.following[parent] = node
            else:
                tree.children.setdefault(parent, []).append(node)
        parents = ((edge.parent, index) for index in shown[edge.parent])
        reached = {above[index] for index in kept if index != GROUP}
        missing = set(above) - reached
        tree.fading.update(node for node in parents if node[1] in missing and not item.group)
    return tree


def _kept(nodes: int, *, whole: bool) -> list[int]:
    if whole or nodes <= 2 * ENDS + 1:
        return list(range(nodes))
    return [*range(ENDS), *range(nodes - ENDS, nodes)]


def _is_chain(forest: Forest, edge: Edge) -> bool:
    parent, child = forest.blocks[edge.parent], forest.blocks[edge.child]
    return parent.variable == child.variable and edge.fanout == 1


def _class_depths(forest: Forest, items: Sequence[Item]) -> dict[str, int]:
    """Row of each class: one below its parent's class; a chain stays in one row."""
    depths: dict[str, int] = {}
    for item in items:
        variable = forest.blocks[item.block].variable
        above = None if item.parent is None else forest.blocks[item.parent].variable
        depths.setdefault(variable, 0 if above is None else depths[above] + 1)
    return depths


def _label(forest: Forest, variable: str) -> str:
    found = forest.variables[variable]
    each = "real" if found.real else f"{TIMES} {len(found.states):,}"
    return f"{variable}  {found.nodes:,} {each}"


def _paint_edges(sheet: Sheet, tree: _Tree, at: Mapping[Node, Point]) -> None:
    for parent, children in tree.children.items():
        for child in children:
            sheet.path([at[parent], at[child]], colour=SKIP, line=0.8, arrow=False)
    for earlier, later in tree.following.items():
        (x, y), (end, _) = at[earlier], at[later]
        sheet.path([(x, y), (end - RADIUS - 0.02, y)], colour=MUTED, line=0.9)
    for x, y in (at[node] for node in tree.fading):
        for step in (-0.07, 0.07):
            sheet.path(
                [(x, y), (x + step, y - 0.26)], colour=SKIP, line=0.7, arrow=False, dashed=True
            )
    for right, left in tree.gaps.items():
        sheet.ellipsis(((at[left][0] + at[right][0]) / 2, at[left][1]))


def _paint_node(
    sheet: Sheet, node: Node, at: Point, radius: float, colour: tuple[str, str], *, named: bool
) -> None:
    """A disc; for blocks that are left out, three dots."""
    if node[1] == GROUP:
        sheet.ellipsis((at[0] + 0.05, at[1]))
        return
    sheet.dot(at, radius, fill=colour[0], stroke=colour[1])
    if named:
        sheet.text((at[0], at[1] - radius - 0.1), node[0], size=NAME_SIZE, colour=MUTED, halo=True)
