"""Which tuples are expansions of a symbol, and where a string first breaks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import EvidenceError, ModelError
from ghmpp.models import validity
from ghmpp.models.evidence import read_evidence
from ghmpp.models.rules import Rules
from tests.models.joint_rules import JointModel, joint_models, observed


def sentences() -> gh.Model:
    return gh.grammar("S -> NP VP | VP NP; NP -> a b | b a; VP -> c c")


def below(model: JointModel, level: int, node: int, leaves: np.ndarray) -> set[int]:
    """Symbols of a node that can be expanded into the leaves below it, by trying all rules."""
    last = len(model.branching)
    if level == last:
        state = int(leaves[model.place(level, node)])
        return set(range(model.states[level])) if state < 0 else {state}
    m = model.branching[level]
    children = [below(model, level + 1, node * m + rank, leaves) for rank in range(m)]
    found = {
        int(parent)
        for parent, *tuple_ in np.argwhere(model.tables[level] > 0)
        if all(state in child for state, child in zip(tuple_, children, strict=True))
    }
    return found & set(np.flatnonzero(model.prior).tolist()) if level == 0 else found


@settings(max_examples=100)
@given(model=joint_models(), seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3]))
def test_a_node_is_valid_when_some_symbol_can_be_expanded_into_what_is_below(model, seed, missing):
    rng = np.random.default_rng(seed)
    leaves = rng.integers(model.states[-1], size=(4, model.sizes[-1]))
    leaves[rng.random(leaves.shape) < missing] = -1
    found = model.declared().valid_rules(leaves)

    assert list(found) == [f"x{level}" for level in range(len(model.branching))]
    for row, string in enumerate(leaves):
        first = 0
        for level, m in enumerate(model.branching):
            for node in range(model.sizes[level]):
                alive = bool(below(model, level, node, string))
                children = [below(model, level + 1, node * m + r, string) for r in range(m)]
                assert found[f"x{level}"][row, node] == alive
                assert found.first[f"x{level}"][row, node] == (not alive and all(children))
                first += not alive and all(children)
        assert len(found.broken[row]) == min(first, validity.NAMED_TUPLES)


@settings(max_examples=60)
@given(data=st.data(), model=joint_models())
def test_evidence_is_possible_when_all_nodes_are_valid(data, model):
    evidence, likelihoods = data.draw(observed(model))
    found = model.declared().valid_rules(evidence)
    possible = model.given(likelihoods).sum(axis=1) > 0

    assert [all(found[name][row].all() for name in found) for row in range(len(possible))] == (
        possible.tolist()
    )
    assert [not names for names in found.broken] == possible.tolist()


class TestNames:
    def test_the_lowest_tuple_is_named_and_not_those_above_it(self):
        found = sentences().valid_rules([["a", "a", "c", "c"]])

        assert found.broken == (("x1[0] -> (a, a)",),)
        assert found["x1"].tolist() == [[False, True]]
        assert found["x0"].tolist() == [[False]]
        assert found.first["x0"].tolist() == [[False]]

    def test_tuples_of_symbols_break_where_all_below_is_well(self):
        assert sentences().valid_rules([["a", "b", "b", "a"]]).broken == (("x0 -> (NP, NP)",),)

    def test_all_first_tuples_are_named(self):
        found = sentences().valid_rules([["a", "a", "c", "b"]])

        assert found.broken == (("x1[0] -> (a, a)", "x1[1] -> (c, b)"),)

    def test_symbols_that_are_not_certain_are_listed(self):
        model = gh.grammar("S -> A C | B C | C A; A -> a a; B -> a a | b b; C -> c c")

        found = model.valid_rules([["c", "c", "b", "b"], ["a", "a", "a", "a"]])
        assert found.broken == (("x0 -> (C, B)",), ("x0 -> ({A, B}, {A, B})",))

    def test_missing_leaves_may_be_anything(self):
        model = sentences()

        assert model.valid_rules(["a", None, "c", None])["x0"].tolist() == [[True]]
        assert model.valid_rules(["a", None, "b", None]).broken == (("x0 -> (NP, NP)",),)
        assert model.valid_rules(["c", None, None, "a"])["x0"].all()

    def test_many_states_are_shortened(self):
        rules = Rules.from_table(np.ones((1, 8, 8)) * np.eye(8)[None])
        model = gh.GHM((1, 8), (2,), [rules])
        likelihood = np.ones((1, 2, 8))
        likelihood[0, 0, 7] = 0
        likelihood[0, 1, :7] = 0

        assert model.valid_rules({"x1": likelihood}).broken == (("x0 -> ({0, 1, 2, 3, ...}, 7)",),)

    def test_at_most_ten_tuples_are_named_and_all_are_marked(self):
        model = gh.zoo.random_hierarchy(v=4, m=1, s=2, L=6, seed=0)
        allowed = {children for _, children in model.rules["x6"]}
        wrong = next((a, b) for a in range(4) for b in range(4) if (a, b) not in allowed)
        found = model.valid_rules([wrong * 32])

        assert len(found.broken[0]) == 10
        assert found.first["x5"].sum() == 32
        assert not any(found.first[name].any() for name in found if name != "x5")

    def test_the_order_of_the_user_decides_about_names_and_nodes(self):
        rules = Rules([0, 1], [[0, 0], [1, 1]], [1.0, 1.0])
        model = gh.GHM(2, (2, 2), [np.ones((2, 2)), rules], order=[0, 2, 1, 3])

        found = model.valid_rules([0, 1, 0, 0])
        assert found.broken == (("x1[1] -> (1, 0)",),)
        assert found["x1"].tolist() == [[True, False]]

    def test_nodes_of_an_inner_class_are_in_the_order_of_the_user(self):
        """Tree node 0 is the user's node 1, and has the first two leaves below it."""
        model = gh.Model()
        inner = model.root("a", 2).children("b", 3, 2, potential=np.ones((2, 2)), order=[1, 2, 0])
        inner.children("c", 2, 2, rules=[(0, (0, 0)), (1, (1, 1))])

        found = model.valid_rules([0, 1, 0, 0, 1, 1])
        assert found["b"].tolist() == [[True, False, True]]
        assert found.broken == (("b[1] -> (0, 1)",),)

    def test_it_says_what_it_found(self):
        model = sentences()
        good, bad = ["a", "b", "c", "c"], ["a", "a", "c", "c"]

        assert repr(model.valid_rules(good)) == "Validity: 1 of 1 string valid"
        assert repr(model.valid_rules([good, bad, bad])) == (
            "Validity: 1 of 3 strings valid; row 1 breaks at x1[0] -> (a, a)"
        )
        assert len(model.valid_rules(good)) == 2
        with pytest.raises(KeyError, match="no class of parents 'x2'; there are x0, x1"):
            model.valid_rules(good)["x2"]


class TestModels:
    def test_levels_of_tables_count_by_their_zeros(self):
        rules = Rules([0, 1], [[0, 1], [1, 0]], [1.0, 1.0])
        model = gh.GHM(2, (2, 2), [rules, np.eye(2)])

        found = model.valid_rules([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]])
        assert found.broken == ((), ("x1[0] -> (0, 1)",), ("x0 -> (0, 0)",))

    def test_rules_of_weight_zero_and_impossible_roots_do_not_count(self):
        rules = Rules([0, 0, 1], [[0, 1], [1, 0], [1, 1]], [1.0, 0.0, 1.0])
        model = gh.GHM(2, (2,), [rules], prior=[1, 0])

        assert model.valid_rules([[0, 1], [1, 0], [1, 1]])["x0"].ravel().tolist() == [1, 0, 0]

    def test_weights_that_are_not_learned_yet_forbid_nothing(self):
        model = gh.GHM((1, 2), (2,), [Rules([0], [[0, 1]])])

        assert model.valid_rules([[0, 1], [1, 1]])["x0"].ravel().tolist() == [True, False]

    def test_branches_below_one_symbol_must_agree(self):
        model = gh.Model()
        root = model.root("S", 2)
        root.children("left", 2, 2, rules=[(0, (0, 0)), (1, (1, 1))])
        root.children("right", 1, ["u", "v"], rules=[(0, ("u",)), (1, ("v",))])

        found = model.valid_rules({"left": [[0, 0], [0, 0], [0, 1]], "right": ["u", "v", "u"]})
        assert found["S"].ravel().tolist() == [True, False, False]
        assert found.broken == ((), ("S -> (0, 0, v)",), ("S -> (0, 1, u)",))

    def test_a_chain_of_symbols_above_rules(self):
        model = gh.Model()
        chain = model.chain("z", 3, 2, potential=np.eye(2))
        chain.children("x", 2, 2, rules=[(0, (0, 0)), (1, (1, 1))])

        found = model.valid_rules([[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]])
        assert found["z"].tolist() == [[1, 1, 1], [0, 0, 1], [0, 0, 0]]
        assert found.first["z"].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
        assert found.broken[1][0].startswith("z[1] -> ")

    def test_every_row_of_a_large_batch_is_checked(self, monkeypatch):
        model = sentences()
        strings = model.sample(50, seed=0)["x2"]
        strings[::7, 0] = 2 - strings[::7, 0]
        whole = model.valid_rules(strings)
        monkeypatch.setattr(validity, "CHUNK", 100)
        parts = model.valid_rules(strings)

        assert parts.broken == whole.broken
        for name in whole:
            np.testing.assert_array_equal(parts[name], whole[name])

    def test_samples_are_valid(self):
        model = gh.zoo.random_hierarchy(v=6, m=2, s=3, L=4, seed=0)

        found = model.valid_rules(model.sample(20, seed=1)["x4"])
        assert all(found[name].all() for name in found)
        assert found.broken == ((),) * 20

    def test_no_rows_are_no_answer(self):
        found = sentences().valid_rules(np.empty((0, 4), dtype=int))

        assert found["x1"].shape == (0, 2)
        assert found.broken == ()


class TestErrors:
    def test_models_without_rules_are_refused(self):
        model = gh.GHM(2, (2,), [np.eye(2)], name="plain")

        with pytest.raises(ModelError, match="model 'plain' has no production rules: none of its"):
            model.valid_rules([0, 1])

    def test_wrong_strings_are_refused(self):
        with pytest.raises(EvidenceError, match=r"must have shape \(batch, 4\), got \(3,\)"):
            sentences().valid_rules(["a", "b", "c"])
        with pytest.raises(EvidenceError, match="'z' is not a state"):
            sentences().valid_rules(["a", "b", "c", "z"])

    def test_checked_evidence_is_taken_too(self):
        model = sentences()
        observations, batch = read_evidence({"x2": [["a", "b", "c", "c"]]}, model.variables)

        assert validity.check(model.forest(), observations, batch)["x0"].all()
