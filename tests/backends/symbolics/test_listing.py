from __future__ import annotations

import keyword

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.backends.symbolics.functions import FUNCTIONS
from ghmpp.backends.symbolics.listing import Names, listing


@pytest.mark.parametrize("wish", ["class", "double", "np", "exp", "send", "ж", "", "1/2", "a b"])
def test_names_are_new_identifiers_and_no_words_of_a_language(wish):
    names = Names()
    found = [names.new(wish) for _ in range(3)]

    assert len(set(found)) == 3
    for name in found:
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)
        assert name not in {"double", "np", "exp", *FUNCTIONS["C"]}


def test_numbers_are_constants_and_symbols_and_free_tables_arguments():
    import sympy as sp

    beta = sp.Symbol("beta")
    model = gh.Model("mixed")
    root = model.root("r", 2, prior=[1.0, 2.0])
    root.children("x", 2, 2, potential=lambda s, a: sp.exp(beta) if s == a else 1)
    root.children("y", 2, 3)
    schedule = gh.compile(model, gh.posterior("r"), given=["x", "y"]).schedule
    found = listing(schedule, [("posterior", "r")], ["x", "y"], "infer")

    numbers, formulas, free = (
        {key for key, each in found.potentials.items() if test(each)}
        for test in (
            lambda each: each.logs is not None,
            lambda each: each.entries,
            lambda each: each.argument,
        )
    )
    assert numbers == {"r"}
    assert len(formulas) == len(free) == 1
    assert found.symbols == {"beta": "beta"}
    assert found.numbers == 2


def test_the_total_mass_is_a_number_or_a_run_of_its_own():
    free = gh.GHM(states=(2, 2), branching=(2,))
    complete = free.initialise(seed=1)
    asked = [("log_evidence", "")]
    open_, closed = (
        listing(gh.compile(model, gh.log_evidence(), "x1").schedule, asked, ["x1"], "infer")
        for model in (free, complete)
    )

    assert (len(open_.runs), open_.total) == (2, None)
    assert len(closed.runs) == 1
    (edge,) = complete.forest().edges.values()
    first, second = complete.forest().data[edge.key]
    assert closed.total == pytest.approx(np.log((first.sum(1) * second.sum(1)).sum()))


def test_answers_of_similar_names_stay_apart():
    model = gh.Model("similar")
    for name in ("a b", "a_b"):
        model.root(name, 2)
    asked = [("posterior", "a b"), ("posterior", "a_b")]
    schedule = gh.compile(model, [gh.posterior("a b"), gh.posterior("a_b")], "a_b").schedule
    found = listing(schedule, asked, ["a_b"], "infer")

    assert len({answer.name for answer in found.answers}) == 2
