"""Configurations: the most probable one, and samples of the posterior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.verification.enumeration import enumeration
from tests.inference.regular import ENGINE, MODEL, X
from tests.strategies import evidence, models
from tests.tolerances import ENUMERATION, SIGMAS


class TestMap:
    """The best configuration of tied ones is still one configuration."""

    @settings(max_examples=20)
    @given(data=st.data())
    def test_ties_give_a_configuration_of_largest_mass(self, data):
        base = data.draw(models(limit=1000, zeros=False))
        ones = {
            key: np.ones(stack.shape)
            for key, stack in base.forest().data.items()
            if stack.dtype.kind == "f"
        }
        model = base.with_tables(ones)
        best = gh.Inference(model).map()
        seen = {
            name: np.where(
                states.reshape(1, -1, 1) == np.arange(len(model.variables[name].states)),
                0.0,
                -np.inf,
            )
            for name, states in best.items()
        }

        truth = enumeration(model.forest(), seen)
        assert truth.best[0] == pytest.approx(enumeration(model.forest()).best[0], rel=ENUMERATION)

    def test_copies_agree_under_ties(self):
        model = gh.GHM(states=(4, 4, 4), branching=(3, 3), tables=[np.eye(4)] * 2)
        best = gh.Inference(model).map()

        assert len({*best["x0"].tolist(), *best["x1"].ravel().tolist(), *best["x2"].ravel()}) == 1

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_evidence_is_kept(self, dtype):
        best = gh.Inference(MODEL, dtype=dtype).map(X)

        assert (best["x2"][X >= 0] == X[X >= 0]).all()
        assert best["x0"].shape == (3,)


class TestSamples:
    def test_frequencies_are_those_of_the_posterior(self):
        n = 4000
        drawn, exact = ENGINE.posterior_sample(X, n, seed=1), ENGINE.posteriors(X)

        for name in ("x0", "x1", "x2"):
            states = drawn[name].reshape(len(X), n, -1)
            for state in range(len(MODEL.variables[name].states)):
                found = (states == state).mean(1)
                expected = exact[name].reshape(len(X), -1, exact[name].shape[-1])[..., state]
                sigma = np.sqrt(expected * (1 - expected) / n)
                assert (np.abs(found - expected) <= SIGMAS * sigma + 1e-12).all()

    def test_joint_frequencies_are_those_of_the_edges(self):
        n = 4000
        drawn, joint = ENGINE.posterior_sample(X, n, seed=2), ENGINE.edge(X, "x0", "x1")

        pairs = drawn["x0"][:, :, None] * 4 + drawn["x1"]
        found = np.stack([(pairs == k).mean(1) for k in range(12)], -1)
        expected = joint.reshape(*joint.shape[:2], 12)
        sigma = np.sqrt(expected * (1 - expected) / n)
        assert (np.abs(found - expected) <= SIGMAS * sigma).all()

    @settings(max_examples=15)
    @given(data=st.data())
    def test_what_is_drawn_is_possible(self, data):
        model = data.draw(models(limit=1000))
        observed = data.draw(evidence(model, possible=True, batch=1))
        engine = gh.Inference(model, on_impossible="flag")
        if not engine.posteriors(observed.given).possible.all():
            return
        drawn = engine.posterior_sample(observed.given, 5, seed=0)
        states = {name: drawn[name].reshape(5, -1) for name in drawn}

        logs = engine.log_evidence(states)
        assert np.isfinite(logs).all()
        for name, seen in observed.logs.items():
            picked = np.take_along_axis(np.repeat(seen, 5, 0), states[name][..., None], 2)
            assert np.isfinite(picked).all()

    def test_seeds_decide(self):
        one, same, other = (ENGINE.posterior_sample(X, 50, seed)["x1"] for seed in (1, 1, 2))

        np.testing.assert_array_equal(one, same)
        assert (one != other).any()

    @pytest.mark.parametrize("n", [1, 4])
    def test_shapes_say_batch_draws_nodes(self, n):
        drawn = ENGINE.posterior_sample(X, n)

        assert drawn["x0"].shape == (3, n)
        assert drawn["x2"].shape == (3, n, 4)
        assert drawn["x2"].dtype == np.int64

    def test_draws_of_one_row_differ(self):
        assert len(np.unique(ENGINE.posterior_sample(X[2:], 50)["x2"][0], axis=0)) > 5

    def test_at_least_one_is_wanted(self):
        with pytest.raises(QueryError, match="n must be at least 1, got 0"):
            ENGINE.posterior_sample(X, 0)

    def test_without_evidence_they_are_those_of_the_model(self):
        prior = ENGINE.posteriors()["x0"][0]
        found = np.bincount(ENGINE.sample(20_000, seed=3)["x0"][:, 0], minlength=3) / 20_000

        assert (np.abs(found - prior) < SIGMAS * np.sqrt(prior / 20_000)).all()
