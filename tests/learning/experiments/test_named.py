"""Experiments with a name: what they measure, and the law of the Random Hierarchy Model."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError
from ghmpp.learning.experiments.named import denoise, rhm, unknown_rules
from tests.tolerances import ENUMERATION

TINY = {"v": 4, "m": 2, "width": 16, "steps": 150, "tests": 200}


def test_unknown_rules_can_become_any_rules():
    """Tables that are the rules give the law of the grammar."""
    grammar = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2, seed=1)
    tables = []
    for rules in grammar.rules.values():
        table = np.zeros((3, 9))
        table[rules.parent, rules.children @ [3, 1]] = 0.5
        tables.append(table)
    blank = unknown_rules(grammar)
    filled = gh.Model("filled")
    above = filled.root("x0", 3)
    for level, table in enumerate(tables, 1):
        above = above.children(f"tuple{level}", 1, 9, potential=table)
        each = np.divmod(np.arange(9), 3)
        above = above.children(f"x{level}", 2, 3, potential=[gh.ChildOf(index) for index in each])
    shapes = [
        {name: (each.nodes, len(each.states)) for name, each in model.variables.items()}
        for model in (blank, filled)
    ]
    x = np.array(np.unravel_index(np.arange(81), (3,) * 4)).T
    engines = [gh.Inference(model, on_impossible="flag") for model in (grammar, filled)]
    first, second = (engine.log_evidence({"x2": x}) for engine in engines)
    assert shapes[0] == shapes[1]
    assert blank.free == ("x0->tuple1", "x1->tuple2")
    np.testing.assert_allclose(first, second, atol=ENUMERATION)


def test_rules_are_learned_from_few_examples_by_em():
    found = rhm(learner="em", ratio=4, v=4, m=2, tests=500)

    assert found["examples"] == 4 * 4 * 2**2
    assert found["scaled"] == 4.0
    assert found["relative_error"] <= 0.05
    assert found["train_error"] == 0.0


@pytest.mark.parametrize("learner", ["cnn", "bp"])
def test_networks_learn_a_tiny_grammar(learner):
    found = rhm(learner=learner, n=200, **{**TINY, "m": 1})

    assert found["scaled"] == 50.0
    assert found["relative_error"] < 0.2


def test_errors_are_counted_on_fresh_strings():
    found = rhm(learner="em", n=1, v=4, m=4, tests=400)

    # One example tells one class of four; its string is one of 64 equally probable ones of it.
    assert found["relative_error"] == pytest.approx(found["test_error"] / 0.75)
    assert 0.6 < found["test_error"] < 0.9
    assert found["unseen_error"] >= found["test_error"]


def test_the_same_seed_gives_the_same_numbers():
    once, again, other = (rhm(learner="em", n=20, v=4, m=2, seed=seed) for seed in (3, 3, 4))

    assert once == again
    assert once["test_error"] != other["test_error"]


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"learner": "svm", "n": 9}, QueryError, "unknown learner 'svm'; known: 'cnn', 'bp', 'em'"),
        ({}, QueryError, "give either n, the number of examples, or ratio"),
        ({"n": 9, "ratio": 1}, QueryError, "give either n, the number of examples, or ratio"),
        ({"n": 9, "m": 9, "v": 8}, ModelError, "tuples"),
        ({"ratio": -1.0}, QueryError, "ratio must be finite and > 0, got -1.0"),
        ({"ratio": float("nan")}, QueryError, "ratio must be finite and > 0"),
        ({"n": 9, "classes": 1}, QueryError, "at least 2 classes"),
        ({"n": 9, "tests": 0}, ModelError, "rhm: tests must be a whole number >= 1, got 0"),
    ],
)
def test_settings_without_meaning_are_refused(settings, error, words):
    with pytest.raises(error, match=words):
        rhm(**settings)


def test_nothing_is_denoised_without_states():
    with pytest.raises(QueryError, match="denoise: leaves with 1 state are known"):
        denoise(states=1)


@pytest.mark.parametrize("learner", ["trainable", "mlp"])
def test_denoising_is_judged_by_the_exact_and_the_linear_denoiser(learner):
    found = denoise(
        learner=learner, depth=1, states=2, bound=3, width=8, steps=30, batch=64, tests=500
    )

    assert 0 < found["bayes"] <= found["linear"]
    assert 0 <= found["low"] <= found["excess"] <= found["high"]
    assert found["share"] == found["excess"] / (found["linear"] - found["bayes"])


@pytest.mark.study
@pytest.mark.parametrize("m", [4, 8])
def test_deep_networks_need_as_many_examples_as_the_law_says(m, tmp_path):
    """P* = n_c m^L (Cagnetta et al., Phys. Rev. X 14, 031001), for v = n_c = 8 and L = 2."""
    grid = {"learner": ["cnn", "bp", "em"], "ratio": [1, 4], "m": [m], "seed": [0, 1]}
    table = gh.sweep("rhm", grid, folder=tmp_path, workers=2)
    assert table["failure"].isna().all()

    error = table.groupby(["learner", "ratio"])["relative_error"].mean()
    assert error["cnn", 1] > 0.45
    assert error["cnn", 4] < 0.05
    assert error["em", 1] < error["bp", 1] < error["cnn", 1]
    assert error["bp", 4] < 0.05
    assert error["em", 4] < 0.05
