"""Helper classes: hidden unless they are asked by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.models.evidence import read_evidence
from ghmpp.models.potentials import ChildOf, ParentOf


@pytest.fixture
def model() -> gh.Model:
    """A symbol, its hidden rule, and the letter that the rule writes."""
    model = gh.Model("helper")
    symbol = model.root("symbol", 2)
    rule = symbol.children("rule", 1, 4, potential=ParentOf([0, 0, 1, 1]), prior=[1, 2, 3, 4])
    model.add(replace(model.declarations["rule"], hidden=True, scope=("symbol", "letter")))
    rule.children("letter", 1, 3, potential=ChildOf([0, 1, 1, 2]))
    return model


def test_hidden_classes_are_left_out_of_lists_leaves_and_summaries(model):
    forest = model.forest()

    assert list(model.variables) == list(forest.visible) == ["symbol", "letter"]
    assert list(forest.variables) == ["symbol", "rule", "letter"]
    assert forest.leaves == ("letter",)
    headline, *rows = repr(model).splitlines()
    assert "2 classes, 2 variables" in headline
    assert [row.split()[0] for row in rows] == ["symbol", "letter"]


def test_a_hidden_class_below_does_not_make_a_leaf_an_inner_class(model):
    hanging = gh.Model()
    hanging.root("a", 2).children("b", 1, 2, potential=np.eye(2))
    hanging.add(replace(hanging.declarations["b"], hidden=True))

    assert hanging.forest().leaves == ("a",)


def test_a_chain_is_not_below_itself_and_several_roots_hang_off_a_hidden_one():
    model = gh.Model()
    clique = model.root("clique", 4)
    model.add(replace(model.declarations["clique"], hidden=True))
    clique.children("u", 1, 2, potential=ChildOf([0, 0, 1, 1]))
    clique.children("v", 1, 2, potential=ChildOf([0, 1, 0, 1]))
    model.chain("z", 3, 2, potential=np.eye(2))

    assert model.forest().leaves == ("u", "v", "z")


def test_answers_leave_hidden_classes_out_unless_they_are_named(model):
    engine = gh.Inference(model)
    beliefs = engine.posteriors({"letter": [1]})

    assert list(beliefs) == list(beliefs.map()) == list(beliefs.sample(2)) == ["symbol", "letter"]
    assert list(model.sample(2)) == ["symbol", "letter"]
    np.testing.assert_allclose(beliefs["rule"], [[0, 2 / 5, 3 / 5, 0]])
    assert engine.map({"letter": [1]}, classes=["rule"])["rule"].tolist() == [2]
    assert engine.posteriors({"rule": [3]})["letter"].tolist() == [[0, 0, 1]]
    with pytest.raises(QueryError, match="unknown class 'rules'; the model has symbol, letter"):
        engine.posteriors(classes=["rules"])


def test_only_the_wanted_classes_are_answered(model):
    drawn = gh.Inference(model).posterior_sample({"letter": [1]}, 5, classes=["symbol", "rule"])

    assert {name: states.shape for name, states in drawn.items()} == {
        "symbol": (1, 5),
        "rule": (1, 5),
    }
    assert np.array_equal(drawn["symbol"], drawn["rule"] // 2)


def test_files_keep_what_is_hidden_and_its_scope(model, tmp_path):
    model.save(tmp_path / "helper.json")
    again = gh.Model.load(tmp_path / "helper.json")

    declared = again.declarations["rule"]
    assert (declared.hidden, declared.scope) == (True, ("symbol", "letter"))
    assert not again.declarations["letter"].hidden
    assert again.declarations["letter"].space.names == range(3)


def test_messages_that_list_classes_leave_hidden_ones_out(model):
    schedule = gh.compile(model, gh.posterior("symbol"), given="letter").schedule
    questions = {
        "a query": lambda: gh.compile(model, gh.posterior("q")),
        "what is given": lambda: gh.compile(model, gh.posterior("symbol"), given="q"),
        "evidence": lambda: gh.infer(model, {"q": [0]}),
        "beliefs": lambda: gh.infer(model)["q"],
        "classes": lambda: gh.Inference(model).posteriors(classes=["q"]),
        "a table": lambda: read_evidence(np.zeros((1, 1), int), model.forest().variables),
        "exact likelihoods": lambda: run(schedule, {"q": np.ones((1, 1, 2))}, LogFloat()),
    }
    for name, ask in questions.items():
        with pytest.raises((QueryError, EvidenceError), match="symbol, letter") as caught:
            ask()
        assert "rule" not in str(caught.value), name
