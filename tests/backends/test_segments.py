"""Segments summed and maximised along any axis, by one index for all or one index each."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ghmpp.backends.segments import segment_max, segment_sum, whole_index
from tests.tolerances import EXACT


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(1, 6, 2), (6, 6, 2)], ids=["one", "many"])
@pytest.mark.parametrize("each", [False, True], ids=["shared", "own"])
def test_segments_are_those_of_a_loop(axis, shape, each):
    rng = np.random.default_rng(0)
    if axis == 0:
        shape = (6, *shape[1:])
    x = rng.uniform(size=shape)
    index = rng.integers(3, size=shape if each else 6)
    whole = (
        index
        if each
        else np.broadcast_to(index.reshape([-1 if a == axis else 1 for a in range(3)]), shape)
    )
    sums = np.zeros([3 if a == axis else size for a, size in enumerate(shape)])
    largest = np.full_like(sums, 0.25)
    for place in np.ndindex(*shape):
        target = tuple(whole[place] if a == axis else i for a, i in enumerate(place))
        sums[target] += x[place]
        largest[target] = max(largest[target], x[place])

    given, values = torch.tensor(index), torch.tensor(x)
    found = segment_sum(values, given, torch.zeros(sums.shape, dtype=torch.float64), axis)
    best = segment_max(values, given, torch.full(sums.shape, 0.25, dtype=torch.float64), axis)
    np.testing.assert_allclose(found, sums, rtol=EXACT)
    np.testing.assert_array_equal(best, largest)
    np.testing.assert_array_equal(whole_index(given, values, axis), whole)
