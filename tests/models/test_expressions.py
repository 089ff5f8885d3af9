"""Exact scalars: what is kept, what is refused, and that numeric models never load sympy."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.models.expressions import exact_scalar, substitute, symbols_of, to_float

X = sp.Symbol("x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, Fraction(3)),
        (True, Fraction(1)),
        (np.int32(3), Fraction(3)),
        (0.5, Fraction(1, 2)),
        (0.1, Fraction(0.1)),
        (np.float32(0.25), Fraction(1, 4)),
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("0.1"), Fraction(1, 10)),
        (sp.Rational(1, 3), Fraction(1, 3)),
        (sp.Float(0.1), Fraction(0.1)),
        (sp.true, Fraction(1)),
        (sp.sqrt(2), sp.sqrt(2)),
        (X / 2.0, X / 2),
    ],
)
def test_scalars_are_kept_exactly(value, expected):
    found = exact_scalar(value, "here")

    assert found == expected
    assert isinstance(found, Fraction) == isinstance(expected, Fraction)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "here: entries must be finite"),
        (-np.inf, "entries must be finite"),
        (sp.nan, "entries must be finite"),
        (1 / sp.Integer(0), "entries must be finite"),
        ("a", "expected a number or a sympy expression, found 'a' of type str"),
        ([1, 2], "of type list"),
    ],
)
def test_what_is_no_number_is_refused(value, words):
    with pytest.raises(ModelError, match=words):
        exact_scalar(value, "here")


def test_floats_without_a_short_fraction_stay_readable_in_formulas():
    assert str(exact_scalar(sp.exp(-0.1 * X), "here")) == "exp(-0.1*x)"


def test_symbols_are_sorted_by_name():
    entries = np.array([[sp.Symbol("b"), Fraction(1)], [sp.Symbol("a"), sp.Symbol("b")]])

    assert list(symbols_of(entries, "here")) == ["a", "b"]


def test_two_symbols_of_one_name_are_refused():
    entries = np.array([X, sp.Symbol("x", positive=True)])

    with pytest.raises(ModelError, match="two different symbols are called 'x'"):
        symbols_of(entries, "here")


def test_values_are_substituted_exactly():
    entries = np.array([X**2, 0.1 * X, Fraction(1, 7)], dtype=object)

    found = substitute(entries, {"x": Fraction(1, 3)}, "here")

    assert list(found) == [Fraction(1, 9), Fraction(0.1) / 3, Fraction(1, 7)]


def test_unbound_symbols_stay():
    y = sp.Symbol("y")

    assert substitute(np.array([X + y]), {"x": Fraction(1, 2)}, "here")[0] == y + sp.Rational(1, 2)


def test_floats_are_correctly_rounded():
    entries = np.array([sp.exp(-1000), Fraction(1, 3), sp.sqrt(2)], dtype=object)

    np.testing.assert_array_equal(to_float(entries, "here"), [0.0, 1 / 3, np.sqrt(2)])


@pytest.mark.parametrize("value", [sp.sqrt(-2), Fraction(10**400)])
def test_what_float64_cannot_hold_is_refused(value):
    with pytest.raises(ModelError, match=r"here: .* is not a float64 number"):
        to_float(np.array([value], dtype=object), "here")


def test_numeric_models_do_not_load_sympy():
    code = (
        "import sys, numpy as np; from ghmpp.models.ghm import GHM;"
        "m = GHM(states=2, branching=(2,), tables=[np.ones((2, 2))]); m.sample(2);"
        "m.forest(exact=True); print('sympy' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
