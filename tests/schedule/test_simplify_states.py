"""States that nothing tells apart are one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.schedule.simplify_states import lump_states
from tests.schedule.simplifying import assert_same_answers, by_rule
from tests.tolerances import EXACT

RNG = np.random.default_rng(7)
SCALES = np.array([1.0, 2.0, 0.5, 1.0])
COPIES = [0, 1, 1, 1]  # states 1 to 3 of the middle class are copies of one


def tree(*, upper=None, lower=None, prior=None, ranks=1):
    """A root a, two children b of four states, each with two children c."""
    up = RNG.uniform(0.5, 2.0, (ranks, 3, 2))[:, :, COPIES] * SCALES
    low = (RNG.uniform(0.5, 2.0, (ranks, 2, 3))[:, COPIES]) * SCALES[:, None]
    model = gh.Model("tree")
    b = model.root("a", 3).children(
        "b", 2, list("pqrs"), potential=up if upper is None else upper, prior=prior
    )
    b.children("c", 2, 3, potential=low if lower is None else lower)
    return model.forest()


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("prior", [None, [1.0, 0.0, 2.0, 3.0], [1.0, 2.0, 2.0, 0.5]], ids=repr)
def test_proportional_states_are_merged_with_the_same_answers(ranks, prior):
    forest = tree(ranks=ranks, prior=prior)
    found, draft = by_rule(lump_states, forest, ["a", "c"])

    assert found.variables["b"].states == ("p", ("q", "r", "s"))
    assert found.blocks["b"].states == 2
    logs = {"c": RNG.normal(size=(2, 4, 3))}
    assert_same_answers(forest, found, draft.log_scale, ["a", "c"], logs)


def test_copies_have_the_sum_of_the_columns():
    upper = np.array([[1.0, 2.0, 2.0], [3.0, 4.0, 4.0]])
    model = gh.Model("sum")
    b = model.root("a", 2).children("b", 2, 3, potential=upper)
    b.children("c", 1, 2, potential=[[1, 2], [3, 1], [3, 1]])
    found, _ = by_rule(lump_states, model.forest(), ["a", "c"])

    assert_allclose(found.data[found.edges["b"].key], [[[1.0, 4.0], [3.0, 8.0]]], EXACT)
    assert_allclose(found.data[found.edges["c"].key], [[[1.0, 2.0], [3.0, 1.0]]], EXACT)
    assert found.blocks["b"].unary is None


def test_scales_that_differ_from_node_to_node_become_unaries():
    low = RNG.uniform(0.5, 2.0, (4, 2, 3))[:, COPIES]
    low[:, 1] *= np.array([1.0, 3.0, 0.2, 1.0])[:, None]
    forest = tree(lower=low)
    found, draft = by_rule(lump_states, forest, ["a", "c"])

    assert found.blocks["b"].unary_rows == 2
    assert_same_answers(forest, found, draft.log_scale, ["a", "c"], {})


def test_states_that_any_table_tells_apart_stay():
    low = RNG.uniform(0.5, 2.0, (2, 2, 3))[:, COPIES]
    low[1] = RNG.uniform(0.5, 2.0, (4, 3))  # one rank is enough
    forest = tree(lower=low)

    assert by_rule(lump_states, forest, ["a", "c"])[0] is forest


def test_asked_classes_keep_their_states():
    forest = tree()

    assert by_rule(lump_states, forest, ["a", "b", "c"])[0] is forest


def test_chains_are_merged_at_all_steps_or_none():
    step = np.array([[0.8, 0.1, 0.1], [0.2, 0.4, 0.4], [0.2, 0.4, 0.4]])
    seen = np.array([[0.9, 0.1], [0.3, 0.7], [0.3, 0.7]])
    model = gh.Model("chain")
    z = model.chain("z", 4, 3, potential=step, prior=[1.0, 2.0, 5.0])
    z.children("x", 1, 2, potential=seen)
    forest = model.forest()
    found, draft = by_rule(lump_states, forest, ["x"])
    keys = {edge.key for name, edge in found.edges.items() if name.startswith("z")}

    assert {found.blocks[f"z[{k}]"].states for k in range(4)} == {2}
    assert len(keys) <= 2  # the last step may have another scale
    assert_same_answers(forest, found, draft.log_scale, ["x"], {"x": RNG.normal(size=(2, 4, 2))})


def test_weights_beyond_the_range_stay():
    model = gh.Model("range")
    b = model.root("a", 2).children("b", 2, 3, potential=[[1, 1, 2], [1, 1, 3]])
    b.children("c", 200, 2, potential=[[1e30, 1e30], [1e-30, 1e-30], [1, 2]])
    forest = model.forest()

    assert by_rule(lump_states, forest, ["a", "c"])[0] is forest
