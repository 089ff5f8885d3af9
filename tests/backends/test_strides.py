"""Sums and copies along the axes of a joint state are those of the index map."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.backends.kernels import Linear, Log
from ghmpp.backends.strides import Strides, find_strides
from ghmpp.models.junction import projection


@st.composite
def projections(draw):
    """Sizes of up to five variables, and some of them in any order."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    names = [f"v{k}" for k in range(len(sizes))]
    kept = draw(st.permutations(names))[: draw(st.integers(0, len(names)))]
    return dict(zip(names, sizes, strict=True)), kept


@given(projections())
def test_projections_are_found_and_used_like_their_index(drawn):
    sizes, kept = drawn
    index, states = projection(sizes, kept), prod(sizes[name] for name in kept)
    strides = find_strides(index, states)
    assert strides is not None

    assert (strides.index(torch.device("cpu")).numpy() == index).all()
    whole = torch.rand(2, len(index), 3, 1, dtype=torch.float64)
    part = torch.rand(2, states, 1, 5, dtype=torch.float64)
    summed = whole.new_zeros(2, states, 3, 1).index_add(1, torch.tensor(index), whole)
    torch.testing.assert_close(strides.fold(Linear(), whole), summed)
    torch.testing.assert_close(strides.fold(Log(), whole.log()), summed.log())
    largest = strides.fold(Linear("max"), whole)
    assert (largest.index_select(1, torch.tensor(index)) >= whole).all()
    torch.testing.assert_close(strides.spread(part), part.index_select(1, torch.tensor(index)))


@given(projections())
def test_results_have_memory_of_their_own(drawn):
    sizes, kept = drawn
    strides = find_strides(projection(sizes, kept), prod(sizes[name] for name in kept))
    whole = torch.ones(1, prod(sizes.values()), 1, 1)
    part = torch.ones(1, prod(sizes[name] for name in kept), 1, 1)
    strides.fold(Linear(), whole).zero_()
    strides.spread(part).zero_()

    assert whole.all()
    assert part.all()


@pytest.mark.parametrize(
    ("index", "states"),
    [
        ([0, 1, 1, 0], 2),
        ([1, 1, 0, 0], 2),
        ([0, 0, 1], 2),
        ([0, 2, 1, 3, 4], 5),
        ([0, 1, 0, 1], 3),
        ([0, 2, 4], 6),
        ([1], 2),
    ],
)
def test_other_maps_have_no_strides(index, states):
    assert find_strides(np.array(index), states) is None


def test_runs_longer_than_the_head_are_found():
    index = np.repeat(np.arange(3), 5000)

    assert find_strides(index, 3) == Strides((3, 5000), (1, 0))
    index[7000] = 0
    assert find_strides(index, 3) is None
