"""Index maps as tables of zeros and ones, in the one place that makes them."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.models.index_maps import edge_tables, read_index, zeros_and_ones
from ghmpp.models.states import read_states

ABOVE, BELOW = read_states(["no", "yes"], None, "x"), read_states(3, None, "y")


@pytest.mark.parametrize("kind", ["child_of", "parent_of"])
@pytest.mark.parametrize("rows", [1, 4])
def test_tables_have_a_one_where_the_map_links_two_states(kind, rows):
    rng = np.random.default_rng(rows)
    child_of = kind == "child_of"
    index = rng.integers(3, size=(rows, 2)) if child_of else rng.integers(2, size=(rows, 3))
    tables = zeros_and_ones(kind, index, 2, 3)

    for row, s, a in np.ndindex(rows, 2, 3):
        linked = index[row, s] == a if child_of else index[row, a] == s
        assert tables[row, s, a] == linked


def test_tables_of_an_edge_are_its_own_or_those_of_its_map():
    model = gh.Model()
    top = model.root("a", 2)
    top.children("b", 2, 2, potential=[[1, 2], [3, 4]])
    top.children("c", 2, 3, potential=[gh.ChildOf([2, 0]), gh.ChildOf([1, 1])])
    forest = model.forest()

    assert edge_tables(forest, forest.edges["b"]).tolist() == [[[1, 2], [3, 4]]]
    expected = [[[0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 1, 0]]]
    assert edge_tables(forest, forest.edges["c"]).tolist() == expected
    other = np.array([[0, 0]])
    assert edge_tables(forest, forest.edges["c"], other).tolist() == [[[1, 0, 0], [1, 0, 0]]]


@pytest.mark.parametrize(
    "index", [[2, 0], [[2, 0], [1, 1]], {"no": 2, "yes": 0}, [{"no": 2, "yes": 0}, [1, 1]]]
)
def test_maps_are_read_with_one_row_or_one_per_rank(index):
    found = read_index(index, "here", ABOVE, BELOW, (1, 2))

    assert found.dtype == np.int64
    assert found[0].tolist() == [2, 0]
    assert found.tolist() in ([[2, 0]], [[2, 0], [1, 1]])


def test_a_map_with_an_index_row_is_saved_and_one_without_still_loads(tmp_path):
    model = gh.Model()
    model.root("a", 2).children("b", 2, 3, potential=gh.ChildOf([[2, 0], [1, 1]]))
    model.save(tmp_path / "maps.json")

    again = gh.Model.load(tmp_path / "maps.json")
    assert again.forest().data["a->b"].tolist() == [[2, 0], [1, 1]]
    old = gh.Model()
    old.root("a", 2).children("b", 2, 3, potential=gh.ChildOf(np.array([2, 0])))
    assert old.forest().data["a->b"].tolist() == [[2, 0]]
