"""Rule records: checks, joint tables and back, and every way to declare a level of rules."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.models.rules import Rules, is_joint, is_rule_list, read_rules
from ghmpp.models.states import read_states
from tests.tolerances import EXACT

LETTERS = read_states(["a", "b", "c"], None, "letters")
SYMBOLS = read_states(["S", "T"], None, "symbols")


@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=2),
    ranks=st.integers(1, 4),
    rate=st.sampled_from([0.0, 0.5, 0.9]),
    seed=st.integers(0, 1000),
)
def test_a_table_and_its_rules_say_the_same(shape, ranks, rate, seed):
    rng = np.random.default_rng(seed)
    table = rng.random((shape[0], *[shape[1]] * ranks))
    table[rng.random(table.shape) < rate] = 0
    table.flat[0] = 1
    rules = Rules.from_table(table)

    assert (len(rules), rules.ranks) == (np.count_nonzero(table), ranks)
    np.testing.assert_array_equal(rules.to_table(*shape), table)
    for (parent, children), weight in zip(rules, rules.weights, strict=True):
        assert table[(parent, *children)] == weight > 0


class TestTables:
    def test_fractions_stay_exact(self):
        table = [[Fraction(1, 3), Fraction(0)], [Fraction(0), Fraction(2, 3)]]
        rules = Rules.from_table(table)

        assert rules.weights.tolist() == [Fraction(1, 3), Fraction(2, 3)]
        assert rules.to_table().tolist() == [[Fraction(1, 3), 0], [0, Fraction(2, 3)]]

    def test_formulas_stay_formulas(self):
        beta = sympy.Symbol("beta", positive=True)
        rules = Rules.from_table([[beta, 0], [0, 1]])

        assert list(rules) == [(0, (0,)), (1, (1,))]
        assert rules.weights[0] == beta

    def test_repeated_rules_add(self):
        rules = Rules([0, 0], [[1], [1]], [0.25, 0.5])

        assert rules.to_table().tolist() == [[0.0, 0.75]]

    def test_states_that_no_rule_uses_have_zeros(self):
        assert Rules([0], [[0, 1]], [2.0]).to_table(2, 3).shape == (2, 3, 3)

    def test_records_never_change(self):
        rules = Rules([0], [[0, 1]], [2.0])
        for array in (rules.parent, rules.children, rules.weights):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0

    def test_rules_of_one_parent_come_together_in_their_order(self):
        ordered = Rules([1, 0, 1], [[0], [1], [2]], [1.0, 2.0, 3.0]).ordered()

        assert list(ordered) == [(0, (1,)), (1, (0,)), (1, (2,))]
        assert ordered.weights.tolist() == [2.0, 1.0, 3.0]

    def test_they_say_what_they_are(self):
        assert repr(Rules([0], [[0]], [1.0])) == "Rules: 1 rule, 1 child each"
        assert repr(Rules([0, 1], [[0, 1], [1, 1]])) == "Rules: 2 rules, 2 children each, " + (
            "weights free"
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 1], [[0, 1]]), r"parent must have shape \(rules,\) .* got \(2,\) and \(1, 2\)"),
        (([[0]], [[0, 1]]), r"got \(1, 1\) and \(1, 2\)"),
        (([0], [0]), r"children \(rules, ranks\), got \(1,\) and \(1,\)"),
        (([], np.empty((0, 2), dtype=int)), "at least one rule with at least one child"),
        (([0], np.empty((1, 0), dtype=int)), "at least one rule with at least one child"),
        (([0.5], [[0]]), "parent must be state indices, got dtype float64"),
        (([0], [["a"]]), "children must be state indices, got dtype"),
        (([-1], [[0]]), "state indices >= 0, found -1"),
        (([0], [[0, 1], [1]]), "children do not form an array"),
        (
            ([0], [[0]], [1.0, 2.0]),
            r"weights must have shape \(1,\), one for each rule, got \(2,\)",
        ),
        (([0], [[0]], [-1.0]), "weights.*>= 0"),
        (([0], [[0]], [np.nan]), "weights.*finite"),
        (([0], [[0]], [np.inf]), "weights.*finite"),
        (([0], [[0]], [Fraction(-1, 2)]), "weights"),
    ],
)
def test_wrong_records_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        Rules(*arguments)


def test_wrong_tables_are_refused():
    with pytest.raises(ModelError, match=r"one axis for the parent .* got shape \(2,\)"):
        Rules.from_table([1.0, 2.0])
    with pytest.raises(ModelError, match=">= 0"):
        Rules.from_table([[1.0, -2.0]])
    with pytest.raises(ModelError, match="weights are free, so there is no table yet; fit them"):
        Rules([0], [[0]]).to_table()
    with pytest.raises(
        ModelError, match=r"rule 1 has the child state 2, .* only the states 0\.\.1"
    ):
        Rules([0, 0], [[0, 1], [1, 2]], [1.0, 1.0]).to_table(1, 2)
    with pytest.raises(ModelError, match=r"rule 0 has the parent state 3, .* the states 0\.\.1"):
        Rules([3], [[0, 1]], [1.0]).to_table(2, 2)


class TestReading:
    def read(self, rules, ranks=2):
        return read_rules(rules, "rules of 'x' -> 'y'", parent=SYMBOLS, child=LETTERS, ranks=ranks)

    def test_names_weights_and_tables(self):
        table = np.zeros((2, 3, 3))
        table[0, 0, 1], table[1, 2, 2] = 0.5, 1.0
        by_name = self.read([("T", ("c", "c")), ("S", ("a", "b"), 0.5)])
        by_table = self.read(table)

        assert list(by_name) == list(by_table) == [(0, (0, 1)), (1, (2, 2))]
        assert by_name.weights.tolist() == by_table.weights.tolist() == [0.5, 1.0]
        assert list(self.read(by_table)) == list(by_table)

    @pytest.mark.parametrize(
        ("rules", "words"),
        [
            ([("X", ("a", "b"))], "'x' -> 'y', rule 0: unknown state 'X'; known: 'S', 'T'"),
            ([("S", ("a", "b")), ("S", ("a", "z"))], "rule 1: unknown state 'z'; known: 'a', 'b'"),
            ([("S", (["a"], "b"))], r"unknown state \['a'\]"),
            ([("S", ("a", "b")), ("S", ("a",))], "must have the same number of children"),
            ([("S", ("a",))], "each parent has 2 children, but the rules have 1"),
            (Rules([0], [[0, 0, 0]]), "each parent has 2 children, but the rules have 3"),
            (Rules([0], [[0, 3]]), r"'x' -> 'y': rule 0 has the child state 3"),
            (Rules([2], [[0, 0]]), r"rule 0 has the parent state 2"),
            (np.ones((2, 3)), r"must have shape \(2, 3, 3\), .* got \(2, 3\)"),
            (np.zeros((2, 3, 3)), "'x' -> 'y': has only zeros, .* at least one positive entry"),
            (-np.ones((2, 3, 3)), "'x' -> 'y': .*>= 0"),
            (
                np.where(np.arange(18).reshape(2, 3, 3) == 14, np.nan, 1.0),
                "finite, found nan at parent state 1, child 1's state 1, child 2's state 2",
            ),
            ([("S", ("a", "b")), ("T", ("a", "b"), np.nan)], "weights: .* found nan at rule 1"),
            ([("S", ("a", "b"), -1)], "'x' -> 'y', weights: .*>= 0"),
            ([("S", ("a", "b"), "much")], "'x' -> 'y', weights, entry .*expected a number"),
            ("S -> a b", "numbers|array|shape"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, rules, words):
        with pytest.raises(ModelError, match=words):
            self.read(rules)


def test_what_is_taken_for_rules():
    joint = np.ones((2, 3, 3))
    listed = [("S", ("a", "b")), ("T", ("c", "c"), 2)]

    assert is_rule_list(listed)
    assert not is_rule_list([[1.0, 2.0], [3.0, 4.0]])
    assert not is_rule_list([])
    assert is_joint(Rules([0], [[0, 0]]), 2, 3, 2)
    assert is_joint(joint, 2, 3, 2)
    assert is_joint(listed, 2, 3, 2)
    assert not is_joint(np.ones((2, 2, 2)), 2, 2, 2)  # a table per rank
    assert not is_joint(np.ones((2, 3)), 2, 3, 1)
    assert not is_joint(None, 2, 3, 2)
    assert not is_joint([np.ones((2, 3)), np.ones(4)], 2, 3, 2)


class TestGHM:
    def test_every_form_of_a_level_is_the_same_model(self):
        table = np.random.default_rng(0).random((2, 3, 3))
        rules = Rules.from_table(table)
        listed = [(p, c, w) for (p, c), w in zip(rules, rules.weights.tolist(), strict=True)]
        models = [gh.GHM((2, 3), (2,), [form]) for form in (table, rules, listed, table.tolist())]

        for model in models:
            assert model.variables.keys() == {"x0", "x1"}
            np.testing.assert_array_equal(model.rules["x1"].to_table(), table)
        logs = [gh.Inference(model).log_evidence([[0, 2]])[0] for model in models]
        expected = np.log(table[:, 0, 2].sum() / table.sum())
        np.testing.assert_allclose(logs, expected, rtol=EXACT)

    def test_levels_may_mix_rules_and_tables(self):
        model = gh.GHM((2, 3, 2), (2, 2), [np.ones((2, 3, 3)), np.ones((3, 2))])

        assert list(model.rules) == ["x1"]

    def test_an_ambiguous_array_is_a_table_per_rank_and_a_record_is_joint(self):
        table = np.ones((2, 2, 2))

        assert not gh.GHM(2, (2,), [table]).rules
        assert list(gh.GHM(2, (2,), [Rules.from_table(table)]).rules) == ["x1"]
