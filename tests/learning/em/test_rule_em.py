from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.learning.em.fit import EM, fit
from ghmpp.models.evidence import read_evidence
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import enumeration
from tests.tolerances import ENUMERATION, EXACT

UPPER = gh.Rules([0, 0, 0, 1, 1], [[0, 1], [1, 2], [2, 2], [1, 0], [0, 0]])
LOWER = gh.Rules([0, 0, 1, 1, 2, 2], [[0, 1], [1, 1], [1, 0], [0, 0], [1, 1], [0, 1]])


def grammar() -> Model:
    """Two levels of rules whose weights are to be learned."""
    model = Model("grammar")
    model.root("S", 2).children("A", 2, 3, rules=UPPER).children("B", 2, 2, rules=LOWER)
    return model


def test_complete_trees_are_counted() -> None:
    data = grammar().initialise(3).sample(80, seed=2)

    fitted = fit(grammar(), data, smoothing=0.5)

    upper = dict.fromkeys(range(5), 0.5)
    for parent, children in zip(data["S"][:, 0], data["A"], strict=True):
        upper[list(UPPER).index((parent, tuple(children)))] += 1
    weights = np.array(list(upper.values()))
    sums = np.bincount(UPPER.parent, weights)[UPPER.parent]
    learned = fitted.rules["A"].weights
    np.testing.assert_allclose(learned, weights / sums, rtol=EXACT)
    root = np.bincount(data["S"][:, 0]) + 0.5
    np.testing.assert_allclose(fitted.forest().data["S"][0], root / root.sum(), rtol=EXACT)
    assert fitted.log_partition() == pytest.approx(0, abs=EXACT)


def test_hidden_rules_start_apart_and_raise_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    data = grammar().initialise(3).sample(40, seed=2)
    data["B"] = np.where(rng.random(data["B"].shape) < 0.2, -1, data["B"])
    data["A"] = np.where(rng.random(data["A"].shape) < 0.7, -1, data["A"])
    del data["S"]

    em = EM(grammar(), smoothing=0, iterations=6, tolerance=0).fit(data)

    assert (np.diff([step.objective for step in em.history_]) > 0).all()
    observations, _ = read_evidence(data, grammar().variables)
    logs = {name: o.log_likelihood(grammar().variables[name]) for name, o in observations.items()}
    truth = enumeration(em.model_.forest(), logs).log_evidence
    assert truth is not None
    assert em.history_[-1].log_likelihood == pytest.approx(truth.sum(), rel=ENUMERATION)


def test_rules_start_as_initialise_says() -> None:
    data = grammar().initialise(3).sample(5, seed=0)
    steps: list[gh.Model] = []
    em = EM(grammar(), seed=4, iterations=1, callback=lambda _: steps.append(em.model_))

    em.fit(data)

    expected = grammar().initialise(4).rules["B"].weights
    np.testing.assert_allclose(steps[0].rules["B"].weights, expected, rtol=EXACT)
