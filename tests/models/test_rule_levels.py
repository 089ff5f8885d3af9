"""Levels of rules in a declared model: the hidden class, files, sampling, normalised models."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.models.rules import Rules
from tests.tolerances import EXACT, SIGMAS

PAIRS = np.array([[[0.0, 3.0], [1.0, 0.0]], [[2.0, 0.0], [0.0, 6.0]]])


def pairs() -> gh.Model:
    """A root of two states over two levels of pairs."""
    model = gh.Model("pairs")
    above = model.root("a", 2, prior=[1, 3])
    above.children("b", 2, 2, rules=PAIRS).children("c", 2, 2, rules=PAIRS[::-1])
    return model


# Weights of the configurations (x0, x1, x1) of one level.
LAW = np.array([1.0, 3.0])[:, None, None] * PAIRS


def level() -> gh.Model:
    return gh.GHM(2, (2,), [Rules.from_table(PAIRS)], prior=[1, 3])


class TestDeclaration:
    def test_a_hidden_class_says_which_rule_was_used(self):
        model = pairs()
        helper = model.declarations["b rule"]

        assert helper.hidden
        assert helper.nodes == 1
        assert model.declarations["c rule"].nodes == 2
        assert helper.space.names == range(4)
        assert isinstance(helper.space.names, range)
        assert helper.scope == ()
        assert list(model.variables) == ["a", "b", "c"]
        assert list(model.rules) == ["b", "c"]

    def test_the_numbers_of_nodes_are_those_without_rules(self):
        nodes = {name: each.nodes for name, each in pairs().variables.items()}

        assert nodes == {"a": 1, "b": 2, "c": 4}

    def test_rules_come_back_as_they_were_declared(self):
        for name, table in (("b", PAIRS), ("c", PAIRS[::-1])):
            np.testing.assert_array_equal(pairs().rules[name].to_table(), table)

    def test_zeros_cost_nothing(self):
        assert len(pairs().declarations["b rule"].space) == np.count_nonzero(PAIRS)

    def test_summaries_name_the_rules(self):
        assert "2 per a, 4 rules" in repr(pairs())
        assert "rule" not in repr(gh.GHM(2, (2,), [np.ones((2, 2))]))

    def test_either_a_potential_or_rules(self):
        with pytest.raises(ModelError, match="either a potential or rules, not both"):
            gh.Model().root("a", 2).children("b", 2, 2, rules=PAIRS, potential=np.eye(2))

    def test_the_name_of_the_hidden_class_must_be_new(self):
        model = gh.Model()
        root = model.root("a", 2)
        root.children("b rule", 2, 2, potential=np.eye(2))
        with pytest.raises(ModelError, match="'b rule' is declared twice"):
            root.children("b", 2, 2, rules=PAIRS)

    def test_a_refused_level_leaves_no_trace(self):
        model = gh.Model()
        root = model.root("a", 2)
        with pytest.raises(ModelError, match="rules of 'a' -> 'b': a joint table must have shape"):
            root.children("b", 3, 2, rules=PAIRS)

        assert list(model.declarations) == ["a"]

    def test_weights_may_be_formulas(self):
        beta = sympy.Symbol("beta", positive=True)
        model = gh.Model()
        model.root("a", 1).children("b", 2, 2, rules=[(0, (0, 1), beta), (0, (1, 0), 1)])

        bound = gh.infer(model.bind(beta=3.0), None)["b"]
        assert model.parameters == {"beta": None}
        np.testing.assert_allclose(bound, [[[0.75, 0.25], [0.25, 0.75]]], rtol=EXACT)

    def test_free_weights_are_asked_for(self):
        model = gh.Model()
        model.root("a", 2).children("b", 2, 2, rules=Rules([0, 1], [[0, 1], [1, 0]]))

        assert model.free == ("b rule",)
        with pytest.raises(ModelError, match="not complete: free tables b rule"):
            model.sample(1)
        assert model.initialise(0).free == ()


class TestLaw:
    def test_the_partition_function_sums_all_rules(self):
        np.testing.assert_allclose(level().log_partition(), np.log(LAW.sum()), rtol=EXACT)

    def test_samples_have_the_frequencies_of_the_law(self):
        law, n = LAW / LAW.sum(), 4000
        drawn = level().sample(n, seed=3)
        counts = np.zeros_like(law)
        np.add.at(counts, (drawn["x0"].ravel(), *drawn["x1"].T), 1)

        assert list(drawn) == ["x0", "x1"]
        assert (np.abs(counts - n * law) <= SIGMAS * np.sqrt(n * law * (1 - law))).all()
        assert (counts[law == 0] == 0).all()

    def test_samples_are_grammatical(self):
        model = pairs()
        drawn = model.sample(50, seed=1)

        assert model.valid_rules(drawn["c"])["a"].all()

    def test_normalized_weights_are_probabilities_of_rules(self):
        model = pairs()
        after = model.normalized()

        assert after.log_partition() == pytest.approx(0, abs=EXACT)
        for name in ("b", "c"):
            rules = after.rules[name]
            sums = np.bincount(rules.parent, rules.weights)
            np.testing.assert_allclose(sums, 1, rtol=EXACT)
        evidence = [[0, 1, 1, 0], [0, 0, -1, -1], [-1, 1, -1, 1]]
        before, found = (gh.infer(each, evidence) for each in (model, after))
        np.testing.assert_allclose(found.log_evidence, before.log_evidence, rtol=EXACT, atol=EXACT)
        for name in before:
            np.testing.assert_allclose(found[name], before[name], rtol=EXACT, atol=EXACT)


class TestFiles:
    def test_rules_come_back(self, tmp_path):
        pairs().save(tmp_path / "pairs.json")
        again = gh.Model.load(tmp_path / "pairs.json")

        assert repr(again) == repr(pairs())
        for name, rules in pairs().rules.items():
            assert list(again.rules[name]) == list(rules)
            assert again.rules[name].weights.tolist() == rules.weights.tolist()
        assert gh.infer(again, [[0, 1, 1, 0]]).log_evidence == (
            gh.infer(pairs(), [[0, 1, 1, 0]]).log_evidence
        )

    def test_fractions_and_free_weights_come_back(self, tmp_path):
        model = gh.Model()
        root = model.root("a", 2)
        root.children("b", 2, 2, rules=[(0, (0, 1), Fraction(1, 3)), (1, (1, 1), Fraction(2, 7))])
        root.children("c", 2, 2, rules=Rules([0, 1], [[0, 1], [1, 0]]))
        model.save(tmp_path / "model.json")
        again = gh.Model.load(tmp_path / "model.json")

        assert again.rules["b"].weights.tolist() == [Fraction(1, 3), Fraction(2, 7)]
        assert again.rules["c"].weights is None
        assert again.free == ("c rule",)
