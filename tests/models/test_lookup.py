"""States in evidence as indices: the right ones, and no wider than they were given."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import EvidenceError
from ghmpp.models.lookup import state_indices, tensor_indices
from ghmpp.models.observations import observe
from tests.models.observed import declare

COUNTED, NAMED = declare("counted", range(4), 3), declare("named", ["a", "b", "c"], 3)
TYPES = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("variable", [COUNTED, NAMED], ids=["counted", "named"])
def test_integers_stay_as_narrow_as_they_are(variable, dtype):
    given = np.array([[0, 2, 1]], dtype=dtype)
    found = state_indices(variable, given)

    assert found.tolist() == given.tolist()
    assert found.dtype.kind == "i"
    assert found.dtype.itemsize == min(8, given.itemsize * (1 if given.dtype.kind == "i" else 2))


@pytest.mark.parametrize("states", [range(300), [*range(-128, 0), *range(128)]])
@pytest.mark.parametrize("array", [np, torch])
def test_narrow_integers_may_have_more_states_than_they_can_count(states, array):
    variable = declare("many", states, 1)
    given = array.asarray([[5], [127]], dtype=array.int8)
    find = state_indices if array is np else tensor_indices

    assert find(variable, given).tolist() == [[states.index(5)], [states.index(127)]]


def test_missing_and_wrong_entries_of_narrow_integers_are_told():
    assert state_indices(COUNTED, np.array([[-1, 3, 0]], dtype=np.int8)).tolist() == [[-1, 3, 0]]
    for given in (np.array([[200]], dtype=np.uint8), np.array([[4]], dtype=np.int8)):
        with pytest.raises(EvidenceError, match=rf"counted: {given.item()} is not a state"):
            state_indices(COUNTED, given)
        with pytest.raises(EvidenceError, match=rf"counted: {given.item()} is not a state"):
            tensor_indices(COUNTED, torch.as_tensor(given))
    assert tensor_indices(COUNTED, torch.tensor([[True, False]])).tolist() == [[1, 0]]


def test_bytes_take_a_byte_each():
    pixels = declare("pixel", range(4), 1000, range(4))
    given = np.zeros((1000, 1000), dtype=np.int8)

    tracemalloc.start()
    observation = observe(pixels, given)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert observation.array.nbytes == given.nbytes
    assert peak < 3 * given.nbytes


@pytest.mark.parametrize("dtype", TYPES)
def test_answers_do_not_depend_on_the_type(dtype):
    model = gh.GHM(states=(3, 5, 4), branching=(2, 3)).initialise(seed=0)
    given = model.sample(7, seed=1)["x2"]
    expected = gh.infer(model, given)

    for narrow in (given.astype(dtype), torch.as_tensor(given.astype(dtype))):
        found = gh.infer(model, narrow)
        np.testing.assert_array_equal(found["x0"], expected["x0"])
        np.testing.assert_array_equal(found.map()["x1"], expected.map()["x1"])
