"""Width of a network against the error that it guarantees, ours beside the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ghmpp.approximation.asked import Asked
from ghmpp.approximation.bounds import bounds
from ghmpp.approximation.report import Bounds, large
from ghmpp.errors import QueryError
from ghmpp.schedule.drawing import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DELTAS = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3)
COLUMNS = ("delta", "width", "guaranteed", "parameters", "paper's width", "times ours")


@dataclass(frozen=True, slots=True, repr=False)
class WidthCurve:
    """Bounds of one query for several errors.

    Parameters
    ----------
    bounds
        One for each wished error, from the largest error to the smallest.
    """

    bounds: tuple[Bounds, ...]

    def picture(self) -> Figure:
        """Width against error on logarithmic axes: ours, and the paper's where it has one.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        require_matplotlib()
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        deltas = [each.delta for each in self.bounds]
        axes.loglog(deltas, [each.width for each in self.bounds], "o-", label="ghmpp, certified")
        first = self.bounds[0]
        if all(each.paper_width is not None for each in self.bounds):
            theirs = [float(each.paper_width or 0) for each in self.bounds]
            axes.loglog(deltas, theirs, "s--", label=f"arXiv:2404.18444, {first.theorem}")
        axes.set_xlabel("guaranteed error")
        axes.set_ylabel("width of the hidden layers")
        axes.set_title(f"{first.model}: {first.query} given {', '.join(first.given)}")
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend()
        return figure

    def rows(self) -> list[tuple[str, ...]]:
        """Cells of the table, one row per error."""
        return [
            (
                f"{each.delta:g}",
                f"{each.width:,}",
                f"{each.bound:.3g}",
                f"{each.parameters:,}",
                "-" if each.paper_width is None else large(each.paper_width),
                "-" if each.ratio is None else f"{each.ratio:.2g}",
            )
            for each in self.bounds
        ]

    def __repr__(self) -> str:
        first = self.bounds[0]
        table = [COLUMNS, *self.rows()]
        sizes = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
        lines = ["  ".join(c.rjust(n) for c, n in zip(row, sizes, strict=True)) for row in table]
        theorem = first.theorem or "none of its theorems is about this query"
        head = f"Widths for model {first.model!r}, {first.query} given {', '.join(first.given)}"
        return "\n".join((f"{head} (paper: arXiv:2404.18444, {theorem})", *lines))

    def _repr_html_(self) -> str:
        def row(cells: Sequence[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

        caption = escape(repr(self).splitlines()[0])
        body = "".join(row(cells, "td") for cells in self.rows())
        return f"<table><caption>{caption}</caption>{row(COLUMNS, 'th')}{body}</table>"


def width_curve(
    model: object, query: Asked | str, *, deltas: Sequence[float] = DELTAS, **options: Any
) -> WidthCurve:
    """How the width of a ReLU network grows as its guaranteed error shrinks.

    Parameters
    ----------
    model, query
        As for :func:`ghmpp.bounds`.
    deltas
        Wished errors, > 0.
    options
        Others of :func:`ghmpp.bounds`, but for ``delta`` and ``width``.

    Raises
    ------
    QueryError
        If there are no errors, or as for :func:`ghmpp.bounds`.

    Examples
    --------
    >>> import ghmpp as gh
    >>> table = [[3.0, 1.0], [1.0, 3.0]]
    >>> model = gh.GHM(states=2, branching=(2, 2), tables=[table, table])
    >>> curve = gh.width_curve(model, gh.posterior("x0"), deltas=(0.1, 0.001))
    >>> [found.width for found in curve.bounds]
    [5, 27]
    """
    if not deltas:
        raise QueryError("width_curve: pass at least one error in deltas=.")
    ordered = sorted(deltas, reverse=True)
    return WidthCurve(tuple(bounds(model, query, delta=each, **options) for each in ordered))
