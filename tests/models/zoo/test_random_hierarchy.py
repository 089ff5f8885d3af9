"""Random hierarchies: what makes rules unambiguous, their laws, and exact answers on them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.models.zoo import random_hierarchy
from ghmpp.models.zoo.random_hierarchy import unambiguous_rules
from tests.tolerances import ENUMERATION, SIGMAS


@st.composite
def sizes(draw):
    v, s = draw(st.integers(2, 6)), draw(st.integers(1, 3))
    classes = draw(st.integers(1, 6))
    most = v**s // max(v, classes)
    if most < 1:
        classes, most = v, v ** (s - 1)
    return {"v": v, "s": s, "m": draw(st.integers(1, most)), "classes": classes}


@given(sizes(), st.integers(1, 3), st.integers(0, 9))
def test_no_tuple_has_two_parents_and_each_parent_has_m(size, depth, seed):
    model = gh.zoo.random_hierarchy(L=depth, seed=seed, **size)

    for level in range(1, depth + 1):
        rules = model.rules[f"x{level}"]
        parents = size["classes"] if level == 1 else size["v"]
        assert len({tuple(children) for children in rules.children}) == len(rules)
        np.testing.assert_array_equal(np.bincount(rules.parent), [size["m"]] * parents)
        assert rules.children.shape == (parents * size["m"], size["s"])
        assert rules.children.max() < size["v"]


def test_a_seed_gives_the_same_rules_and_deeper_models_extend_them():
    first, again, deeper = (random_hierarchy(6, 3, 2, depth, seed=7) for depth in (3, 3, 4))
    other = random_hierarchy(6, 3, 2, 3, seed=8)

    for level in ("x1", "x2", "x3"):
        children = first.rules[level].children
        np.testing.assert_array_equal(children, again.rules[level].children)
        np.testing.assert_array_equal(children, deeper.rules[level].children)
        assert not np.array_equal(children, other.rules[level].children)
    assert not np.array_equal(first.rules["x1"].children, first.rules["x2"].children)


def test_a_generator_goes_on():
    rng = np.random.default_rng(0)
    first, second = random_hierarchy(6, 3, 2, 1, seed=rng), random_hierarchy(6, 3, 2, 1, seed=rng)

    expected = random_hierarchy(6, 3, 2, 2, seed=0)
    np.testing.assert_array_equal(first.rules["x1"].children, expected.rules["x1"].children)
    np.testing.assert_array_equal(second.rules["x1"].children, expected.rules["x2"].children)


def derivations(rules, classes):
    """Every string of leaves with its probability and its root, by applying rules."""
    strings = [((root,), 1 / classes, root) for root in range(classes)]
    for level in rules:
        uses = {}
        for parent, children, weight in zip(
            level.parent.tolist(), level.children.tolist(), level.weights, strict=True
        ):
            uses.setdefault(parent, []).append((tuple(children), weight))
        strings = [
            (sum((children for children, _ in chosen), ()), p * np.prod([w for _, w in chosen]), r)
            for string, p, r in strings
            for chosen in product(*[uses[symbol] for symbol in string])
        ]
    return strings


def test_law_of_the_leaves_is_that_of_all_derivations_and_the_root_is_certain():
    model = gh.zoo.random_hierarchy(3, 2, 2, 2, classes=2, seed=1)
    strings = derivations([model.rules["x1"], model.rules["x2"]], classes=2)
    x = np.array([string for string, _, _ in strings])
    beliefs = gh.infer(model, {"x2": x})

    assert len({tuple(row) for row in x}) == len(strings) == 2 * 2 * 2 * 2
    probabilities = [p for _, p, _ in strings]
    assert sum(probabilities) == pytest.approx(1, rel=ENUMERATION)
    np.testing.assert_allclose(beliefs.log_evidence, np.log(probabilities), rtol=ENUMERATION)
    np.testing.assert_array_equal(beliefs["x0"].argmax(axis=1), [root for _, _, root in strings])
    np.testing.assert_allclose(beliefs["x0"].max(axis=1), 1, rtol=ENUMERATION)


def test_strings_that_no_rule_makes_are_impossible():
    model = gh.zoo.random_hierarchy(3, 2, 2, 2, classes=2, seed=1)
    made = {string for string, *_ in derivations([model.rules["x1"], model.rules["x2"]], 2)}
    every = np.array(list(product(range(3), repeat=4)))

    possible = gh.Inference(model).log_evidence({"x2": every}) > -np.inf
    assert {tuple(row) for row in every[possible].tolist()} == made


def test_large_alphabets_are_drawn_without_listing_all_tuples():
    rules = unambiguous_rules(parents=50, m=4, s=8, v=50, seed=0)

    assert len(np.unique(rules.children, axis=0)) == 200
    assert rules.children.max() < 50


class TestSparse:
    def test_without_empty_positions_it_is_the_random_hierarchy(self):
        sparse = gh.zoo.sparse_random_hierarchy(4, 2, 2, 2, s0=0, seed=3)
        dense = gh.zoo.random_hierarchy(4, 2, 2, 2, seed=3)
        x = dense.sample(20, seed=0)["x2"]

        for name in ("x0", "x1", "x2"):
            found = gh.infer(sparse, {"x2": x})[name]
            np.testing.assert_allclose(
                found[..., :4], gh.infer(dense, {"x2": x})[name], atol=ENUMERATION
            )

    def test_each_slot_holds_one_symbol_at_a_uniform_position(self):
        model = gh.zoo.sparse_random_hierarchy(5, 2, 3, 1, s0=2, seed=0)
        x = model.sample(6000, seed=1)["x1"].reshape(6000, 3, 3)
        filled = x < 5

        assert (filled.sum(axis=2) == 1).all()
        spread = np.sqrt(2 / 9 / 6000)
        assert (np.abs(filled.mean(axis=0) - 1 / 3) < SIGMAS * spread).all()

    def test_tuples_without_their_empties_are_those_of_the_rules(self):
        model = gh.zoo.sparse_random_hierarchy(4, 2, 2, 2, s0=1, seed=3)
        rules = gh.zoo.random_hierarchy(4, 2, 2, 2, seed=3)
        x = model.sample(50, seed=1)["x2"]
        assert x.shape == (50, 16)
        assert model.variables["x2"].nodes == (2 * (1 + 1)) ** 2

        informative = np.array([row[row < 4] for row in x])
        assert (gh.Inference(rules).log_evidence({"x2": informative}) > -np.inf).all()

    def test_empty_regions_stay_empty(self):
        model = gh.zoo.sparse_random_hierarchy(3, 2, 2, 2, s0=1, seed=0)
        drawn = model.sample(40, seed=2)
        patches = drawn["x2"].reshape(40, 4, 4)

        np.testing.assert_array_equal(drawn["x1"] == 3, (patches == 3).all(axis=2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((4, 5, 2, 1), "4 symbols with m=5 rules each need 20 different tuples"),
        ((1, 1, 2, 1), "v must be a whole number >= 2, got 1"),
        ((4, 0, 2, 1), "m must be a whole number >= 1"),
        ((4, 1, 0, 1), "s must be a whole number >= 1"),
        ((4, 1, 2, 0), "L must be a whole number >= 1"),
        ((4, 1.5, 2, 1), "m must be a whole number >= 1, got 1.5"),
        ((4, 2, 2, 2, 9), "9 symbols with m=2 rules each need 18 different tuples"),
        ((10, 1, 40, 1), "too many to number"),
    ],
)
def test_sizes_that_are_impossible_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        gh.zoo.random_hierarchy(*arguments)


def test_negative_numbers_of_empties_are_refused():
    with pytest.raises(ModelError, match="s0 must be a whole number >= 0, got -1"):
        gh.zoo.sparse_random_hierarchy(4, 2, 2, 1, s0=-1)
