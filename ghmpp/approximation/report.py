"""Bounds to look at and to keep: the record, as text, as HTML and as a JSON file."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from ghmpp.approximation.json_files import broken, read_record, write_record

FORMAT = "ghmpp-bounds"
VERSION = 1
COLUMNS = ("message", "net", "nets", "width", "knots", "contraction", "error", "accumulated")

MOST_ROWS = 40
# Larger whole numbers are written in hexadecimal, as text.
LARGEST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class LayerBounds:
    """What one layer of the network guarantees.

    Parameters
    ----------
    message
        The classes that it joins, in its direction, such as ``pixel -> block``.
    toward
        "root" (collect, encoder) or "leaves" (distribute, decoder).
    net
        "exp-log", "log-odds", "symbols" (an exact net for observed states), "paper" and
        "paper-symbols" (those of arXiv:2404.18444), "exact" (index maps that copy) or "constant"
        (what carries no evidence).
    nets
        Networks with different weights in it.
    nodes
        Messages that it sends.
    width
        Units of its widest hidden layer; 0 without one.
    knots
        Largest number of segments of (exp, log), or of the log-odds function and 0.
    contraction
        Largest tau: by it, errors shrink when they pass.
    reach
        Largest span of an input; inf where unbounded.
    error
        Largest span error of one of its nets alone.
    floating
        The part of ``error`` that is rounding.
    accumulated
        Largest span error of one of its messages, with all that came before.
    parameters, flops
        Numbers in its nets, and operations for one input.
    """

    message: str
    toward: str
    net: str
    nets: int
    nodes: int
    width: int
    knots: tuple[int, int]
    contraction: float
    reach: float
    error: float
    floating: float
    accumulated: float
    parameters: int
    flops: int


@dataclass(frozen=True, slots=True)
class Assumed:
    """An assumption, whether it holds for the model, and what follows."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True, repr=False)
class Bounds:
    """A guaranteed error of a ReLU network, and the network's sizes, before it is built.

    Parameters
    ----------
    model, query, given
        What is approximated: the model's name, such as ``posterior(x0)``, and what is observed.
    bound
        The guarantee: the largest error of a log posterior probability, or of a posterior mean
        (in the units of the state values), over all inputs that ``assumptions`` name.
    delta
        The error that was asked for; None when the width was given.
    budget
        How the widths were chosen; "given" when the width was given.
    dtype
        Arithmetic whose rounding is counted.
    layers
        In the order in which messages are sent.
    assumptions
        What the guarantee rests on.
    theorem
        The paper's theorem for this query; None where it has none.
    paper_width
        Width of every layer by that theorem, for the error ``delta`` (or else ``bound``).
    construction
        Knots of the nets: "tight" or "paper".
    """

    model: str
    query: str
    given: tuple[str, ...]
    bound: float
    delta: float | None
    budget: str
    dtype: str
    layers: tuple[LayerBounds, ...]
    assumptions: tuple[Assumed, ...]
    theorem: str | None
    paper_width: int | None
    construction: str = "tight"

    @property
    def width(self) -> int:
        """Units of the widest hidden layer."""
        return max((layer.width for layer in self.layers), default=0)

    @property
    def parameters(self) -> int:
        """Numbers in all nets."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Operations of all nets for one input."""
        return sum(layer.flops for layer in self.layers)

    @property
    def ratio(self) -> float | None:
        """The paper's width over ours; None where either is missing, inf beyond floats."""
        if self.paper_width is None or not self.width:
            return None
        try:
            return self.paper_width / self.width
        except OverflowError:
            return math.inf

    def save(self, path: str | PathLike[str]) -> None:
        """Write the bounds as JSON; an existing file is replaced at once or not at all.

        Raises
        ------
        MissingFolderError
            If the folder does not exist.
        OSError
            If the file cannot be written.
        """
        write_record(Path(path), FORMAT, VERSION, bounds_to_json(self))

    @staticmethod
    def load(path: str | PathLike[str]) -> Bounds:
        """Read bounds that :meth:`save` wrote.

        Raises
        ------
        FormatError
            If the file is missing, broken, of another format or of a newer version.
        """
        content = read_record(Path(path), FORMAT, VERSION, "bounds")
        try:
            return bounds_from_json(content)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise broken(Path(path), error) from error

    def __repr__(self) -> str:
        rows = [COLUMNS, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        table = [
            "  "
            + "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return "\n".join([self._headline(), *table, *self._totals(), *self._assumed()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        below = "<br>".join(escape(line.strip()) for line in (*self._totals(), *self._assumed()))
        caption = escape(self._headline())
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table><p>{below}</p>"

    def _rows(self) -> list[tuple[str, ...]]:
        """Cells of the layers; of many, the first and the last."""
        rows = [_row(layer) for layer in self.layers]
        hidden = len(rows) - MOST_ROWS
        if hidden <= 0:
            return rows
        gap = (f"({hidden} more layers)", *[""] * (len(COLUMNS) - 1))
        return [*rows[: MOST_ROWS // 2], gap, *rows[-MOST_ROWS // 2 :]]

    def _headline(self) -> str:
        asked = "" if self.delta is None else f" (asked: {self.delta:g})"
        what = "log posterior" if self.query.startswith("posterior") else "posterior mean"
        given = ", ".join(self.given) or "nothing"
        return (
            f"Bounds of model {self.model!r}, {self.query} given {given}: "
            f"error of each {what} <= {self.bound:.4g}{asked}"
        )

    def _totals(self) -> list[str]:
        lines = [
            f"  width {self.width:,} ({self.budget}), {self.parameters:,} parameters, "
            f"{self.flops:,} FLOPs per input"
        ]
        if self.paper_width is not None:
            ratio = "" if self.ratio is None else f", {_number(self.ratio)} times ours"
            lines.append(
                f"  arXiv:2404.18444, {self.theorem}: width {large(self.paper_width)}{ratio}"
            )
        else:
            why = "assumption 2 does not hold" if self.theorem else "no theorem for this query"
            lines.append(f"  arXiv:2404.18444: no width ({why})")
        return lines

    def _assumed(self) -> list[str]:
        return [
            f"  {'holds' if each.holds else 'fails'}: {each.name} ({each.detail})"
            for each in self.assumptions
        ]


def _row(layer: LayerBounds) -> tuple[str, ...]:
    networked = layer.width > 0
    return (
        layer.message,
        layer.net,
        str(layer.nets),
        f"{layer.width:,}" if networked else "-",
        "/".join(str(count) for count in layer.knots if count) or "-",
        f"{layer.contraction:.3g}",
        f"{layer.error:.3g}",
        f"{layer.accumulated:.3g}",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"


def large(value: int) -> str:
    """A whole number that may be larger than any float."""
    return _number(value) if value < 1e300 else f"about 10^{math.floor(math.log10(value))}"


def bounds_to_json(bounds: Bounds) -> dict[str, Any]:
    """Bounds as the content of a JSON object."""
    content = asdict(bounds)
    if bounds.paper_width is not None and bounds.paper_width >= LARGEST_NUMBER:
        content["paper_width"] = hex(bounds.paper_width)
    return content


def bounds_from_json(content: dict[str, Any]) -> Bounds:
    """The bounds that :func:`bounds_to_json` wrote.

    Raises
    ------
    AttributeError, LookupError, TypeError, ValueError
        If they are broken.
    """
    layers = tuple(_layer(layer) for layer in content.pop("layers"))
    assumptions = tuple(Assumed(**each) for each in content.pop("assumptions"))
    given = tuple(map(str, content.pop("given")))
    if isinstance(content["paper_width"], str):
        content["paper_width"] = int(content["paper_width"], 16)
    found = Bounds(**content, layers=layers, assumptions=assumptions, given=given)
    repr(found)  # what is no number fails here, and not later
    return found


def _layer(record: dict[str, Any]) -> LayerBounds:
    reach = math.inf if record["reach"] is None else record["reach"]
    knots = tuple(record["knots"])
    unknown = record.keys() - {each.name for each in fields(LayerBounds)}
    if unknown:
        raise ValueError(f"a layer has no {sorted(unknown)[0]!r}")
    return LayerBounds(**record | {"reach": reach, "knots": knots})
