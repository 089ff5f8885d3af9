"""A sheet to draw on, measured in inches: boxes, chips, arrows and text that knows its width.

Figures are made without pyplot, so that no global state of matplotlib changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ghmpp.errors import MissingDependencyError
from ghmpp.schedule.diagrams import FILLS, STROKES, Family

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

INK, MUTED, SKIP, RULE = "#1f2733", "#6b7686", "#9aa3af", "#c4cad3"
FAINT, PAPER = "#f6f7f9", "#ffffff"
CHIP_HEIGHT, CHIP_GAP, CHIP_SIZE = 0.2, 0.06, 7.0
HEADLINE_SIZE, FACTS_SIZE, EDGE = 13.0, 8.0, 0.35
PALETTE: Sequence[tuple[str, str]] = (
    ("#dfe3fb", "#4556c9"),
    ("#d7efe6", "#1b8a6b"),
    ("#fdebd0", "#c9821b"),
    ("#fbe0e6", "#c43d5d"),
    ("#f3e3f7", "#8e44ad"),
    ("#d9eef7", "#2a7ea6"),
    ("#eceff3", "#6b7686"),
)
# Fill and stroke of what the user did not declare, such as cliques.
HELPER = FAINT, RULE
TIMES = "\N{MULTIPLICATION SIGN}"
POINTS_PER_INCH = 72.0

Point = tuple[float, float]
Side = Literal["left", "center", "right"]
Weight = Literal["normal", "bold"]

LAYERS: Mapping[str, int] = {"line": 1, "label": 2, "box": 3, "text": 4}


@dataclass(frozen=True, slots=True)
class Chip:
    """A small coloured box for one instruction."""

    text: str
    family: Family

    @property
    def width(self) -> float:
        """Width in inches."""
        return text_width(self.text, CHIP_SIZE) + 0.16


def chips_width(chips: Sequence[Chip]) -> float:
    """Width of chips in a row, in inches."""
    return sum(chip.width for chip in chips) + CHIP_GAP * max(0, len(chips) - 1)


def classes_text(classes: int, helpers: int) -> str:
    """How many classes a picture shows, how many of them are helpers, and how sizes are written."""
    aside = f" and {helpers:,} helpers" if helpers else ""
    return f"{classes:,} classes{aside}: nodes {TIMES} states"


def text_width(text: str, size: float, weight: Weight = "normal") -> float:
    """Width of a line of text in inches; ``size`` in points."""
    require_matplotlib()
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / POINTS_PER_INCH


class Sheet:
    """A white figure with one axis unit per inch, origin at the lower left."""

    def __init__(self, width: float, height: float) -> None:
        require_matplotlib()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.height = height
        self.figure: Figure = Figure(figsize=(width, height), dpi=160, facecolor=PAPER)
        FigureCanvasAgg(self.figure)
        self.axes: Axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_xlim(0.0, width)
        self.axes.set_ylim(0.0, height)
        self.axes.axis("off")

    def headline(self, title: str, facts: str) -> None:
        """Two lines at the upper left."""
        top = self.height - EDGE
        self.text((EDGE, top), title, size=HEADLINE_SIZE, weight="bold", side="left")
        self.text((EDGE, top - 0.27), facts, size=FACTS_SIZE, colour=MUTED, side="left")

    def text(
        self,
        at: Point,
        text: str,
        *,
        size: float = 9.0,
        colour: str = INK,
        weight: Weight = "normal",
        side: Side = "center",
        halo: bool = False,
    ) -> None:
        """A line of text, vertically centred at ``at``; a halo hides lines behind it."""
        behind = {"facecolor": PAPER, "edgecolor": "none", "pad": 3.0} if halo else None
        self.axes.text(
            *at,
            text,
            fontsize=size,
            color=colour,
            fontweight=weight,
            ha=side,
            va="center_baseline",
            bbox=behind,
            parse_math=False,
            zorder=LAYERS["label" if halo else "text"],
        )

    def box(
        self,
        centre: Point,
        size: Point,
        *,
        fill: str = PAPER,
        stroke: str = RULE,
        radius: float = 0.08,
        line: float = 0.9,
        dashed: bool = False,
    ) -> None:
        """A rectangle with round corners."""
        from matplotlib.patches import FancyBboxPatch

        (x, y), (width, height) = centre, size
        self.axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2),
                width,
                height,
                boxstyle=f"round,pad=0,rounding_size={min(radius, width / 2, height / 2)}",
                facecolor=fill,
                edgecolor=stroke,
                linewidth=line,
                linestyle=(0, (3, 2)) if dashed else "solid",
                zorder=LAYERS["box"],
            )
        )

    def dot(self, centre: Point, radius: float, *, fill: str, stroke: str) -> None:
        """A disc."""
        from matplotlib.patches import Circle

        disc = Circle(centre, radius, facecolor=fill, edgecolor=stroke, linewidth=0.9)
        disc.set_zorder(LAYERS["box"])
        self.axes.add_patch(disc)

    def ellipsis(self, centre: Point, *, colour: str = MUTED) -> None:
        """Three dots in a row, for what is left out."""
        for step in (-0.07, 0.0, 0.07):
            self.dot((centre[0] + step, centre[1]), 0.018, fill=colour, stroke="none")

    def path(
        self,
        points: Sequence[Point],
        *,
        colour: str = MUTED,
        line: float = 1.1,
        dashed: bool = False,
        arrow: bool = True,
        corner: float = 0.12,
    ) -> None:
        """A line through points, its corners rounded, with an arrow head at the end."""
        from matplotlib.patches import FancyArrowPatch

        patch = FancyArrowPatch(
            path=_rounded(points, corner),
            arrowstyle="-|>,head_length=3.2,head_width=1.8" if arrow else "-",
            color=colour,
            linewidth=line,
            linestyle=(0, (4, 2.5)) if dashed else "solid",
            capstyle="butt",
            joinstyle="round",
            shrinkA=0,
            shrinkB=0,
            zorder=LAYERS["line"],
        )
        self.axes.add_patch(patch)

    def chips(self, centre: Point, chips: Sequence[Chip]) -> None:
        """Chips in a row."""
        x = centre[0] - chips_width(chips) / 2
        for chip in chips:
            middle = x + chip.width / 2
            fill, stroke = FILLS[chip.family], STROKES[chip.family]
            size = (chip.width, CHIP_HEIGHT)
            self.box((middle, centre[1]), size, fill=fill, stroke=stroke, radius=0.07, line=0.7)
            self.text((middle, centre[1]), chip.text, size=CHIP_SIZE, colour=INK)
            x += chip.width + CHIP_GAP

    def cells(self, centre: Point, size: Point, count: int, *, most: int, colour: str) -> None:
        """A strip of cells, one per node; of more than ``most`` nodes the middle is left out."""
        (x, y), (width, height) = centre, size
        slots = min(count, most)
        pitch = width / slots
        left = x - width / 2
        for slot in range(slots):
            middle = left + (slot + 0.5) * pitch
            if count > most and slot in (slots // 2 - 1, slots // 2):
                self.dot((middle, y), 0.018, fill=colour, stroke="none")
                continue
            cell = (min(pitch * 0.78, pitch - 0.02), height)
            self.box((middle, y), cell, fill=colour, stroke="none", radius=0.03, line=0.0)


def _rounded(points: Sequence[Point], corner: float) -> Path:
    """A matplotlib path with each inner corner replaced by a quadratic curve."""
    from matplotlib.path import Path

    vertices, codes = [points[0]], [Path.MOVETO]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        vertices += [_toward(at, before, corner), at, _toward(at, after, corner)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def _toward(start: Point, end: Point, distance: float) -> Point:
    """The point at a distance from ``start``, at most half of the way to ``end``."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    share = min(0.5, distance / length) if length else 0.0
    return start[0] + share * dx, start[1] + share * dy


def require_matplotlib() -> None:
    """Refuse to draw without matplotlib, saying how to get it."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise MissingDependencyError(
            "pictures need matplotlib, which is not installed; install it with "
            "`pip install ghmpp[plot]`, or use the text diagrams of ghmpp.schedule.diagrams."
        )
