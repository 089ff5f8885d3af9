from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from ghmpp.learning.em.formulas import Formulas
from ghmpp.learning.em.maximisation import log_prior, new_symbols, new_table
from tests.tolerances import EXACT, SEARCH

beta = sp.Symbol("beta", positive=True)
field = sp.Symbol("field")
ALL = np.ones((2, 3), dtype=bool)


def test_counts_and_pseudo_counts_are_normalised() -> None:
    counts = np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0]])

    table = new_table(counts, 0.5, ALL, np.full((2, 3), 1 / 3))

    np.testing.assert_allclose(table, [[3.5 / 5.5, 1.5 / 5.5, 0.5 / 5.5], [1 / 3] * 3], rtol=EXACT)


def test_entries_that_are_ruled_out_stay_zero() -> None:
    allowed = np.array([[True, True, False]])

    table = new_table(np.array([[2.0, 0.0, 0.0]]), 1.0, allowed, np.array([[0.5, 0.5, 0.0]]))

    np.testing.assert_allclose(table, [[0.75, 0.25, 0.0]], rtol=EXACT)


def test_rows_without_counts_stay() -> None:
    before = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])

    table = new_table(np.zeros((2, 3)), 0.0, ALL, before)

    np.testing.assert_array_equal(table, before)


def test_the_log_prior_sums_the_logs_of_allowed_entries() -> None:
    allowed = np.array([[True, True, False]])

    found = log_prior(np.array([[0.5, 0.5, 0.0]]), 0.1, allowed)

    assert found == pytest.approx(0.2 * np.log(0.5), rel=EXACT)
    assert log_prior(np.zeros((1, 2)), 0.0, np.ones((1, 2), dtype=bool)) == 0.0


def test_a_conditional_formula_has_its_closed_form() -> None:
    stack = np.array([[[sp.exp(beta), sp.Integer(1)], [sp.Integer(1), sp.exp(beta)]]], dtype=object)
    formulas = Formulas({"edge": stack}, (beta,), {"edge"})
    counts = np.array([[[30.0, 10.0], [5.0, 15.0]]])

    theta = new_symbols(formulas, np.array([0.3]), {"edge": counts}, 60, partition=None, data={})

    np.testing.assert_allclose(theta, [np.log(45 / 15)], rtol=SEARCH)


def test_two_symbols_reach_the_top_of_a_grid() -> None:
    values = [0, 1, 2, 3]
    rows = [[sp.exp(field * a - beta * (a - s) ** 2) for a in values] for s in values]
    formulas = Formulas({"edge": np.array([rows], dtype=object)}, (beta, field), {"edge"})
    counts = np.random.default_rng(0).integers(0, 20, size=(1, 4, 4)).astype(float)

    theta = new_symbols(
        formulas, np.array([1.0, 0.0]), {"edge": counts}, 100, partition=None, data={}
    )

    def complete(b: float, f: float) -> float:
        s, a = np.meshgrid(values, values, indexing="ij")
        logs = f * a - b * (a - s) ** 2
        logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
        return float((counts[0] * logs).sum())

    step = 0.01
    around = [
        complete(theta[0] + i * step, theta[1] + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1)
    ]
    assert max(around) == around[4]
    assert complete(*theta) >= complete(theta[0] * 1.001, theta[1])
    assert complete(*theta) >= complete(theta[0], theta[1] + 0.001)
