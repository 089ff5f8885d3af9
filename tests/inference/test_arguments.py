"""Options, defaults and names of states."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import QueryError
from ghmpp.inference.arguments import only, require_option, state_names


def test_an_unknown_option_lists_the_known_ones():
    require_option("dtype", "float32", ("float32", "float64"))
    with pytest.raises(QueryError, match="dtype must be one of float32, float64, got 'half'"):
        require_option("dtype", "half", ("float32", "float64"))


def test_the_only_name_is_meant_where_none_is_chosen():
    assert only(["a"], "root") == "a"
    assert only(["a", "b"], "root", "b") == "b"
    assert only([], "root", ("b", 1)) == "('b', 1)"
    with pytest.raises(QueryError, match="root: the model has a, b; pass variable="):
        only(["a", "b"], "root")
    with pytest.raises(QueryError, match="root: the model has none; pass variable="):
        only([], "root")


@pytest.mark.parametrize(
    ("states", "kind"), [(["x", "y"], "U"), (range(2), "i"), ([1, "y"], "O"), ([(1, 2), (3,)], "O")]
)
def test_names_keep_their_types(states, kind):
    found = state_names(states, np.array([1, 0, 1]))

    assert found.tolist() == [states[1], states[0], states[1]]
    assert found.dtype.kind == kind


def test_rows_without_answer_have_none():
    assert state_names(["x", "y"], np.array([1, -1])).tolist() == ["y", None]
