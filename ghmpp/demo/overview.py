"""The whole idea in one picture: images in four rows, and the network that made one of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ghmpp.demo.comparison import OURS, Trial
from ghmpp.demo.figures import GAP, TILE, Images, mosaic, row_label, row_note, window
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.schedule.diagrams import STROKES
from ghmpp.schedule.drawing import MUTED, RULE, SKIP, TIMES, Point, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS, TOP, FOOT = 1.15, 0.46, 0.1
"""Width of the labels, and what is above and below the images, in inches."""
WIDEST, NARROWER, CARD, APART = 1.6, 0.27, 0.4, 2.3
"""Width of the pixels' card, by how much each level is narrower, height of a card, and the
distance between encoder and decoder, in inches."""


def overview(trial: Trial, shown: Sequence[int], forest: Forest, *, rival: str) -> Figure:
    """Noisy images, the estimates of a rival and ours, and the truth, beside our U-Net.

    Parameters
    ----------
    trial
        Images and estimates, among them :data:`ghmpp.demo.comparison.OURS`.
    shown
        Indices of the images.
    forest
        A model whose classes form one path from the root to the pixels.
    rival
        The other method.
    """
    rows: dict[str, Images] = {
        "noisy": trial.damaged,
        rival: trial.estimates[rival],
        OURS: trial.estimates[OURS],
        "truth": trial.truth,
    }
    step = TILE + GAP
    wide = len(shown) * step - GAP
    start = LABELS + wide + 0.95
    sheet = Sheet(start + APART + WIDEST + 0.1, TOP + len(rows) * step + FOOT)
    sheet.text((LABELS + wide / 2, sheet.height - 0.17), "unseen images")
    for row, (label, images) in enumerate(rows.items()):
        low = sheet.height - TOP - (row + 1) * step + GAP
        mosaic(window(sheet, LABELS, low, wide, TILE), [images[list(shown)]])
        row_label(sheet, (LABELS, low), label, ours=label == OURS)
        note = f"{trial.errors[label]:.2f}" if label in trial.errors else ""
        row_note(sheet, (LABELS + wide + GAP, low), note, best=label == trial.best)
    error = LABELS + wide + 0.1, sheet.height - 0.17
    sheet.text(error, "error", size=8, colour=MUTED, side="left")
    _network(sheet, start, list(forest.variables.values()))
    return sheet.figure


def _network(sheet: Sheet, left: float, classes: Sequence[VariableClass]) -> None:
    """A U: from the pixels down to the root and up again, with skip connections."""
    encoder, decoder = left + WIDEST / 2, left + WIDEST / 2 + APART
    sheet.text(
        ((encoder + decoder) / 2, sheet.height - 0.17), "the U-Net that belief propagation is"
    )
    below = classes[::-1]
    high, low = sheet.height - TOP - CARD / 2, FOOT + CARD / 2
    pitch = (high - low) / (len(below) - 1)
    middle = (encoder + decoder) / 2
    for level, variable in enumerate(below[:-1]):
        y, wide = high - level * pitch, WIDEST - level * NARROWER
        _card(sheet, (encoder, y), wide, variable, STROKES["message"])
        _card(sheet, (decoder, y), wide, variable, STROKES["exclude"])
        skip = [(encoder + wide / 2 + 0.05, y), (decoder - wide / 2 - 0.05, y)]
        sheet.path(skip, colour=SKIP, line=0.9, dashed=True)
    _card(sheet, (middle, low), WIDEST - (len(below) - 1) * NARROWER, below[-1], STROKES["readout"])
    heights = [high - level * pitch for level in range(len(below) - 1)]
    for upper, lower in pairwise(heights):
        ends = upper - CARD / 2, lower + CARD / 2
        sheet.path([(encoder, ends[0]), (encoder, ends[1])])
        sheet.path([(decoder, ends[1]), (decoder, ends[0])])
    side = (WIDEST - (len(below) - 1) * NARROWER) / 2
    turn = heights[-1] - CARD / 2
    sheet.path([(encoder, turn), (encoder, low), (middle - side, low)])
    sheet.path([(middle + side, low), (decoder, low), (decoder, turn)])


def _card(sheet: Sheet, at: Point, wide: float, variable: VariableClass, colour: str) -> None:
    """A level: its name, nodes and states, and a cell per node."""
    x, y = at
    sheet.box(at, (wide, CARD), stroke=RULE)
    size = f"{variable.name}  {variable.nodes} {TIMES} {len(variable.states)}"
    sheet.text((x, y + 0.07), size, size=7)
    cells = min(wide - 0.2, 0.13 * variable.nodes)
    sheet.cells((x, y - 0.09), (cells, 0.07), variable.nodes, most=16, colour=colour)
