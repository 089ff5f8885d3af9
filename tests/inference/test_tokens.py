"""Which class is the sequence, and how its rows are cut into portions."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.inference import tokens
from ghmpp.inference.tokens import portions, token_class


def test_the_only_class_of_leaves_is_the_sequence():
    model = gh.zoo.random_hierarchy(3, 2, 2, 2)

    assert token_class(model, None).name == "x2"
    assert token_class(model, "x1").name == "x1"


def test_several_classes_of_leaves_need_a_name():
    model = gh.zoo.joint_ghm(2, flip=0.1, image=(2,), text=(2,))

    with pytest.raises(QueryError, match="say which with variable="):
        token_class(model, None)


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 13])
def test_portions_cover_all_rows_in_order(rows, monkeypatch):
    known = token_class(gh.zoo.broadcast(2, 0.1), None)
    monkeypatch.setattr(tokens, "PORTION", 5 * 8 * known.nodes * len(known.states))
    found = [row for part in portions(rows, known) for row in range(rows)[part]]

    assert found == list(range(rows))
    assert max((part.stop - part.start for part in portions(rows, known)), default=0) <= 5


def test_one_row_is_a_portion_however_large_it_is():
    known = replace(token_class(gh.zoo.broadcast(1, 0.1), None), nodes=10**9)

    assert list(portions(2, known)) == [slice(0, 1), slice(1, 2)]
