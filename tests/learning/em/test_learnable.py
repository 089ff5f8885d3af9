from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.learning.em.learnable import learnable, uniform
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf
from tests.tolerances import EXACT

beta = sp.Symbol("beta", positive=True)


def test_what_is_left_open_is_learned() -> None:
    model = Model("open")
    root = model.root("root", 2)
    middle = root.children("middle", 3, 4)
    middle.children("leaf", 2, 2, potential=lambda s, a: 1 + beta * s * a)

    parts = learnable(model)

    assert {key: mask.shape for key, mask in parts.tables.items()} == {
        "root": (1, 2),
        "root->middle": (3, 2, 4),
    }
    assert list(parts.symbols) == ["beta"]


def test_bound_symbols_are_kept() -> None:
    model = Model("bound")
    root = model.root("root", 2)
    root.children("a", 1, 2)
    root.children("b", 1, 2, potential=lambda s, a: 1 + beta * s * a)

    parts = learnable(model.bind(beta=2))

    assert list(parts.symbols) == []
    directed = parts.model.forest().data["root->b"]
    np.testing.assert_allclose(directed, [[[0.5, 0.5], [0.25, 0.75]]], rtol=EXACT)


def test_given_tables_that_are_directed_are_kept_exactly() -> None:
    third = Fraction(1, 3)
    model = Model("exact")
    root = model.root("root", 2, prior=[third, 2 * third])
    root.children("a", 1, 2, potential=[[third, 2 * third], [2 * third, third]])
    root.children("b", 1, 2)

    parts = learnable(model)

    for name in ("root", "a"):
        declared, kept = model.declarations[name], parts.model.declarations[name]
        assert kept.potential is declared.potential
        assert kept.prior is declared.prior


def test_given_tables_above_a_learned_one_keep_their_law() -> None:
    model = Model("above")
    root = model.root("root", 2, prior=[1, 3])
    middle = root.children("middle", 2, 2, potential=[[3, 1], [2, 2]])
    middle.children("leaf", 1, 3)
    middle.children("seen", 1, 2, potential=[[1, 1], [1, 3]])

    data = learnable(model).model.forest().data

    mass = np.array([2.0, 4.0])
    weights = np.array([[3, 1], [2, 2]]) * mass
    np.testing.assert_allclose(data["middle->seen"], [[[0.5, 0.5], [0.25, 0.75]]], rtol=EXACT)
    sums = weights.sum(axis=1)
    np.testing.assert_allclose(data["root->middle"], [weights / sums[:, None]], rtol=EXACT)
    prior = np.array([1, 3]) * sums**2
    np.testing.assert_allclose(data["root"], [prior / prior.sum()], rtol=EXACT)


def test_a_learned_table_takes_in_what_is_below_it() -> None:
    model = Model("below")
    middle = model.root("root", 2).children("middle", 2, 2, prior=[1, 5])
    middle.children("seen", 1, 2, potential=[[1, 1], [3, 9]])

    parts = learnable(model)

    np.testing.assert_allclose(
        parts.model.forest().data["middle->seen"], [[[0.5, 0.5], [0.25, 0.75]]], rtol=EXACT
    )
    assert parts.model.declarations["middle"].prior is None
    assert parts.tables["root->middle"].all()


def test_states_that_are_ruled_out_below_stay_impossible() -> None:
    model = Model("ruled out")
    middle = model.root("root", 2).children("middle", 2, 3)
    middle.children("a", 1, 2, potential=[[1, 1], [0, 0], [1, 0]])

    parts = learnable(model)

    expected = np.broadcast_to([True, False, True], (2, 2, 3))
    np.testing.assert_array_equal(parts.tables["root->middle"], expected)
    np.testing.assert_allclose(uniform(parts.tables["root->middle"])[0, 0], [0.5, 0, 0.5])


def test_index_maps_are_kept() -> None:
    model = Model("maps")
    root = model.root("root", 2)
    rule = root.children("rule", 1, 4, potential=ParentOf([0, 0, 1, 1]), prior=[1, 3, 2, 2])
    rule.children("symbol", 2, 2, potential=ChildOf([0, 1, 1, 0]))
    root.children("leaf", 1, 2)

    parts = learnable(model)

    declared = parts.model.declarations
    assert declared["symbol"].potential is model.declarations["symbol"].potential
    np.testing.assert_allclose(
        parts.model.forest().data["rule"], [[0.25, 0.75, 0.5, 0.5]], rtol=EXACT
    )


def test_a_given_chain_with_an_uneven_table_is_refused() -> None:
    model = Model("chain")
    model.chain("z", 5, 2, potential=[[3, 1], [1, 1]]).children("x", 1, 3)

    with pytest.raises(ModelError, match=r"cannot be made directed: .*'z' .* different"):
        learnable(model)


def test_a_shared_table_above_uneven_nodes_is_refused() -> None:
    model = Model("uneven")
    middle = model.root("root", 2).children("middle", 2, 2).children("low", 1, 2)
    weights = np.arange(1.0, 9.0).reshape(2, 2, 2)
    middle.children("seen", 1, 2, potential=weights)

    with pytest.raises(ModelError, match=r"'middle->low' is to be learned .* node to node"):
        learnable(model)


def test_a_complete_model_is_refused() -> None:
    model = Model("full")
    model.root("root", 2).children("leaf", 1, 2, potential=np.eye(2))

    with pytest.raises(ModelError, match="nothing to learn"):
        learnable(model)
