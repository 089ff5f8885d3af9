"""Placement of trees."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ghmpp.schedule.treeshape import tidy


def test_a_chain_runs_from_left_to_right_over_its_leaves() -> None:
    children = {"z0": ["x0"], "z1": ["x1"]}

    places = tidy(["z0"], children, {"z0": "z1"})
    assert places == {"x0": 0.0, "z0": 0.0, "x1": 1.0, "z1": 1.0}


def test_a_gap_leaves_one_place_free() -> None:
    assert tidy(["a"], {"a": ["b", "c"]}, {}, {"c"}) == {"b": 0.0, "c": 2.0, "a": 1.0}


def test_a_chain_of_many_steps_needs_no_recursion() -> None:
    steps = 5000

    places = tidy([0], {}, {k: k + 1 for k in range(steps)})
    assert places == {k: float(k) for k in range(steps + 1)}


@given(st.lists(st.integers(0, 30), max_size=30))
def test_leaves_have_places_of_their_own_and_parents_stand_over_their_children(
    parents: list[int],
) -> None:
    children: dict[int, list[int]] = {}
    for child, parent in enumerate(parents, start=1):
        children.setdefault(parent % child, []).append(child)

    places = tidy([0], children, {})
    leaves = [places[node] for node in places if node not in children]
    assert sorted(leaves) == [float(k) for k in range(len(leaves))]
    for parent, below in children.items():
        assert min(places[c] for c in below) <= places[parent] <= max(places[c] for c in below)
