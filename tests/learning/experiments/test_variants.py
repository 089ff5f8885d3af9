import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.learning.experiments.paths import find_path
from ghmpp.learning.experiments.variants import (
    far_siblings,
    removable,
    reordered,
    shuffled,
    untied,
    without_level,
)
from ghmpp.schedule.plan import schedule_for
from tests.learning.experiments.questions import classify, tree
from tests.tolerances import EXACT


def posteriors(model, x, top="x0", leaf="x2"):
    return classify(model, top, leaf).network()(torch.tensor(x)).numpy()


@pytest.mark.parametrize("branching", [(2, 2), (2, 3), (3, 2, 4)])
def test_siblings_are_as_far_apart_as_can_be(branching):
    path = find_path(tree(branching=branching), f"x{len(branching)}", "test")

    places = far_siblings(path)

    assert sorted(places) == list(range(np.prod(branching)))
    apart = np.diff(places.reshape(-1, branching[-1]), axis=1)
    assert (apart == np.prod(branching) // branching[0]).all() or branching[0] != branching[-1]
    same_parent = places.reshape(-1, branching[-1]) // branching[-1]
    assert all(len(set(row)) > 1 for row in same_parent)


@pytest.mark.parametrize("branching", [(2, 2), (4,), (3, 1, 2)])
def test_shuffled_leaves_are_in_another_tree(branching):
    path = find_path(tree(branching=branching), f"x{len(branching)}", "test")
    leaves, together = np.prod(branching), branching[-1]
    for seed in range(30):
        places = shuffled(path, seed)

        assert sorted(places) == list(range(leaves))
        assert list(places) != list(range(leaves))
        parents = places.reshape(-1, together) // together
        assert together == leaves or any(len(set(row)) > 1 for row in parents)


def test_reordered_leaves_are_read_elsewhere():
    model, places = tree(), np.array([2, 0, 3, 1])
    x = np.random.default_rng(0).integers(0, 3, (5, 4))

    found = posteriors(reordered(model, "x2", places), x)

    assert np.abs(found - posteriors(model, x[:, places])).max() < EXACT


def test_untied_potentials_say_the_same():
    for model in (tree(branching=(2, 3)), gh.zoo.random_hierarchy(3, 2, 2, 2)):
        schedule = schedule_for(untied(model.forest()), [("posterior", "x1")], ["x2"])
        x = model.sample(5)["x2"]

        edges = schedule.forest.edges

        program = classify(model, "x1")
        loose = type(program)(model, program.queries, program.given, schedule)
        assert all(edge.rows == schedule.forest.blocks[name].nodes for name, edge in edges.items())
        found = loose.network()(torch.tensor(x)).numpy()
        assert np.abs(found - posteriors(model, x, "x1")).max() < EXACT


@pytest.mark.parametrize(
    "model",
    [
        tree(branching=(2, 3)),
        gh.zoo.random_hierarchy(4, 2, 2, 2),
        tree(branching=(2, 3)).with_tables({"x1->x2": np.random.default_rng(0).random((6, 3, 3))}),
    ],
)
def test_leaving_a_level_out_keeps_pairs_of_leaf_and_root(model):
    path = find_path(model, "x2", "test")

    flat = without_level(model, path, removable(model, path, "x0"))

    states = range(len(model.variables["x0"].states))
    laws = [gh.Inference(m).posteriors({"x0": list(states)})["x2"] for m in (model, flat)]
    assert list(flat.variables) == ["x0", "x2"]
    assert np.abs(laws[0] - laws[1]).max() < EXACT


def test_only_a_level_that_nobody_needs_is_left_out():
    model = tree(branching=(2, 2, 2))
    path = find_path(model, "x3", "test")

    assert removable(model, path, "x0") == "x2"
    assert removable(model, path, "x2") == "x1"
    assert removable(tree(), find_path(tree(), "x2", "test"), "x1") is None

    two = gh.Model()
    middle = two.root("r", 2).children("m", 2, 2)
    middle.children("a", 2, 2)
    middle.children("b", 2, 2)
    assert removable(two, find_path(two, "a", "test"), "r") is None
