"""Ranks against published and exact ones, and directions that are not seen."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError
from ghmpp.observables import identifiability
from tests.observables.uses import uses


def latent_classes(classes, items):
    """A hidden class and some visible ones of two states, all free."""
    model = gh.Model("latent")
    hidden = model.root("class", classes, prior=np.full(classes, 1 / classes))
    for k in range(items):
        hidden.children(f"item{k}", 1, 2)
    return model


@pytest.mark.parametrize(
    ("classes", "items", "rank"),
    [
        (2, 2, 3),
        (2, 3, 7),
        (2, 4, 9),
        (3, 4, 13),  # not 14: Goodman (1974)
        (3, 5, 17),
    ],
)
def test_latent_class_models_have_the_ranks_of_the_literature(classes, items, rank):
    found = identifiability(latent_classes(classes, items))

    assert len(found.parameters) == classes - 1 + classes * items
    assert found.rank == rank
    assert found.deficiency == len(found.parameters) - rank == found.directions.shape[1]


@pytest.mark.parametrize("observed", [["b"], ["a", "b"], ["c"], ["b", "c"]], ids=repr)
def test_ranks_are_those_of_exact_arithmetic(observed):
    model = gh.Model("tree")
    a = model.root("a", 2, prior=[3, 5])
    a.children("b", 2, 2, potential=[[2, 3], [7, 1]])
    a.children("c", 1, 3, potential=[[1, 4, 2], [3, 1, 0]])
    known = uses(model)
    counts = [[Fraction(int(c)) for c in row] for row in known.counts]
    total = sum(known.weights)
    mean = [
        sum(w * row[k] for w, row in zip(known.weights, counts, strict=True)) / total
        for k in range(len(counts[0]))
    ]
    jacobian = []
    for row in known.rows(observed):
        mask = known.seen(row)
        mass = [w if m else Fraction(0) for w, m in zip(known.weights, mask, strict=True)]
        jacobian.append(
            [
                sum(w * (row[k] - mean[k]) for w, row in zip(mass, counts, strict=True))
                for k in range(len(mean))
            ]
        )
    exact = sp.Matrix(jacobian).rank()

    found = identifiability(model, observed, coordinates="log")
    assert found.rank == exact
    assert len(found.parameters) == len(mean)


def test_symbols_that_come_as_a_sum_are_seen_as_one():
    a, b = sp.symbols("a b", positive=True)
    model = gh.Model("sum")
    model.root("r", 2).children("x", 2, 2, potential=lambda s, x: sp.exp(-(a + b) * s * x))
    found = identifiability(model)

    assert (found.parameters, found.rank, found.deficiency) == (("a", "b"), 1, 1)
    assert_allclose(found.directions[0] / found.directions[0]["a"], [1.0, -1.0])
    assert "unseen: -1 a, +1 b" in repr(found) or "unseen: +1 a, -1 b" in repr(found)
    assert "2 parameters, rank 1, deficiency 1, observing x" in repr(found)


def test_what_is_not_a_parameter_keeps_its_value():
    model = gh.Model("fixed")
    hidden = model.root("h", 2, prior=[0.5, 0.5])
    hidden.children("x", 1, 2, potential=[[0.9, 0.1], [0.2, 0.8]])

    assert identifiability(model, parameters=["h"]).deficiency == 0
    assert identifiability(model).deficiency == 2


def test_scales_are_never_seen():
    model = gh.Model("coin")
    model.root("coin", 2, prior=[0.3, 0.7])
    found = identifiability(model, coordinates="log")

    assert found.deficiency == 1
    direction = found.directions[0]
    assert direction.iloc[0] == pytest.approx(direction.iloc[1])


def test_nothing_is_seen_of_what_says_nothing():
    model = gh.Model("apart")
    model.root("a", 2, prior=[0.3, 0.7])
    model.root("b", 2, prior=[0.3, 0.6])
    found = identifiability(model, "a")

    assert (found.rank, list(found.directions.index)) == (1, list(found.parameters))
    assert found.directions[0].iloc[0] == 0.0


def test_more_directions_than_fit_are_counted():
    found = identifiability(latent_classes(4, 2))

    assert found.deficiency > 6
    assert "more directions" in repr(found)


class TestRefusals:
    def test_noisy_values(self):
        with pytest.raises(QueryError, match="observe states"):
            identifiability(latent_classes(2, 2), gh.noisy("item0", sigma=1.0))

    def test_unknown_classes(self):
        with pytest.raises(QueryError, match="unknown class 'y'"):
            identifiability(latent_classes(2, 2), "y")

    def test_tables_that_are_neither_known_nor_drawn(self):
        with pytest.raises(ModelError, match="class->item0"):
            identifiability(latent_classes(2, 2), parameters=["class"])

    def test_symbols_without_valid_values(self):
        a = sp.Symbol("a")
        model = gh.Model("never")
        model.root("r", 2, prior=[1, -a])

        with pytest.raises(ModelError, match="no valid random values of a"):
            identifiability(model)
