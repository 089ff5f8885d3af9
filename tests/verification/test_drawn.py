"""Drawn evidence: possible, of every kind, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.models.channels import Given, Localization, LogLikelihood
from ghmpp.models.evidence import read_evidence
from ghmpp.models.model import Model
from ghmpp.models.observations import Observed
from ghmpp.verification.drawn import draw_evidence
from ghmpp.verification.recursion import log_recursion
from tests import strategies


@given(strategies.models(limit=1_000), st.integers(0, 100))
def test_drawn_evidence_is_possible(model: Model, seed: int) -> None:
    for kind, evidence in draw_evidence(model.forest(), 3, seed).items():
        observations, batch = read_evidence(evidence, model.variables)
        logs = {
            name: each.log_likelihood(model.variables[name]) for name, each in observations.items()
        }
        answer = log_recursion(model.forest(), logs)

        assert batch == (1 if kind == "none" else 3)
        assert answer.log_evidence is not None
        assert np.isfinite(answer.log_evidence).all(), kind


def spins() -> Model:
    model = Model("spins")
    root = model.root("field", [-1, 1])
    root.children("spin", 3, [-1, 1], potential=[[1.0, 0.0], [0.0, 1.0]])
    return model


def test_states_with_numeric_names_are_given_by_name() -> None:
    evidence = draw_evidence(spins().forest(), 4)["hard"]
    found, _ = read_evidence(evidence, spins().variables)

    assert set(np.unique(np.asarray(evidence["spin"], dtype=float))) <= {-1.0, 1.0}
    assert found["spin"].array.shape == (4, 3)


def test_only_classes_without_children_are_observed_unless_asked() -> None:
    assert set(draw_evidence(spins().forest(), 1)["hard"]) == {"spin"}
    assert set(draw_evidence(spins().forest(), 1)["partial"]) == {"field", "spin"}
    only = draw_evidence(spins().forest(), 1, given=[Given("field")])
    assert {name for kind in only.values() for name in kind} == {"field"}


def test_noise_needs_values() -> None:
    named = Model("named")
    named.root("weather", ["wet", "dry"])

    assert "noisy" not in draw_evidence(named.forest(), 1)
    assert "noisy" in draw_evidence(spins().forest(), 1)


def test_noise_comes_through_the_channel_that_is_given() -> None:
    for channel in (
        Localization(0.5),
        LogLikelihood(lambda values, z: -abs(z[..., None] - values)),
    ):
        evidence = draw_evidence(spins().forest(), 5, given=[Given("spin", channel)])["noisy"]
        seen = evidence["spin"]

        assert isinstance(seen, Observed)
        assert seen.channel is channel
        assert np.isnan(np.asarray(seen.values)).any()


@pytest.mark.parametrize("kind", ["hard", "partial"])
def test_the_same_seed_draws_the_same(kind: str) -> None:
    first, second, other = (
        draw_evidence(spins().forest(), 9, seed)[kind]["spin"] for seed in (1, 1, 2)
    )

    assert np.array_equal(np.asarray(first), np.asarray(second))
    assert not np.array_equal(np.asarray(first), np.asarray(other))
