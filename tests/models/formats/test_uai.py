"""UAI files: exact both ways, last variable fastest, quick, and refused by line and column."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest
from hypothesis import given

from ghmpp.errors import FormatError
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.formats.text import Text
from ghmpp.models.formats.uai import format_uai, parse_uai
from tests.models.formats.drawn import (
    GIVEN_A,
    GIVEN_BA,
    PRIOR,
    UAI,
    assert_same_distributions,
    assert_same_factors,
    markov_graphs,
    networks,
)


def parse(content):
    return parse_uai(Text(content, "f.uai"))


@given(graph=networks())
def test_networks_come_back(graph):
    assert_same_distributions(parse(format_uai(graph)), graph)


@given(graph=markov_graphs())
def test_markov_graphs_come_back(graph):
    content = format_uai(graph, "MARKOV")

    assert_same_factors(parse(content), graph)


@given(graph=networks())
def test_networks_can_be_written_as_markov(graph):
    found = parse(format_uai(graph, "MARKOV"))

    assert {factor.child for factor in found.factors} == {None}
    for mine, theirs in zip(found.factors, graph.factors, strict=True):
        assert mine.variables == theirs.variables
        np.testing.assert_array_equal(mine.table, theirs.table)


def test_last_variable_changes_fastest_and_is_the_child():
    graph = parse(UAI)

    a, b, c = graph.factors
    assert (a.variables, a.child) == (("x0",), "x0")
    assert (b.variables, b.child) == (("x0", "x1"), "x1")
    assert (c.variables, c.child) == (("x1", "x0", "x2"), "x2")
    np.testing.assert_array_equal(np.asarray(a.table) * 16, PRIOR)
    np.testing.assert_array_equal(np.asarray(b.table) * 16, GIVEN_A)
    np.testing.assert_array_equal(np.asarray(c.table) * 16, GIVEN_BA)


def test_names_are_by_number_without_a_note():
    graph = parse("MARKOV 2 2 3 0")

    assert graph.name == "uai"
    assert {name: node.states for name, node in graph.nodes.items()} == {"x0": 2, "x1": 3}


def test_layout_comments_and_exponents_are_free():
    graph = parse(
        "#MARKOV\nc a comment of 2016\n\t Markov 2#vars\r\n\n2\n3 # cards\nc\n1 2 1 0 6 1e-05 +.5 "
        "5. 1E2 0\n1.5e+1"
    )

    factor = graph.factors[0]
    assert factor.variables == ("x1", "x0")
    np.testing.assert_array_equal(factor.table, [[1e-05, 0.5], [5.0, 100.0], [0.0, 15.0]])


def test_table_may_stand_over_no_variables():
    (factor,) = parse("MARKOV 1 2 1 0 1 0.25").factors

    assert (factor.variables, float(np.asarray(factor.table))) == ((), 0.25)


def test_first_lines_are_readable():
    graph = Factors("m", {"x0": Node(2), "x1": Node(3)}, (Factor(("x0", "x1"), np.ones((2, 3))),))

    assert format_uai(graph).splitlines()[:7] == [
        '# ghmpp: {"name": "m"}',
        "MARKOV",
        "2",
        "2 3",
        "1",
        "2 0 1",
        "",
    ]


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        ("", None, None, "the file is empty"),
        (" # only this\n", None, None, "the file is empty"),
        ("network x {}", 1, 1, "expected MARKOV or BAYES, got 'network'"),
        ("MARKOV", 1, 7, "the number of variables: expected 1 more"),
        ("MARKOV 0", 1, 8, "the number of variables: expected a whole number >= 1, got 0"),
        ("MARKOV\n2 2", 2, 4, "the numbers of states: expected 2 more"),
        ("MARKOV 2 2 0 0", 1, 12, r"the numbers of states: expected a whole number in 1\.\."),
        ("MARKOV 1 2.5 0", 1, 10, "the numbers of states: expected a whole number in"),
        ("MARKOV 1 two", 1, 10, "expected a finite decimal number, got 'two'"),
        ("MARKOV 1 2 1 1 1 2 1 1", 1, 16, r"function 0: expected a whole number in 0\.\.0, got 1"),
        ("MARKOV 1 2 1 2 0 0", 1, 18, "the scope of function 0 has the variable 0 twice"),
        ("MARKOV 1 2 1 1 0 3 1 1 1", 1, 18, "function 0: expected 2 entries for 2 states, got"),
        ("MARKOV 1 2 1 1 0 2 1", 1, 21, "the table of function 0: expected 2 more"),
        ("MARKOV 1 2 1 1 0 2 1\n-1", 2, 1, "expected a number >= 0, got -1"),
        ("MARKOV 1 2 1 1 0 2 1 nan", 1, 22, "expected a finite decimal number, got 'nan'"),
        ("MARKOV 1 2 1 1 0 2 1 1\n1 0", 2, 1, r"2 number\(s\) are left over"),
        ("MARKOV 1000000000000 2", 1, 23, "expected 1000000000000 more"),
        ("MARKOV 1 1000000000000 0", 1, 10, "the numbers of states: expected .* got 1e.12"),
        ("MARKOV 1 2 1000000000000", 1, 25, "the size of the scope of function 0"),
        ("MARKOV 1 2 1 1000000000000", 1, 14, "has 1000000000000 variables, more than 64"),
        ("MARKOV 1 2 1 1 0 1000000000000 1", 1, 18, "expected 2 entries for 2 states, got"),
        (f"MARKOV 3 {'999999 ' * 3} 0", 1, 32, "that no function mentions have 2999997 states"),
        ("BAYES 2 2 2 1 1 0", 1, 13, "BAYES: expected one function for each of the 2 variables"),
        ("BAYES 2 2 2 2 1 0 1 0", 1, 21, "x0 is the last variable of the functions 0 and 1"),
        ("BAYES 1 2 1 0 1 1", 1, 13, "the size of the scope of function 0: expected .* >= 1"),
        ("BAYES 2 1 1 2 2 0 1 2 1 0 1 1 1 1", None, None, "BAYES: .* is a cycle"),
        ('# ghmpp: {"variables": {"x9": {}}}\nMARKOV 1 2 0', None, None, "note does not fit"),
        ("MARKOV 1 2 0\n# ghmpp: {", 2, 9, "the note is broken"),
    ],
)
def test_malformed_files_are_refused_by_place(content, line, column, words):
    with pytest.raises(FormatError, match=words) as caught:
        parse(content)

    assert (caught.value.path, caught.value.line, caught.value.column) == ("f.uai", line, column)


def test_table_too_large_for_any_memory_is_refused():
    scope = " ".join(map(str, range(40)))

    with pytest.raises(FormatError, match=f"expected {2**40} more number"):
        parse(f"MARKOV 40 {'2 ' * 40} 1 40 {scope} {2**40} 1 1")


def test_markov_model_cannot_be_written_as_bayes():
    graph = Factors("m", {"a": Node(2)}, (Factor(("a",), np.array([2.0, 1.0])),))

    with pytest.raises(FormatError, match="so BAYES cannot describe it"):
        format_uai(graph, "BAYES")


def pedigree(variables, seed):
    """A network like those of genetics: up to two parents, three or four states, 48 KB."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 5, size=variables).tolist()
    scopes, tables = [], []
    for child in range(variables):
        above = rng.choice(child, size=min(child, int(rng.integers(0, 3))), replace=False).tolist()
        scopes.append([*above, child])
        shape = [sizes[name] for name in scopes[-1]]
        tables.append(rng.dirichlet(np.ones(shape[-1]), size=int(np.prod(shape[:-1]))))
    lines = ["BAYES", variables, " ".join(map(str, sizes)), variables]
    lines += [" ".join(map(str, [len(scope), *scope])) for scope in scopes]
    for table in tables:
        lines += ["", table.size]
        lines += [" ".join(f"{entry:.5e}" for entry in row) for row in table]
    return "\n".join(map(str, lines))


def seconds(content):
    """CPU time of the quickest of three parses."""
    took = []
    for _ in range(3):
        start = process_time()
        parse(content)
        took.append(process_time() - start)
    return min(took)


def test_pedigree_of_48_kb_parses_in_well_under_a_second():
    content = pedigree(290, seed=0)

    assert 45_000 < len(content) < 60_000
    assert seconds(content) < 0.5


def test_time_is_linear_in_the_length():
    short, long = pedigree(300, seed=1), pedigree(2400, seed=1)

    assert seconds(long) < 5 * len(long) / len(short) * seconds(short) + 0.1
