"""Constants of the assumptions against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import ModelError
from ghmpp.models.assumptions import assumptions, birkhoff_diameter
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf
from tests.tolerances import EXACT

SEEDS = st.integers(0, 1000)


def random_table(seed, parents=3, children=4):
    return np.exp(np.random.default_rng(seed).normal(size=(parents, children)))


@given(seed=SEEDS, parents=st.integers(1, 3), children=st.integers(1, 4))
def test_the_diameter_is_the_largest_cross_ratio(seed, parents, children):
    table = random_table(seed, parents, children)

    rows, columns = range(parents), range(children)
    ratios = [
        table[i, j] * table[k, l] / (table[i, l] * table[k, j])
        for i, k in itertools.product(rows, rows)
        for j, l in itertools.product(columns, columns)  # noqa: E741
    ]
    assert birkhoff_diameter(table) == pytest.approx(math.log(max(ratios)), abs=EXACT)


@given(seed=SEEDS)
def test_the_diameter_does_not_change_with_scaling_or_transposing(seed):
    table = random_table(seed)
    rng = np.random.default_rng(seed + 1)
    scaled = table * rng.random((3, 1)) * rng.random(4)

    assert birkhoff_diameter(scaled) == pytest.approx(birkhoff_diameter(table), abs=1e-9)
    assert birkhoff_diameter(table.T) == pytest.approx(birkhoff_diameter(table), abs=EXACT)


@given(seed=SEEDS)
def test_messages_contract_by_no_less_than_promised(seed):
    rng = np.random.default_rng(seed)
    table, first, second = random_table(seed), rng.normal(size=4), rng.normal(size=4)
    model = GHM(states=(3, 4), branching=(1,), tables=[table])

    (edge,) = assumptions(model).edges

    before = np.ptp(first - second)
    after = np.ptp(np.log(table @ np.exp(first)) - np.log(table @ np.exp(second)))
    assert after <= edge.contractions[0] * before * (1 + 1e-9)


@given(seed=SEEDS)
def test_all_entries_lie_within_the_bound_and_one_attains_it(seed):
    table = random_table(seed)

    bound = assumptions(GHM(states=(3, 4), branching=(1,), tables=[table])).bound

    assert table.max() <= bound * (1 + EXACT)
    assert table.min() >= 1 / bound * (1 - EXACT)
    assert np.isclose(table, bound).any() or np.isclose(table, 1 / bound).any()


def test_each_rank_has_its_diameter_and_the_model_the_largest_bound():
    table = np.array([[2.0, 1.0], [1.0, 2.0]])
    model = GHM(states=2, branching=(2, 1), tables=[[table, np.ones((2, 2))], table / 10])

    found = assumptions(model)

    assert [edge.edge for edge in found.edges] == ["x0->x1", "x1->x2"]
    assert found.edges[0].diameters == pytest.approx((2 * math.log(2), 0))
    assert found.edges[0].contractions == pytest.approx((1 / 3, 0))
    assert [edge.bound for edge in found.edges] == [2, 10]
    assert (found.bound, found.assumption_1, found.assumption_2) == (10, True, True)


def test_zeros_break_the_second_assumption_only():
    found = assumptions(GHM(states=2, branching=(2,), tables=[[[1, 0], [1, 1]]]))

    assert (found.assumption_1, found.assumption_2, found.bound) == (True, False, math.inf)
    assert (found.edges[0].diameters, found.edges[0].contractions) == ((math.inf,), (1.0,))


def test_index_maps_count_as_tables_with_zeros():
    model = Model()
    model.root("a", 2).children("b", 1, 2, potential=ChildOf([1, 0]))

    (edge,) = assumptions(model).edges

    assert (edge.factorised, edge.bound, edge.contractions) == (True, math.inf, (1.0,))


def test_tied_classes_are_listed_apart():
    model = Model()
    top = model.root("a", 2)
    top.children("b", 1, 2, potential=np.ones((2, 2)))
    top.children("c", 1, 2, potential=np.ones((2, 2)))

    edges = assumptions(model).edges

    assert [(edge.edge, edge.key) for edge in edges] == [("a->b", "a->b"), ("a->c", "a->b")]


def test_a_chain_is_one_class_of_edges():
    model = Model()
    model.chain("z", 5, 2, potential=[[2, 1], [1, 2]])

    assert [edge.edge for edge in assumptions(model).edges] == ["z->z"]


def test_a_model_without_edges_is_bounded_by_one():
    model = Model()
    model.root("a", 2)

    assert assumptions(model).bound == 1


def test_the_repr_shows_ranges_over_ranks():
    tables = [[[2.0, 1.0], [1.0, 2.0]], np.ones((2, 2))]

    lines = repr(assumptions(GHM(states=2, branching=(2,), tables=[tables]))).splitlines()

    assert lines[-1] == "  x0->x1  K = 2, diameter 0 .. 1.386, contraction 0 .. 0.3333"


def test_a_free_model_is_refused():
    with pytest.raises(ModelError, match="not complete"):
        assumptions(GHM(states=2, branching=(2,)))


def test_joint_rules_do_not_factorise_and_are_bounded_where_every_tuple_has_one():
    full = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
    model = Model()
    top = model.root("a", 2)
    top.children("b", 2, 2, rules=full)
    top.children("c", 2, 2, rules=full * [[1, 1], [1, 0]])
    top.children("d", 1, 2, rules=[[1.0, 3.0], [1.0, 1.0]])
    found = assumptions(model)
    rows = {edge.edge: edge for edge in found.edges}

    assert list(rows) == ["a->b", "a->c", "a->d"]
    assert [rows[name].factorised for name in rows] == [False, False, True]
    assert [rows[name].bound for name in rows] == [4.0, np.inf, 3.0]
    assert rows["a->b"].diameters == (birkhoff_diameter(full.reshape(2, 4)),)
    assert rows["a->c"].contractions == (1.0,)
    assert not found.assumption_1
