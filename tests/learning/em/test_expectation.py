from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import ImpossibleEvidenceError
from ghmpp.learning.em.data import read_data
from ghmpp.learning.em.expectation import Expectation
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import enumeration
from tests import strategies
from tests.tolerances import ENUMERATION


@given(drawn=st.data())
def test_counts_are_sums_of_edge_posteriors(drawn: st.DataObject) -> None:
    model = drawn.draw(strategies.regular_models(limit=500))
    evidence = drawn.draw(strategies.evidence(model, possible=True, classes=list(model.variables)))
    forest = model.forest()
    observations, _ = read_data(model, evidence.given, {})

    found = Expectation(forest, forest.keys(), observations)(forest.data)

    truth = enumeration(forest, evidence.logs)
    assert truth.log_partition is not None
    assert found.log_partition == pytest.approx(truth.log_partition, rel=ENUMERATION)
    np.testing.assert_allclose(
        found.log_evidence, truth.log_evidence, rtol=ENUMERATION, atol=ENUMERATION
    )
    for key, stack in forest.data.items():
        edges = [edge for edge in forest.edges.values() if edge.key == key]
        total = np.zeros_like(stack)
        for edge in edges:
            order = model.variables[edge.child].order
            for node in range(forest.blocks[edge.child].nodes):
                place = node if order is None else order[node]
                total[node % edge.rows] += truth.edges[edge.child][:, place].sum(axis=0)
        if not edges:
            total[0] = truth.posteriors[key].sum(axis=(0, 1))
        np.testing.assert_allclose(found.counts[key], total, atol=ENUMERATION)


def test_other_tables_need_no_new_schedule() -> None:
    model = Model("coin")
    model.root("coin", 2).children("toss", 2, 2)
    first, second = model.initialise(0).forest(), model.initialise(1).forest()
    observations, _ = read_data(model, [[0, 1]], {})

    expectation = Expectation(model.forest(), ["coin->toss"], observations)

    for forest in (first, second):
        logs = np.log(forest.data["coin->toss"])
        truth = np.logaddexp(*(logs[0, :, 0] + logs[1, :, 1])) - np.log(2)
        np.testing.assert_allclose(expectation(forest.data).log_evidence, [truth])


def test_impossible_rows_are_named() -> None:
    model = Model("rigid")
    model.root("coin", 2).children("toss", 2, 2, potential=np.eye(2))
    observations, _ = read_data(model, [[0, 0], [0, 1], [1, 1], [1, 0]], {})

    with pytest.raises(ImpossibleEvidenceError, match=r"row 1 at .* row 3 at") as caught:
        Expectation(model.forest(), ["coin->toss"], observations)(model.forest().data)
    assert caught.value.rows == (1, 3)
