"""The picture of a schedule: encoder down on the left, bottleneck, decoder up on the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

from ghmpp.schedule.cost import cost
from ghmpp.schedule.diagrams import STROKES
from ghmpp.schedule.drawing import (
    FACTS_SIZE,
    FAINT,
    HEADLINE_SIZE,
    INK,
    MUTED,
    PAPER,
    RULE,
    SKIP,
    TIMES,
    Point,
    Sheet,
    chips_width,
    text_width,
)
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.show import given_text, outputs_text
from ghmpp.schedule.visible import Content, Item, Pass, content_of

TITLE_SIZE, DETAIL_SIZE, LABEL_SIZE = 9.5, 7.5, 7.5
CARD_HEIGHT, PILL_HEIGHT, GAP = 0.84, 0.42, 0.17
PITCH = CARD_HEIGHT + PILL_HEIGHT + 2 * GAP
HEADER, FOOTER, MARGIN = 1.32, 0.8, 0.35
MOST_CELLS = 32
CAPTION = (
    f"Sizes: nodes {TIMES} states.  "
    "Dashed: skip connections, values of the encoder that the decoder reads again."
)


@dataclass(frozen=True)
class Layout:
    """Places in inches, origin at the lower left.

    The encoder's column of a block mirrors its decoder column at the vertical line ``middle``.
    The deepest child continues its parent's column toward the top; other children get columns
    further out. Every block has a row of its own, below those of its children. ``lane`` is the
    distance of the column from the middle, ``size`` the width of the card.
    """

    width: float
    height: float
    middle: float
    y: Mapping[str, float]
    lane: Mapping[str, float]
    size: Mapping[str, float]

    def centre(self, way: Pass, block: str) -> Point:
        """Centre of a block's card in one pass."""
        sign = -1 if way == "collect" else 1
        return self.middle + sign * self.lane[block], self.y[block]

    def pill(self, way: Pass, block: str) -> Point:
        """Centre of what lies between a block and its parent."""
        x, y = self.centre(way, block)
        return x, y - CARD_HEIGHT / 2 - GAP - PILL_HEIGHT / 2


def layout_of(content: Content, schedule: Schedule) -> Layout:
    """Rows from the leaves at the top to the roots at the bottom, columns from the middle out."""
    order = _bottom_up(content.items)
    rows = {item.block: row for row, item in enumerate(order)}
    columns = _columns(content.items, rows)
    size = {item.block: _card_width(item, content) for item in content.items}
    spacing = max(size.values()) + 0.4
    height = HEADER + len(order) * PITCH - PILL_HEIGHT - 2 * GAP + FOOTER
    y = {name: height - HEADER - CARD_HEIGHT / 2 - row * PITCH for name, row in rows.items()}
    inner = _inner_lane(content, size) if content.has_decoder else 0.0
    lane = {name: inner + column * spacing for name, column in columns.items()}
    if content.has_decoder:
        lane.update({item.block: 0.0 for item in content.items if item.parent is None})
    left, right = (_extent(way, content, lane, size) for way in ("collect", "distribute"))
    title, facts = _headline(schedule)
    lines = text_width(title, HEADLINE_SIZE, "bold"), text_width(facts, FACTS_SIZE)
    least = max(*lines, text_width(CAPTION, 7))
    slack = max(0.0, least + 2 * MARGIN - left - right) / 2
    return Layout(left + right + 2 * slack, height, left + slack, y, lane, size)


def _inner_lane(content: Content, size: Mapping[str, float]) -> float:
    """Distance of the innermost column from the middle: room for labels, and for the root."""
    root = max(size[item.block] for item in content.items if item.parent is None)
    names = (", ".join(names) for names in content.skips.values())
    label = max((text_width(text, LABEL_SIZE) for text in names), default=0.7)
    return max(root / 2 + 0.55, (max(size.values()) + label + 0.9) / 2)


def _extent(
    way: Pass, content: Content, lane: Mapping[str, float], size: Mapping[str, float]
) -> float:
    """How far the cards of one pass reach from the middle, with the margin."""
    sides = {"collect": content.items, "distribute": content.items if content.has_decoder else ()}
    shown = (item.block for item in sides[way] if _has_card(item, way, content))
    roots = (size[item.block] / 2 for item in content.items if item.parent is None)
    return MARGIN + max([*roots, *(lane[name] + size[name] / 2 for name in shown)])


def paint_schedule(schedule: Schedule) -> Sheet:
    """Draw a legal schedule: lines first, then what lies on them."""
    content = content_of(schedule)
    layout = layout_of(content, schedule)
    sheet = Sheet(layout.width, layout.height)
    for item in content.items:
        for way in _passes(item, content):
            _paint_link(sheet, item, way, content, layout)
    _paint_skips(sheet, content, layout)
    for item in content.items:
        for way in _passes(item, content):
            if _has_card(item, way, content):
                _paint_card(sheet, item, way, content, layout)
    _paint_titles(sheet, schedule, content, layout)
    return sheet


def _passes(item: Item, content: Content) -> tuple[Pass, ...]:
    """A root has one card, the bottleneck; other blocks one in each pass."""
    both = content.has_decoder and item.parent is not None
    return ("collect", "distribute") if both else ("collect",)


def _has_card(item: Item, way: Pass, content: Content) -> bool:
    """Each pass shows the blocks that it reaches; roots, where they meet, are in the first."""
    return item.parent is None or (way, item.block) in content.reached


def _paint_card(sheet: Sheet, item: Item, way: Pass, content: Content, layout: Layout) -> None:
    """Name, size, a strip of nodes, and the instructions inside a block."""
    x, y = layout.centre(way, item.block)
    width = layout.size[item.block]
    fill = FAINT if item.group or item.helper else PAPER
    sheet.box((x, y), (width, CARD_HEIGHT), fill=fill, stroke=RULE, dashed=item.group)
    if item.group:
        sheet.text((x, y + 0.1), item.title, size=TITLE_SIZE, weight="bold", colour=MUTED)
        sheet.text((x, y - 0.12), item.detail, size=DETAIL_SIZE, colour=MUTED)
        return
    title = text_width(item.title, TITLE_SIZE, "bold")
    left = x - (title + 0.12 + text_width(item.detail, DETAIL_SIZE)) / 2
    line = y + CARD_HEIGHT / 2 - 0.2
    colour = MUTED if item.helper else INK
    sheet.text((left, line), item.title, size=TITLE_SIZE, weight="bold", colour=colour, side="left")
    at = (left + title + 0.12, line)
    sheet.text(at, item.detail, size=DETAIL_SIZE, colour=MUTED, side="left")
    colour = STROKES["message" if way == "collect" else "exclude"]
    if item.parent is None and content.has_decoder:
        colour = STROKES["readout"]
    strip = (min(width - 0.3, 0.16 * item.nodes), 0.1)
    sheet.cells((x, y + 0.02), strip, item.nodes, most=MOST_CELLS, colour=colour)
    chips = content.chips.get((way, "card", item.block), ())
    sheet.chips((x, y - CARD_HEIGHT / 2 + 0.19), chips)


def _paint_link(sheet: Sheet, item: Item, way: Pass, content: Content, layout: Layout) -> None:
    """The way from a block to its parent, or back, with its instructions on it."""
    if item.parent is None or not _has_card(item, way, content):
        return
    (x, y), (_, middle) = layout.centre(way, item.block), layout.pill(way, item.block)
    chips = content.chips.get((way, "pill", item.block), ())
    bottom = (x, y - CARD_HEIGHT / 2)
    if not chips and way == "distribute":
        sheet.path(_to_parent(bottom, item.parent, way, layout)[::-1])
    if not chips:
        return
    near = [bottom, (x, middle + PILL_HEIGHT / 2)]
    far = _to_parent((x, middle - PILL_HEIGHT / 2), item.parent, way, layout)
    if way == "collect":
        sheet.path(near, arrow=False)
        sheet.path(far)
    else:
        sheet.path(far[::-1], arrow=False)
        sheet.path(near[::-1])
    ends = (item.block, item.parent) if way == "collect" else (item.parent, item.block)
    sheet.text((x, middle + 0.12), " → ".join(ends), size=LABEL_SIZE, colour=INK)
    sheet.chips((x, middle - 0.1), chips)


def _to_parent(start: Point, parent: str, way: Pass, layout: Layout) -> list[Point]:
    """Straight down into the parent's top, or down and then into its side."""
    x, y = layout.centre(way, parent)
    if abs(x - start[0]) < 1e-9:
        return [start, (x, y + CARD_HEIGHT / 2)]
    towards = 1 if start[0] > x else -1
    return [start, (start[0], y), (x + towards * layout.size[parent] / 2, y)]


def _paint_skips(sheet: Sheet, content: Content, layout: Layout) -> None:
    for (where, block), names in content.skips.items():
        if layout.lane[block] == 0.0:
            continue
        at = layout.centre if where == "card" else layout.pill
        (left, y), (right, _) = at("collect", block), at("distribute", block)
        rooms = [layout.size[block], layout.size[block]]
        if where == "pill":
            y -= 0.1
            ways: tuple[Pass, Pass] = ("collect", "distribute")
            rooms = [chips_width(content.chips.get((way, where, block), ())) + 0.1 for way in ways]
        ends = [(left + rooms[0] / 2, y), (right - rooms[1] / 2, y)]
        sheet.path(ends, dashed=True, colour=SKIP, line=0.9)
        at_label = ((ends[0][0] + ends[1][0]) / 2, y)
        sheet.text(at_label, ", ".join(names), size=LABEL_SIZE, colour=MUTED, halo=True)


def _paint_titles(sheet: Sheet, schedule: Schedule, content: Content, layout: Layout) -> None:
    """What is computed, the names of the sections, and how to read the picture."""
    sheet.headline(*_headline(schedule))
    sheet.text((MARGIN, 0.26), CAPTION, size=7, colour=MUTED, side="left")
    if not content.has_decoder:
        return
    titles: dict[Pass, str] = {"collect": "ENCODER", "distribute": "DECODER"}
    for way, title in titles.items():
        below = [item for item in content.items if item.parent and _has_card(item, way, content)]
        if not below:
            continue
        x, _ = max((layout.centre(way, item.block) for item in below), key=lambda at: at[1])
        top = layout.height - HEADER + 0.17
        sheet.text((x, top), title, size=7.5, weight="bold", colour=MUTED)
    for item in content.items:
        if item.parent is None:
            x, y = layout.centre("collect", item.block)
            under = (x, y - CARD_HEIGHT / 2 - 0.17)
            sheet.text(under, "BOTTLENECK", size=7.5, weight="bold", colour=MUTED)


def _headline(schedule: Schedule) -> tuple[str, str]:
    """What is computed; from what, and at which cost."""
    total = cost(schedule)
    numbers = f"{total.parameters:,} parameters, {total.flops:,} FLOPs per sample"
    return outputs_text(schedule), f"{schedule.forest.name} given {given_text(schedule)}: {numbers}"


def _bottom_up(items: tuple[Item, ...]) -> list[Item]:
    """Items with every parent after its children; the deepest child's subtree comes first."""
    order: list[Item] = []
    below = _children(items)
    stack = list(below.get(None, ()))[::-1]
    while stack:
        item = stack.pop()
        order.append(item)
        stack += below.get(item.block, [])
    return order[::-1]


def _children(items: tuple[Item, ...]) -> dict[str | None, list[Item]]:
    """Children of each item, the deepest subtree first; a group counts as deep."""
    height: dict[str | None, int] = {}
    for item in reversed(items):
        own = height.get(item.block, 0) + (len(items) if item.group else 1)
        height[item.block] = own
        height[item.parent] = max(height.get(item.parent, 0), own)
    below: dict[str | None, list[Item]] = {}
    for item in items:
        below.setdefault(item.parent, []).append(item)
    for children in below.values():
        children.sort(key=lambda item: -height[item.block])
    return below


def _columns(items: tuple[Item, ...], rows: Mapping[str, int]) -> dict[str, int]:
    """Column of every item; side branches take the nearest column that is free in their rows."""
    main = {parent: children[0].block for parent, children in _children(items).items()}
    top = {item.block: rows[item.block] for item in items}
    for item in reversed(items):
        if item.parent is not None:
            top[item.parent] = min(top[item.parent], top[item.block])
    columns: dict[str, int] = {}
    taken: list[tuple[int, int, int]] = []
    for item in items:
        parent = item.parent
        if parent is not None and main[parent] == item.block:
            columns[item.block] = columns[parent]
            continue
        span = top[item.block], rows[item.block if parent is None else parent]
        column = 0 if parent is None else columns[parent] + 1
        while any(c == column and a <= span[1] and span[0] <= b for c, a, b in taken):
            column += 1
        columns[item.block] = column
        if parent is not None:
            taken.append((column, *span))
    return columns


def _card_width(item: Item, content: Content) -> float:
    """Wide enough for text and chips, and wider for more nodes."""
    title = text_width(item.title, TITLE_SIZE, "bold") + text_width(item.detail, DETAIL_SIZE)
    found = (content.chips.get((way, "card", item.block), ()) for way in _passes(item, content))
    resolution = min(3.0, 1.0 + 0.26 * log2(max(1, item.nodes)))
    return max(title + 0.42, max(map(chips_width, found)) + 0.3, resolution)
