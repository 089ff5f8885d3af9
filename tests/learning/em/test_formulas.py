from __future__ import annotations

import numpy as np
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.learning.em.formulas import Formulas
from tests.tolerances import DIFFERENCES, EXACT

beta = sp.Symbol("beta", positive=True)
field = sp.Symbol("field")


def stack(*rows: list[object]) -> np.ndarray:
    return np.array([[sp.sympify(list(row)) for row in rows]], dtype=object)


def test_entries_are_evaluated() -> None:
    formulas = Formulas({"edge": stack([1, sp.exp(beta)], [beta**2, 0.5])}, (beta,), ())

    weights = formulas.weights(np.array([0.7]))

    assert weights is not None
    np.testing.assert_allclose(weights["edge"], [[[1, np.exp(0.7)], [0.49, 0.5]]], rtol=EXACT)
    assert formulas.potentials(weights)["edge"] is weights["edge"]


def test_conditional_rows_are_divided_by_their_sums() -> None:
    formulas = Formulas({"edge": stack([1, 3 * beta], [beta, beta])}, (beta,), {"edge"})

    weights = formulas.weights(np.array([1.0]))

    assert weights is not None
    expected = [[[0.25, 0.75], [0.5, 0.5]]]
    np.testing.assert_allclose(formulas.potentials(weights)["edge"], expected, rtol=EXACT)


@given(b=st.floats(0.1, 3), f=st.floats(-2, 2))
def test_slopes_are_the_derivatives(b: float, f: float) -> None:
    entries = {
        "a": stack([sp.exp(field - beta), sp.Abs(field - 5)], [sp.sqrt(beta), 2]),
        "b": stack([beta * sp.cosh(field), 1], [1, 1]),
    }
    formulas = Formulas(entries, (beta, field), ())
    theta, step = np.array([b, f]), 1e-6

    slopes = formulas.slopes(theta)

    for place in range(2):
        move = step * np.eye(2)[place]
        above, below = formulas.weights(theta + move), formulas.weights(theta - move)
        assert above is not None
        assert below is not None
        for key in entries:
            ratio = (above[key] - below[key]) / (2 * step)
            np.testing.assert_allclose(slopes[key][place], ratio, rtol=1e-4, atol=DIFFERENCES)


def test_values_outside_the_domain_give_none() -> None:
    formulas = Formulas({"edge": stack([1 - field, field], [1, sp.log(field + 1)])}, (field,), ())

    assert formulas.weights(np.array([0.5])) is not None
    assert formulas.weights(np.array([1.5])) is None
    assert formulas.weights(np.array([-0.5])) is None
    assert formulas.weights(np.array([-2.0])) is None


def test_overflow_gives_none() -> None:
    formulas = Formulas({"edge": stack([sp.exp(beta), 1])}, (beta,), ())

    assert formulas.weights(np.array([1e4])) is None


def test_a_conditional_row_of_zeros_gives_none() -> None:
    entries = {"edge": stack([1, 1], [0, sp.exp(-beta)])}

    assert Formulas(entries, (beta,), ()).weights(np.array([1e4])) is not None
    assert Formulas(entries, (beta,), {"edge"}).weights(np.array([1e4])) is None


def test_without_formulas_there_is_nothing_to_evaluate() -> None:
    formulas = Formulas({}, (), ())

    assert formulas.weights(np.zeros(0)) == {}
