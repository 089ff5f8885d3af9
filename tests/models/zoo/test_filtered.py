"""Filtered hierarchies: the same law of single leaves at every filter, and what is cut."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.observables import pair_probabilities
from tests.tolerances import ENUMERATION, EXACT


def tensor(model):
    """M[a, b, c] of a model."""
    return next(iter(model.rules.values())).to_table()


def test_every_pair_has_one_parent_and_weights_sum_to_one():
    rules = gh.zoo.grouped_pairs(5, sigma=2.0, seed=3)

    assert sorted(map(tuple, rules.children.tolist())) == list(product(range(5), repeat=2))
    np.testing.assert_array_equal(np.bincount(rules.parent), [5] * 5)
    np.testing.assert_allclose(np.bincount(rules.parent, rules.weights), 1, rtol=EXACT)


def test_without_spread_the_pairs_of_a_symbol_are_equally_probable():
    rules = gh.zoo.grouped_pairs(4, sigma=0.0)

    np.testing.assert_allclose(rules.weights, 1 / 4, rtol=EXACT)


def test_spread_is_that_of_the_logits():
    rules = gh.zoo.grouped_pairs(60, sigma=1.5, seed=0)
    logs = np.log(rules.weights).reshape(60, 60)

    assert (logs - logs.mean(axis=1, keepdims=True)).std() == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_given_the_root_each_leaf_has_the_same_law_at_every_filter(k):
    full, cut = (gh.zoo.filtered_hierarchy(3, 3, level, seed=2) for level in (0, k))
    root = {"x0": np.arange(3)}

    expected = gh.infer(full, root)["x3"]
    np.testing.assert_allclose(gh.infer(cut, root)["x3"], expected, atol=ENUMERATION)


def test_leaves_below_one_node_of_the_filter_keep_their_joint_law():
    full, cut = (pair_probabilities(gh.zoo.filtered_hierarchy(3, 3, k, seed=2)) for k in (0, 2))

    for first in range(0, 8, 2):
        np.testing.assert_allclose(cut[first, first + 1], full[first, first + 1], atol=ENUMERATION)
    assert np.abs(cut[0, 2] - full[0, 2]).max() > 0.001


@pytest.mark.parametrize("k", [1, 2, 3])
def test_nodes_of_the_filter_are_independent_given_the_root(k):
    model = gh.zoo.filtered_hierarchy(3, 3, k, seed=2)
    alone = gh.infer(model, {"x0": np.arange(3)})[f"x{k}"]

    for known in range(3):
        given = {"x0": np.arange(3), f"x{k}[0]": known}
        seen = gh.infer(model, given, on_impossible="flag")[f"x{k}"]
        possible = alone[:, 0, known] > 0
        np.testing.assert_allclose(seen[possible, 1:], alone[possible, 1:], atol=ENUMERATION)


def test_paths_multiply_left_and_right_marginals():
    joint = tensor(gh.zoo.filtered_hierarchy(3, 3, 0, seed=5))
    left, right = joint.sum(axis=2), joint.sum(axis=1)
    laws = gh.zoo.filtered_hierarchy(3, 3, 2, seed=5).forest().data["x0->x2"]

    expected = [left @ left, left @ right, right @ left, right @ right]
    np.testing.assert_allclose(laws, expected, rtol=EXACT)


def test_all_levels_share_one_tensor_and_so_do_all_filters():
    full, cut = (
        gh.zoo.filtered_hierarchy(4, 4, 0, seed=1),
        gh.zoo.filtered_hierarchy(4, 4, 2, seed=1),
    )

    for rules in (*full.rules.values(), *cut.rules.values()):
        np.testing.assert_array_equal(rules.to_table(), tensor(full))
    assert list(cut.variables) == ["x0", "x2", "x3", "x4"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"q": 1, "L": 2}, "q must be a whole number >= 2"),
        ({"q": 3, "L": 0}, "L must be a whole number >= 1"),
        ({"q": 3, "L": 2, "k": -1}, "k must be a whole number >= 0"),
        ({"q": 3, "L": 2, "k": 3}, "k must lie in 0..L, got k=3 and L=2"),
        ({"q": 3, "L": 2, "sigma": -1}, "sigma must be finite and >= 0"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        gh.zoo.filtered_hierarchy(**arguments)
