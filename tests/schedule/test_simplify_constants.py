"""What no evidence changes is summed beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.schedule.simplify_constants import fold_constants
from tests.schedule.plans import chain
from tests.schedule.simplifying import assert_same_answers, by_rule
from tests.tolerances import EXACT

RNG = np.random.default_rng(5)
STOCHASTIC = np.array([[0.9, 0.1], [0.3, 0.7]])
FREE = np.array([[2.0, 1.0], [1.0, 5.0]])


def tree(table, **options):
    """A root a with two children b, each with three children c."""
    model = gh.Model("tree")
    b = model.root("a", 2).children("b", 2, 2, potential=FREE)
    b.children("c", 3, 2, potential=table, **options)
    return model.forest()


def test_conditional_probabilities_leave_nothing_behind():
    found, draft = by_rule(fold_constants, tree(STOCHASTIC), ["a", "b"])

    assert set(found.blocks) == {"a", "b"}
    assert found.blocks["b"].unary is None
    assert draft.log_scale == pytest.approx(0.0, abs=EXACT)


def test_other_subtrees_leave_a_unary():
    forest = tree(FREE)
    found, draft = by_rule(fold_constants, forest, ["a", "b"])

    assert set(found.blocks) == {"a", "b"}
    assert_allclose(found.data[found.blocks["b"].unary], [[(3 / 6) ** 3, 1.0]], EXACT)
    assert_same_answers(
        forest, found, draft.log_scale, ["a", "b"], {"b": RNG.normal(size=(2, 2, 2))}
    )


def test_tables_by_edge_leave_a_unary_by_node():
    forest = tree(RNG.uniform(0.5, 2.0, (6, 2, 2)), prior=[1.0, 2.0])
    found, draft = by_rule(fold_constants, forest, ["a", "b"])

    assert found.blocks["b"].unary_rows == 2
    assert_same_answers(forest, found, draft.log_scale, ["a", "b"], {})


def test_index_maps_are_folded_too():
    model = gh.Model("maps")
    a = model.root("a", 3)
    rule = a.children("rule", 2, 4, potential=gh.ParentOf([0, 0, 1, 2]), prior=[1, 2, 3, 4])
    rule.children("b", 1, 2, potential=gh.ChildOf([0, 1, 1, 0]))
    a.children("c", 1, 2, potential=RNG.random((3, 2)))
    forest = model.forest()
    found, draft = by_rule(fold_constants, forest, ["a", "c"])

    assert set(found.blocks) == {"a", "c"}
    assert_allclose(found.data[found.blocks["a"].unary], [[9 / 16, 9 / 16, 1.0]], EXACT)
    assert_same_answers(forest, found, draft.log_scale, ["a", "c"], {})


@pytest.mark.parametrize("kind", ["table", "child_of", "parent_of"])
def test_roots_of_one_child_are_folded_into_it(kind):
    model = gh.Model("above")
    potentials = {
        "table": RNG.random((3, 2)),
        "child_of": gh.ChildOf([0, 1, 1]),
        "parent_of": gh.ParentOf([2, 0]),
    }
    a = model.root("a", 3, prior=[1.0, 2.0, 4.0])
    b = a.children("b", 1, 2, potential=potentials[kind], prior=[3.0, 1.0])
    b.children("c", 2, 2, potential=FREE)
    forest = model.forest()
    found, draft = by_rule(fold_constants, forest, ["c"])

    assert found.roots == ("b",)
    assert_same_answers(forest, found, draft.log_scale, ["c"], {"c": RNG.normal(size=(2, 2, 2))})


def test_trees_without_questions_are_left_out_but_the_last_stays():
    model = gh.Model("trees")
    model.root("a", 2).children("b", 2, 2, potential=FREE)
    model.root("c", 3, prior=[1.0, 2.0, 3.0]).children("d", 2, 2, potential=RNG.random((3, 2)))
    forest = model.forest()
    found, draft = by_rule(fold_constants, forest, ["a"])

    assert found.roots == ("a",)
    assert_same_answers(forest, found, draft.log_scale, ["a"], {})
    assert by_rule(fold_constants, forest, [])[0] is forest


def test_weights_beyond_the_range_stay():
    forest = tree(np.array([[1e-300, 1e-300], [1.0, 1.0]]))

    assert by_rule(fold_constants, forest, ["a", "b"])[0] is forest


def test_part_of_a_chain_may_go():
    model = gh.Model("chain")
    z = model.chain("z", 4, 2, potential=FREE)
    z.children("x", 1, 2, potential=STOCHASTIC)
    forest = model.forest()
    found, draft = by_rule(fold_constants, forest, ["z"])

    assert set(found.blocks) == {f"z[{k}]" for k in range(4)}
    assert_same_answers(forest, found, draft.log_scale, ["z"], {})


def test_a_chain_that_loses_nodes_is_numbered_anew():
    forest = chain(4)
    for name in ("x[0]", "x[1]"):
        del forest.blocks[name], forest.edges[name]
    last = {f"x[{k}]": replace(forest.blocks[f"x[{k}]"], start=k - 2) for k in (2, 3)}
    x = replace(forest.variables["x"], nodes=2, blocks=tuple(last))
    data = {key: RNG.uniform(0.5, 2.0, stack.shape) for key, stack in forest.data.items()}
    forest = replace(
        forest,
        variables={**forest.variables, "x": x},
        blocks={**forest.blocks, **last},
        data=data,
    )
    found, draft = by_rule(fold_constants, forest, ["x"])

    assert found.variables["z"].blocks == ("z[2]", "z[3]")
    assert found.blocks["z[2]"].start == 0
    assert_same_answers(forest, found, draft.log_scale, ["x"], {"x": RNG.normal(size=(2, 2, 2))})
