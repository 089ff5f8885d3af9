"""Every answer of the engine on random trees equals the sum over all configurations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghmpp.verification.answers import compare
from ghmpp.verification.enumeration import enumeration
from ghmpp.verification.gradient import gradient
from tests.inference.engines import log_mass, our_answer
from tests.strategies import evidence, models
from tests.tolerances import ENUMERATION, GRADIENT, SINGLE


@settings(max_examples=300)
@given(data=st.data())
def test_posteriors_edges_and_log_evidence_equal_enumeration(data):
    model = data.draw(models(limit=3000))
    observed = data.draw(evidence(model))

    truth = enumeration(model.forest(), observed.logs)

    for found in compare(our_answer(model, observed.given), truth):
        assert found.worst <= ENUMERATION, found


@settings(max_examples=60)
@given(data=st.data())
def test_the_map_configuration_has_the_largest_mass(data):
    model = data.draw(models(limit=3000))
    observed = data.draw(evidence(model, possible=True))

    truth = enumeration(model.forest(), observed.logs)
    ours = our_answer(model, observed.given)

    possible = truth.best > -np.inf
    mass = log_mass(model, dict(ours.choice), observed.logs)
    np.testing.assert_allclose(mass[possible], truth.best[possible], rtol=ENUMERATION)


@settings(max_examples=30)
@given(data=st.data())
def test_expected_counts_equal_the_gradient_of_the_log_evidence(data):
    model = data.draw(models(limit=3000))
    observed = data.draw(evidence(model, possible=True))

    truth = gradient(model.forest(), observed.logs)

    for found in compare(our_answer(model, observed.given, counts=True), truth):
        assert found.worst <= GRADIENT, found


@settings(max_examples=60)
@given(data=st.data())
def test_float32_agrees_with_enumeration_to_single_precision(data):
    model = data.draw(models(limit=3000))
    observed = data.draw(evidence(model))

    truth = enumeration(model.forest(), observed.logs)

    for found in compare(our_answer(model, observed.given, dtype="float32"), truth):
        assert found.worst <= SINGLE, found


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_chunking_changes_nothing(chunk):
    import ghmpp as gh

    model = gh.GHM(states=(3, 4, 2), branching=(2, 3)).initialise(seed=1)
    x = model.sample(7, seed=2)["x2"]
    whole = gh.Inference(model).posteriors(x)

    parts = gh.Inference(model, batch_size=chunk).posteriors(x)

    np.testing.assert_allclose(parts["x1"], whole["x1"], rtol=1e-12)
    np.testing.assert_allclose(parts.log_evidence, whole.log_evidence, rtol=1e-12)
