"""What an export wrote, and how far each file is from the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One file.

    Parameters
    ----------
    name, format
        Of the file.
    error, tolerance
        Largest measured disagreement with the network, and what is allowed; None where nothing
        was measured.
    passed
        Whether all is well.
    note
        Where the disagreement is largest, or what else to know.
    """

    name: str
    format: str
    error: float | None
    tolerance: float | None
    passed: bool
    note: str


@dataclass(frozen=True)
class ExportReport:
    """The result of an export or of its verification; printing it gives a table.

    Parameters
    ----------
    folder
        Where the files are.
    rows
        One per file.
    skipped
        Formats that were left out, with the reason.
    """

    folder: Path
    rows: tuple[Row, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every file is what it should be."""
        return all(row.passed for row in self.rows)

    def __str__(self) -> str:
        cells = [_HEAD, *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [f"{self._verdict()}: {self.folder}", ""]
        lines += [_line(row, widths) for row in cells]
        if self.skipped:
            lines += ["", "Left out:", *(f"  {name}: {reason}" for name, reason in self.skipped)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{cell}</th>" for cell in _HEAD)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(row)) + "</tr>"
            for row in self.rows
        )
        left_out = "".join(f"<li>{escape(a)}: {escape(b)}</li>" for a, b in self.skipped)
        return (
            f"<p><b>{self._verdict()}</b>: {escape(str(self.folder))}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            + (f"<p>Left out:</p><ul>{left_out}</ul>" if left_out else "")
        )

    def _verdict(self) -> str:
        wrong = [row for row in self.rows if not row.passed]
        return f"FAILED in {len(wrong)} of {len(self.rows)} files" if wrong else "passed"


_HEAD = ("", "file", "format", "error", "allowed", "note")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        "ok" if row.passed else "FAIL",
        row.name,
        row.format,
        "" if row.error is None else f"{row.error:.1e}",
        "" if row.tolerance is None else f"{row.tolerance:.0e}",
        row.note,
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Cells padded to the widths of their columns."""
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
