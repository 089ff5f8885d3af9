"""Trees of real variables have the schedules of all trees."""

from __future__ import annotations

import pytest

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.gaussian_tree import GaussianTree
from ghmpp.schedule.ir import Message, Normalize
from ghmpp.schedule.provenance import provenance

MODEL = gh.GaussianGHM(branching=(2, 3))


def test_the_instructions_are_those_of_a_discrete_tree_below_its_root():
    forest = MODEL.forest()
    real = GaussianTree().build(forest, [("mean", "x2")], ["x2"])
    states = gh.compile(gh.GHM(2, (2, 3)), gh.posterior("x2"), "x2").schedule

    check_schedule(real)
    kinds = [type(op).__name__ for op in real.ops]
    below = [type(op).__name__ for op in states.ops if not isinstance(op, Normalize)]

    prior = ["Combine", "Spread", "Message"]  # what is declared of x0
    at = kinds.index("Spread") - 1
    assert kinds[at : at + 3] == prior
    assert kinds[:at] + kinds[at + 3 :] == below


def test_factors_are_not_rescaled_and_run_in_logs():
    schedule = GaussianTree().build(MODEL.forest(), [("log_evidence", "")], ["x2"])

    assert [op.block for op in schedule.ops if isinstance(op, Normalize)] == ["component"]
    assert schedule.domain is not None
    assert schedule.domain.kind == "log"
    assert schedule.domain.reason == "Gaussian factors are added, like logarithms"


def test_classification_is_the_collect_pass_alone():
    model = gh.GaussianGHM(branching=(2,), above=gh.GHM(2, (2,)), prefix="y")

    schedule = gh.compile(model, gh.posterior("x0"), gh.noisy("y1", sigma=1.0)).schedule

    assert {op.toward for op in schedule.ops if isinstance(op, Message)} == {"root"}


@pytest.mark.parametrize("query", [gh.draw("x2"), gh.code("x2")])
def test_draws_and_codes_are_of_other_engines(query):
    with pytest.raises(QueryError, match="'x2' have Gaussian laws; ask for their mean"):
        gh.compile(MODEL, query, gh.noisy("x2", sigma=1.0))


def test_layers_say_which_integral_they_are():
    schedule = GaussianTree().build(MODEL.forest(), [("mean", "x2")], ["x2"])

    found = {
        provenance(op, schedule.forest).name: provenance(op, schedule.forest)
        for op in schedule.ops
        if isinstance(op, Message)
    }

    assert found["x2 -> x1"].formula.startswith("J' = a^2 J / (1 + q J)")
    assert found["x1 -> x2"].formula.startswith("J' = J / (a^2 + q J)")
    assert found["x1 -> x2"].equation is None


def test_the_report_and_the_pictures_show_real_classes():
    program = gh.compile(MODEL, gh.mean("x2"), gh.noisy("x2", sigma=1.0))

    text = str(program.schedule)

    assert "Gaussian factors" in text
    assert "potentials 9 parameters" in text
    assert "x2 -> x1" in program._repr_html_().replace("&gt;", ">")
