"""Patterns are compiled once, kept, and run where they belong."""

from __future__ import annotations

import numpy as np

from ghmpp.backends import small_lowering
from ghmpp.pgmpy import VariableElimination, plans
from ghmpp.pgmpy.plans import Pattern, Plans
from tests.pgmpy.networks import random_network, state_names, truth
from tests.tolerances import ENUMERATION, EXACT


def test_a_pattern_is_compiled_once():
    engine = VariableElimination(random_network(15))
    for state in ("s0", "s1", "s0"):
        engine.query(["a"], {"g": state, "d": "s0"})
        engine.query(["a"], {"d": "s1", "g": state})

    assert engine.network.plans.made == 1


def test_the_least_used_pattern_leaves_first(monkeypatch):
    monkeypatch.setattr(plans, "KEPT", 2)
    kept = Plans(VariableElimination(random_network(15)).network.graph)
    for name in "abacab":
        kept.compiled(Pattern(((name,),)))

    assert [pattern.scopes for pattern in kept.kept] == [(("a",),), (("b",),)]
    assert kept.made == 4


def test_patterns_leave_when_they_are_large_together(monkeypatch):
    kept = Plans(VariableElimination(random_network(15)).network.graph)
    size = kept.compiled(Pattern((("f",),))).states
    monkeypatch.setattr(plans, "KEPT_STATES", size)
    kept.compiled(Pattern((("a",),)))
    assert len(kept.kept) == 1

    monkeypatch.setattr(plans, "KEPT_STATES", 0)
    kept.compiled(Pattern((("g",),)))
    assert len(kept.kept) == 1


def test_a_pattern_is_compiled_on_what_it_needs():
    engine = VariableElimination(random_network(15))
    engine.query(["a"])
    plan = engine.network.plans.compiled(Pattern((("a",),)))

    assert list(plan.model.variables) == ["a"]


def test_torch_answers_like_the_small_plans(monkeypatch):
    network = random_network(13, zeros=True)
    evidence, likelihoods = {"f": "s0"}, {"d": np.ones(len(state_names(network, "d")))}
    likelihoods["d"][0] = 1e-3
    small = VariableElimination(network).query(["a", "g"], evidence, likelihoods)
    monkeypatch.setattr(small_lowering, "BLOCK_STATES", 0)
    large = VariableElimination(network).query(["a", "g"], evidence, likelihoods)

    np.testing.assert_allclose(large.values, small.values, atol=EXACT)


def test_likelihoods_beyond_what_a_small_plan_bears_go_to_torch():
    network = random_network(14)
    likelihoods = {
        name: 10.0 ** (-150.0 * np.arange(len(state_names(network, name)))) for name in "bdf"
    }
    found = VariableElimination(network).query(["a"], virtual_evidence=likelihoods)
    expected = truth(network, ["a"], likelihoods=likelihoods)

    np.testing.assert_allclose(found.values, expected / expected.sum(), atol=ENUMERATION)
