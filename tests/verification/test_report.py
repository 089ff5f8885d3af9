"""What a report says, in words and in HTML."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghmpp.errors import GhmppError, VerificationError
from ghmpp.verification.report import Check, Report, Skipped

GOOD = Check("enumeration", "posterior", 1e-15, "hard, x1: row 0", 1e-9, 0.1, "gh.verify(model)")
BAD = replace(GOOD, engine="fractions", worst=0.5, reproduce="gh.verify(model, seed=<3>)")
REPORT = Report("GHM 'test'", (GOOD, BAD), (Skipped("pgmpy.BeliefPropagation", "too big"),))


def test_a_report_passes_when_every_check_does() -> None:
    assert Report("a", (GOOD,)).passed
    assert not REPORT.passed
    assert REPORT.failures == (BAD,)


def test_a_check_passes_at_its_tolerance() -> None:
    assert replace(GOOD, worst=1e-9).passed
    assert not replace(GOOD, worst=float("inf")).passed
    assert not replace(GOOD, worst=float("nan")).passed


def test_a_report_without_checks_does_not_pass() -> None:
    assert not Report("a", ()).passed
    assert str(Report("a", ())).startswith("NOTHING COMPARED: a")


def test_the_table_says_what_failed_where_and_how_to_repeat_it() -> None:
    text = str(REPORT)

    assert text.startswith("FAILED in 1 of 2 checks: GHM 'test'")
    assert "ok    enumeration  posterior  1.0e-15  1e-09    0.10 s  hard, x1: row 0" in text
    assert "FAIL  fractions    posterior  5.0e-01" in text
    assert "To repeat the failures:\n  gh.verify(model, seed=<3>)" in text
    assert "Left out:\n  pgmpy.BeliefPropagation: too big" in text


def test_html_is_escaped() -> None:
    html = replace(REPORT, subject="<b>")._repr_html_()

    assert "&lt;b&gt;" in html
    assert "<td>fractions</td>" in html
    assert "<li>pgmpy.BeliefPropagation: too big</li>" in html


def test_a_failed_report_is_raised_with_its_text() -> None:
    with pytest.raises(VerificationError, match=r"FAILED in 1 of 2 checks") as caught:
        REPORT.raise_if_failed()

    assert isinstance(caught.value, GhmppError)
    assert isinstance(caught.value, AssertionError)


def test_a_passed_report_returns_itself() -> None:
    report = Report("a", (GOOD,))

    assert report.raise_if_failed() is report
