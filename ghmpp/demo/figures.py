"""The pictures of the demo, drawn without pyplot: no global state of matplotlib changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.examples import GREY_LEVELS, SIDE
from ghmpp.schedule.diagrams import STROKES
from ghmpp.schedule.drawing import INK, MUTED, RULE, Point, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, UNSEEN = STROKES["message"], "#dfe3fb"
TILE, GAP, SCALE = 0.46, 0.055, 10
"""Side of an image and the gap between images in inches; pixels drawn per pixel."""

Images: TypeAlias = FloatArray | IntArray
"""Grey levels, shape (images, 64); NaN where a pixel is not seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Columns of an image grid under one title.

    Parameters
    ----------
    title
        Written above the columns.
    rows
        Images by row, each of shape (columns, 64).
    notes
        A number per row, written to its right; "" for none.
    """

    title: str
    rows: Sequence[Images]
    notes: Sequence[str]


def image_grid(labels: Sequence[str], groups: Sequence[Group], *, ours: str) -> Figure:
    """Rows of images side by side, one row per label, the row ``ours`` in colour."""
    left, top, bottom, space = 1.45, 0.36, 0.1, 0.6
    step = TILE + GAP
    widths = [len(group.rows[0]) * step for group in groups]
    sheet = Sheet(left + sum(widths) + space * len(groups), top + step * len(labels) + bottom)
    lows = [sheet.height - top - (row + 1) * step + GAP / 2 for row in range(len(labels))]
    for low, label in zip(lows, labels, strict=True):
        row_label(sheet, (left, low), label, ours=label == ours)
    for group, wide in zip(groups, widths, strict=True):
        sheet.text((left + (wide - GAP) / 2, sheet.height - 0.15), group.title, weight="bold")
        best = min((float(note) for note in group.notes if note), default=None)
        for low, images, note in zip(lows, group.rows, group.notes, strict=True):
            mosaic(window(sheet, left, low, wide - GAP, TILE), [images])
            row_note(sheet, (left + wide, low), note, best=bool(note) and float(note) == best)
        left += wide + space
    return sheet.figure


def row_label(sheet: Sheet, corner: Point, label: str, *, ours: bool) -> None:
    """The name of a row of images, to the left of its lower left corner."""
    at = corner[0] - 0.14, corner[1] + TILE / 2
    if ours:
        sheet.text(at, label, side="right", weight="bold", colour=OURS)
    else:
        sheet.text(at, label, side="right")


def row_note(sheet: Sheet, corner: Point, note: str, *, best: bool) -> None:
    """A number to the right of the lower right corner of a row of images."""
    at = corner[0] + 0.04, corner[1] + TILE / 2
    if best:
        sheet.text(at, note, size=8, side="left", weight="bold")
    else:
        sheet.text(at, note, size=8, side="left", colour=MUTED)


def half_digit(
    seen: FloatArray,
    posterior: FloatArray,
    expected: FloatArray,
    samples: IntArray,
    truth: IntArray,
) -> Figure:
    """An image with a missing half, what it may be, and how the model fills it in.

    ``samples`` has shape (4, 64), the other images (64,), ``posterior`` (digits,).
    """
    side, low = 1.2, 0.3
    sheet = Sheet(9.2, 1.86)

    def part(left: float, wide: float, title: str) -> Axes:
        sheet.text((left + wide / 2, sheet.height - 0.18), title)
        return window(sheet, left, low, wide, side)

    mosaic(part(0.1, side, "it sees"), [[seen]])
    _bars(part(1.75, 2.7, "which digit is it?"), posterior)
    mosaic(part(4.9, side, "it expects"), [[expected]])
    mosaic(part(6.4, side, "four samples"), [samples[:2], samples[2:]])
    mosaic(part(7.9, side, "the image"), [[truth]])
    return sheet.figure


def learning(
    bits: Sequence[float], marks: Mapping[str, float], samples: Sequence[Images]
) -> Figure:
    """Bits per pixel after each iteration of EM, levels to compare with, and samples.

    Parameters
    ----------
    bits
        One number before learning, and one per iteration.
    marks
        Named levels, drawn as lines; the last is ours.
    samples
        Rows of images of the learned model, each of shape (columns, 64).
    """
    step, low, high, left = TILE + GAP, 0.5, 2.0, 5.15
    wide, tall = len(samples[0]) * step - GAP, len(samples) * step - GAP
    sheet = Sheet(left + wide + 0.1, 2.9)
    sheet.text((0.3, sheet.height - 0.18), "bits per pixel", weight="bold", side="left")
    _curve(window(sheet, 0.5, low, 2.6, high), bits, marks)
    sheet.text((left, sheet.height - 0.18), "digits that it draws", weight="bold", side="left")
    mosaic(window(sheet, left, low + high - tall, wide, tall), samples)
    return sheet.figure


def window(sheet: Sheet, left: float, low: float, wide: float, high: float) -> Axes:
    """Axes on a part of a sheet, in inches."""
    width, height = sheet.figure.get_size_inches()
    return sheet.figure.add_axes((left / width, low / height, wide / width, high / height))


def mosaic(axes: Axes, rows: Sequence[Images | Sequence[Images]]) -> None:
    """Images in rows, ink on paper, each in a thin frame; pixels that are not seen are tinted."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    side, gap = SIDE * SCALE, round(GAP / TILE * SIDE * SCALE)
    step = side + gap
    canvas = np.ones((len(rows) * step - gap, len(rows[0]) * step - gap, 3))
    frames = []
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            top, left = row * step, column * step
            canvas[top : top + side, left : left + side] = _tile(image)
            frames.append(Rectangle((left - 0.5, top - 0.5), side, side))
    axes.imshow(canvas, interpolation="nearest", aspect="auto")
    axes.add_collection(
        PatchCollection(frames, facecolor="none", edgecolor=RULE, linewidth=0.6, clip_on=False)
    )
    axes.axis("off")


def _tile(image: FloatArray | IntArray) -> FloatArray:
    """One image in colours, enlarged: shape (SIDE * SCALE, SIDE * SCALE, 3)."""
    from matplotlib.colors import to_rgb

    levels = np.asarray(image, dtype=np.float64)
    grey = 1 - np.clip(levels / GREY_LEVELS[-1], 0, 1)
    colours = np.repeat(grey[:, None], 3, axis=1)
    colours[np.isnan(levels)] = to_rgb(UNSEEN)
    return colours.reshape(SIDE, SIDE, 3).repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def _bars(axes: Axes, posterior: FloatArray) -> None:
    """Probabilities of the digits, the largest in colour."""
    best, top = int(posterior.argmax()), float(posterior.max())
    colours = [OURS if digit == best else RULE for digit in range(len(posterior))]
    axes.bar(range(len(posterior)), posterior, color=colours, width=0.74)
    for digit, mass in enumerate(posterior):
        if mass >= 0.01:
            axes.text(digit, mass + 0.03 * top, f"{mass:.2f}", size=7, ha="center", color=MUTED)
    axes.set_ylim(0, 1.14 * top)
    axes.set_xticks(range(len(posterior)))
    axes.set_yticks([])
    _plain(axes, sides=("bottom",))


def _curve(axes: Axes, bits: Sequence[float], marks: Mapping[str, float]) -> None:
    """Bits per pixel by iteration, and named levels as dashed lines."""
    axes.plot(range(len(bits)), bits, color=INK, linewidth=1.6)
    for name, level in marks.items():
        colour = OURS if name == list(marks)[-1] else MUTED
        axes.axhline(level, color=colour, linewidth=0.8, linestyle=(0, (4, 3)))
        at = axes.get_yaxis_transform()
        text = f"{level:.2f} {name}"
        axes.text(1.03, level, text, transform=at, size=8, color=colour, va="center")
    axes.set_xlim(0, len(bits) - 1)
    axes.locator_params(axis="y", nbins=5)
    axes.set_xlabel("iteration of EM", size=8, color=MUTED)
    _plain(axes, sides=("left", "bottom"))


def _plain(axes: Axes, sides: Sequence[str]) -> None:
    """Only the named sides, thin; small grey ticks."""
    for name, spine in axes.spines.items():
        spine.set_visible(name in sides)
        spine.set_color(RULE)
    axes.tick_params(labelsize=8, colors=MUTED, length=0)
