"""BIF files: exact both ways, equal to what pgmpy reads, and refused by line and column."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from ghmpp.errors import FormatError
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.formats.bif import STATE, VARIABLE, format_bif, parse_bif
from ghmpp.models.formats.network import child_last, parents
from ghmpp.models.formats.text import Text, decode, read_bytes
from tests.models.formats.drawn import (
    BIF,
    GIVEN_A,
    GIVEN_BA,
    PRIOR,
    assert_same_distributions,
    assert_same_factors,
    networks,
)


def parse(content):
    return parse_bif(Text(content, "f.bif"))


def bundled(name):
    """A network of the pgmpy wheel."""
    package = importlib.util.find_spec("pgmpy")
    path = Path(package.submodule_search_locations[0], "utils", "example_models", f"{name}.bif.gz")
    return decode(read_bytes(path), name)


@given(graph=networks())
def test_networks_come_back(graph):
    assert_same_distributions(parse(format_bif(graph)), graph)


def test_rows_are_in_the_order_of_their_states_not_of_the_file():
    graph = parse(BIF)

    a, b, c = graph.factors
    assert graph.name == "three variables"
    assert graph.nodes["B"].states == ["b0", "b 1", "b2"]
    assert [f.variables for f in graph.factors] == [("A",), ("A", "B"), ("B", "A", "C")]
    assert [f.child for f in graph.factors] == ["A", "B", "C"]
    np.testing.assert_array_equal(np.asarray(a.table) * 16, PRIOR)
    np.testing.assert_array_equal(np.asarray(b.table) * 16, GIVEN_A)
    np.testing.assert_array_equal(np.asarray(c.table) * 16, GIVEN_BA)


HEAD = (
    "variable p { type discrete [ 2 ] { y, n }; } variable q { type discrete [ 3 ] { 1, 2, 3 }; }"
    "variable c { type discrete [ 2 ] { y, n }; } probability ( p ) { table .5 .5; }"
    "probability ( q ) { default .25 .25 .5; } "
)


def last(content):
    """The table of c in a file that starts with HEAD, axes (p, q, c)."""
    factor = parse(HEAD + content).factors[-1]
    return np.transpose(factor.table, [factor.variables.index(name) for name in "pqc"])


def test_table_has_the_child_slowest_and_the_last_parent_fastest():
    found = last("probability ( c | p, q ) { table .1 .2 .3 .4 .5 .6 .9 .8 .7 .6 .5 .4; }")

    np.testing.assert_array_equal(found[..., 0], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    np.testing.assert_array_equal(found[..., 1], [[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]])


def test_default_stands_for_rows_that_are_not_listed():
    found = last("probability ( c | q p ) { (2, y) .9, .1; default .5, .5; }")

    expected = np.full((2, 3, 2), 0.5)
    expected[0, 1] = [0.9, 0.1]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("scope", ["c p q", "c, p, q", '"c" | "p" "q"', "c|p,q"])
def test_scopes_of_all_dialects_are_read(scope):
    rows = " ".join(f"({p} {q}) .5 .5;" for p in "yn" for q in "123")

    assert last(f"probability ( {scope} ) {{ {rows} }}").shape == (2, 3, 2)


def test_names_with_spaces_need_no_quotes():
    graph = parse(
        "variable my cause { type discrete [ 2 ] { very low, high }; }\n"
        "variable it { type discrete [ 2 ] { a, b }; }\n"
        "probability ( my cause ) { table 1, 0; }\n"
        "probability ( it | my cause ) { (very low) 1, 0; (high) .5, .5; }\n"
    )

    assert graph.factors[1].variables == ("my cause", "it")
    np.testing.assert_array_equal(graph.factors[1].table, [[1, 0], [0.5, 0.5]])


def test_line_breaks_mean_nothing():
    one_line = re.sub(r"//.*", "", BIF).replace("\n", " ")

    assert_same_factors(parse(one_line), parse(BIF))


def test_probabilities_may_stand_before_variables():
    graph = parse(
        "probability ( b | a ) { (n) 1 0; (y) .5 .5; }\n"
        "variable b { type discrete [ 2 ] { y, n }; }\n"
        "probability ( a ) { table 1 0; }\n"
        "variable a { type discrete [ 2 ] { y, n }; }\n"
    )

    assert [factor.variables for factor in graph.factors] == [("a", "b"), ("a",)]
    np.testing.assert_array_equal(graph.factors[0].table, [[0.5, 0.5], [1, 0]])


SMALL = ("survey", "child")
LARGE = ("asia", "alarm", "insurance", "win95pts", "hailfinder", "water", "munin1")


@pytest.mark.parametrize(
    "name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)
def test_networks_of_bnlearn_are_as_pgmpy_reads_them(name):
    from pgmpy.readwrite import BIFReader

    text = bundled(name)
    theirs = BIFReader(string=text.content)

    graph = parse_bif(text)

    assert list(graph.nodes) == theirs.variable_names
    for factor in graph.factors:
        states = graph.nodes[factor.child].states
        assert states == theirs.variable_states[factor.child]
        assert list(parents(factor)) == theirs.variable_parents[factor.child]
        flat = child_last(factor).reshape(-1, len(states)).T
        np.testing.assert_array_equal(flat, theirs.variable_cpds[factor.child])


@pytest.mark.parametrize(
    "name", ["child", *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)
def test_written_networks_are_read_by_pgmpy(name):
    from pgmpy.readwrite import BIFReader

    graph = parse_bif(bundled(name))

    theirs = BIFReader(string=format_bif(graph)).get_model()

    assert set(theirs.nodes) == set(graph.nodes)
    for factor in graph.factors:
        cpd = theirs.get_cpds(factor.child)
        assert cpd.state_names[factor.child] == graph.nodes[factor.child].states
        axes = [factor.variables.index(variable) for variable in cpd.variables]
        np.testing.assert_array_equal(cpd.values, np.transpose(factor.table, axes))


@given(graph=networks())
def test_names_in_the_file_are_safe_for_other_programs(graph):
    content = format_bif(graph)

    for names, states in re.findall(
        r"variable (.+) \{\n  type discrete \[ \d+ \] \{ (.*) \};", content
    ):
        assert VARIABLE.fullmatch(names)
        assert all(STATE.fullmatch(state) for state in states.split(", "))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["munin", "diabetes", "mildew", "barley", "link", "pigs"])
def test_large_networks_come_back(name):
    graph = parse_bif(bundled(name))

    assert_same_factors(parse(format_bif(graph)), graph)


VARIABLES = (
    "variable a { type discrete [ 2 ] { y, n }; } variable b { type discrete [ 2 ] { y, n }; }"
)


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        ("", None, None, "the file has no variables"),
        ("MARKOV 2", 1, 1, "expected a block: network, variable or probability, got 'MARKOV'"),
        ("network", 1, 8, "expected the name of the network and {, but the file ends"),
        ("network x {\n y }", 2, 2, "expected a property or the } of the network, got 'y'"),
        ("variable {", 1, 10, "expected the name of a variable"),
        ("variable a { }", 1, 10, "variable 'a' has no type"),
        ("variable a {", 1, 13, "expected type discrete .* but the file ends; it is cut short"),
        ("variable a { type real [ 2 ] { y, n }; }", 1, 19, "the type 'real'; expected one type"),
        ("variable a { type discrete [ 3 ] { y, n }; }", 1, 30, "expected 3 states, got 2"),
        ("variable a { type discrete [ 1000000000000 ] { y, n }; }", 1, 30, "states, got 2"),
        (f"variable a {{ type discrete [ {'9' * 5000} ] {{ y }}; }}", 1, 30, "states, got 1"),
        ("variable a { type discrete [ -2 ] { y, n }; }", 1, 14, "expected type discrete"),
        ("variable a { type discrete [ 2 ] { y, y }; }", 1, 36, "two states are equal"),
        (f"{VARIABLES} variable a {{", 1, 100, "a second variable 'a'"),
        (VARIABLES, 1, 90, "no probability block for: a, b; the file is cut short"),
        (f"{VARIABLES}\nprobability ( a ) {{ table 1, 0; }}", 2, 34, "no probability block for: b"),
        (
            f"{VARIABLES}\nprobability ( c ) {{ }}",
            2,
            15,
            "no variable 'c'; the variables are: a, b",
        ),
        (f"{VARIABLES}\nprobability ( a | a ) {{ }}", 2, 15, "a variable stands twice in 'a, a'"),
        (f"{VARIABLES}\nprobability ( ) {{ }}", 2, 15, "expected the name of a variable"),
        (f"{VARIABLES}\nprobability a", 2, 13, r"expected \( variable | parents \) {, got 'a'"),
    ],
)
def test_malformed_files_are_refused_by_place(content, line, column, words):
    with pytest.raises(FormatError, match=words) as caught:
        parse(content)

    assert (caught.value.path, caught.value.line, caught.value.column) == ("f.bif", line, column)


ROOT = f"{VARIABLES} probability ( a ) {{ table 1 0; }}\nprobability ( b | a ) "


@pytest.mark.parametrize(
    ("block", "column", "words"),
    [
        ("{", 24, "expected a row .* but the file ends; it is cut short"),
        ("{ (y) 1, 0; (n) 0, 1", 35, r"expected a row .* got '\(n\)'"),
        ("{ (y) 1, 0; }", 15, r"expected 2 rows, got 1; the first that is missing is \(n\)"),
        ("{ }", 15, r"expected 2 rows, got 0; the first that is missing is \(y\)"),
        ("{ (y) 1, 0; (y) 1, 0; }", 36, "a second row for the same states of the parents"),
        ("{ (y) 1, 0; (m) 1, 0; }", 36, "'a' has no state 'm'; its states are: y, n"),
        ("{ (y, n) 1, 0; }", 26, r"expected a state for each of the 1 parents, got \(y, n\)"),
        ("{ () 1, 0; }", 26, r"expected a state for each of the 1 parents, got \(\)"),
        ("{ (y) 1, 0, 0; (n) 1, 0; }", 29, "expected 2 numbers, got 3"),
        ("{ (y) ; (n) 1, 0; }", 29, "expected 2 numbers, got 0"),
        ("{ (y) 1, x; (n) 1, 0; }", 32, "expected a finite decimal number, got 'x'"),
        ("{ (y) 1, nan; (n) 1, 0; }", 32, "expected a finite decimal number, got 'nan'"),
        ("{ (y) 2, -1; (n) 1, 0; }", 29, "expected numbers >= 0, got -1"),
        ("{ table 1 0 0; }", 31, "expected 4 numbers, got 3"),
        ("{ table 1 0 0 1; (y) 1 0; }", 25, "a block has table, or rows; not both"),
        ("{ default 1 0; default 1 0; }", 38, "a second default in one block"),
        ("{ (y) 1, 0; (n) 1, 0; } }", 47, "expected a block: network, variable or probability"),
        ("{ (y) 1 0; (n) 1 0; } probability ( b ) { }", 59, "a second distribution of 'b'"),
        ("{ (y) 1 0; /* (n) 1 0; }", 47, "but the file ends"),
    ],
)
def test_malformed_tables_are_refused_by_place(block, column, words):
    with pytest.raises(FormatError, match=words) as caught:
        parse(ROOT + block)

    assert (caught.value.line, caught.value.column) == (2, column)


def test_cycle_is_refused():
    rows = "{ (y) 1, 0; (n) 0, 1; }"

    with pytest.raises(FormatError, match=r"the parents form the cycle [ab] -> [ab] -> [ab]\."):
        parse(f"{VARIABLES} probability ( a | b ) {rows} probability ( b | a ) {rows}")


def test_default_cannot_stand_for_a_huge_table():
    names = [f"v{k}" for k in range(40)]
    variables = " ".join(f"variable {n} {{ type discrete [ 2 ] {{ y, n }}; }}" for n in names)
    blocks = " ".join(f"probability ( {name} ) {{ table 1 0; }}" for name in names[1:])
    scope = f"v0 | {', '.join(names[1:])}"

    with pytest.raises(FormatError, match=f"default would stand for a table of {2**40} entries"):
        parse(f"{variables} {blocks} probability ( {scope} ) {{ default 1 0; }}")
    with pytest.raises(FormatError, match=f"expected {2**39} rows, got 0"):
        parse(f"{variables} {blocks} probability ( {scope} ) {{ }}")


def test_too_many_parents_are_refused():
    names = [f"v{k}" for k in range(70)]
    variables = " ".join(f"variable {n} {{ type discrete [ 1 ] {{ y }}; }}" for n in names)

    with pytest.raises(FormatError, match="70 variables are more than 64"):
        parse(f"{variables} probability ( {' '.join(names)} ) {{ default 1; }}")


@pytest.mark.parametrize("piece", ["/*", "(", '"', "{", "variable a {", "probability (", "\n"])
def test_repeated_openings_are_refused_at_once(piece):
    with pytest.raises(FormatError):
        parse(piece * (200_000 // len(piece)))


def test_markov_model_cannot_be_written():
    graph = Factors("m", {"a": Node(2)}, (Factor(("a",), np.array([2.0, 1.0])),))

    with pytest.raises(FormatError, match="so BIF cannot describe it"):
        format_bif(graph)


def test_note_that_does_not_fit_is_refused():
    with pytest.raises(FormatError, match="the note does not fit the file"):
        parse('// ghmpp: {"variables": {"A": {"states": 3}}}\n' + BIF)
