"""Schedules and templates as diagram text, in Mermaid and in Graphviz's dot language."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, assert_never

from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Couple,
    Evidence,
    Exclude,
    Gate,
    Local,
    Message,
    Noise,
    Normalize,
    Op,
    Pool,
    Readout,
    Repeat,
    Schedule,
    Spread,
    Unary,
    Value,
)
from ghmpp.schedule.outline import Span, carried, hidden_blocks, outline, skips
from ghmpp.schedule.shapes import value_shapes
from ghmpp.schedule.show import TITLES, shape_text, subject
from ghmpp.schedule.values import results, sources

if TYPE_CHECKING:
    import networkx as nx

Family = Literal["input", "message", "pool", "exclude", "combine", "readout", "fold"]

FILLS: Mapping[Family, str] = {
    "input": "#d7efe6",
    "message": "#dfe3fb",
    "pool": "#fdebd0",
    "exclude": "#fbe0e6",
    "combine": "#eceff3",
    "readout": "#f3e3f7",
    "fold": "#ffffff",
}
STROKES: Mapping[Family, str] = {
    "input": "#1b8a6b",
    "message": "#4556c9",
    "pool": "#c9821b",
    "exclude": "#c43d5d",
    "combine": "#6b7686",
    "readout": "#8e44ad",
    "fold": "#9aa3af",
}


def mermaid(schedule: Schedule) -> str:
    """A schedule as a Mermaid flowchart: encoder, bottleneck, decoder, dotted skip connections.

    Repeated levels are drawn once, followed by a box that counts them. The scales that the log
    evidence adds up are left out. Requires: a legal schedule.
    """
    return _mermaid(_of_schedule(schedule))


def dot(schedule: Schedule) -> str:
    """A schedule as a Graphviz digraph; otherwise as :func:`mermaid`."""
    return _dot(_of_schedule(schedule))


def mermaid_template(template: nx.DiGraph[str]) -> str:
    """A model's template (``model.template``) as a Mermaid flowchart, one box per class.

    Examples
    --------
    >>> import networkx as nx
    >>> template = nx.DiGraph()
    >>> template.add_node("digit", nodes=1, states=range(10))
    >>> template.add_node("pixel", nodes=4, states=range(2))
    >>> template.add_edge("digit", "pixel", count=4, free=False)
    >>> print(mermaid_template(template))
    flowchart TD
      n0["digit<br/>1 x 10 states"]:::message
      n1["pixel<br/>4 x 2 states"]:::message
      n0 -->|"x 4"| n1
      classDef message fill:#dfe3fb,stroke:#4556c9,color:#1f2733
    """
    return _mermaid(_of_template(template))


def dot_template(template: nx.DiGraph[str]) -> str:
    """A model's template as a Graphviz digraph, one box per class."""
    return _dot(_of_template(template))


def family(op: Op) -> Family:
    """Which kind of layer an instruction is; colours go by it."""
    match op:
        case Evidence() | Unary():
            return "input"
        case Message():
            return "message"
        case Pool():
            return "pool"
        case Spread() | Exclude():
            return "exclude"
        case Combine() | Normalize():
            return "combine"
        case Choose() | Readout():
            return "readout"
        case Couple() | Repeat():
            return "message"
        case Local() | Gate() | Noise():
            return "combine"
        case _:
            assert_never(op)


@dataclass(frozen=True, slots=True)
class _Box:
    """A node of a diagram."""

    name: str
    lines: tuple[str, ...]
    family: Family


@dataclass
class _Diagram:
    """Boxes by cluster title ("" for none), and arrows with label and whether they are skips."""

    clusters: dict[str, list[_Box]] = field(default_factory=dict)
    arrows: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    def families(self) -> Iterator[Family]:
        """Families that occur, in the order of the palette."""
        used = {box.family for boxes in self.clusters.values() for box in boxes}
        return (name for name in FILLS if name in used)


def _of_schedule(schedule: Schedule) -> _Diagram:
    diagram = _Diagram()
    shapes = value_shapes(schedule)
    box_of: dict[int, str] = {}
    for part in outline(schedule):
        boxes = diagram.clusters.setdefault(TITLES[part.section], [])
        for span in part.spans:
            for index in span.shown:
                op = schedule.ops[index]
                shown = (subject(op, schedule.forest), shape_text(shapes[op.out]))
                box_of[index] = f"op{index}"
                boxes.append(_Box(f"op{index}", (type(op).__name__, *shown), family(op)))
            if span.repeats > 1:
                boxes.append(_fold(schedule, span))
                box_of.update(dict.fromkeys(span.hidden, boxes[-1].name))
    skipped = skips(schedule, shapes)
    writer: dict[Value, int] = {}
    for index, op in enumerate(schedule.ops):
        for value in sources(op):
            if shapes[value].kind != "scale":
                ends = box_of[writer[value]], box_of[index]
                is_skip = value in skipped.get(index, ())
                label = carried(shapes[value], schedule.forest) if is_skip else ""
                if ends[0] != ends[1]:
                    diagram.arrows.setdefault(ends, (label, is_skip))
        writer.update(dict.fromkeys(results(op), index))
    return diagram


def _fold(schedule: Schedule, span: Span) -> _Box:
    lines = (f"the same for {hidden_blocks(schedule, span)}", f"{span.repeats - 1:,} times more")
    return _Box(f"fold{span.start}", lines, "fold")


def _of_template(template: nx.DiGraph[str]) -> _Diagram:
    diagram = _Diagram()
    names = {variable: f"n{position}" for position, variable in enumerate(template)}
    boxes = diagram.clusters.setdefault("", [])
    for variable, attributes in template.nodes(data=True):
        size = f"{attributes['nodes']:,} x {len(attributes['states']):,} states"
        boxes.append(_Box(names[variable], (str(variable), size), "message"))
    for parent, child, attributes in template.edges(data=True):
        label = edge_label(attributes)
        diagram.arrows[names[parent], names[child]] = (label, False)
    return diagram


def edge_label(attributes: Mapping[str, object]) -> str:
    """Label of a template's edge: children per parent, or steps of a chain, and what is free."""
    if "length" in attributes:
        steps = attributes["length"]
        label = f"chain of {steps:,}" if isinstance(steps, int) else f"chain of {steps}"
    else:
        label = f"x {attributes['count']}"
    return f"{label}, free" if attributes.get("free") else label


def _mermaid(diagram: _Diagram) -> str:
    lines = ["flowchart TD"]
    for position, (title, boxes) in enumerate(diagram.clusters.items()):
        drawn = [f'{box.name}["{_html(*box.lines)}"]:::{box.family}' for box in boxes]
        if title:
            lines.append(f'  subgraph s{position}["{title}"]')
            lines += [f"    {line}" for line in drawn] + ["  end"]
        else:
            lines += [f"  {line}" for line in drawn]
    for (source, target), (label, is_skip) in diagram.arrows.items():
        arrow = "-.->" if is_skip else "-->"
        lines.append(
            f"  {source} {arrow}" + (f'|"{_html(label)}"|' if label else "") + f" {target}"
        )
    for name in diagram.families():
        lines.append(f"  classDef {name} fill:{FILLS[name]},stroke:{STROKES[name]},color:#1f2733")
    return "\n".join(lines)


def _html(*lines: str) -> str:
    """Lines of a Mermaid label, which is HTML."""
    return "<br/>".join(html.escape(line) for line in lines)


def _dot(diagram: _Diagram) -> str:
    lines = [
        "digraph schedule {",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=10];',
        '  edge [fontname="Helvetica", fontsize=9, color="#6b7686"];',
    ]
    for position, (title, boxes) in enumerate(diagram.clusters.items()):
        drawn = [
            f"{box.name} [label={_quoted(box.lines)}, "
            f'fillcolor="{FILLS[box.family]}", color="{STROKES[box.family]}"];'
            for box in boxes
        ]
        if title:
            lines.append(f"  subgraph cluster_{position} {{")
            lines += [f"    label={_quoted((title,))};"]
            lines += [f"    {line}" for line in drawn] + ["  }"]
        else:
            lines += [f"  {line}" for line in drawn]
    for (source, target), (label, is_skip) in diagram.arrows.items():
        style = ", style=dashed, constraint=false" if is_skip else ""
        lines.append(f"  {source} -> {target} [label={_quoted((label,))}{style}];")
    return "\n".join([*lines, "}"])


def _quoted(lines: tuple[str, ...]) -> str:
    """Lines as one quoted string of the dot language."""
    safe = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(safe) + '"'
