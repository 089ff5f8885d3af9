"""Pictures of templates, forests and schedules, drawn with matplotlib (``ghmpp[plot]``).

Every function returns a new ``matplotlib.figure.Figure`` and leaves matplotlib's global state
alone; a notebook shows it as it is, :func:`save_picture` writes it to a file.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ghmpp._files import replaced
from ghmpp.errors import FormatError
from ghmpp.models.forest import Forest
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.plates import paint_template
from ghmpp.schedule.treeshape import paint_forest
from ghmpp.schedule.ushape import paint_schedule

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")


def template_picture(template: nx.DiGraph[str]) -> Figure:
    """A model's declaration: one card per class, with nodes, states and children per parent.

    Parameters
    ----------
    template
        ``model.template``: nodes with ``nodes`` and ``states``, edges with ``count`` (or
        ``length`` for a chain) and ``free``; at least one node.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    return paint_template(template).figure


def tree_picture(forest: Forest) -> Figure:
    """A model's variables: one disc each, one row per depth, chains from left to right.

    Some 300 variables are drawn in full; of larger forests every row shows its first and last
    few, and of a long chain the first few steps.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    return paint_forest(forest).figure


def schedule_picture(schedule: Schedule) -> Figure:
    """A schedule as the network that it is.

    Encoder on the left, from the leaves down to the roots; bottleneck at the foot; decoder on
    the right, back up to the leaves; skip connections dashed, with what they carry. Every level
    shows its instructions, coloured by kind. A schedule that sends nothing back (a classifier)
    is the encoder alone. Of long chains and large forests the first blocks are shown.

    Requires: a legal schedule.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    return paint_schedule(schedule).figure


def save_picture(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure as PNG or SVG, by suffix; the file appears complete or not at all.

    Raises
    ------
    FormatError
        If the suffix is neither ``.png`` nor ``.svg``.
    MissingFolderError
        If the folder does not exist.
    OSError
        If the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise FormatError(
            f"save_picture: the path must end in {' or '.join(SUFFIXES)}, got '{target.name}'."
        )
    with replaced(target) as draft:
        figure.savefig(draft, format=target.suffix.lower()[1:])
