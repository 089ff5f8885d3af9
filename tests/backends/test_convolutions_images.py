"""Trees over the pixels of an image: two-dimensional convolutions in the order of pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import ghmpp as gh
from ghmpp.backends.convolutions.build import as_convolutions
from ghmpp.backends.convolutions.grids import find_grids, read_splits
from ghmpp.errors import EvidenceError
from ghmpp.models.layouts import grid_order
from tests.tolerances import CONVOLUTIONS, EXACT

RNG = np.random.default_rng(0)
SPLITS = [(1, 2), (3, 1), (2, 2)]
split = st.tuples(st.integers(1, 3), st.integers(1, 3)).filter(lambda s: s != (1, 1))


def tables(ranks, parents, children):
    return 3.0 ** RNG.uniform(-1, 1, size=(ranks, parents, children))


def quadtree():
    """Images of 4 x 4 pixels with grey levels 0 to 4."""
    return gh.GHM(
        states=(3, 4, 5),
        branching=(4, 4),
        tables=[tables(4, 3, 4), tables(4, 4, 5)],
        order=gh.morton_order(4),
        state_values=range(5),
        prior=[1, 2, 3],
    )


def rectangle(order=None):
    """Images of 6 rows and 4 columns, halved and cut in three in turn."""
    order = grid_order(SPLITS) if order is None else order
    return gh.GHM(
        states=(2, 3, 2, 3),
        branching=(2, 3, 4),
        tables=[tables(2, 2, 3), tables(3, 3, 2), tables(4, 2, 3)],
        order=order,
        state_values=range(3),
    )


QUADTREE = quadtree()
IMAGES = torch.tensor(RNG.normal(2, 2, size=(5, 4, 4)))
CLOSE = {torch.float64: EXACT, torch.float32: CONVOLUTIONS}


def assert_same(found, expected):
    bound = CLOSE[expected.dtype]
    torch.testing.assert_close(found, expected, rtol=bound, atol=bound)


def denoiser(family, **options):
    program = gh.compile(QUADTREE, gh.mean("x2"), given=gh.noisy("x2", sigma=1.5))
    network = program.network(family, **options)
    return network, as_convolutions(network)


class TestQuadtree:
    @pytest.mark.parametrize("options", [{"dtype": "float64"}, {"dtype": "float32"}])
    @pytest.mark.parametrize("family", ["exact", "relu", "trainable"])
    def test_images_in_images_out(self, family, options):
        network, convolutions = denoiser(family, width=None if family == "exact" else 12, **options)
        expected = network(IMAGES.flatten(1))

        assert_same(convolutions(IMAGES.flatten(1)), expected)
        assert_same(convolutions(IMAGES), expected.view(5, 4, 4))
        assert_same(convolutions(IMAGES[:, None]), expected.view(5, 1, 4, 4))

    def test_layers_are_two_dimensional(self):
        _, convolutions = denoiser("exact")

        down, up = convolutions.encoder["x2"][2], convolutions.decoder["x1"][3]
        assert type(down) is nn.Conv2d
        assert (down.kernel_size, down.stride) == ((2, 2), (2, 2))
        assert type(up) is nn.ConvTranspose2d
        assert up.weight.shape == (12, 4, 2, 2)

    def test_symbols_and_posteriors_as_images(self):
        queries = [gh.posterior("x0"), gh.posterior("x1"), gh.posterior("x2")]
        network = gh.compile(QUADTREE, queries, given="x2").network()
        convolutions = as_convolutions(network)
        x = torch.tensor(RNG.integers(-1, 5, size=(3, 4, 4)))

        root, quadrants, pixels = network(x.flatten(1))
        found = convolutions(x)
        assert_same(found[0], root)
        assert_same(found[1], quadrants.transpose(1, 2).view(3, 4, 2, 2))
        assert_same(found[2], pixels.transpose(1, 2).view(3, 5, 4, 4))

    def test_wrong_images_are_refused(self):
        with pytest.raises(EvidenceError, match=r"\(batch, 16\) or \(batch, 4, 4\) or"):
            denoiser("exact")[1](torch.zeros(2, 3, 4, 4))


class TestRectangle:
    def test_levels_may_split_rows_and_columns_differently(self):
        queries = [gh.mean("x3"), gh.posterior("x2")]
        program = gh.compile(rectangle(), queries, given=gh.noisy("x3", sigma=1.0))
        network = program.network()
        convolutions = as_convolutions(network)
        z = torch.tensor(RNG.normal(size=(4, 24)))

        for found, expected in zip(convolutions(z), network(z), strict=True):
            assert_same(found, expected)
        assert convolutions(z.view(4, 6, 4))[0].shape == (4, 6, 4)
        assert convolutions.encoder["x2"][2].kernel_size == (3, 1)

    def test_any_other_order_is_a_line(self):
        program = gh.compile(
            rectangle(RNG.permutation(24)), gh.mean("x3"), given=gh.noisy("x3", sigma=1.0)
        )
        network = program.network()
        convolutions = as_convolutions(network)
        z = torch.tensor(RNG.normal(size=(4, 24)))

        assert type(convolutions.encoder["x3"][2]) is nn.Conv1d
        assert_same(convolutions(z), network(z))
        with pytest.raises(EvidenceError, match=r"shape \(batch, 24\), got"):
            convolutions(z.view(4, 6, 4))


class TestGrids:
    @given(st.lists(split, min_size=1, max_size=3))
    def test_splits_are_read_off_the_order(self, splits):
        order = grid_order(splits)
        fanouts = [rows * columns for rows, columns in splits]

        found = read_splits(order, fanouts)
        assert found is not None
        np.testing.assert_array_equal(grid_order(found), order)

    def test_the_squarest_image_is_found(self):
        assert read_splits(gh.morton_order(8), (4, 4, 4)) == [(2, 2)] * 3

    def test_no_image_has_another_order(self):
        assert read_splits([1, 0, 2, 3], (2, 2)) is None

    def test_the_order_of_the_tree_is_a_line(self):
        plain = gh.GHM(states=2, branching=(2, 2), order=range(4))

        grids = find_grids(plain.forest())
        assert grids.dimensions == 1
        assert grids.of["x2"].shape == (4,)

    def test_classes_that_disagree_lie_on_a_line(self):
        model = gh.Model()
        middle = model.root("root", 2).children("middle", 4, 2)
        middle.children("image", 4, 2, order=gh.morton_order(4))
        middle.children("strip", 2, 2, order=grid_order([(4, 1), (1, 2)])[[1, 0, 2, 3, 4, 5, 6, 7]])
        middle.children("rows", 1, 2, order=grid_order([(2, 2), (1, 1)]))
        assert find_grids(model.forest()).dimensions == 2

        middle.children("tall", 2, 2, order=grid_order([(4, 1), (2, 1)])[::-1])
        middle.children("kept", 2, 2, order=grid_order([(1, 4), (2, 1)]))
        assert find_grids(model.forest()).dimensions == 1
