"""Derivatives of posteriors and means against differences of enumerated ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.errors import ImpossibleEvidenceError, QueryError
from ghmpp.observables import log_evidence_gradient, sensitivity
from ghmpp.verification.enumeration import enumeration
from tests.strategies import tree_models
from tests.tolerances import DIFFERENCES, GRADIENT

STEP = 1e-5


def nudged(model, key, index, step):
    """The model with the log of one entry moved."""
    stack = model.forest().data[key].copy()
    stack[index] *= np.exp(step)
    return model.with_tables({key: stack})


@given(
    st.data(),
    tree_models(limit=200, maps=False, roots=1).filter(lambda model: model.forest().keys()),
)
def test_posteriors_move_as_their_differences_say(data, model):
    forest = model.forest()
    asked = data.draw(st.sampled_from(list(model.variables)))
    observed = data.draw(st.sampled_from(list(model.variables)))
    key = data.draw(st.sampled_from(forest.keys()))
    variable, states = model.variables[observed], model.sample(1, seed=3)[observed]
    logs = np.where(np.eye(len(variable.states))[states] > 0, 0.0, -np.inf)
    index = tuple(int(i[0]) for i in np.nonzero(forest.data[key]))

    left, right = (
        enumeration(nudged(model, key, index, step).forest(), {observed: logs}).posteriors[asked]
        for step in (-STEP, STEP)
    )
    found = sensitivity(model, gh.posterior(asked), {observed: states}, parameters=[key])
    expected = ((right - left) / (2 * STEP)).ravel()
    assert_allclose(found.iloc[:, 0], expected, DIFFERENCES, DIFFERENCES)


class TestNames:
    MODEL = gh.GHM(
        states=(2, 3), branching=(2,), tables=[[[3, 1, 1], [1, 1, 3]]], state_values=[0, 1, 2]
    )

    def test_posteriors_have_a_row_per_node_and_state(self):
        found = sensitivity(self.MODEL, gh.posterior("x1"), [[0, -1]])

        assert list(found.index[:4]) == ["x1[0] = 0", "x1[0] = 1", "x1[0] = 2", "x1[1] = 0"]
        assert_allclose(found.iloc[3:].sum(), 0.0, atol=GRADIENT)

    def test_means_are_sums_over_posteriors(self):
        each = sensitivity(self.MODEL, gh.posterior("x1"), [[0, -1]])
        found = sensitivity(self.MODEL, gh.mean("x1"), [[0, -1]])

        assert list(found.index) == ["x1[0]", "x1[1]"]
        assert_allclose(found.iloc[1], np.array([0, 1, 2]) @ each.iloc[3:], GRADIENT, GRADIENT)

    def test_rows_of_evidence_come_first(self):
        found = sensitivity(self.MODEL, gh.posterior("x0"), [[0, 2], [1, 1]])

        assert list(found.index[2]) == [1, "x0 = 0"]

    def test_the_log_evidence_has_its_gradient(self):
        found = sensitivity(self.MODEL, gh.log_evidence(), [[0, 2]])

        assert list(found.index) == ["log evidence"]
        assert_allclose(found, log_evidence_gradient(self.MODEL, [[0, 2]]), GRADIENT)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (gh.edge("x1"), r"ask gh.posterior\(...\), gh.mean\(...\) or gh.log_evidence\(\)"),
        ("x1", "got 'x1'"),
        (gh.posterior("y"), "posterior: unknown class 'y'; the model has x0, x1"),
        (gh.mean("x0"), "mean: the states of 'x0' have no numeric values"),
    ],
)
def test_other_questions_are_refused(query, words):
    model = gh.Model()
    model.root("x0", list("ab")).children("x1", 2, 3, potential=np.ones((2, 3)))

    with pytest.raises(QueryError, match=words):
        sensitivity(model, query)


def test_impossible_evidence_is_refused():
    model = gh.Model("zeros")
    model.root("a", 2).children("b", 2, 2, potential=np.eye(2))

    with pytest.raises(ImpossibleEvidenceError, match="row 0"):
        sensitivity(model, gh.posterior("a"), {"b": [[0, 1]]})
