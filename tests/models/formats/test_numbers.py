"""Numbers of a text: exact, finite, and counted before anything is allocated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import FormatError
from ghmpp.models.formats import numbers as module
from ghmpp.models.formats.numbers import Numbers, parse_floats
from ghmpp.models.formats.text import Text


def numbers(content):
    return Numbers(Text(content, "f"), content)


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_written_floats_come_back_bit_for_bit(values):
    found = parse_floats("\n".join(map(repr, values)))

    assert found is not None
    assert found.tobytes() == np.array(values, dtype=np.float64).tobytes()


STRANGE = [
    "nan",
    "inf",
    "-inf",
    "1_000",
    "0x10",
    "1,2",
    "1e",
    "--1",
    "1.5.5",
    "1e400",
    "\uff11",
    "2j",
]


@pytest.mark.parametrize("piece", STRANGE)
def test_other_spellings_are_no_numbers(piece):
    assert parse_floats(f"1 {piece} 2") is None
    with pytest.raises(FormatError, match=r"f, line 2, column 3: expected a finite decimal number"):
        numbers(f"1\n1 {piece} 2")


def test_white_space_alone_has_no_numbers():
    assert numbers(" \n\t ").left == 0


def test_long_texts_are_read_in_slabs(monkeypatch):
    monkeypatch.setattr(module, "SLAB", 7)
    values = list(range(0, 4000, 13))

    found = numbers(" ".join(map(str, values)))

    assert found.wholes(len(values), "all") == values
    found.finish()


def test_place_in_a_later_slab_is_right(monkeypatch):
    monkeypatch.setattr(module, "SLAB", 7)

    with pytest.raises(FormatError, match="line 3, column 3"):
        numbers("11 22 33\n44 55\n6 x7 8")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("5 -1", r"line 1, column 3: expected a number >= 0, got -1"),
        ("5 2.5", r"line 1, column 3: a count: expected a whole number >= 0, got 2.5"),
        ("5", r"a count: expected 2 more number\(s\), but the file has only 1; it is cut short"),
    ],
)
def test_wrong_counts_are_refused(content, words):
    with pytest.raises(FormatError, match=words):
        numbers(content).wholes(2, "a count")


def test_whole_numbers_have_a_range():
    with pytest.raises(FormatError, match=r"a state: expected a whole number in 1\.\.4, got 5"):
        numbers("5").whole("a state", least=1, below=5)


def test_huge_count_is_refused_without_allocating():
    found = numbers("1000000000000 1")

    with pytest.raises(FormatError, match="expected 1000000000000 more number"):
        found.take(found.whole("count"), "the table")


def test_numbers_left_over_are_refused():
    found = numbers("1 2\n3")
    found.take(1, "one")

    with pytest.raises(FormatError, match=r"line 1, column 3: 2 number\(s\) are left over"):
        found.finish()
