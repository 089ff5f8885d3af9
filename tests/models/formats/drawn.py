"""Factors of all kinds with difficult names and numbers, and what it means that two are equal."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
from hypothesis import strategies as st

from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.states import read_states

# fmt: off
NAMES = st.one_of(
    st.sampled_from([
        "x0", "x1", "a b", "table", "default", "probability", "network", "type", 'say "hi"', "a|b",
        "(0, 1)", "{", "}", ";", ",", "#", "//", "/* */", "-->", "<b>&amp;", "]]>", " a ", "\n",
        "\x85", "\u2028", "é", "名前", "1", "_", "-", "a.b",
    ]),
    st.text(min_size=1, max_size=6),
)
# fmt: on
STATES = st.one_of(
    st.integers(-3, 3),
    st.booleans(),
    st.none(),
    st.sampled_from([0.5, -1.25, 1e300]),
    st.sampled_from(["yes", "no", "<7.5", ">=7.5", "N/A", "a b", "//", "1", "0", "(1, 2)", ""]),
    st.text(max_size=4),
    st.tuples(st.integers(0, 2), st.sampled_from(["a", "b"])),
)
ENTRIES = st.one_of(
    st.floats(0, 1e308), st.floats(0, 1), st.sampled_from([0.0, 5e-324, 0.1, 1 / 3, 1e-05, 1e22])
)
Table = np.ndarray


@st.composite
def nodes(draw: st.DrawFn) -> dict[str, Node]:
    """One to four variables with one to three states each."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return {name: draw(_node()) for name in names}


@st.composite
def _node(draw: st.DrawFn) -> Node:
    count = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return Node(count)
    listed = draw(st.lists(STATES, min_size=count, max_size=count, unique=True))
    values = draw(st.none() | st.lists(st.floats(-9, 9), min_size=count, max_size=count))
    return Node(listed, values)


@st.composite
def _table(draw: st.DrawFn, shape: tuple[int, ...]) -> Table:
    size = int(np.prod(shape))
    entries = draw(st.lists(ENTRIES, min_size=size, max_size=size))
    return np.array(entries, dtype=np.float64).reshape(shape)


@st.composite
def networks(draw: st.DrawFn) -> Factors:
    """Bayesian networks whose tables need not be normalised, since children are marked."""
    variables = draw(nodes())
    order = list(variables)
    factors = []
    for k, child in enumerate(order):
        above = draw(st.permutations(order[:k]))[: draw(st.integers(0, 2))]
        scope = (*above, child)
        factors.append(Factor(scope, draw(_table(shape(variables, scope))), child))
    listed = draw(st.permutations(order))
    graph = {name: variables[name] for name in listed}
    return Factors(draw(NAMES), graph, tuple(draw(st.permutations(factors))))


@st.composite
def markov_graphs(draw: st.DrawFn) -> Factors:
    """Any factors over any of the variables, repeated scopes and constants included."""
    variables = draw(nodes())
    factors = []
    for _ in range(draw(st.integers(0, 4))):
        size = draw(st.integers(0, min(3, len(variables))))
        scope = tuple(draw(st.permutations(list(variables)))[:size])
        factors.append(Factor(scope, draw(_table(shape(variables, scope)))))
    return Factors(draw(NAMES), variables, tuple(factors))


def shape(variables: dict[str, Node], scope: tuple[str, ...]) -> tuple[int, ...]:
    """Numbers of states of the variables in a scope."""
    return tuple(len(read_states(variables[v].states, None, v)) for v in scope)


def assert_same_nodes(found: Factors, expected: Factors) -> None:
    """Equal names of model, variables and states, of equal types; equal values."""
    assert found.name == expected.name
    assert list(found.nodes) == list(expected.nodes)
    for name, node in expected.nodes.items():
        mine = read_states(found.nodes[name].states, found.nodes[name].values, name)
        theirs = read_states(node.states, node.values, name)
        assert list(mine.names) == list(theirs.names)
        assert [*map(type, mine.names)] == [*map(type, theirs.names)]
        np.testing.assert_equal(mine.values, theirs.values)


def assert_same_factors(found: Factors, expected: Factors) -> None:
    """Equal scopes, children and entries, bit for bit, in the same order."""
    assert_same_nodes(found, expected)
    assert len(found.factors) == len(expected.factors)
    for mine, theirs in zip(found.factors, expected.factors, strict=True):
        assert (mine.variables, mine.child) == (theirs.variables, theirs.child)
        assert np.asarray(mine.table).tobytes() == np.asarray(theirs.table).tobytes()


def assert_same_distributions(found: Factors, expected: Factors) -> None:
    """As above, whatever the order of factors and axes; the order of parents is kept."""
    assert_same_nodes(found, expected)
    mine = {factor.child: factor for factor in found.factors}
    assert len(mine) == len(found.factors) == len(expected.factors)
    for theirs in expected.factors:
        factor = mine[theirs.child]
        assert sorted(factor.variables) == sorted(theirs.variables)
        axes = [theirs.variables.index(name) for name in factor.variables]
        np.testing.assert_array_equal(factor.table, np.transpose(theirs.table, axes))


# A network A -> B, A -> C <- B with 2, 3 and 4 states, in sixteenths so that decimals are exact.
# Rows of C are given B, then A.
PRIOR = (4, 12)
GIVEN_A = ((8, 4, 4), (2, 6, 8))
GIVEN_BA = (
    ((1, 2, 3, 10), (4, 4, 4, 4)),
    ((0, 8, 8, 0), (7, 5, 3, 1)),
    ((16, 0, 0, 0), (2, 2, 6, 6)),
)


def posterior(query: str, observed: dict[str, int]) -> list[Fraction]:
    """Posterior of one of the three variables by enumeration in exact arithmetic."""
    sizes = {"A": 2, "B": 3, "C": 4}
    masses = [Fraction(0)] * sizes[query]
    for a, b, c in product(range(2), range(3), range(4)):
        state = {"A": a, "B": b, "C": c}
        if all(state[name] == index for name, index in observed.items()):
            masses[state[query]] += Fraction(PRIOR[a] * GIVEN_A[a][b] * GIVEN_BA[b][a][c], 16**3)
    return [mass / sum(masses) for mass in masses]


def decimals(row: tuple[int, ...], separator: str = " ") -> str:
    """Sixteenths as decimals."""
    return separator.join(str(entry / 16) for entry in row)


UAI = f"""# three variables: A, B, C
BAYES
3
2 3 4
3
1 0
2 0 1
3 1 0 2

2
 {decimals(PRIOR)}

6
 {decimals(GIVEN_A[0])}
 {decimals(GIVEN_A[1])}

24
""" + "\n".join(decimals(row) for block in GIVEN_BA for row in block)

BIF = f"""// comment before "network" {{
network "three variables" {{ property author "me; and {{you}}"; }}
variable A {{ type discrete [ 2 ] {{ a0, a1 }}; }}
variable B {{ type discrete[3] {{ b0 "b 1" b2 }}; property x = 3 ; }}
variable C {{ type discrete [ 4 ] {{ c0, c1, c2, c3 }}; }}
probability ( A ) {{ table {decimals(PRIOR, ", ")}; }}
probability ( B | A ) {{ /* a row
 for each state of A */
  (a1) {decimals(GIVEN_A[1], ", ")};
  (a0) {decimals(GIVEN_A[0], ", ")};
}}
probability ( C | B, A ) {{
  (b0, a0) {decimals(GIVEN_BA[0][0], ", ")};
  (b0, a1) {decimals(GIVEN_BA[0][1], ", ")};
  ("b 1", a0) {decimals(GIVEN_BA[1][0], ", ")};
  (b 1, a1) {decimals(GIVEN_BA[1][1], ", ")};
  (b2, a0) {decimals(GIVEN_BA[2][0], ", ")};
  (b2, a1) {decimals(GIVEN_BA[2][1], ", ")};
}}
"""

XMLBIF = f"""<?xml version="1.0"?>
<!DOCTYPE BIF [ <!ELEMENT BIF ( NETWORK )*> <!ATTLIST BIF VERSION CDATA #REQUIRED> ]>
<BIF VERSION="0.3">
<NETWORK>
<NAME>three variables</NAME>
<VARIABLE TYPE="nature"><NAME>A</NAME><OUTCOME>a0</OUTCOME><OUTCOME>a1</OUTCOME></VARIABLE>
<VARIABLE TYPE="nature"><NAME>B</NAME>
  <OUTCOME>b0</OUTCOME> <OUTCOME>b 1</OUTCOME> <OUTCOME>b2</OUTCOME> <PROPERTY>x = 3</PROPERTY>
</VARIABLE>
<VARIABLE TYPE="nature"><NAME>C</NAME>
  <OUTCOME>c0</OUTCOME> <OUTCOME>c1</OUTCOME> <OUTCOME>c2</OUTCOME> <OUTCOME>c3</OUTCOME>
</VARIABLE>
<DEFINITION><FOR>C</FOR><GIVEN>B</GIVEN><GIVEN>A</GIVEN>
  <TABLE>{" <!-- next --> ".join(decimals(row) for block in GIVEN_BA for row in block)}</TABLE>
</DEFINITION>
<DEFINITION><FOR>A</FOR><TABLE>{decimals(PRIOR)}</TABLE></DEFINITION>
<DEFINITION><FOR>B</FOR><GIVEN>A</GIVEN>
  <TABLE>{decimals(GIVEN_A[0])} {decimals(GIVEN_A[1])}</TABLE>
</DEFINITION>
</NETWORK>
</BIF>
"""
