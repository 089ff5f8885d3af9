"""Physical positions: the rank outermost, parents in their own order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

import ghmpp as gh
from ghmpp.backends.layout import columns, places
from tests.strategies import models


@settings(max_examples=20)
@given(model=models())
def test_a_position_is_a_rank_and_the_position_of_the_parent(model):
    forest = model.forest()
    found = places(forest)

    for name, edge in forest.edges.items():
        place, parent = found[name], found[edge.parent]
        assert (place.ranks, place.parents) == (edge.fanout, parent.nodes)
        for position, node in enumerate(place.order):
            rank, above = divmod(position, place.parents)
            assert node == parent.order[above] * edge.fanout + rank


@settings(max_examples=20)
@given(model=models())
def test_every_node_has_one_position(model):
    forest = model.forest()

    for name, place in places(forest).items():
        assert sorted(place.order) == list(range(forest.blocks[name].nodes))
        assert place.nodes == forest.blocks[name].nodes


@settings(max_examples=20)
@given(model=models())
def test_columns_are_the_users_nodes_block_after_block(model):
    forest = model.forest()
    found = places(forest)

    for name, variable in forest.variables.items():
        tree = [
            block.start + node
            for block in forest.class_blocks(name)
            for node in found[block.name].order
        ]
        user = tree if variable.order is None else [variable.order[node] for node in tree]
        assert columns(forest, name, found).tolist() == user


def test_the_children_of_one_rank_are_one_run():
    forest = gh.GHM(states=(2, 2, 2), branching=(3, 2)).forest()

    assert places(forest)["x2"].order.tolist() == [0, 2, 4, 1, 3, 5]


def test_roots_have_one_rank():
    root = places(gh.GHM(states=(2, 2), branching=(4,)).forest())["x0"]

    assert (root.ranks, root.parents) == (1, 1)
    np.testing.assert_array_equal(root.order, [0])
