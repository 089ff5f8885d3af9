"""Formulas as torch functions equal the sympy expressions and their derivatives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch

from ghmpp.backends.formulas import formula
from tests.tolerances import EXACT, GRADIENT

ALPHA, BETA = sp.Symbol("alpha", positive=True), sp.Symbol("beta", positive=True)
ENTRIES = np.array(
    [
        [
            [sp.exp(-BETA), 1, ALPHA * BETA],
            [sp.sqrt(ALPHA), sp.Rational(1, 3), sp.exp(-BETA)],
            [sp.sqrt(2) * BETA, sp.exp(-1), sp.pi],
            [sp.Max(BETA, sp.Rational(1, 7)), sp.Min(ALPHA, BETA, 2), 2**-BETA],
            [sp.Piecewise((ALPHA, BETA > 1), (BETA**2, True)), sp.tanh(ALPHA), sp.log(3)],
        ]
    ],
    dtype=object,
)
VALUES = {"alpha": 0.7, "beta": 1.3}


def tensors(dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(v, dtype=dtype, requires_grad=True) for name, v in VALUES.items()}


def numbers(expression: object) -> float:
    return float(sp.sympify(expression).subs({ALPHA: VALUES["alpha"], BETA: VALUES["beta"]}))


def test_entries_are_the_values_of_the_expressions():
    found = formula(ENTRIES)(tensors(), torch.empty(0, dtype=torch.float64))

    expected = np.vectorize(numbers)(ENTRIES)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=EXACT)


@pytest.mark.parametrize("symbol", [ALPHA, BETA])
def test_gradients_are_the_derivatives(symbol):
    values = tensors()
    weights = torch.arange(15.0, dtype=torch.float64).view(1, 5, 3)
    loss = (formula(ENTRIES)(values, weights) * weights).sum()
    (found,) = torch.autograd.grad(loss, values[symbol.name])

    expected = sum(
        weight * numbers(sp.diff(entry, symbol).doit())
        for weight, entry in zip(weights.flatten().tolist(), ENTRIES.flat, strict=True)
    )
    assert float(found) == pytest.approx(expected, rel=GRADIENT)


def test_symbols_are_in_alphabetical_order():
    assert formula(ENTRIES).symbols == ("alpha", "beta")


def test_precision_is_that_of_the_example():
    found = formula(ENTRIES)(tensors(), torch.empty(0, dtype=torch.float32))

    assert found.dtype == torch.float32


def test_constants_alone_are_allowed():
    entries = np.array([[Fraction(1, 4), 2]], dtype=object)

    found = formula(entries)({}, torch.empty(0, dtype=torch.float64))
    assert found.tolist() == [[0.25, 2.0]]


def test_equal_entries_are_one_expression():
    found = formula(ENTRIES)

    assert len(found.function(torch.tensor(1.0), torch.tensor(1.0))) == 14
    assert found.index[0, 0, 0] == found.index[0, 1, 2]
