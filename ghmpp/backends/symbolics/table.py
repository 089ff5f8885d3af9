"""The table between the paper and the program: symbol, instruction, message, layer, formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ghmpp.backends.symbolics.equations import Equation
from ghmpp.backends.symbolics.letters import latex_name

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("symbol", "instruction", "message", "layer", "name", "equation", "formula")


@dataclass(frozen=True)
class SymbolTable:
    """One row per instruction of a program.

    Columns: the paper's symbol, the instruction, the message (or block) that it is about, the
    layer of the emitted network that holds its weights, its name in assignments and printed code,
    the paper's equation, and the formula in natural logarithms.

    Parameters
    ----------
    equations
        What the rows are about.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])
    >>> table = gh.compile(model, gh.posterior("x0"), given="x1").symbolic().table()
    >>> table.frame()[["symbol", "instruction", "message", "layer", "name"]]
      symbol instruction   message       layer          name
    0    h_v    Evidence        x1           -          l_x1
    1    q_v     Message  x1 -> x0  collect.x1          u_x1
    2    h_v        Pool  x1 -> x0           -          p_x1
    3   nu_v     Readout        x0           -  posterior_x0
    """

    equations: Sequence[Equation]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells as text."""
        return [(*_cells(each), each.formula) for each in self.equations]

    def __len__(self) -> int:
        return len(self.equations)

    def __str__(self) -> str:
        rows = [COLUMNS, *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)

    def markdown(self) -> str:
        """A Markdown table."""
        rows = [COLUMNS, ("---",) * len(COLUMNS), *(_code(row) for row in self.rows)]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def latex(self) -> str:
        """A LaTeX ``tabular``, with symbols and formulas in the paper's letters."""
        lines = [rf"\begin{{tabular}}{{{'l' * len(COLUMNS)}}}", " & ".join(COLUMNS) + r" \\ \hline"]
        for each in self.equations:
            symbol, formula = each.latex.split(" = ", 1)
            _, *others = (f"${latex_name(cell)}$" for cell in _cells(each))
            lines.append(" & ".join((f"${symbol}$", *others, f"${formula}$")) + r" \\")
        return "\n".join([*lines, r"\end{tabular}"])

    def frame(self) -> pd.DataFrame:
        """The table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(COLUMNS))

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><tr>{head}</tr>{body}</table>"


def _cells(each: Equation) -> tuple[str, ...]:
    """A row without the formula."""
    origin = each.origin
    layer, equation = origin.module or "-", origin.equation or "-"
    return each.symbol, type(each.op).__name__, origin.name, layer, each.name, equation


def _code(row: tuple[str, ...]) -> tuple[str, ...]:
    """Cells as code, safe inside a Markdown table."""
    return tuple(f"`{cell}`".replace("|", "\\|") for cell in row)
