"""UAI evidence: both layouts, by name, and refused by line and column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import EvidenceError, FormatError
from ghmpp.models.factors import Factors, Node
from ghmpp.models.formats.text import Text
from ghmpp.models.formats.uai_evidence import format_evidence, parse_evidence, samples
from ghmpp.models.states import read_states
from tests.models.formats.drawn import nodes

GRAPH = Factors("m", {"a": Node(2), "b": Node(["no", "maybe", "yes"]), "c": Node([-1, 1])}, ())


def parse(content, layout=None):
    return parse_evidence(Text(content, "f.evid"), GRAPH, layout)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0", {}),
        ("1 1 2", {"b": "yes"}),
        ("2 0 1 2 0\n", {"a": 1, "c": -1}),
        ("2\n0 1\n2 0", {"a": 1, "c": -1}),
        ("# seen\n 2 0 1 # a\n 2 0", {"a": 1, "c": -1}),
        ("1\n1 1 0", {"b": ["no"]}),
        ("1\n0", {}),
        ("2\n1 1 2\n2 0 1 1 0\n", {"a": [None, 1], "b": ["yes", "no"]}),
        ("3\n1 0 1\n0\n1 2 1", {"a": [1, None, None], "c": [None, None, 1]}),
        ("2 1 1 2 2 0 1 1 0", {"a": [None, 1], "b": ["yes", "no"]}),
    ],
)
def test_layout_is_found(content, expected):
    assert parse(content) == expected


def test_layout_can_be_given_where_both_fit():
    content = "2 1 0 1 0"

    with pytest.raises(FormatError, match="the variable 1 is observed twice"):
        parse("2 1 0 1 0")
    assert parse("2 1 0 0 0", "one") == {"b": "no", "a": 0}
    assert parse(content, "many") == {"a": [1, None]}


@st.composite
def cases(draw):
    """A model, and samples of some of its states."""
    graph = Factors("m", draw(nodes()), ())
    sizes = [len(read_states(node.states, node.values, name)) for name, node in graph.nodes.items()]
    found = []
    for _ in range(draw(st.integers(0, 3))):
        seen = draw(st.sets(st.integers(0, len(sizes) - 1)))
        found.append({k: draw(st.integers(0, sizes[k] - 1)) for k in seen})
    return graph, found


@given(case=cases())
def test_written_samples_come_back_by_name(case):
    graph, found = case
    other_order = Factors("m", dict(reversed(graph.nodes.items())), ())
    content = format_evidence(found, graph, "many")

    states = parse_evidence(Text(content, "f"), other_order)

    spaces = {name: read_states(n.states, n.values, name) for name, n in graph.nodes.items()}
    names = list(graph.nodes)
    assert set(states) == {names[k] for sample in found for k in sample}
    for k, name in enumerate(names):
        for row, sample in enumerate(found):
            if name in states:
                expected = spaces[name].names[sample[k]] if k in sample else None
                assert repr(states[name][row]) == repr(expected)


def test_single_sample_is_written_as_one():
    content = format_evidence([{1: 2}], GRAPH)

    assert content.splitlines()[-1] == "1 1 2"
    assert parse(content) == {"b": "yes"}


def test_several_samples_cannot_be_one():
    with pytest.raises(FormatError, match="the evidence has 2 rows, but the layout 'one'"):
        format_evidence([{}, {}], GRAPH, "one")


def test_evidence_of_users_becomes_samples():
    given_by_user = {"b": ["yes", None], "c": [1, -1]}

    assert samples(given_by_user, GRAPH) == [{1: 2, 2: 1}, {2: 0}]


def test_soft_evidence_and_unknown_states_are_refused():
    with pytest.raises(FormatError, match="b: UAI evidence files hold states, but this evidence"):
        samples({"b": [[0.5, 0.25, 0.25]]}, GRAPH)
    with pytest.raises(EvidenceError, match="'perhaps' is not a state"):
        samples({"b": "perhaps"}, GRAPH)


@pytest.mark.parametrize(
    ("content", "column", "words"),
    [
        ("", 1, "the number of observed variables: expected 1 more"),
        ("1", 1, "1 observed variables need 2 numbers, but only 0"),
        ("9 0 1", 1, "9 observed variables need 18 numbers"),
        ("1000000000000 0 1", 1, "1000000000000 observed variables need"),
        ("1 3 0", 3, r"an observed variable: expected a whole number in 0\.\.2, got 3"),
        ("1 0 2", 5, r"the state of variable 0: expected a whole number in 0\.\.1, got 2"),
        ("1 0 0.5", 5, "the state of variable 0: expected a whole number"),
        ("1 0 1 1", 7, r"1 number\(s\) are left over"),
        ("2 0 1 0 1", 7, "the variable 0 is observed twice"),
        ("-1", 1, "expected a number >= 0"),
        ("one", 1, "expected a finite decimal number, got 'one'"),
    ],
)
def test_malformed_evidence_is_refused_by_place(content, column, words):
    with pytest.raises(FormatError, match=words) as caught:
        parse(content, "one" if "0 1 0" in content else None)

    assert (caught.value.line, caught.value.column) == (1, column)


def test_wrong_number_of_samples_is_refused():
    with pytest.raises(FormatError, match="the number of samples: expected a whole number in"):
        parse("1000000000000\n1 0 1", "many")
    with pytest.raises(FormatError, match=r"1 number\(s\) are left over"):
        parse("1\n0\n0", "many")
