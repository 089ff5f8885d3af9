"""Which factor is the distribution of which variable: found exactly where it can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import FormatError, NormalizationWarning
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.formats.network import (
    child_last,
    network,
    normalised,
    parents,
    require_network,
    tables,
)
from tests.models.formats.drawn import networks


def row_stochastic(graph, seed):
    """The network with tables that sum to 1 over the child, and zeros."""
    rng = np.random.default_rng(seed)
    factors = []
    for factor in graph.factors:
        shape = np.shape(factor.table)
        table = rng.random(shape) * (rng.random(shape) < 0.8) + 1e-3
        axis = factor.variables.index(factor.child)
        factors.append(replace(factor, table=table / table.sum(axis=axis, keepdims=True)))
    return replace(graph, factors=tuple(factors))


@given(graph=networks(), seed=st.integers(0, 99))
def test_children_are_found_without_being_told(graph, seed):
    """Some variables may have one state only; then other assignments can be right too."""
    told = row_stochastic(graph, seed)
    bare = replace(told, factors=tuple(replace(f, child=None) for f in told.factors))

    found = network(bare)

    assert found is not None
    assert list(found) == list(graph.nodes)
    for child, factor in found.items():
        assert factor.child == child
        np.testing.assert_allclose(child_last(factor).sum(axis=-1), 1)
    used = sorted(id(factor.table) for factor in found.values())
    assert len(set(used)) == len(bare.factors)


def test_children_that_are_told_are_believed():
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    graph = Factors(
        "m",
        {"a": Node(2), "b": Node(2)},
        (Factor(("b", "a"), table, "b"), Factor(("a",), np.ones(2), "a")),
    )

    found = network(graph)

    assert found is not None
    assert parents(found["b"]) == ("a",)
    np.testing.assert_array_equal(child_last(found["b"]), table.T)


def test_variable_without_factors_gets_a_uniform_one():
    found = network(Factors("m", {"a": Node(4)}, ()))

    assert found is not None
    np.testing.assert_array_equal(found["a"].table, np.full(4, 0.25))


def test_prior_of_a_variable_is_its_distribution():
    found = network(Factors("m", {"a": Node(2, prior=[0.25, 0.75])}, ()))

    assert found is not None
    np.testing.assert_array_equal(found["a"].table, [0.25, 0.75])


HALF = np.full((2, 2), 0.5)


@pytest.mark.parametrize(
    "factors",
    [
        (Factor(("a", "b"), HALF),) * 2,
        (Factor(("a", "b"), 2 * HALF),),
        (Factor(("a", "b"), HALF, "b"), Factor(("b", "a"), HALF, "a")),
        (Factor(("a",), HALF[0], "a"), Factor(("a",), HALF[0], "a")),
        (Factor((), np.array(2.0)),),
        (Factor(("a", "b"), HALF), Factor(("b", "c"), HALF), Factor(("a", "c"), HALF)),
    ],
    ids=["twice", "unnormalised", "cycle", "two for one", "constant", "ring"],
)
def test_what_is_no_network_is_none(factors):
    graph = Factors("m", {name: Node(2) for name in "abc"}, factors)

    assert network(graph) is None
    with pytest.raises(FormatError, match=r"model 'm': .* so BIF cannot describe it; write"):
        require_network(graph, "BIF")


@given(graph=networks(), seed=st.integers(0, 99))
def test_distributions_stay_as_they_are_bit_for_bit(graph, seed):
    exact = row_stochastic(graph, seed)

    found = normalised(exact, "f")

    for mine, theirs in zip(found.factors, exact.factors, strict=True):
        np.testing.assert_array_equal(mine.table, theirs.table)


def test_sums_are_divided_out_and_the_largest_deviation_is_told():
    table = np.array([[0.5, 0.5], [0.2, 0.805], [0.0, 0.0]])
    nodes = {"a": Node(3), "b": Node(2)}
    graph = Factors("m", nodes, (Factor(("a", "b"), table, "b"), Factor(("a",), np.ones(3))))

    with pytest.warns(NormalizationWarning, match=r"f\.bif: .* by up to 1 \(variable 'b'\)"):
        found = normalised(graph, "f.bif")

    expected = [[0.5, 0.5], [0.2 / 1.005, 0.805 / 1.005], [0, 0]]
    np.testing.assert_allclose(found.factors[0].table, expected)
    np.testing.assert_array_equal(found.factors[1].table, np.ones(3))


def test_free_tables_are_refused():
    with pytest.raises(FormatError, match="the table on a, b is still to be learned"):
        tables(Factors("m", {"a": Node(2), "b": Node(2)}, (Factor(("a", "b"), None),)))
