"""The strategies keep their promises: small models, positive mass, evidence that says its logs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.models.evidence import read_evidence
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import configurations, enumeration, exact_enumeration
from tests import strategies
from tests.tolerances import EXACT


@given(strategies.models(limit=500))
def test_models_are_small_and_have_mass(model: Model) -> None:
    forest = model.forest()

    assert configurations(forest) <= 500
    assert np.isfinite(enumeration(forest).log_partition)


@given(strategies.rational_models(limit=200))
def test_rational_models_are_exact(model: Model) -> None:
    answer = exact_enumeration(model.forest(exact=True))

    assert answer.mass is not None
    assert answer.mass[0] > 0
    assert answer.mass[0].denominator < 10**60


@given(st.data())
def test_evidence_means_what_the_strategy_says(data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=500))
    drawn = data.draw(strategies.evidence(model))
    observations, batch = read_evidence(drawn.given, model.variables)

    assert batch == drawn.batch
    assert set(observations) == set(drawn.logs)
    for name, observation in observations.items():
        found = observation.log_likelihood(model.variables[name])
        assert found.shape == drawn.logs[name].shape
        assert np.array_equal(np.isinf(found), np.isinf(drawn.logs[name]))
        finite = np.isfinite(found)
        assert np.allclose(found[finite], drawn.logs[name][finite], rtol=EXACT, atol=EXACT)


@given(st.data())
def test_possible_evidence_is_possible(data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=500))
    drawn = data.draw(strategies.evidence(model, possible=True))
    answer = enumeration(model.forest(), drawn.logs)

    assert answer.log_evidence is not None
    assert np.isfinite(answer.log_evidence).all()
