"""The record of a verification: what was compared, how far it was off, what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ghmpp.errors import VerificationError
from ghmpp.schedule.domain import Precision

TOLERANCES: Mapping[Precision, float] = {"float64": 1e-9, "float32": 2e-4}


@dataclass(frozen=True, slots=True)
class Check:
    """One quantity, compared with one engine.

    Parameters
    ----------
    engine
        Name of the independent engine, or of the law that was tested.
    quantity
        What was compared, e.g. ``"posterior"``.
    worst
        Largest deviation, absolute, or relative where the size exceeds 1; dimensionless.
    where
        Evidence, class, row, node and state of the largest deviation.
    tolerance
        Largest deviation that passes.
    seconds
        Time that the engine took for all its quantities.
    reproduce
        A line of Python that repeats the check.
    """

    engine: str
    quantity: str
    worst: float
    where: str
    tolerance: float
    seconds: float
    reproduce: str

    @property
    def passed(self) -> bool:
        """Whether the deviation is within the tolerance."""
        return self.worst <= self.tolerance


@dataclass(frozen=True, slots=True)
class Skipped:
    """An engine that was left out, and why."""

    engine: str
    reason: str


@dataclass(frozen=True)
class Report:
    """The result of :func:`ghmpp.verification.verify.verify`; printing it gives a table.

    Parameters
    ----------
    subject
        What was verified, in words.
    checks
        All comparisons.
    skipped
        Engines that were left out, with the reason.
    """

    subject: str
    checks: tuple[Check, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether something was compared and every comparison is within its tolerance."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The comparisons beyond their tolerance."""
        return tuple(check for check in self.checks if not check.passed)

    def raise_if_failed(self) -> Report:
        """The report itself, if it passed.

        Raises
        ------
        VerificationError
            With the whole report, if a comparison failed or nothing was compared.
        """
        if not self.passed:
            raise VerificationError(str(self))
        return self

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(_HEAD, *self._rows(), strict=True)]
        lines = [f"{self._verdict()}: {self.subject}", ""]
        lines += [_line(row, widths) for row in (_HEAD, *self._rows())]
        if self.failures:
            lines += ["", "To repeat the failures:"]
            lines += dict.fromkeys(f"  {check.reproduce}" for check in self.failures)
        if self.skipped:
            lines += ["", "Left out:"]
            lines += [f"  {each.engine}: {each.reason}" for each in self.skipped]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{cell}</th>" for cell in _HEAD)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        left_out = "".join(
            f"<li>{escape(each.engine)}: {escape(each.reason)}</li>" for each in self.skipped
        )
        return (
            f"<p><b>{self._verdict()}</b>: {escape(self.subject)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            + (f"<p>Left out:</p><ul>{left_out}</ul>" if left_out else "")
        )

    def _verdict(self) -> str:
        if not self.checks:
            return "NOTHING COMPARED"
        wrong = f"{len(self.failures)} of {len(self.checks)} checks"
        return "passed" if self.passed else f"FAILED in {wrong}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                "ok" if check.passed else "FAIL",
                check.engine,
                check.quantity,
                f"{check.worst:.1e}",
                f"{check.tolerance:.0e}",
                f"{check.seconds:.2f} s",
                check.where,
            )
            for check in self.checks
        ]


_HEAD = ("", "engine", "quantity", "worst", "allowed", "time", "where")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Cells padded to the widths of their columns."""
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()
