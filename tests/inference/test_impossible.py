"""Evidence of probability zero: an error that names where, or a flag; never NaN, never made up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import EvidenceError, ImpossibleEvidenceError
from ghmpp.models.model import Model
from ghmpp.models.observations import LogLikelihoods

COPY = np.eye(2)


def copies(order: list[int] | None = None) -> Model:
    """Two groups of two pixels that copy their group, which is free."""
    model = gh.Model("copies")
    root = model.root("root", 2)
    group = root.children("group", 2, 2, potential=[[2, 1], [1, 2]])
    group.children("pixel", 2, 2, potential=COPY, order=order)
    return model


GOOD, BAD = [0, 0, 1, 1], [0, 0, 1, 0]


class TestErrors:
    def test_it_is_an_error_that_knows_its_rows(self):
        with pytest.raises(ImpossibleEvidenceError) as error:
            gh.infer(copies(), [GOOD, BAD, GOOD, BAD])

        assert error.value.rows == (1, 3)
        assert isinstance(error.value, EvidenceError)

    def test_it_names_the_variable_where_the_contradiction_shows(self):
        with pytest.raises(ImpossibleEvidenceError, match=r"row 0 at group\[1\]; every state"):
            gh.infer(copies(), [BAD])

    def test_the_order_of_the_user_decides_about_names(self):
        """Tree node 2 is the user's pixel 0."""
        likelihood = np.ones((1, 4, 2))
        likelihood[0, 0] = 0.0

        with pytest.raises(ImpossibleEvidenceError, match=r"row 0 at pixel\[0\]"):
            gh.infer(copies([1, 3, 0, 2]), {"pixel": likelihood})

    def test_the_order_of_the_user_decides_about_contradictions_too(self):
        states = np.empty((1, 4), dtype=np.int64)
        states[0, [1, 3, 0, 2]] = BAD

        with pytest.raises(ImpossibleEvidenceError, match=r"at group\[1\]"):
            gh.infer(copies([1, 3, 0, 2]), states)

    def test_evidence_inside_contradicts_too(self):
        with pytest.raises(ImpossibleEvidenceError, match=r"row 0 at group\[0\]"):
            gh.infer(copies(), {"group[0]": [1], "pixel": [GOOD]})

    def test_steps_of_a_chain_are_named(self):
        model = gh.Model("chain")
        hidden = model.chain("z", 4, 2, potential=COPY)
        hidden.children("x", 1, 2, potential=COPY)

        with pytest.raises(ImpossibleEvidenceError, match=r"row 0 at z\[1\]"):
            gh.infer(model, {"x": [[0, 0, 1, 1]]})

    def test_single_variables_are_named_without_a_number(self):
        model = gh.Model("two")
        model.root("a", 2).children("b", 1, 2, potential=COPY)

        with pytest.raises(ImpossibleEvidenceError, match=r"row 0 at a;"):
            gh.infer(model, {"a": [0], "b": [1]})

    def test_many_rows_are_counted(self):
        with pytest.raises(ImpossibleEvidenceError, match=r"row 2 at .* and 2 more rows") as error:
            gh.infer(copies(), [BAD] * 5)

        assert error.value.rows == (0, 1, 2, 3, 4)

    def test_the_cure_is_told(self):
        with pytest.raises(ImpossibleEvidenceError, match="on_impossible='flag'"):
            gh.infer(copies(), [BAD])

    @pytest.mark.parametrize(
        "ask",
        [
            lambda engine: engine.posteriors([GOOD, BAD]),
            lambda engine: engine.map([GOOD, BAD]),
            lambda engine: engine.posterior_sample([GOOD, BAD]),
            lambda engine: engine.posterior_sample([GOOD, BAD], 5),
            lambda engine: engine.classify([GOOD, BAD]),
            lambda engine: engine.edge([GOOD, BAD], "root", "group"),
            lambda engine: engine.expected_counts([GOOD, BAD]),
            lambda engine: engine.posteriors(torch.tensor([GOOD, BAD])),
            lambda engine: engine.posteriors({"pixel": LogLikelihoods(log_of([GOOD, BAD]))}),
        ],
        ids=range(9),
    )
    def test_every_question_is_refused(self, ask):
        with pytest.raises(ImpossibleEvidenceError, match=r"row 1 at group\[1\]"):
            ask(gh.Inference(copies()))

    def test_expected_counts_are_refused_even_when_flags_are_asked(self):
        with pytest.raises(ImpossibleEvidenceError):
            gh.Inference(copies(), on_impossible="flag").expected_counts([BAD])


def log_of(states: list[list[int]]) -> np.ndarray:
    """Log-likelihoods of observed states."""
    return np.where(np.array(states)[..., None] == np.arange(2), 0.0, -np.inf)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("chunk", [None, 1])
class TestFlags:
    def engine(self, dtype: str, chunk: int | None) -> gh.Inference:
        return gh.Inference(copies(), dtype=dtype, batch_size=chunk, on_impossible="flag")

    def test_impossible_rows_are_minus_infinity_and_zeros(self, dtype, chunk):
        beliefs = self.engine(dtype, chunk).posteriors([GOOD, BAD])

        assert beliefs.possible.tolist() == [True, False]
        assert beliefs.log_evidence[1] == -np.inf
        for name in beliefs:
            assert (beliefs[name][1] == 0).all()
            np.testing.assert_allclose(beliefs[name][0].sum(-1), 1.0, rtol=1e-6)

    def test_the_log_evidence_never_raises(self, dtype, chunk):
        engine = gh.Inference(copies(), dtype=dtype, batch_size=chunk)
        found = engine.log_evidence([GOOD, BAD])

        assert np.isfinite(found[0])
        assert found[1] == -np.inf

    def test_joints_are_zeros(self, dtype, chunk):
        joint = self.engine(dtype, chunk).edge([GOOD, BAD], "group", "pixel")

        assert (joint[1] == 0).all()
        np.testing.assert_allclose(joint[0].sum((-1, -2)), 1.0, rtol=1e-6)

    def test_states_are_minus_one(self, dtype, chunk):
        engine = self.engine(dtype, chunk)
        for n in (1, 3):
            drawn = engine.posterior_sample([GOOD, BAD], n)
            assert all((states[1] == -1).all() for states in drawn.values())
            assert (drawn["pixel"][0] == GOOD).all()
        best = engine.map([GOOD, BAD])
        assert best["group"].tolist() == [[0, 1], [-1, -1]]

    def test_there_is_no_class(self, dtype, chunk):
        engine = self.engine(dtype, chunk)
        rows = [[0, 0, 0, 0], BAD]

        assert engine.classify(rows).tolist() == [0, None]
        assert engine.classify(torch.tensor(rows)).tolist() == [0, -1]

    def test_other_trees_of_the_row_are_zeros_too(self, dtype, chunk):
        model = copies()
        model.root("other", 3)
        engine = gh.Inference(model, dtype=dtype, batch_size=chunk, on_impossible="flag")
        beliefs = engine.posteriors({"pixel": [GOOD, BAD]})

        np.testing.assert_allclose(beliefs["other"], [[1 / 3] * 3, [0] * 3], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("table", [COPY, COPY + 0.5], ids=["zeros", "positive"])
def test_likelihoods_of_zero_are_impossible_under_any_table(table, dtype):
    model = gh.GHM(states=(2, 2, 2), branching=(1, 2), tables=[table, table])
    likelihood = np.ones((2, 2, 2))
    likelihood[1, 0] = 0.0
    beliefs = gh.infer(model, {"x2": likelihood}, dtype=dtype, on_impossible="flag")

    assert beliefs.possible.tolist() == [True, False]
    assert all(np.isfinite(beliefs[name]).all() for name in beliefs)


def test_evidence_that_is_only_very_improbable_is_possible():
    model = gh.GHM(states=(2, 2), branching=(4,), tables=[COPY])
    likelihood = np.array([[[1.0, 1e-300], [1.0, 1e-300], [1e-300, 1.0], [1e-300, 1.0]]])
    for dtype in ("float32", "float64"):
        beliefs = gh.infer(model, {"x1": likelihood}, dtype=dtype)

        np.testing.assert_allclose(beliefs["x0"], [[0.5, 0.5]], rtol=1e-6)
        np.testing.assert_allclose(beliefs.log_evidence, [-600 * np.log(10)], rtol=1e-6)
