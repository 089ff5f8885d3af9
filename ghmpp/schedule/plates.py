"""The picture of a template: one card per class, on a plate where the class has several nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ghmpp.schedule.diagrams import edge_label
from ghmpp.schedule.drawing import (
    FACTS_SIZE,
    HEADLINE_SIZE,
    HELPER,
    MUTED,
    PALETTE,
    PAPER,
    TIMES,
    Point,
    Sheet,
    classes_text,
    text_width,
)
from ghmpp.schedule.treeshape import tidy

if TYPE_CHECKING:
    import networkx as nx

MARGIN, HEADER, CARD_HEIGHT, GAP, LEVEL = 0.35, 1.0, 0.56, 0.5, 1.3
PLATES, PLATE = 2, 0.055
TITLE_SIZE, DETAIL_SIZE = 9.5, 7.5


def paint_template(template: nx.DiGraph[str]) -> Sheet:
    """Draw a template, roots at the top; a chain is a loop."""
    details = {name: _detail(data) for name, data in template.nodes(data=True)}
    labels = {
        (parent, child): edge_label(data).replace("x ", f"{TIMES} ", 1)
        for parent, child, data in template.edges(data=True)
    }
    at, sheet = _placed(template, details, labels)
    for (parent, child), label in labels.items():
        if parent == child:
            _paint_loop(sheet, at[parent], _width(parent, details[parent]), label)
        else:
            _paint_arrow(sheet, at[parent], at[child], label)
    for position, (name, detail) in enumerate(details.items()):
        plates = PLATES if template.nodes[name]["nodes"] > 1 else 0
        colours = HELPER if template.nodes[name].get("hidden") else PALETTE[position % len(PALETTE)]
        _paint_card(sheet, at[name], (name, detail), colours, plates=plates)
    return sheet


def _placed(
    template: nx.DiGraph[str], details: Mapping[str, str], labels: Mapping[tuple[str, str], str]
) -> tuple[dict[str, Point], Sheet]:
    """Centres of the cards, and a sheet of the size that they need."""
    children = {name: [c for c in template.successors(name) if c != name] for name in template}
    below = {child for many in children.values() for child in many}
    roots = [name for name in template if name not in below]
    places, depths = tidy(roots, children, {}), _depths(roots, children)
    widest = max(_width(name, detail) for name, detail in details.items())
    loops = (text_width(text, DETAIL_SIZE) for (a, b), text in labels.items() if a == b)
    room = max((width + 0.45 for width in loops), default=0.0)
    pitch = widest + GAP + room
    body = pitch * max(places.values()) + widest + room
    title = str(template.graph.get("name") or "template")
    helpers = sum(bool(data.get("hidden")) for _, data in template.nodes(data=True))
    facts = classes_text(len(details) - helpers, helpers)
    headline = max(text_width(title, HEADLINE_SIZE, "bold"), text_width(facts, FACTS_SIZE))
    width = max(body, headline) + 2 * MARGIN
    sheet = Sheet(width, HEADER + LEVEL * max(depths.values()) + CARD_HEIGHT + MARGIN)
    sheet.headline(title, facts)
    left, top = (width - body + widest) / 2, sheet.height - HEADER - CARD_HEIGHT / 2
    at = {
        name: (left + pitch * place, top - LEVEL * depths[name]) for name, place in places.items()
    }
    return at, sheet


def _detail(data: Mapping[str, object]) -> str:
    """Nodes and states of a class, and whether it has a prior."""
    states = data["states"]
    count = len(states) if isinstance(states, Sequence) else states
    size = f"{data['nodes']:,} {TIMES} {count:,}"
    return size if data.get("prior") is None else f"{size}, prior"


def _width(name: str, detail: str) -> float:
    widest = max(text_width(name, TITLE_SIZE, "bold"), text_width(detail, DETAIL_SIZE))
    return max(1.1, widest + 0.4)


def _depths(roots: Sequence[str], children: Mapping[str, Sequence[str]]) -> dict[str, int]:
    depths = dict.fromkeys(roots, 0)
    waiting = list(roots)
    for name in waiting:
        depths.update(dict.fromkeys(children[name], depths[name] + 1))
        waiting += children[name]
    return depths


def _paint_arrow(sheet: Sheet, parent: Point, child: Point, text: str) -> None:
    """Down, across and down again, with the label on the last stretch."""
    start, end = parent[1] - CARD_HEIGHT / 2, child[1] + CARD_HEIGHT / 2 + PLATES * PLATE
    turn = start - 0.15
    bends = [] if parent[0] == child[0] else [(parent[0], turn), (child[0], turn)]
    sheet.path([(parent[0], start), *bends, (child[0], end)])
    middle = ((turn if bends else start) + end) / 2 + 0.02
    sheet.text((child[0], middle), text, size=DETAIL_SIZE, colour=MUTED, halo=True)


def _paint_loop(sheet: Sheet, at: Point, width: float, text: str) -> None:
    """An arrow from a class to itself."""
    x, y = at[0] + width / 2 + PLATES * PLATE, at[1] + PLATE
    sheet.path([(x, y + 0.12), (x + 0.24, y + 0.12), (x + 0.24, y - 0.12), (x, y - 0.12)])
    sheet.text((x + 0.32, y), text, size=DETAIL_SIZE, colour=MUTED, side="left")


def _paint_card(
    sheet: Sheet, at: Point, lines: tuple[str, str], colours: tuple[str, str], *, plates: int
) -> None:
    """A class, with a stack of plates behind it."""
    width = _width(*lines)
    fill, stroke = colours
    for plate in range(plates, -1, -1):
        shifted = (at[0] + plate * PLATE, at[1] + plate * PLATE)
        inside = fill if plate == 0 else PAPER
        sheet.box(shifted, (width, CARD_HEIGHT), fill=inside, stroke=stroke)
    sheet.text((at[0], at[1] + 0.11), lines[0], size=TITLE_SIZE, weight="bold")
    sheet.text((at[0], at[1] - 0.12), lines[1], size=DETAIL_SIZE, colour=MUTED)
