"""Formulas with numbers, in LaTeX, and what they refuse."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

from ghmpp.errors import QueryError
from ghmpp.theory.results import LETTERS, WHOLE, Result
from tests.tolerances import EXACT

RATE = Result("Example", "samples", "C*S**2*log(d)/epsilon")


def test_value_is_a_float_and_whole_where_the_formula_is():
    units = Result("Example", "units", "ceiling(2*K/delta) + 1")

    assert RATE.value(C=1, S=3, d=4, epsilon=0.5) == pytest.approx(18 * math.log(4), rel=EXACT)
    assert units.value(K=1.5, delta=0.01) == 301
    assert isinstance(units.value(K=1.5, delta=0.01), int)


def test_decimals_are_read_as_they_are_written():
    units = Result("Example", "units", "ceiling(3/delta)")  # 3 / 0.1 > 30 in floats

    assert units.value(delta=0.1) == 30
    assert units.value(delta=Fraction(1, 10)) == 30
    assert units.value(delta=np.float64(0.1)) == 30


def test_values_may_exceed_every_float():
    assert Result("Example", "width", "18**L").value(L=np.int64(1000)) == 18**1000


def test_constants_that_are_left_open_stay_letters():
    C, S, d, epsilon = sorted(RATE.expression.free_symbols, key=str)

    assert RATE.letters == ("C", "S", "d", "epsilon")
    assert RATE.expression == C * S**2 * sympy.log(d) / epsilon
    assert all(symbol.is_positive for symbol in RATE.expression.free_symbols)


def test_latex_has_the_letters_of_the_paper():
    counted = Result("Example", "parameters", "D**2*m_1/Delta")

    assert counted.latex() == r"\frac{D^{2} \lVert \underline{m} \rVert_1}{\Delta}"
    assert (
        counted._repr_latex_()
        == r"$\displaystyle \frac{D^{2} \lVert \underline{m} \rVert_1}{\Delta}$"
    )


def test_printed_formula_is_kept_where_another_one_is_right():
    wrong = Result("Example", "width", "S + 1", printed="S", status="corrected")

    assert str(wrong.printed_expression) == "S"
    assert RATE.printed_expression == RATE.expression


def test_missing_letters_are_explained():
    with pytest.raises(QueryError, match=r"value needs C: a constant .* leaves open; d: leaves\."):
        RATE.value(S=2, epsilon=1)


def test_unknown_letters_are_refused_with_the_known():
    with pytest.raises(QueryError, match="unknown 'K'; it has C, S, d, epsilon"):
        RATE.value(C=1, S=3, d=4, epsilon=0.5, K=2)


@pytest.mark.parametrize("bad", [0, -1, math.inf, math.nan, "2", True, None])
def test_numbers_must_be_positive_and_finite(bad):
    with pytest.raises(QueryError, match="epsilon must be finite and > 0"):
        RATE.value(C=1, S=3, d=4, epsilon=bad)


def test_counts_must_be_whole():
    with pytest.raises(QueryError, match=r"S must be a whole number, got 2\.5"):
        RATE.value(C=1, S=2.5, d=4, epsilon=1)


def test_every_whole_letter_is_explained():
    assert set(LETTERS) >= WHOLE
