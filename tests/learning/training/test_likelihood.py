from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
import torch
from scipy.special import softmax

import ghmpp as gh
from ghmpp.errors import (
    EvidenceError,
    ImpossibleEvidenceError,
    LearningError,
    ModelError,
    QueryError,
    UsageError,
)
from ghmpp.learning.training.likelihood import LikelihoodObjective
from ghmpp.learning.training.problems import model_problem
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import enumeration
from tests.tolerances import DIFFERENCES, EXACT, TRAINED

beta = sp.Symbol("beta", positive=True)
field = sp.Symbol("field")
OPTIONS = {"validation": None, "bayes": None, "start": None, "seed": 3}
RULES = gh.Rules([0, 0, 1, 1, 1], [[0, 1], [1, 1], [1, 0], [0, 0], [1, 1]])


def tables() -> Model:
    """Free tables, one per child rank, above a given one with a zero."""
    model = Model("tables")
    middle = model.root("root", 2).children("middle", 2, 3)
    middle.children("leaf", 2, 2, potential=[[0.9, 0.1], [0.4, 0.6], [1.0, 0.0]])
    return model


def spins() -> Model:
    """Two symbols on a tree whose total mass depends on them."""
    model = Model("spins")
    root = model.root("root", 2, values=[-1, 1])
    weight = lambda s, a: sp.exp(beta * s * a + field * a)  # noqa: E731  # shorter
    root.children("leaf", 4, 2, potential=weight, values=[-1, 1])
    return model


def mixed() -> Model:
    """A free table above a formula that is read as a conditional probability."""
    model = Model("mixed")
    middle = model.root("root", 2).children("middle", 2, 3)
    middle.children("leaf", 1, 3, potential=lambda s, x: sp.exp(-beta * (x - s) ** 2))
    return model


def rules() -> Model:
    """Free weights of joint production rules."""
    model = Model("rules")
    model.root("top", 2).children("word", 2, 2, rules=RULES)
    return model


DATA = {
    "tables": {"leaf": [[0, 1, 1, -1], [0, 0, 1, 0], [1, 0, -1, -1]], "root": [0, -1, 1]},
    "spins": {"leaf": [[0, 1, 1, -1], [0, 0, 1, 0], [1, 1, 1, 1]], "root": [-1, 0, 1]},
    "mixed": {"leaf": [[0, 1], [2, 2], [1, -1]], "middle": [[-1, 1], [2, -1], [0, 0]]},
    "rules": {"word": [[0, 1], [1, -1], [0, 0]], "top": [-1, 0, -1]},
}
MODELS = {"tables": tables, "spins": spins, "mixed": mixed, "rules": rules}


def log_evidence(model: Model, data: dict[str, list], without: str | None = None) -> float:
    """Mean log probability by summing over all configurations."""
    logs = {}
    for name, states in data.items():
        variable = model.variables[name]
        rows = np.array(states).reshape(len(states), variable.nodes)
        hard = np.where(np.eye(len(variable.states), dtype=bool), 0.0, -np.inf)
        logs[name] = np.where(rows[..., None] < 0, 0.0, hard[rows])
    joint = enumeration(model.forest(), logs).log_evidence
    if without is None:
        return float(joint.mean())
    logs.pop(without)
    return float((joint - enumeration(model.forest(), logs).log_evidence).mean())


def differences(objective: LikelihoodObjective, data: dict, without: str | None) -> np.ndarray:
    """Derivatives of the loss by central differences."""
    found, step = [], 1e-5
    with torch.no_grad():
        for parameter in objective.module.parameters():
            flat = parameter.view(-1)
            for place in range(len(flat)):
                start, values = float(flat[place]), []
                for sign in (1, -1):
                    flat[place] = start + sign * step
                    values.append(-log_evidence(objective.model(), data, without))
                flat[place] = start
                found.append((values[0] - values[1]) / (2 * step))
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "target"),
    [(n, None) for n in MODELS] + [("tables", "root"), ("spins", "root"), ("mixed", "middle")],
)
def test_gradient_is_that_of_the_enumerated_log_evidence(name: str, target: str | None) -> None:
    data = DATA[name]
    objective = model_problem(MODELS[name](), data, target=target, **OPTIONS)
    loss = objective.backward(0, 3)

    assert loss == pytest.approx(-log_evidence(objective.model(), data, target), abs=EXACT)
    found = torch.cat([p.grad.flatten() for p in objective.module.parameters() if p.numel()])
    np.testing.assert_allclose(found, differences(objective, data, target), atol=DIFFERENCES)


def test_tables_are_softmaxes_and_what_is_ruled_out_stays_so() -> None:
    model = Model("ruled out")
    middle = model.root("root", 2).children("middle", 2, 3)
    middle.children("leaf", 2, 2, potential=[[0.5, 0.5], [0, 0], [0.5, 0.5]])
    objective = model_problem(model, {"leaf": [[0, 1, 1, 0]]}, target=None, **OPTIONS)
    logits = objective.module.logits["root->middle"].detach().numpy()
    table = objective.model().forest().data["root->middle"]

    np.testing.assert_allclose(table[..., [0, 2]], softmax(logits[..., [0, 2]], -1), atol=EXACT)
    assert (table[..., 1] == 0).all()


def test_training_on_complete_data_comes_to_their_frequencies() -> None:
    data = tables().initialise(5).sample(200, seed=1)
    found = gh.train(tables(), data, steps=80, batch=200, rate=0.1).model.forest().data

    for rank in range(2):
        pairs = np.zeros((2, 3))
        np.add.at(pairs, (data["root"][:, 0], data["middle"][:, rank]), 1)
        frequencies = pairs / pairs.sum(1, keepdims=True)
        np.testing.assert_allclose(found["root->middle"][rank], frequencies, atol=TRAINED)
    shares = np.bincount(data["root"][:, 0]) / 200
    np.testing.assert_allclose(found["root"][0], shares, atol=TRAINED)


def test_given_tables_are_kept_and_symbols_stay_tied() -> None:
    trained = gh.train(tables(), DATA["tables"], steps=5)
    symbols = gh.train(spins(), DATA["spins"], steps=5).model

    given = trained.model.forest().data["middle->leaf"]
    np.testing.assert_array_equal(given[0], [[0.9, 0.1], [0.4, 0.6], [1.0, 0.0]])
    assert symbols.parameters["beta"] > 0
    stack = symbols.forest().data["root->leaf"]
    b, f = (symbols.parameters[name] for name in ("beta", "field"))
    expected = np.exp(b * np.outer([-1, 1], [-1, 1]) + f * np.array([-1, 1]))
    np.testing.assert_allclose(stack[0], expected, rtol=EXACT)


@pytest.mark.slow
def test_a_target_is_told_better_than_by_the_joint_law() -> None:
    """The right structure is wrong here: what is above the leaves is told by their parity."""
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 2, (200, 3))
    data = {"leaf": leaves, "root": leaves.sum(1) >= 2}
    data = {name: np.asarray(x, dtype=int) for name, x in data.items()}
    model = Model("votes")
    model.root("root", 2).children("leaf", 3, 2)
    joint = gh.train(model, data, steps=60).model
    told = gh.train(model, data, steps=60, target="root")

    def probability(found: Model) -> float:
        posterior = gh.infer(found, {"leaf": leaves})["root"]
        return float(np.log(posterior[np.arange(200), data["root"]]).mean())

    assert probability(told.model) > probability(joint) + 0.05
    assert told.loss == "minus log probability of root"


@pytest.mark.slow
def test_excess_is_over_the_law_that_the_data_come_from() -> None:
    stack = np.random.default_rng(2).dirichlet(np.full(3, 0.3), (2, 2))
    truth = tables().with_tables({"root->middle": stack})
    data = truth.sample(600, seed=1)
    history = gh.train(
        tables(), data, steps=60, validation=200, bayes=truth, start=tables().initialise(9)
    ).history

    assert (history["validation"] - history["bayes"] - history["excess"]).abs().max() < EXACT
    assert history["excess"].iloc[-1] < history["excess"].iloc[0]
    assert abs(history["excess"].iloc[-1]) < 0.1


def test_runs_on_models_resume_to_the_same_tables(tmp_path) -> None:
    class Stopped(Exception):
        pass

    def stop(row: dict[str, float]) -> None:
        if row["step"] == 4:
            raise Stopped

    options = {"steps": 8, "batch": 2, "every": 4, "ema": 0.9}
    whole = gh.train(mixed(), DATA["mixed"], **options).model
    with pytest.raises(Stopped):
        gh.train(mixed(), DATA["mixed"], **options, checkpoint=tmp_path, callback=stop)
    resumed = gh.train(mixed(), DATA["mixed"], **options, checkpoint=tmp_path).model

    for key, stack in whole.forest().data.items():
        np.testing.assert_array_equal(stack, resumed.forest().data[key])


@pytest.mark.parametrize(
    ("model", "data", "options", "error", "match"),
    [
        (tables().initialise(0), DATA["tables"], {}, ModelError, "nothing to learn"),
        (tables(), DATA["tables"], {"loss": "square"}, QueryError, "loss= is for networks"),
        (tables(), DATA["tables"], {"bayes": True}, QueryError, "the model that they come from"),
        (tables(), DATA["tables"], {"target": "middle"}, EvidenceError, "not observed"),
        (tables(), {"root": [0, 1]}, {"target": "root"}, EvidenceError, "observe more"),
        (tables(), DATA["tables"], {"validation": 3}, EvidenceError, "out of 3"),
        (tables(), DATA["tables"], {"validation": {"leaf": [[0] * 4]}}, EvidenceError, "classes"),
        (tables(), {"leaf": [[5, 0, 0, 0]]}, {}, EvidenceError, "5"),
        (tables(), {"middle": [[2, 2]], "leaf": [[1] * 4]}, {}, ImpossibleEvidenceError, "row"),
    ],
)
def test_what_does_not_fit_is_refused(model, data, options, error, match) -> None:
    with pytest.raises(error, match=match):
        gh.train(model, data, **options)


def test_divergence_of_symbols_is_told() -> None:
    with pytest.raises(LearningError, match=r"train: .*lower rate"):
        gh.train(spins(), DATA["spins"], steps=50, optimizer="sgd", rate=1e200, clip=None)
    trained = gh.train(spins(), DATA["spins"], steps=2)
    with pytest.raises(UsageError, match=r"it is in \.model"):
        trained.network  # noqa: B018  # a property that refuses
