"""Functions of state values as tables."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.models.states import read_states
from ghmpp.models.tabulate import tabulate, tabulate_unary

LOW_HIGH = read_states(["low", "high"], None, "x")
VALUES = read_states([0.5, 2], None, "x")


def test_functions_receive_the_parent_first():
    table = tabulate(lambda s, a: (s, a), "here", LOW_HIGH, VALUES, 3)

    assert table[1, 0].tolist() == ["high", 0.5]


@pytest.mark.parametrize(
    "function",
    [lambda s, a, rank: 10 * rank + a, lambda s, a, rank=0: 10 * rank + a],
    ids=["required", "named rank"],
)
def test_a_third_argument_is_the_rank(function):
    tables = tabulate(function, "here", LOW_HIGH, VALUES, 3)

    np.testing.assert_array_equal(tables[:, 0, 1].astype(float), [2, 12, 22])


def test_other_defaults_are_left_alone():
    table = tabulate(lambda s, a, scale=2: scale * a, "here", LOW_HIGH, VALUES, 3)

    np.testing.assert_array_equal(table.astype(float), [[1, 4], [1, 4]])


def test_builtins_without_signature_are_functions_of_two():
    assert tabulate(max, "here", VALUES, VALUES, 1)[0, 1] == 2


def test_unaries_are_functions_of_the_state():
    assert tabulate_unary(lambda s: s**2, "here", VALUES).tolist() == [0.25, 4]


def test_a_failing_function_is_reported_with_its_arguments():
    with pytest.raises(ModelError, match=r"here: the function failed at \('low', 0.5\) with Type"):
        tabulate(lambda s, a: s - a, "here", LOW_HIGH, VALUES, 1)
