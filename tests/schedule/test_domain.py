"""The domain rule at its borders: 37 and 27 decades in float32, 307 and 290 in float64."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.models.model import Model
from ghmpp.schedule.domain import choose_domain
from ghmpp.schedule.ir import Domain
from tests.schedule.plans import plan


def domain(model: Model, dtype: str = "float32") -> Domain:
    """The domain in which the root's posterior is computed from the leaves."""
    forest = model.forest()
    leaf = list(forest.variables)[-1]
    chosen = choose_domain(plan(forest, [("posterior", forest.roots[0])], [leaf]), dtype).domain
    assert chosen is not None
    return chosen


def star(children: int, table: np.ndarray | None = None, **options: object) -> Model:
    """Ten states; tables of ones span one decade per child, and one more on the way to leaves."""
    table = np.ones((10, 10)) if table is None else table
    return gh.GHM(states=(10, 10), branching=(children,), tables=[table], **options)


def spanning(decades: float) -> np.ndarray:
    """A table of ten states whose smallest entry is this many decades below its largest."""
    table = np.ones((10, 10))
    table[3, 4] = 10.0**-decades
    return table


@pytest.mark.parametrize(
    ("children", "kind", "dtype"),
    [
        (36, "linear", "float32"),
        (37, "linear", "float64"),
        (306, "linear", "float64"),
        (307, "log", "float64"),
    ],
)
def test_the_messages_at_one_node_span_at_most_37_or_307_decades(children, kind, dtype):
    chosen = domain(star(children))

    assert (chosen.kind, chosen.dtype) == (kind, dtype)


@pytest.mark.parametrize(
    ("decades", "kind", "dtype"),
    [
        (25.99, "linear", "float32"),
        (26.01, "linear", "float64"),
        (288.99, "linear", "float64"),
        (289.01, "log", "float64"),
    ],
)
def test_one_edge_spans_at_most_27_or_290_decades(decades, kind, dtype):
    tables = [spanning(decades), np.ones((10, 1))]
    chosen = domain(gh.GHM(states=(10, 10, 1), branching=(1, 1), tables=tables))

    assert (chosen.kind, chosen.dtype) == (kind, dtype)


def test_the_way_down_counts_the_parent_and_all_children():
    """Nine decades each: from above, from two children, and on to a leaf make 36."""
    fits = gh.GHM(states=(10,) * 3, branching=(1, 2), tables=[spanning(8), spanning(8)])
    tight = gh.GHM(states=(10,) * 3, branching=(1, 3), tables=[spanning(8), spanning(8)])

    assert domain(fits).dtype == "float32"
    assert domain(tight).dtype == "float64"


def test_the_prior_counts():
    wide = np.array([1.0, 1e-40] + [1.0] * 8)

    assert domain(star(1, prior=wide)).dtype == "float64"
    assert domain(star(1, prior=np.ones(10))).dtype == "float32"


def test_scaling_a_table_changes_nothing():
    assert domain(star(36, np.full((10, 10), 1e-30))) == domain(star(36))


def test_zeros_are_guarded_and_do_not_count_as_small():
    chosen = domain(star(36, np.eye(10)))

    assert (chosen.kind, chosen.dtype, chosen.guarded) == ("linear", "float32", True)
    assert "zeros: rows are guarded" in chosen.reason
    assert not domain(star(36)).guarded


def test_zeros_of_a_prior_are_guarded():
    assert domain(star(1, prior=np.eye(10)[0])).guarded


@pytest.mark.parametrize("kind", [gh.ChildOf, gh.ParentOf])
def test_index_maps_are_guarded(kind):
    model = gh.Model()
    model.root("a", 4).children("b", 2, 4, potential=kind([0, 1, 1, 3]))

    assert domain(model).guarded


def test_logarithms_need_no_guard():
    chosen = domain(star(400, np.eye(10)))

    assert (chosen.kind, chosen.guarded) == ("log", False)


def test_the_tolerance_follows_the_precision_of_the_run():
    assert domain(star(1)).tolerance == 1e-6
    assert domain(star(38)).tolerance == 1e-12


def test_float64_is_never_lowered():
    assert domain(star(1), "float64").dtype == "float64"


def test_free_tables_count_as_ones():
    assert domain(gh.GHM(states=(10, 10), branching=(36,))) == domain(star(36))


def test_the_reason_gives_what_is_needed_and_what_is_allowed():
    chosen = domain(star(39))

    expected = "messages at one node span up to 40.0 decades, one edge 1.0; float64 allows 307"
    assert chosen.reason.startswith(expected)
