"""Derivatives of the log evidence against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.models.forest import Forest
from ghmpp.verification.answers import compare
from ghmpp.verification.enumeration import enumeration
from ghmpp.verification.gradient import gradient
from tests import strategies
from tests.tolerances import ENUMERATION, GRADIENT
from tests.vectors import MODELS, ZEROS
from tests.verification.forests import chain, forest_of, random_logs, two_trees

FORESTS = [forest_of(model) for model in MODELS] + [two_trees(), two_trees((3, 1, 0, 2)), chain(9)]


@pytest.mark.parametrize("forest", FORESTS, ids=lambda forest: forest.name)
def test_derivatives_in_likelihoods_are_posteriors(forest: Forest) -> None:
    logs = random_logs(forest, 5)
    checked = list(compare(gradient(forest, logs), enumeration(forest, logs)))

    assert {each.quantity for each in checked} >= {"log evidence", "posterior"}
    assert max(each.worst for each in checked) < GRADIENT


@given(st.data())
def test_derivatives_are_posteriors_on_any_model(data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=2_000))
    logs = data.draw(strategies.evidence(model)).logs
    found, expected = gradient(model.forest(), logs), enumeration(model.forest(), logs)

    assert max(each.worst for each in compare(found, expected)) < GRADIENT


@pytest.mark.parametrize("forest", FORESTS, ids=lambda forest: forest.name)
def test_derivatives_in_tables_are_expected_counts(forest: Forest) -> None:
    logs = random_logs(forest, 4)
    found, truth = gradient(forest, logs).counts, enumeration(forest, logs)

    expected = {key: np.zeros_like(found[key]) for key in found}
    for name, edge in forest.edges.items():
        variable = forest.blocks[name]
        order = forest.variables[variable.variable].order
        start = variable.start - (variable.variable == "z")
        for k in range(variable.nodes if edge.kind == "table" else 0):
            at = start + k if order is None else order[start + k]
            expected[edge.key][k % edge.rows] += truth.edges[variable.variable][:, at].sum(axis=0)
    for block in forest.blocks.values():
        for k in range(block.nodes if block.unary else 0):
            posterior = truth.posteriors[block.variable][:, block.start + k]
            expected[str(block.unary)][k % block.unary_rows] += posterior.sum(axis=0)
    for key, counts in expected.items():
        assert np.allclose(found[key], counts, atol=ENUMERATION), key


def test_an_impossible_row_counts_nothing() -> None:
    logs = np.zeros((2, 4, 3))
    logs[0, :, :2] = -np.inf
    both = gradient(forest_of(ZEROS), {"x2": logs})
    alone = gradient(forest_of(ZEROS), {"x2": logs[1:]})

    assert both.log_evidence is not None
    assert both.log_evidence[0] == -np.inf
    assert (both.posteriors["x0"][0] == 0).all()
    for key, counts in alone.counts.items():
        assert np.array_equal(both.counts[key], counts)
