"""Simplified forests answer as the whole ones do, with fewer operations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.approximation.budgets import choose_widths
from ghmpp.approximation.propagate import Domain
from ghmpp.approximation.routes import find_routes
from ghmpp.errors import QueryError
from ghmpp.models.observations import Observation
from ghmpp.schedule.simplify_constants import fold_constants
from ghmpp.schedule.simplify_edges import cut_rank_one
from ghmpp.schedule.simplify_states import lump_states
from ghmpp.verification.enumeration import enumeration
from tests.schedule.simplifying import assert_same_answers, by_rule, for_question
from tests.strategies import evidence, models, redundant_models
from tests.tolerances import ENUMERATION

SIZE = 2_000


@st.composite
def questions(draw, strategy):
    """A model, two asked classes and two observed ones."""
    model = draw(strategy)
    names = st.lists(st.sampled_from(list(model.forest().variables)), unique=True, max_size=2)
    return model, draw(names), draw(names)


@given(st.data(), questions(redundant_models(limit=SIZE) | models(limit=SIZE)))
def test_answers_stay_and_operations_do_not_grow(data, question):
    model, asked, observed = question
    forest = model.forest()
    logs = data.draw(evidence(model, classes=observed, possible=True)).logs
    found = for_question(
        forest, [("log_evidence", ""), *(("posterior", name) for name in asked)], observed
    )

    assert_same_answers(forest, found.forest, found.log_scale, asked, logs)
    assert found.after <= found.before
    assert found.before - found.after == sum(each.operations for each in found.savings)
    for name in {*asked, *observed}:
        kept, before = found.forest.variables[name], forest.variables[name]
        assert (kept.states, kept.nodes) == (before.states, before.nodes)


@given(st.data(), redundant_models(limit=SIZE, zeros=False))
def test_widths_of_certified_networks_do_not_grow(data, model):
    forest = found = model.forest()
    asked = data.draw(st.sampled_from(list(forest.variables)))
    observed = data.draw(st.sampled_from(list(forest.variables)))
    for rule in (cut_rank_one, fold_constants, lump_states):
        found, _ = by_rule(rule, found, [asked, observed])

    before, after = (width(each, asked, observed) for each in (forest, found))
    assert after <= before


def width(forest, asked, observed):
    """Width of all layers for an error of 0.1; infinite where that is out of reach."""
    routes = find_routes(forest, forest.variables[asked].blocks, [observed])
    domain = Domain(math.inf, "real")

    def answer(beliefs):
        return max(float(each.max()) for each in beliefs.values())

    if not routes.steps:
        return 0
    try:
        return max(choose_widths(routes, 0.1, "equal-width", domain, answer).values())
    except QueryError:
        return math.inf


class TestPrograms:
    MODEL = gh.Model("weather")
    SEASON = MODEL.root("season", ["dry", "wet"], prior=[0.3, 0.7])
    DAY = SEASON.children("day", 2, ["sun", "rain"], potential=[[0.9, 0.1], [0.4, 0.6]])
    HOUR = DAY.children("hour", 3, 2, potential=[[0.7, 0.3], [0.2, 0.8]])
    SHOE = SEASON.children("shoe", 1, 2, potential=[[1.0, 3.0], [2.0, 6.0]])

    @pytest.mark.parametrize(
        "query", [gh.posterior("season"), gh.edge("day"), gh.log_evidence()], ids=repr
    )
    def test_networks_answer_the_same(self, query):
        x = torch.tensor([[0, 1], [1, 1], [-1, 0]])
        whole = gh.compile(self.MODEL, query, "day")
        small = gh.compile(self.MODEL, query, "day", simplify=True)

        assert_allclose(small.network()(x), whole.network()(x), ENUMERATION, ENUMERATION)
        assert len(small.schedule.ops) < len(whole.schedule.ops)

    def test_certified_networks_shrink_too(self):
        x = torch.tensor([[0, 1], [1, 1], [-1, 0]])
        whole = gh.compile(self.MODEL, gh.posterior("season"), "day")
        small = gh.compile(self.MODEL, gh.posterior("season"), "day", simplify=True)
        network = small.network("relu", delta=0.05)

        assert list(network.collect) == ["day"]
        assert sum(p.numel() for p in network.state_dict().values()) < sum(
            p.numel() for p in whole.network("relu", delta=0.05).state_dict().values()
        )
        gap = network(x).log() - whole.network()(x).log()
        assert gap.abs().max() <= 0.05

    def test_it_says_what_was_saved(self):
        program = gh.compile(self.MODEL, gh.posterior("season"), "day", simplify=True)
        before, after = program.simplified.before, program.simplified.after

        assert f"simplified: {after:,} of {before:,} operations remain" in repr(program)
        assert "constants folded" in repr(program.simplified)
        assert "tables of rank one cut" in repr(program.simplified)

    def test_it_is_asked_for(self):
        program = gh.compile(self.MODEL, gh.posterior("season"), "day")

        assert program.simplified is None
        assert "simplified" not in repr(program)

    def test_variables_that_were_declared_one_by_one_are_grouped_afterwards(self):
        untied = gh.from_networkx(self.MODEL.graph())
        program = gh.compile(untied, gh.posterior("season"), ["day[0]", "day[1]"], simplify=True)
        found = program.network()(torch.tensor([0]), torch.tensor([1]))

        truth = enumeration(self.MODEL.forest(), {"day": np.log(np.eye(2) + 1e-300)[None]})
        assert_allclose(found[0], truth.posteriors["season"][0, 0], ENUMERATION)
        assert len(program.schedule.forest.blocks) == 2


class TestWhatIsNotKnownYet:
    def test_free_tables_stay(self):
        model = gh.Model()
        model.root("a", 2).children("b", 2, 2).children("c", 2, 2)
        program = gh.compile(model, gh.posterior("a"), "b", simplify=True)

        assert program.simplified.savings == ()
        assert set(program.schedule.forest.blocks) == {"a", "b", "c"}

    def test_formulas_stay(self):
        beta = sp.Symbol("beta")
        model = gh.Model()
        a = model.root("a", 2)
        a.children("b", 1, 2, potential=lambda s, x: sp.exp(-beta * s * x))
        a.children("c", 1, 2, potential=[[1, 2], [2, 1]])
        program = gh.compile(model.bind(beta=0.0), gh.posterior("a"), "c", simplify=True)

        assert "b" in program.schedule.forest.blocks
        assert list(program.network().symbols) == ["beta"]

    def test_a_long_chain_is_one_net_with_fewer_units(self):
        table = np.array([[3.0, 1.0], [1.0, 2.0]])
        model = gh.Model("long")
        top = model.root("top", 2)
        for k in range(4):
            top = top.children(f"v{k}", 1, 2, potential=table)
        forest = model.forest()
        found = for_question(forest, [("posterior", "top")], ["v3"]).forest

        assert set(found.blocks) == {"top", "v3"}
        assert width(found, "top", "v3") < 4 * width(forest, "top", "v3")

    def test_simplified_twice_is_simplified_once(self):
        model = TestPrograms.MODEL
        outputs, observed = [("posterior", "season")], ["day"]
        once = for_question(model.forest(), outputs, observed)
        twice = for_question(once.forest, outputs, observed)

        assert twice.savings == ()
        assert twice.forest is once.forest


def test_observations_of_all_kinds_meet_the_smaller_network():
    model = gh.GHM(states=(2, 3, 3), branching=(2, 2), state_values=[0.0, 1.0, 2.0]).initialise(1)
    given_ = gh.noisy("x2", sigma=0.5)
    z = np.random.default_rng(0).normal(size=(4, 4))
    networks = [
        gh.compile(model, gh.mean("x2"), given_, simplify=simplify).network()
        for simplify in (False, True)
    ]
    seen = {"x2": Observation("values", z, given_.channel)}

    whole, small = (net.evaluate(seen)["mean", "x2"] for net in networks)
    assert_allclose(small, whole, ENUMERATION, ENUMERATION)
