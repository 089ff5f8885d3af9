"""Every form of evidence becomes the observation that it means; the rest is refused by name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Gaussian
from ghmpp.models.evidence import read_evidence
from ghmpp.models.observations import Observation
from tests.models.observed import VARIABLES, declare, only, read, states

# --- states -------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_evidence_is_one_row(nothing):
    assert read(nothing) == ({}, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2, [[2]]),
        (np.int8(2), [[2]]),
        (2.0, [[2]]),
        (None, [[-1]]),
        (float("nan"), [[-1]]),
        (-1, [[-1]]),
        ([0, 2, None], [[0], [2], [-1]]),
        (np.array([0, 2, -1]), [[0], [2], [-1]]),
        (np.array([0.0, np.nan]), [[0], [-1]]),
        (np.array([[1], [2]], dtype=np.uint8), [[1], [2]]),
        (np.array([True, False]), [[1], [0]]),
        (np.ma.masked_array([0, 2], mask=[False, True]), [[0], [-1]]),
        (pd.Series([1, None], dtype="Int64"), [[1], [-1]]),
    ],
)
def test_states_of_a_class_with_one_node(given, expected):
    assert states({"digit": given}) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("blue", [[2]]),
        (np.array(["red", "blue"]), [[0], [2]]),
        (["red", None, float("nan"), "green"], [[0], [-1], [-1], [1]]),
        (1, [[1]]),
        ([0, "blue", -1], [[0], [2], [-1]]),
    ],
)
def test_states_by_name_or_by_index(given, expected):
    assert states({"colour": given}) == expected


def test_declared_names_win_over_indices():
    assert states({"odd": [2, 0, "x"]}) == [[0], [2], [1]]


def test_number_that_is_no_name_is_not_an_index_where_names_are_numbers():
    with pytest.raises(EvidenceError, match=r"odd: 1 is not a state; the states are 2, 'x', 0\."):
        read({"odd": 1})


def test_minus_one_is_a_spin_where_it_is_declared():
    assert states({"spin": [[-1, 1], [1, None]]}) == [[0, 1], [1, -1]]
    assert states({"spin": np.array([[-1, 1]])}) == [[0, 1]]
    assert states({"spin": torch.tensor([[-1, 1]])}) == [[0, 1]]
    assert states({"spin": torch.tensor([[-1.0, np.nan]])}) == [[0, -1]]


def test_names_may_be_tuples():
    assert states({"place": [("b", 2), ("a", 1)]}) == [[1, 0]]
    assert states({"place": [[("b", 2), None], [("a", 1), ("b", 2)]]}) == [[1, -1], [0, 1]]
    assert states({"place[1]": ("b", 2)}) == [[-1, 1]]


def test_one_dimension_is_one_row_of_a_class_with_several_nodes():
    assert states({"pixel": [0, 1, 2, 3, None, 0]}) == [[0, 1, 2, 3, -1, 0]]


def test_integer_valued_floats_of_several_nodes_are_states():
    assert states({"pixel": np.array([[0.0, 1.0, np.nan, 3.0, 2.0, 2.0]])}) == [[0, 1, -1, 3, 2, 2]]


def test_whole_class_may_be_missing():
    assert states({"pixel": None}) == [[-1] * 6]


# --- single nodes and data frames ---------------------------------------------------------------


def test_single_nodes_are_gathered_by_class():
    assert states({"pixel[3]": [1, 2], "pixel[0]": 3}) == [
        [3, -1, -1, 1, -1, -1],
        [3, -1, -1, 2, -1, -1],
    ]


def test_the_only_node_may_be_called_by_number():
    assert states({"digit[0]": [1, 2]}) == [[1], [2]]


def test_single_nodes_of_different_kinds_become_log_likelihoods():
    found = only(
        {
            "pixel[0]": 2,
            "pixel[1]": np.array([[1.0, 0.5, 0.0, 0.0]]),
            "pixel[2]": (0.5, Gaussian(1.0)),
        }
    )

    assert found.kind == "log_likelihood"
    assert found.array[0, 0].tolist() == [-np.inf, -np.inf, 0.0, -np.inf]
    np.testing.assert_allclose(np.exp(found.array[0, 1]), [1.0, 0.5, 0.0, 0.0])
    expected = Gaussian(1.0).log_likelihood(np.arange(4.0), np.array(0.5))
    np.testing.assert_allclose(found.array[0, 2], expected)
    assert not found.array[0, 3:].any()


def test_data_frame_rows_are_the_batch():
    frame = pd.DataFrame(
        {"pixel[5]": [0, 3], "pixel[1]": [None, 2.0], "colour": ["blue", None], "digit": [0, 1]}
    )
    observations, batch = read(frame)

    assert batch == 2
    assert observations["pixel"].array.tolist() == [[-1, -1, -1, -1, -1, 0], [-1, 2, -1, -1, -1, 3]]
    assert observations["colour"].array.tolist() == [[2], [-1]]
    assert observations["digit"].array.tolist() == [[0], [1]]


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_data_frame_columns_of_any_type_hold_names(dtype):
    column = pd.Series(["red", None, "blue"], dtype=dtype)

    assert states(pd.DataFrame({"colour": column})) == [[0], [-1], [2]]


def test_data_frame_column_must_not_name_several_nodes():
    with pytest.raises(
        EvidenceError, match=r"column 'pixel' names a class with 6 nodes.*pixel\[0\]"
    ):
        read(pd.DataFrame({"pixel": range(6)}))


def test_data_frame_columns_must_differ():
    with pytest.raises(EvidenceError, match=r"several columns 'digit'"):
        read(pd.DataFrame([[0, 1]], columns=["digit", "digit"]))


@pytest.mark.parametrize("names", [("digit", "digit[0]"), ("digit[0]", "digit")])
def test_single_node_is_not_given_twice_by_two_names(names):
    with pytest.raises(EvidenceError, match=rf"{re.escape(repr(names[1]))} is given twice"):
        read({names[0]: [0], names[1]: [1]})


def test_class_is_not_given_twice():
    with pytest.raises(EvidenceError, match=r"pixel: given both as a class and as single nodes"):
        read({"pixel": np.zeros((1, 6), dtype=int), "pixel[0]": 1})


# --- bare arrays and batches --------------------------------------------------------------------


def test_bare_array_belongs_to_the_default_class():
    observations, batch = read(np.zeros((5, 6), dtype=int), default="pixel")

    assert (list(observations), batch) == (["pixel"], 5)


def test_bare_array_without_default_is_refused():
    with pytest.raises(EvidenceError, match=r"a bare ndarray does not say.*'digit'.*pixel"):
        read(np.zeros((5, 6), dtype=int))


def test_batch_of_one_is_repeated():
    observations, batch = read({"digit": 1, "pixel": np.zeros((3, 6), dtype=int)})

    assert batch == 3
    assert observations["digit"].array.tolist() == [[1], [1], [1]]


def test_batch_may_be_empty():
    observations, batch = read({"digit": 1, "pixel": np.zeros((0, 6), dtype=int)})

    assert batch == 0
    assert observations["digit"].array.shape == (0, 1)


@pytest.mark.parametrize("first", ["digit", "pixel[2]"])
def test_batches_of_different_sizes_are_named(first):
    with pytest.raises(EvidenceError, match=r"same size.*: 2, pixel\[0\]: 3|same size.*2.*: 3"):
        read({first: [1, 2], "pixel[0]": [0, 1, 2]})


def test_checked_observations_may_be_passed_again():
    first, batch = read({"digit": [1, 2], "pixel": (np.zeros(6), Gaussian(1.0))})
    again, same = read(first)

    assert same == batch == 2
    for name, found in again.items():
        assert (found.kind, found.channel) == (first[name].kind, first[name].channel)
        np.testing.assert_array_equal(found.array, first[name].array)
    with pytest.raises(EvidenceError, match=r"pixel: .*\(batch, 6\), got \(2, 1\)"):
        read({"pixel": first["digit"]})


# --- tensors ------------------------------------------------------------------------------------


def test_tensors_stay_tensors():
    table = torch.ones((2, 6, 4), dtype=torch.float32, requires_grad=True)
    found = only({"pixel": table})

    assert found.kind == "likelihood"
    assert found.array.dtype == torch.float32
    assert found.array.requires_grad


def test_tensor_of_states_is_checked_and_kept():
    given = torch.tensor([[0, 1, 2, 3, -1, 0]])

    assert torch.equal(only({"pixel": given}).array, given)
    with pytest.raises(EvidenceError, match="pixel: 4 is not a state"):
        read({"pixel": given + 1})


def test_small_unsigned_tensors_do_not_wrap_around():
    with pytest.raises(EvidenceError, match="spin: 255 is not a state"):
        read({"spin": torch.full((1, 2), 255, dtype=torch.uint8)})


def test_tensor_through_a_channel_keeps_its_gradient():
    z = torch.zeros((1, 6), dtype=torch.float64, requires_grad=True)
    found = only({"pixel": (z, Gaussian(1.0))})

    assert found.kind == "values"
    assert found.array.requires_grad


def test_tensor_batch_of_one_is_repeated():
    observations, batch = read({"digit": torch.tensor(1), "colour": ["red", "blue"]})

    assert batch == 2
    assert observations["digit"].array.tolist() == [[1], [1]]


def test_tensor_for_one_of_several_nodes_is_refused():
    with pytest.raises(EvidenceError, match=r"pixel: tensors are given for a whole class"):
        read({"pixel[2]": torch.tensor([1])})


# --- refusals -----------------------------------------------------------------------------------


def test_unknown_variable_lists_the_known_and_the_nearest():
    with pytest.raises(EvidenceError, match=r"no variable 'pixels'.*digit, pixel.*mean 'pixel'"):
        read({"pixels": 1})


@pytest.mark.parametrize("key", ["pixel[6]", "digit[1]"])
def test_node_beyond_the_last_is_refused(key):
    with pytest.raises(EvidenceError, match=r"no variable '\w+\[\d\]'; \w+ has [16] nodes"):
        read({key: 1})


def test_unknown_state_lists_the_states():
    with pytest.raises(
        EvidenceError, match=r"'pink' is not a state.*'red', 'green', 'blue'.*index"
    ):
        read({"colour": "pink"})
    with pytest.raises(EvidenceError, match=r"pixel: 4 is not a state; the states are 0, 1, 2, 3"):
        read({"pixel": np.full((1, 6), 4)})


def test_long_lists_of_states_are_shortened():
    many = {"many": declare("many", range(100), 1)}

    with pytest.raises(EvidenceError, match=r"0, 1, 2, 3, 4, 5, \.\.\., 98, 99"):
        read_evidence({"many": 100}, many)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"pixel": np.zeros((2, 5), dtype=int)}, r"\(batch, 6\), got \(2, 5\)"),
        ({"pixel": 2}, r"\(batch, 6\), got \(\)"),
        ({"digit": np.zeros((2, 3), dtype=int)}, r"\(batch\), got \(2, 3\)"),
        ({"digit": np.ones((2, 4))}, r"\(batch, 3\), got \(2, 4\).*One row has shape \(1, 3\)"),
        ({"pixel": np.ones((2, 6, 3))}, r"\(batch, 6, 4\), got \(2, 6, 3\)"),
        ({"pixel": (np.zeros((1, 6, 1)), Gaussian(1.0))}, r"\(batch, 6\), got \(1, 6, 1\)"),
        ({"pixel": torch.zeros((2, 5), dtype=torch.int64)}, r"\(batch, 6\), got \(2, 5\)"),
    ],
)
def test_wrong_shape_names_the_right_one(evidence, expected):
    with pytest.raises(EvidenceError, match=expected):
        read(evidence)


def test_ragged_lists_are_refused():
    with pytest.raises(EvidenceError, match=r"pixel: rows of different lengths"):
        read({"pixel": [[0, 1], [2]]})


def test_observation_through_no_channel_is_refused():
    with pytest.raises(EvidenceError, match=r"digit: values need a channel"):
        Observation("values", np.zeros((1, 1))).log_likelihood(VARIABLES["digit"])


@pytest.mark.parametrize(
    ("states", "value"), [(["1", "2", "3"], 1), (["TRUE", "FALSE"], True), (["b", "a"], False)]
)
def test_what_reads_as_another_state_is_no_position(states, value):
    model = gh.Model()
    model.root("coin", states)

    with pytest.raises(EvidenceError, match="is not a state"):
        gh.infer(model, {"coin": [value]})
