"""Softened leaves: the law that defines them, and their two ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import EvidenceError
from ghmpp.observables import softened
from tests.tolerances import ENUMERATION, EXACT


@given(noise=st.floats(0, 1), states=st.integers(1, 6))
def test_truth_keeps_what_noise_leaves(noise, states):
    x = np.arange(states)
    found = softened(x, noise, states)

    expected = (1 - noise) * np.eye(states) + noise / states
    np.testing.assert_allclose(found, expected, atol=EXACT)


def test_without_noise_leaves_are_seen_and_with_all_noise_hidden():
    model = gh.zoo.random_ghm(3, (2, 2), bound=3, seed=1)
    x = model.sample(4, seed=0)["x2"]
    engine = gh.Inference(model)

    def root(evidence):
        return engine.posteriors(evidence)["x0"]

    np.testing.assert_allclose(root({"x2": softened(x, 0, 3)}), root({"x2": x}), atol=ENUMERATION)
    hidden = np.broadcast_to(root(None), (4, 3))
    np.testing.assert_allclose(root({"x2": softened(x, 1, 3)}), hidden, atol=ENUMERATION)


@pytest.mark.parametrize("noise", [-0.1, 1.1, np.nan])
def test_noise_out_of_range_is_refused(noise):
    with pytest.raises(EvidenceError, match=r"noise must lie in \[0, 1\]"):
        softened([[0]], noise, 2)


@pytest.mark.parametrize("x", [[[2]], [[-1]], [[0.5]]])
def test_states_that_are_none_are_refused(x):
    with pytest.raises(EvidenceError, match=r"state indices 0\.\.1"):
        softened(x, 0.5, 2)
