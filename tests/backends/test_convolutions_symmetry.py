"""What happens when sibling subtrees change places, and what arXiv:2404.18444, Sec. 2, says of it.

The paper states that the subtrees below any two nodes of a layer have the same law. That holds
where all children of a node share one table, and given the state of the top node of the subtree;
it fails where tables depend on the rank.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.convolutions.build import as_convolutions
from tests.tolerances import EXACT

RNG = np.random.default_rng(3)
FAMILIES = {
    "exact": {"family": "exact"},
    "relu": {"family": "relu", "width": 10, "dtype": "float64"},
}
BRANCHING = (3, 2)
STACKS = [3.0 ** RNG.uniform(-1, 1, size=size) for size in ((3, 3, 4), (2, 4, 3))]
Z = torch.tensor(RNG.normal(1, 2, size=(4, 6)))
X = torch.tensor(RNG.integers(-1, 3, size=(4, 6)))


def model(stacks):
    return gh.GHM(
        states=(3, 4, 3),
        branching=BRANCHING,
        tables=stacks,
        state_values=[0, 1, 3],
        prior=[1, 2, 4],
    )


def denoiser(stacks, family):
    program = gh.compile(model(stacks), gh.mean("x2"), given=gh.noisy("x2", sigma=1.5))
    return as_convolutions(program.network(**FAMILIES[family]))


def classifier(stacks, family):
    program = gh.compile(model(stacks), gh.posterior("x0"), given="x2")
    return as_convolutions(program.network(**FAMILIES[family]))


def moved(x, level, order):
    """Leaves after the children of every node of a level have changed places."""
    axes = x.view(len(x), *BRANCHING)
    return axes.index_select(level + 1, torch.tensor(order)).flatten(1)


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("family", FAMILIES)
class TestTablesMovedAlong:
    @pytest.mark.parametrize("level", [0, 1])
    def test_siblings_that_change_places_with_their_tables(self, level, family):
        for order in permutations(range(BRANCHING[level])):
            stacks = list(STACKS)
            stacks[level] = STACKS[level][list(order)]

            expected = moved(denoiser(STACKS, family)(Z), level, order)
            assert_same(denoiser(stacks, family)(moved(Z, level, order)), expected)
            expected = classifier(STACKS, family)(X)
            assert_same(classifier(stacks, family)(moved(X, level, order)), expected)

    def test_quadrants_of_an_image(self, family):
        """Left and right halves change places: the image is moved by half its width."""
        stack = 3.0 ** RNG.uniform(-1, 1, size=(4, 3, 4))
        below = 3.0 ** RNG.uniform(-1, 1, size=(4, 4, 3))
        images = torch.tensor(RNG.normal(1, 2, size=(3, 4, 4)))

        def network(stack):
            quadtree = gh.GHM(
                states=(3, 4, 3),
                branching=(4, 4),
                tables=[stack, below],
                state_values=[0, 1, 3],
                order=gh.morton_order(4),
            )
            program = gh.compile(quadtree, gh.mean("x2"), given=gh.noisy("x2", sigma=1.5))
            return as_convolutions(program.network(**FAMILIES[family]))

        found = network(stack[[1, 0, 3, 2]])(images.roll(2, 2))
        assert_same(found, network(stack)(images).roll(2, 2))


@pytest.mark.parametrize("family", FAMILIES)
class TestSharedTables:
    def test_the_children_of_one_node_may_change_places(self, family):
        shared = [stack[0] for stack in STACKS]
        order = torch.tensor([0, 1, 3, 2, 4, 5])  # those of the second node alone

        assert_same(denoiser(shared, family)(Z[:, order]), denoiser(shared, family)(Z)[:, order])
        assert_same(classifier(shared, family)(X[:, order]), classifier(shared, family)(X))

    def test_all_leaves_have_the_same_law(self, family):
        shared = [stack[0] for stack in STACKS]
        unseen = torch.full((1, 6), torch.nan, dtype=torch.float64)

        assert_same(denoiser(shared, family)(unseen), denoiser(shared, family)(unseen)[:, [3] * 6])


class TestTablesThatDependOnTheRank:
    """The counterexample: a uniform root of two states, and a table for each of two children."""

    TABLES = ([[3, 1], [1, 2]], [[1, 3], [2, 1]])

    def program(self, query, given=()):
        tree = gh.GHM(states=2, branching=(2,), tables=[self.TABLES])
        return as_convolutions(gh.compile(tree, query, given=given).network())

    def test_two_nodes_of_a_layer_have_different_laws(self):
        """25 P(x = 0) is 3 (1 + 3) + 1 (2 + 1) for one, (3 + 1) 1 + (1 + 2) 2 for the other."""
        found = self.program(gh.posterior("x1"))()

        assert_same(found, torch.tensor([[[15, 10], [10, 15]]], dtype=torch.float64) / 25)

    def test_siblings_cannot_change_places_without_their_tables(self):
        """Weights of the root: 3 * 3 and 1 * 1 for leaves (0, 1), 1 * 1 and 2 * 2 for (1, 0)."""
        found = self.program(gh.posterior("x0"), "x1")(torch.tensor([[0, 1], [1, 0]]))

        assert_same(found, torch.tensor([[0.9, 0.1], [0.2, 0.8]], dtype=torch.float64))

    def test_given_the_top_node_the_subtrees_have_the_same_law(self):
        program = gh.compile(model(STACKS), gh.posterior("x2"), given="x1")
        below = as_convolutions(program.network())

        for state in range(4):
            found = below(torch.full((1, 3), state))[0].view(3, 2, 3)
            assert_same(found, found[:1].expand(3, 2, 3))
        unseen = below(torch.full((1, 3), -1))[0].view(3, 2, 3)
        assert (unseen[0] - unseen[1]).abs().max() > 0.01
