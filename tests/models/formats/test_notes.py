"""What formats cannot say survives in a comment, and broken comments are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import FormatError
from ghmpp.models.factors import Factors, Node
from ghmpp.models.formats.notes import (
    MARK,
    apply_note,
    load_note,
    numbered_note,
    read_note,
    safe_names,
    write_note,
    written,
)
from ghmpp.models.formats.text import Text
from tests.models.formats.drawn import NAMES, assert_same_nodes, nodes

PATTERN = re.compile(r"^# ghmpp:([^\n]*)", re.MULTILINE)
WORD = re.compile(r"[a-z]+")


def plain(graph):
    """The model as a file without names knows it."""
    counts = [_count(node) for node in graph.values()]
    return Factors("file", {f"x{k}": Node(count) for k, count in enumerate(counts)}, ())


def _count(node):
    return node.states if isinstance(node.states, int) else len(node.states)


@given(variables=nodes(), name=NAMES)
def test_names_states_and_values_come_back(variables, name):
    graph = Factors(name, variables, ())
    bare = plain(variables)
    written = {v: (f"x{k}", _count(node)) for k, (v, node) in enumerate(variables.items())}

    line = write_note(graph, written)

    assert line.isascii()
    assert line.isprintable()
    note = read_note(Text(f"MARKOV\n# {line}\n1", "f"), PATTERN)
    assert_same_nodes(apply_note(bare, note, "f"), graph)


def test_nothing_to_say_is_no_note():
    graph = Factors("weather", {"x0": Node(2)}, ())

    assert write_note(graph, {"x0": ("x0", 2)}, "weather") == ""


def test_equal_states_of_other_types_are_noted():
    graph = Factors("m", {"x0": Node([True, False])}, ())

    assert "true" in write_note(graph, {"x0": ("x0", [1, 0])}, "m")


def test_state_of_an_unknown_type_cannot_be_written():
    graph = Factors("m", {"x0": Node([frozenset(), "a"])}, ())

    with pytest.raises(FormatError, match=r"x0: state frozenset\(\) of type frozenset"):
        write_note(graph, {"x0": ("x0", 2)})


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "3",
        '{"variables": 3}',
        "[" * 10_000,
    ],
)
def test_broken_notes_are_refused_by_place(line):
    with pytest.raises(FormatError, match=r"f, line 2, column 9: the note is broken .*delete its"):
        read_note(Text(f"MARKOV\n# ghmpp:{line}", "f"), PATTERN)


@pytest.mark.parametrize(
    "variables",
    [
        {"y": {"name": "a"}},
        {"x0": {"name": "x1"}},
        {"x0": {"name": 3}},
        {"x0": {"name": ""}},
        {"x0": {"states": 3}},
        {"x0": {"states": ["a"]}},
        {"x0": {"states": ["a", "a"]}},
        {"x0": {"states": [["a"], "b"]}},
        {"x0": {"states": [{"b": 1}, "b"]}},
        {"x0": {"states": None}},
        {"x0": {"values": [1]}},
        {"x0": {"values": [1, "a"]}},
        {"x0": {"values": [1, float("nan")]}},
        {"x0": 3},
    ],
)
def test_notes_that_do_not_fit_are_refused(variables):
    graph = Factors("m", {"x0": Node(2), "x1": Node(2)}, ())

    with pytest.raises(FormatError, match="f: the note does not fit the file"):
        apply_note(graph, {"variables": variables}, "f")


@given(names=st.lists(st.one_of(NAMES, st.sampled_from(["a", "b", "x", "ab", "a_b"])), unique=True))
def test_safe_names_differ_and_keep_what_is_safe(names):
    found = safe_names(names, re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*"))

    assert len(set(found)) == len(names)
    for name, safe in zip(names, found, strict=True):
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", safe)
        if re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
            assert safe == name


def test_names_that_are_equal_as_text_become_different():
    assert safe_names([1, "1", True], re.compile(r"\w+")) == ["1", "1_1", "True"]


def test_what_is_written_is_safe_and_the_note_tells_the_rest():
    nodes = {"my pixel": Node(["off", "on!"]), "a": Node(2)}
    word = re.compile(r"[a-z_]+\d*")
    found = written(Factors("a model", nodes, ()), word, re.compile(r"\w+"))

    assert (found.title, found.names) == ("a_model", {"my pixel": "my_pixel", "a": "a"})
    assert found.states == {"my pixel": ["off", "on"], "a": ["0", "1"]}
    told = load_note(found.note.removeprefix(MARK))
    assert told["name"] == "a model"
    assert told["variables"]["my_pixel"] == {"name": "my pixel", "states": ["off", "on!"]}


def test_files_of_numbers_are_told_the_names():
    line = numbered_note(Factors("m", {"b": Node(2), "x1": Node(3), "c": Node(["y", "n"])}, ()))
    told = load_note(line.removeprefix(MARK))["variables"]

    assert told == {"x0": {"name": "b"}, "x2": {"name": "c", "states": ["y", "n"]}}
