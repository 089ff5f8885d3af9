"""Tables between joint states as tables over variables."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ghmpp.models.joint_states import joint_table

SIZES = {"a": 2, "b": 3, "c": 4}


@pytest.mark.parametrize(
    ("above", "below", "scope"),
    [
        (["a"], ["b"], ("a", "b")),
        (["a", "b"], ["c"], ("a", "b", "c")),
        (["a", "b"], ["a", "c"], ("a", "b", "c")),
        (["b", "a"], ["c", "b"], ("b", "a", "c")),
        (["a", "b"], ["b", "a"], ("a", "b")),
    ],
)
def test_entries_are_those_where_shared_variables_agree(above, below, scope):
    rows, columns = (np.prod([SIZES[name] for name in names]) for names in (above, below))
    table = np.arange(rows * columns).reshape(rows, columns)
    found, entries = joint_table(above, below, SIZES, table)

    assert found == scope
    for at in np.ndindex(*[SIZES[name] for name in scope]):
        state = dict(zip(scope, at, strict=True))
        row, column = (
            np.ravel_multi_index([state[n] for n in names], [SIZES[n] for n in names])
            for names in (above, below)
        )
        assert entries[at] == table[row, column]


def test_exact_entries_stay_exact():
    table = np.array([[Fraction(1, 3), 0, Fraction(2, 3), 0], [0, 1, 0, 2]], dtype=object)
    _, entries = joint_table(["a"], ["b", "a"], {"a": 2, "b": 2}, table)

    assert entries.tolist() == [[Fraction(1, 3), Fraction(2, 3)], [1, 2]]
