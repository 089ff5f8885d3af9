from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ConversionError
from ghmpp.models.factors import Factor, Factors, Node, free_priors, products

FREE = Factor(("a",), None, "a")


def over(*factors: Factor, prior: list[float] | None = None) -> Factors:
    return Factors("m", {"a": Node(2, None, prior), "b": Node(2)}, factors)


def test_distributions_without_parents_or_table_are_free() -> None:
    given = Factor(("b",), np.array([0.5, 0.5]), "b")

    assert free_priors(over(FREE, given, Factor(("a", "b"), None))) == {"a"}
    assert free_priors(over(Factor(("a",), None))) == frozenset()


@pytest.mark.parametrize(
    "graph",
    [
        over(FREE, prior=[1.0, 2.0]),
        over(FREE, Factor(("a",), np.ones(2))),
        over(FREE, Factor(("b", "a"), np.ones((2, 2)), "a")),
    ],
)
def test_a_free_prior_must_be_alone(graph: Factors) -> None:
    with pytest.raises(ConversionError, match="over a: a table to be learned must be the only one"):
        free_priors(graph)


def test_tables_over_the_same_variables_multiply_in_the_first_order() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 3, 4)), rng.random((4, 2, 3))
    found = products([Factor(("a", "b", "c"), one), Factor(("c", "a", "b"), other)])

    assert list(found) == [("a", "b", "c")]
    np.testing.assert_array_equal(found["a", "b", "c"], one * other.transpose(1, 2, 0))


def test_a_missing_table_stays_alone() -> None:
    assert products([Factor(("a",), None)]) == {("a",): None}
    with pytest.raises(ConversionError, match="over a, b: a table to be learned must be the only"):
        products([Factor(("a", "b"), None), Factor(("b", "a"), np.ones((2, 2)))])
    with pytest.raises(ConversionError, match=r"a, b have the shapes \(2, 2\) and \(3, 2\)"):
        products([Factor(("a", "b"), np.ones((2, 2))), Factor(("b", "a"), np.ones((2, 3)))])
