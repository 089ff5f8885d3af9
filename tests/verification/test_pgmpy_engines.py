"""pgmpy's engines, with all that they need, against enumeration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghmpp.errors import ResourceError
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.verification import pgmpy_engines
from ghmpp.verification.answers import Answer, compare
from ghmpp.verification.enumeration import enumeration
from ghmpp.verification.recursion import log_recursion
from tests import strategies
from tests.tolerances import PGMPY

ENGINES = [
    pgmpy_engines.bayesian_elimination,
    pgmpy_engines.markov_elimination,
    pgmpy_engines.belief_propagation,
    pgmpy_engines.message_passing,
]
Engine = Callable[[Model, dict[str, np.ndarray]], Answer]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)
@settings(max_examples=12)
@given(data=st.data())
def test_pgmpy_agrees_with_enumeration(engine: Engine, data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=500))
    logs = data.draw(strategies.evidence(model, batch=2)).logs
    checked = list(compare(enumeration(model.forest(), logs), engine(model, logs)))

    assert "posterior" in {each.quantity for each in checked}
    assert max(each.worst for each in checked) < PGMPY


def forest() -> Model:
    """A tree and a lone variable, with states that have names."""
    model = Model("two")
    season = model.root("season", ["dry", "wet"], prior=[0.4, 0.6])
    season.children("my day", 2, ["sun", "rain"], potential=[[0.9, 0.1], [0.4, 0.6]], prior=[1, 2])
    model.root("lone", 3, prior=[1, 2, 3])
    return model


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)
def test_disconnected_models_with_names_and_likelihoods_of_any_scale(engine: Engine) -> None:
    logs = {
        "my day": np.array([[[0.0, 0.0], [50.0, 51.0]], [[-np.inf, 3.0], [0.0, -1.0]]]),
        # The same factor as the prior: pgmpy would merge the two.
        "lone": np.log(np.array([[[1.0, 2.0, 3.0]]] * 2)),
    }
    checked = list(compare(enumeration(forest().forest(), logs), engine(forest(), logs)))

    assert max(each.worst for each in checked) < PGMPY


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)
def test_everything_observed(engine: Engine) -> None:
    model = forest()
    logs = {}
    for name, variable in model.variables.items():
        logs[name] = np.full((1, variable.nodes, len(variable.states)), -np.inf)
        logs[name][..., 0] = 0.5
    answer = engine(model, logs)

    assert all((posterior[..., 0] == 1).all() for posterior in answer.posteriors.values())


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)
def test_impossible_and_underflowing_rows_are_left_out(engine: Engine) -> None:
    model = GHM(states=(2, 2), branching=(2,), tables=[np.eye(2)])
    logs = np.zeros((3, 2, 2))
    logs[0] = [[0.0, -np.inf], [-np.inf, 0.0]]
    logs[2] = [[0.0, -900.0], [-900.0, 0.0]]

    assert engine(model, {"x1": logs}).rows == [1]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)
def test_too_many_variables_are_refused_with_the_number(engine: Engine) -> None:
    model = GHM(states=(2, 2), branching=(100,), tables=[np.eye(2)])
    with pytest.raises(ResourceError, match=r"101 variables exceed limit=60"):
        engine(model, {})


def test_a_spread_of_rows_is_asked_when_all_would_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgmpy_engines, "QUESTIONS", 12)
    logs = {"lone": np.zeros((9, 1, 3))}
    answer = pgmpy_engines.message_passing(forest(), logs)

    assert answer.rows is not None
    assert answer.rows.tolist() == [0, 4, 8]
    assert answer.posteriors["lone"].shape == (3, 1, 3)


def test_belief_propagation_gives_edges_and_log_evidence() -> None:
    answer = pgmpy_engines.belief_propagation(forest(), {})

    assert answer.edges["my day"].shape == (1, 2, 2, 2)
    assert answer.log_evidence is not None
    assert answer.log_evidence[0] == pytest.approx(0.0, abs=PGMPY)


def test_the_backend_of_the_user_comes_back() -> None:
    from pgmpy import config

    config.set_backend("torch")
    try:
        pgmpy_engines.message_passing(forest(), {})
        assert config.get_backend() == "torch"
    finally:
        config.set_backend("numpy")


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)
def test_total_mass_beyond_float64_does_no_harm(engine: Engine) -> None:
    table = np.array([[1e300, 1e299], [1e299, 1e300]])
    model = GHM(states=(2, 2, 2), branching=(2, 2), tables=[table, table])
    logs = {"x2": np.log([[[0.3, 0.7], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]])}

    answer = engine(model, logs)

    expected = log_recursion(model.forest(), logs)
    assert max(each.worst for each in compare(expected, answer)) < PGMPY
