"""The recursion over nodes against enumeration, and on trees too big for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import ModelError
from ghmpp.models.forest import Forest
from ghmpp.verification.answers import compare
from ghmpp.verification.enumeration import enumeration
from ghmpp.verification.recursion import log_mass, log_recursion
from tests import strategies
from tests.tolerances import ENUMERATION
from tests.vectors import MODELS
from tests.verification.forests import chain, forest_of, random_logs, two_trees

FORESTS = [forest_of(model) for model in MODELS] + [two_trees(), two_trees((3, 1, 0, 2)), chain(9)]


@pytest.mark.parametrize("forest", FORESTS, ids=lambda forest: forest.name)
def test_the_recursion_agrees_with_enumeration(forest: Forest) -> None:
    logs = random_logs(forest, 6)
    found, expected = log_recursion(forest, logs), enumeration(forest, logs)

    checked = list(compare(found, expected))
    assert {each.quantity for each in checked} >= {
        "log evidence",
        "log partition",
        "posterior",
        "edge",
        "mean",
        "map mass",
    }
    assert max(each.worst for each in checked) < ENUMERATION


@given(st.data())
def test_the_recursion_agrees_with_enumeration_on_any_model(data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=2_000))
    logs = data.draw(strategies.evidence(model)).logs
    found, expected = (oracle(model.forest(), logs) for oracle in (log_recursion, enumeration))

    assert max(each.worst for each in compare(found, expected)) < ENUMERATION


def test_the_choice_of_the_recursion_has_the_mass_it_says() -> None:
    forest = two_trees()
    logs = {"day": random_logs(forest, 4)["day"]}
    answer = log_recursion(forest, logs)

    assert answer.best is not None
    assert np.allclose(log_mass(forest, answer.choice, logs), answer.best, atol=ENUMERATION)


def test_impossible_rows_are_minus_infinity_and_never_nan() -> None:
    forest = forest_of(MODELS[3])
    logs = np.full((2, 4, 3), -np.inf)
    logs[:, :, 2] = 0.0
    logs[1] = 0.0
    answer = log_recursion(forest, {"x2": logs})

    assert answer.log_evidence is not None
    assert answer.log_evidence[0] == -np.inf
    assert np.isfinite(answer.log_evidence[1])
    assert all(np.isfinite(array).all() for array in answer.posteriors.values())
    assert answer.posteriors["x0"][0, 0].tolist() == [0.0, 0.0, 0.0]


def test_a_long_chain_agrees_with_powers_of_its_matrix() -> None:
    forest = chain(2000, states=3)
    answer = log_recursion(forest)

    table = forest.data["z->z"][0]
    vector, log_scale = np.ones(3), 0.0
    for _ in range(1999):
        vector = table @ vector
        log_scale += np.log(vector.max())
        vector /= vector.max()
    assert answer.log_partition == pytest.approx(log_scale + np.log(vector.sum()), rel=ENUMERATION)
    assert np.allclose(answer.posteriors["z"].sum(axis=-1), 1.0, atol=ENUMERATION)


def test_a_model_without_mass_is_refused() -> None:
    forest = forest_of(MODELS[0])
    forest.data["x0"][:] = 0.0
    with pytest.raises(ModelError, match=r"no configuration of positive mass"):
        log_recursion(forest)
