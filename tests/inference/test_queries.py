"""The engine's verbs: right by independent routes, and lawful where there is a law."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import ghmpp as gh
from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import EvidenceError, ModelError, QueryError, ResourceError
from ghmpp.models.model import Model
from ghmpp.models.observations import LogLikelihoods
from ghmpp.verification.enumeration import enumeration
from ghmpp.verification.recursion import log_recursion
from tests.inference.regular import ENGINE, MODEL, RNG, TABLES, X, regular
from tests.tolerances import ENUMERATION, EXACT


def named() -> Model:
    model = gh.Model("coin")
    coin = model.root("coin", ["fair", "biased"], prior=[0.5, 0.5])
    coin.children("toss", 3, ["h", "t"], potential=[[0.5, 0.5], [0.9, 0.1]])
    return model


class TestEvidence:
    def test_a_bare_array_belongs_to_the_leaves(self):
        bare, by_name = ENGINE.posteriors(X), ENGINE.posteriors({"x2": X})

        np.testing.assert_array_equal(bare["x0"], by_name["x0"])

    def test_a_frame_has_a_column_per_variable(self):
        frame = pd.DataFrame({f"x2[{k}]": np.where(X[:, k] < 0, np.nan, X[:, k]) for k in range(4)})

        np.testing.assert_array_equal(ENGINE.posteriors(frame)["x0"], ENGINE.posteriors(X)["x0"])

    def test_a_model_with_several_leaf_classes_asks_for_a_name(self):
        model = gh.Model()
        root = model.root("a", 2)
        root.children("b", 1, 2, potential=np.ones((2, 2)))
        root.children("c", 1, 2, potential=np.ones((2, 2)))

        with pytest.raises(EvidenceError, match="does not say which variable"):
            gh.infer(model, [[0]])

    def test_read_only_arrays_of_any_kind_are_taken(self):
        arrays = [X.copy(), np.ones((3, 4, 2)), np.zeros((3, 4))]
        for array in arrays:
            array.setflags(write=False)
        states, likelihood, z = arrays

        for given_ in (states, likelihood, LogLikelihoods(likelihood), (z, gh.Gaussian(1.0))):
            assert ENGINE.posteriors({"x2": given_})["x0"].shape == (3, 3)

    def test_incomplete_models_are_refused(self):
        with pytest.raises(ModelError, match="x0->x1"):
            gh.Inference(gh.GHM(states=(2, 2), branching=(2,)))


class TestClassify:
    def test_the_most_probable_state_has_its_name(self):
        engine = gh.Inference(named())

        assert engine.classify({"toss": [["h", "h", "h"], ["t", "t", "h"]]}).tolist() == [
            "biased",
            "fair",
        ]

    def test_any_single_variable_may_be_asked(self):
        model = named()
        model.root("other", [10, 20], prior=[1, 3])

        found = gh.Inference(model).classify({"toss": [["h", "h", "h"]]}, "other")
        assert found.tolist() == [20]

    @pytest.mark.parametrize(
        "names", [[("p", 1), ("q", 2)], [1, "one"], [None, False], [frozenset("a"), frozenset("b")]]
    )
    def test_names_of_any_kind_come_back_as_they_are(self, names):
        model = gh.Model()
        model.root("a", names, prior=[1, 3])

        assert gh.Inference(model).classify({}).tolist() == [names[1]]

    def test_tensors_give_indices(self):
        assert ENGINE.classify(torch.tensor(X)).dtype == torch.int64

    def test_classes_of_several_variables_are_refused(self):
        with pytest.raises(QueryError, match="'x1' is not a class with one variable"):
            ENGINE.classify(X, "x1")

    def test_several_roots_need_a_choice(self):
        model = named()
        model.root("other", 2)

        with pytest.raises(QueryError, match=r"root: the model has coin, other; pass variable="):
            gh.Inference(model).classify({"toss": [["h", "h", "h"]]})


class TestDenoise:
    def test_the_leaves_are_meant(self):
        z = RNG.normal(size=(3, 4))

        np.testing.assert_array_equal(ENGINE.denoise(z, 0.7), ENGINE.denoise(z, 0.7, variable="x2"))

    def test_tensors_give_tensors_with_gradients(self):
        z = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
        ENGINE.denoise(z, 0.7).sum().backward()

        assert (z.grad > 0).all()

    def test_several_classes_of_leaves_need_a_choice(self):
        model = named()
        model.root("other", [0.0, 1.0])

        with pytest.raises(QueryError, match="class of leaves for denoise"):
            gh.Inference(model).denoise([[0.0]])


class TestEdges:
    def test_only_a_parent_and_its_child_have_one(self):
        for parent, child in (("x0", "x2"), ("x1", "x0"), ("x0", "nobody")):
            with pytest.raises(QueryError, match=f"'{parent}' is not the parent of '{child}'"):
                ENGINE.edge(X, parent, child)

    def test_they_equal_enumeration(self):
        logs = np.where((X[..., None] == np.arange(2)) | (X[..., None] < 0), 0.0, -np.inf)
        truth = enumeration(MODEL.forest(), {"x2": logs})

        np.testing.assert_allclose(ENGINE.edge(X, "x1", "x2"), truth.edges["x2"], atol=ENUMERATION)


class TestCounts:
    def test_every_edge_and_every_root_counts_once_per_row(self):
        counts, logs = ENGINE.expected_counts(X)

        assert counts["x0"].sum() == pytest.approx(3)
        assert counts["x0->x1"].sum((1, 2)).tolist() == pytest.approx([3, 3])
        assert counts["x1->x2"].sum((1, 2)).tolist() == pytest.approx([6, 6])
        np.testing.assert_array_equal(logs, ENGINE.posteriors(X).log_evidence)

    def test_keys_and_shapes_are_those_of_the_potentials(self):
        model = gh.Model("mixed")
        hidden = model.chain("z", 4, 2, potential=[[2, 1], [1, 3]], prior=[1, 2])
        step = hidden.children("rule", 1, 2, potential=gh.ParentOf([0, 1]), prior=[2, 1])
        step.children("x", 1, 2, potential=gh.ChildOf([1, 0]))
        counts, _ = gh.Inference(model).expected_counts({"x": [[0, 1, -1, 0]]})

        data = model.forest().data
        expected = {key: stack.shape for key, stack in data.items() if stack.dtype.kind == "f"}
        assert {key: found.shape for key, found in counts.items()} == expected
        assert counts["z->z"].sum() == pytest.approx(3)
        assert counts["rule"].sum() == pytest.approx(4)

    def test_observed_models_count_what_was_observed(self):
        states = MODEL.sample(5, seed=0)
        counts, _ = ENGINE.expected_counts(states)

        expected = np.zeros((2, 4, 2))
        for parents, children in zip(states["x1"], states["x2"], strict=True):
            for k, child in enumerate(children):
                expected[k % 2, parents[k // 2], child] += 1
        np.testing.assert_allclose(counts["x1->x2"], expected, atol=EXACT)


class TestMissing:
    """What is missing is summed over."""

    def test_log_evidence(self):
        rows = np.array([[0, 1, state, 0] for state in (-1, 0, 1)])
        missing, *each = ENGINE.log_evidence(rows)

        assert missing == pytest.approx(np.logaddexp(*each), rel=EXACT)

    def test_posteriors(self):
        rows = np.array([[0, 1, state, 0] for state in (-1, 0, 1)])
        beliefs = ENGINE.posteriors(rows)

        weights = np.exp(beliefs.log_evidence[1:] - beliefs.log_evidence[0])
        np.testing.assert_allclose(beliefs["x0"][0], weights @ beliefs["x0"][1:], rtol=ENUMERATION)

    def test_nothing_seen_is_the_prior(self):
        none, empty, blank = (
            ENGINE.posteriors(),
            ENGINE.posteriors({}),
            ENGINE.posteriors(X[2:]),
        )

        for beliefs in (none, empty, blank):
            np.testing.assert_allclose(beliefs.log_evidence, [0.0], atol=EXACT)
            np.testing.assert_allclose(beliefs["x1"], none["x1"], atol=EXACT)


class TestSymmetry:
    def test_relabelling_states_relabels_answers(self):
        new = [np.array([2, 0, 1]), np.array([3, 1, 0, 2]), np.array([1, 0])]
        tables = [table[:, new[level]][:, :, new[level + 1]] for level, table in enumerate(TABLES)]
        model = gh.GHM(
            states=(3, 4, 2), branching=(2, 2), tables=tables, prior=np.array([1, 2, 3])[new[0]]
        )
        x = np.where(X < 0, -1, 1 - X)
        found, expected = gh.infer(model, x), ENGINE.posteriors(X)

        np.testing.assert_allclose(
            found.log_evidence, expected.log_evidence, rtol=EXACT, atol=EXACT
        )
        for level, name in enumerate(found):
            np.testing.assert_allclose(found[name], expected[name][..., new[level]], atol=EXACT)

    def test_permuting_children_permutes_answers(self):
        model = gh.GHM(
            states=(3, 4, 2), branching=(2, 2), tables=[t[::-1] for t in TABLES], prior=[1, 2, 3]
        )
        found, expected = gh.infer(model, X[:, ::-1]), ENGINE.posteriors(X)

        np.testing.assert_allclose(found["x0"], expected["x0"], atol=EXACT)
        np.testing.assert_allclose(found["x1"], expected["x1"][:, ::-1], atol=EXACT)
        np.testing.assert_allclose(found["x2"], expected["x2"][:, ::-1], atol=EXACT)

    def test_a_layout_only_renames_nodes(self):
        order = [2, 0, 3, 1]
        x = np.empty_like(X)
        x[:, order] = X
        found, expected = gh.infer(regular(order=order), x), ENGINE.posteriors(X)

        np.testing.assert_allclose(found["x0"], expected["x0"], atol=EXACT)
        np.testing.assert_allclose(found["x2"][:, order], expected["x2"], atol=EXACT)
        np.testing.assert_array_equal(found.map()["x2"][:, order], expected.map()["x2"])
        np.testing.assert_allclose(
            found.edge("x1", "x2")[:, order], expected.edge("x1", "x2"), atol=EXACT
        )


def star(children: int, states: int = 3) -> tuple[Model, IntArray, FloatArray]:
    """A root with many children, states of these with contradictions, and log-likelihoods."""
    rng = np.random.default_rng(children)
    model = gh.GHM(
        states=(states, 2), branching=(children,), tables=[rng.uniform(0.1, 1, (states, 2))]
    )
    x = rng.integers(-1, 2, size=(2, children))
    return model, x, np.where((x[..., None] == np.arange(2)) | (x[..., None] < 0), 0.0, -np.inf)


class TestExtremes:
    @pytest.mark.parametrize(("children", "states"), [(1, 3), (1, 1), (2, 1), (1000, 3)])
    def test_one_child_one_state_and_a_thousand_children(self, children, states):
        model, x, logs = star(children, states)
        beliefs = gh.infer(model, x)
        truth = log_recursion(model.forest(), {"x1": logs})

        np.testing.assert_allclose(
            beliefs.log_evidence, truth.log_evidence, rtol=ENUMERATION, atol=ENUMERATION
        )
        np.testing.assert_allclose(beliefs["x0"], truth.posteriors["x0"][:, 0], atol=ENUMERATION)
        np.testing.assert_allclose(beliefs.edge("x0", "x1"), truth.edges["x1"], atol=ENUMERATION)

    def test_one_layer(self):
        model = gh.Model("alone")
        model.root("a", 3, prior=[1, 2, 5])
        engine = gh.Inference(model)
        beliefs = engine.posteriors({"a": [0, -1]})

        np.testing.assert_allclose(beliefs["a"], [[1, 0, 0], [1 / 8, 1 / 4, 5 / 8]])
        np.testing.assert_allclose(beliefs.log_evidence, [np.log(1 / 8), 0.0], atol=EXACT)
        assert engine.map({"a": [[0.0, 1.0, 1.0]]})["a"].tolist() == [2]
        assert engine.posterior_sample({"a": [1]}, 3)["a"].tolist() == [[1, 1, 1]]
        np.testing.assert_allclose(engine.expected_counts({"a": [2]})[0]["a"], [[0, 0, 1]])

    def test_no_rows(self):
        engine, none = ENGINE, np.zeros((0, 4), dtype=np.int64)
        beliefs = engine.posteriors(none)

        shapes = [found.shape for found in (beliefs["x0"], beliefs["x2"], beliefs.log_evidence)]
        assert shapes == [(0, 3), (0, 4, 2), (0,)]
        assert engine.map(none)["x2"].shape == (0, 4)
        assert engine.posterior_sample(none, 3)["x2"].shape == (0, 3, 4)
        assert engine.edge(none, "x0", "x1").shape == (0, 2, 3, 4)
        assert engine.classify(none).shape == (0,)
        assert engine.denoise(np.zeros((0, 4))).shape == (0, 4)
        assert all((counts == 0).all() for counts in engine.expected_counts(none)[0].values())


class TestEngine:
    def test_a_question_is_compiled_once(self):
        engine = gh.Inference(MODEL)
        engine.posteriors(X)
        networks = dict(engine._answering.networks)
        engine.posteriors(X[:1])

        assert dict(engine._answering.networks) == networks

    def test_answers_do_not_depend_on_the_batch(self):
        whole, single = ENGINE.posteriors(X), gh.Inference(MODEL, batch_size=1).posteriors(X)

        np.testing.assert_allclose(single["x1"], whole["x1"], rtol=EXACT)
        for row in range(3):
            alone = ENGINE.posteriors(X[row : row + 1])
            np.testing.assert_allclose(alone["x1"][0], whole["x1"][row], rtol=EXACT)

    def test_answers_are_the_same_every_time(self):
        first, second = ENGINE.posteriors(X), ENGINE.posteriors(X)

        for name in first:
            np.testing.assert_array_equal(first[name], second[name])

    def test_evidence_is_left_as_it_is(self):
        states, likelihood, z = X.copy(), RNG.uniform(size=(3, 4, 2)), RNG.normal(size=(3, 4))
        before = likelihood.copy(), z.copy()
        ENGINE.posteriors(states)
        ENGINE.posteriors({"x2": likelihood})
        ENGINE.denoise(z, 0.5)

        np.testing.assert_array_equal(states, X)
        np.testing.assert_array_equal(likelihood, before[0])
        np.testing.assert_array_equal(z, before[1])

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"dtype": "half"}, "dtype must be one of float32, float64, got 'half'"),
            ({"on_impossible": "ignore"}, "on_impossible must be one of raise, flag"),
            ({"batch_size": 0}, "at least 1 row"),
        ],
    )
    def test_unknown_options_are_refused(self, options, words):
        with pytest.raises(QueryError, match=words):
            gh.Inference(MODEL, **options).posteriors(X)

    def test_it_says_what_it_is(self):
        found = repr(gh.Inference(MODEL, dtype="float32"))

        assert found == "Inference('ghm', dtype='float32', device='cpu')"

    def test_infer_is_an_engine_used_once(self):
        np.testing.assert_array_equal(gh.infer(MODEL, X)["x1"], ENGINE.posteriors(X)["x1"])


class TestMemory:
    def test_results_too_big_for_memory_are_refused_before_the_run(self):
        with pytest.raises(ResourceError, match=r"results for a batch of 3 need .* limit is"):
            ENGINE.posterior_sample(X, n=10**15)

    @pytest.mark.parametrize("verb", ["posteriors", "log_evidence", "map", "log_partition"])
    def test_model_too_big_for_memory_is_refused(self, verb):
        engine = gh.Inference(gh.GHM(states=(4,) * 30, branching=(2,) * 29).initialise(0))

        with pytest.raises(ResourceError, match=r"GiB.*limit is .* largest block: 'x29' with"):
            getattr(engine, verb)()
