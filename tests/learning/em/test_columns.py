from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import ConversionError, EvidenceError
from ghmpp.learning.em.columns import observed_states


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["b", None, "a", "b"], ["a", "b"]),
        (np.array([2.0, np.nan, 0.0]), [0, 2]),
        (pd.Series([True, None, False]), [False, True]),
        (pd.Series(["x", pd.NA], dtype="string"), ["x"]),
        (pd.Categorical(["low", np.nan, "high"], ["low", "mid", "high"]), ["high", "low"]),
        (torch.tensor([3, 1]), [1, 3]),
        (np.ma.masked_array([1, 2, 3], [False, True, False]), [1, 3]),
        ([0.5, 2.0], [0.5, 2]),
        (("b", "a"), ["a", "b"]),
        ("only", ["only"]),
        ([1, "a", None], [1, "a"]),
    ],
)
def test_states_are_what_is_there_sorted(column: object, expected: list[object]) -> None:
    found = observed_states({"x": column})

    assert found == expected
    assert [type(state) for state in found] == [type(state) for state in expected]


def test_alike_columns_are_taken_together() -> None:
    assert observed_states({"x": [0, 2], "y": None, "z": [1, 0]}) == [0, 1, 2]


@pytest.mark.parametrize(
    "column",
    [
        None,
        [None, np.nan],
        np.ones((3, 2)),
        gh.LogLikelihoods([[0.0, -1.0]]),
        gh.Observed([0.1], gh.Gaussian(sigma=1.0)),
        ([0.1, 0.2], gh.Gaussian(sigma=1.0)),
    ],
)
def test_what_tells_no_states_needs_them_said(column: object) -> None:
    with pytest.raises(ConversionError, match=r"states of 'x' are unknown.*states=\{'x': \.\.\.\}"):
        observed_states({"x": column})


@pytest.mark.parametrize("column", [[-1, 1], np.array([-1.0, 0.0]), [0, 1, -1]])
def test_minus_one_is_ambiguous(column: object) -> None:
    with pytest.raises(EvidenceError, match=r"x: -1 may be a state, or say .* missing"):
        observed_states({"x": column})


def test_states_must_be_hashable() -> None:
    with pytest.raises(EvidenceError, match="x: states must be hashable"):
        observed_states({"x": pd.Series([{"a"}, {"b"}])})
