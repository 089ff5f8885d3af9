"""Edges of rank one are cut; chains of single children are one table."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.schedule.simplify_edges import cut_rank_one, multiply_chains
from tests.schedule.simplifying import assert_same_answers, by_rule
from tests.tolerances import EXACT

RNG = np.random.default_rng(3)
FULL = RNG.uniform(0.5, 2.0, (3, 3))
OUTER = np.outer([1.0, 2.0, 4.0], [3.0, 1.0, 2.0])


def three_levels(upper, lower, *, fanout=(2, 2), prior=None):
    """Classes a, b, c with these tables."""
    model = gh.Model("three")
    a = model.root("a", 3, prior=[1.0, 2.0, 3.0])
    b = a.children("b", fanout[0], 3, potential=upper, prior=prior)
    b.children("c", fanout[1], 3, potential=lower)
    return model.forest()


class TestRankOne:
    @pytest.mark.parametrize(
        "stack",
        [OUTER, np.stack([OUTER, OUTER.T]), np.stack([OUTER, OUTER.T, OUTER, OUTER + OUTER])],
        ids=["shared", "per rank", "per edge"],
    )
    def test_edges_are_cut_with_the_same_answers(self, stack):
        forest = three_levels(FULL, stack)
        found, draft = by_rule(cut_rank_one, forest, forest.variables)

        assert set(found.edges) == {"b"}
        logs = {"c": RNG.normal(size=(2, 4, 3)), "b": RNG.normal(size=(2, 2, 3))}
        assert_same_answers(forest, found, draft.log_scale, forest.variables, logs)

    def test_unaries_take_the_factors(self):
        forest = three_levels(FULL, OUTER)
        found, _ = by_rule(cut_rank_one, forest, forest.variables)

        assert_allclose(found.data["b"], [[1 / 16, 1 / 4, 1.0]], EXACT)  # two children each
        assert_allclose(found.data["c"], [[1.0, 1 / 3, 2 / 3]], EXACT)

    def test_one_table_of_full_rank_keeps_all_tied_edges(self):
        forest = three_levels(FULL, np.stack([OUTER, FULL]))

        assert by_rule(cut_rank_one, forest, forest.variables)[0] is forest

    def test_what_is_nearly_of_rank_one_stays(self):
        forest = three_levels(FULL, OUTER + 1e-9 * np.eye(3))

        assert by_rule(cut_rank_one, forest, forest.variables)[0] is forest

    def test_an_asked_joint_keeps_its_edge(self):
        forest = three_levels(FULL, OUTER)

        assert by_rule(cut_rank_one, forest, forest.variables, ["c"])[0] is forest

    def test_zeros_are_zeros(self):
        outer = np.outer([1.0, 0.0, 2.0], [0.0, 1.0, 3.0])
        forest = three_levels(FULL, outer)
        found, draft = by_rule(cut_rank_one, forest, forest.variables)

        assert set(found.edges) == {"b"}
        assert_same_answers(forest, found, draft.log_scale, forest.variables, {})


class TestChains:
    @pytest.mark.parametrize(
        ("upper", "lower", "rows"),
        [
            (FULL, FULL.T, 1),
            (np.stack([FULL, FULL.T]), FULL, 2),
            (FULL, np.stack([FULL, FULL.T]), 2),
            (np.stack([FULL, FULL.T]), np.stack([FULL.T, FULL]), 2),
        ],
        ids=["shared", "ranks above", "edges below", "both"],
    )
    def test_the_tables_are_multiplied(self, upper, lower, rows):
        forest = three_levels(upper, lower, fanout=(2, 1), prior=[0.5, 1.0, 2.0])
        found, draft = by_rule(multiply_chains, forest, ["a", "c"])

        assert set(found.blocks) == {"a", "c"}
        assert found.edges["c"].rows == rows
        assert_same_answers(
            forest, found, draft.log_scale, ["a", "c"], {"c": RNG.normal(size=(2, 2, 3))}
        )

    def test_long_chains_become_one_power(self):
        model = gh.Model("long")
        top = model.root("top", 2)
        table = np.array([[0.9, 0.1], [0.2, 0.8]])
        for k in range(5):
            top = top.children(f"v{k}", 1, 2, potential=table)
        found, _ = by_rule(multiply_chains, model.forest(), ["top", "v4"])

        assert_allclose(
            found.data[found.edges["v4"].key][0], np.linalg.matrix_power(table, 5), EXACT
        )

    def test_one_of_many_variables_goes(self):
        forest = gh.from_networkx(small_graph()).forest()
        found, draft = by_rule(multiply_chains, forest, ["top", "x", "y", "z"])

        assert set(found.blocks) == {"top", "x", "y", "z"}
        assert_same_answers(forest, found, draft.log_scale, ["top", "x", "z"], {})

    @pytest.mark.parametrize("pinned", [["a", "b", "c"], ["a", "b"]])
    def test_what_is_asked_or_has_several_children_stays(self, pinned):
        forest = three_levels(FULL, FULL, fanout=(2, 1))
        several = three_levels(FULL, FULL, fanout=(2, 2))

        assert by_rule(multiply_chains, forest, pinned)[0] is forest
        assert by_rule(multiply_chains, several, ["a", "c"])[0] is several

    def test_bottlenecks_stay(self):
        model = gh.Model("bottleneck")
        a = model.root("a", 5)
        a.children("b", 2, 2, potential=RNG.random((5, 2))).children(
            "c", 1, 5, potential=RNG.random((2, 5))
        )
        forest = model.forest()

        assert by_rule(multiply_chains, forest, ["a", "c"])[0] is forest

    def test_ties_are_not_given_up(self):
        model = gh.Model("tied")
        a = model.root("a", 3).children("a1", 2, 3, potential=FULL)
        b = a.children("b", 2, 3, potential=np.stack([FULL, FULL.T]))
        b.children("c", 1, 3, potential=RNG.random((4, 3, 3)))
        whole = model.forest()

        assert by_rule(multiply_chains, whole, ["a", "a1", "c"])[0] is whole

    def test_products_out_of_range_stay(self):
        forest = three_levels(FULL * 1e200, FULL * 1e200, fanout=(2, 1))

        assert by_rule(multiply_chains, forest, ["a", "c"])[0] is forest


def small_graph():
    """Five variables; one of them has one child."""
    graph = nx.DiGraph()
    for name in ["top", "x", "y", "m", "z"]:
        graph.add_node(name, states=3)
    for parent, child in [("top", "x"), ("top", "m"), ("m", "z"), ("x", "y")]:
        graph.add_edge(parent, child, potential=RNG.uniform(0.5, 2, (3, 3)))
    return graph
