"""What a question does not need is left out, and the answer stays the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.relevant import parts, relevant, with_copies, without_barren
from tests.tolerances import EXACT

STATES = 2


def network(*scopes, zeros=()):
    """Distributions of the last letter of each scope given the others, two states each."""
    rng = np.random.default_rng(0)
    factors = []
    for scope in scopes:
        table = rng.random((STATES,) * len(scope)) + 0.1
        if scope in zeros:
            table[..., 0] = 0
        factors.append(Factor(tuple(scope), table / table.sum(-1, keepdims=True), scope[-1]))
    names = dict.fromkeys("".join(scopes))
    return Factors("network", {name: Node(STATES) for name in names}, tuple(factors))


def scopes(graph):
    return ["".join(factor.variables) for factor in graph.factors]


def mass(graph, wanted, seen):
    """Mass of the joint states of some variables, others fixed or summed out, by einsum."""
    letters = {name: k for k, name in enumerate(graph.nodes)}
    operands = []
    for factor in graph.factors:
        operands += [factor.table, [letters[name] for name in factor.variables]]
    for name, node in graph.nodes.items():
        one = np.ones(STATES) if node.prior is None else np.asarray(node.prior)
        if name in seen:
            one = one * np.eye(STATES)[seen[name]]
        operands += [one, [letters[name]]]
    return np.einsum(*operands, [letters[name] for name in wanted])


def test_barren_variables_leave_with_their_tables():
    chain = network("a", "ab", "bc", "cd")

    assert scopes(without_barren(chain, ["b"])) == ["a", "ab"]
    assert scopes(without_barren(chain, ["d"])) == ["a", "ab", "bc", "cd"]
    assert list(without_barren(chain, []).nodes) == []


def test_a_variable_with_a_prior_of_its_own_is_not_barren():
    chain = network("a", "ab")
    weighted = Factors("w", {"a": Node(2), "b": Node(2, prior=[1.0, 2.0])}, chain.factors)

    assert scopes(without_barren(weighted, ["a"])) == ["a", "ab"]


def test_tables_without_child_stay():
    table = np.ones((2, 2))
    graph = Factors("m", {"a": Node(2), "b": Node(2)}, (Factor(("a", "b"), table),))

    assert scopes(without_barren(graph, ["a"])) == ["ab"]


def test_every_factor_gets_its_own_copy_of_an_observed_variable():
    star = network("a", "ab", "ac")
    found = with_copies(star, ["a"])

    assert found.copies == {"a": ("a", "a (2)", "a (3)")}
    assert [f.variables for f in found.graph.factors] == [("a",), ("a (2)", "b"), ("a (3)", "c")]
    assert len(list(parts(found.graph))) == 3


def test_only_one_copy_keeps_the_prior():
    star = network("ab", "ac")
    weighted = Factors("w", {**star.nodes, "a": Node(2, prior=[1.0, 2.0])}, star.factors)
    graph = with_copies(weighted, ["a"]).graph

    assert [graph.nodes[name].prior for name in ("a", "a (2)")] == [[1.0, 2.0], None]


def test_copies_avoid_names_that_are_taken():
    star = network("ab", "ac")
    nodes = {**star.nodes, "a (2)": Node(2)}

    assert with_copies(Factors("t", nodes, star.factors), ["a"]).copies["a"] == ("a", "a (3)")


def test_what_is_separated_by_evidence_is_left_out():
    chain = network("a", "ab", "bc", "cd")
    found = relevant(chain, ["d"], ["b"])

    assert [factor.variables for factor in found.graph.factors] == [("b (2)", "c"), ("c", "d")]
    assert found.copies == {"b": ("b (2)",)}


def test_separated_parts_with_zeros_stay_because_evidence_may_be_impossible():
    chain = network("a", "ab", "bc", "cd", zeros=["ab"])
    found = relevant(chain, ["d"], ["b"])

    assert found.copies == {"b": ("b", "b (2)")}


def test_everything_that_bears_on_the_mass_stays_if_it_is_wanted():
    chain = network("a", "ab", "bc", "cd")

    assert len(relevant(chain, ["d"], ["b"], mass=True).graph.factors) == 4


def test_variables_with_likelihoods_stay():
    chain = network("a", "ab", "bc", "cd")
    found = relevant(chain, ["a"], [], likelihoods=["c"])

    assert scopes(found.graph) == ["a", "ab", "bc"]


@given(seed=st.integers(0, 10_000), zeros=st.booleans())
def test_posteriors_stay_the_same(seed, zeros):
    rng = np.random.default_rng(seed)
    letters = "abcdef"
    drawn = [
        "".join(rng.permutation(list(letters[:k]))[: rng.integers(0, 3)]) + letters[k]
        for k in range(len(letters))
    ]
    graph = network(*drawn, zeros=drawn[1::2] if zeros else ())
    names = rng.permutation(list(letters))
    wanted, seen = list(names[:2]), {name: int(rng.integers(2)) for name in names[2:4]}
    found = relevant(graph, wanted, seen)
    expected = mass(graph, wanted, seen)
    copies = {copy: seen[name] for name, all_ in found.copies.items() for copy in all_}
    pruned = mass(found.graph, wanted, copies)

    assert (expected.sum() > 0) == (pruned.sum() > 0)
    if expected.sum() > 0:
        np.testing.assert_allclose(pruned / pruned.sum(), expected / expected.sum(), atol=EXACT)
    whole = relevant(graph, wanted, seen, mass=True)
    copies = {copy: seen[name] for name, all_ in whole.copies.items() for copy in all_}
    assert mass(whole.graph, wanted, copies).sum() == pytest.approx(expected.sum())
