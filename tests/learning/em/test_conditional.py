from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.learning.em.conditional import draw_symbols, read_formulas
from ghmpp.learning.em.formulas import Formulas
from ghmpp.learning.em.learnable import learnable
from ghmpp.models.model import Model

beta = sp.Symbol("beta", positive=True)
share = sp.Symbol("share", positive=True)


def uneven(s: int, a: int) -> sp.Expr:
    return sp.exp(-beta * (s - a) ** 2)


def even(s: int, a: int) -> sp.Expr:
    return sp.exp(beta * int(s == a))


def test_formulas_below_a_learned_table_are_conditional() -> None:
    model = Model("below")
    model.root("root", 2).children("middle", 2, 3).children("leaf", 2, 4, potential=uneven)

    assert read_formulas(learnable(model)).conditional == {"middle->leaf"}


def test_formulas_below_a_kept_prior_stay_as_declared() -> None:
    model = Model("field")
    model.root("root", 3).children("a", 2, 3, potential=uneven).children("b", 2, 2)

    assert read_formulas(learnable(model)).conditional == frozenset()


def test_even_formulas_may_hang_on_given_tables() -> None:
    model = Model("even")
    given = model.root("root", 2).children("top", 1, 2).children("given", 1, 2, potential=np.eye(2))
    given.children("leaf", 2, 2, potential=even)

    assert read_formulas(learnable(model)).conditional == {"given->leaf"}


def test_uneven_formulas_on_given_tables_are_refused() -> None:
    model = Model("uneven")
    given = model.root("root", 2).children("top", 1, 2).children("given", 1, 2, potential=np.eye(2))
    given.children("leaf", 2, 4, potential=uneven)

    with pytest.raises(ModelError, match=r"formula 'given->leaf' .* state of 'given'.* row sums"):
        read_formulas(learnable(model))


def test_uneven_formulas_per_edge_are_refused() -> None:
    model = Model("edges")
    top = model.root("root", 2).children("top", 2, 2)
    table = [[[sp.exp(k * beta), 1], [1, 1]] for k in range(4)]
    top.children("leaf", 2, 2, potential=np.array(table, dtype=object))

    with pytest.raises(ModelError, match="formula 'top->leaf' have sums that depend"):
        read_formulas(learnable(model))


def test_a_formula_on_a_chain_with_a_given_prior_must_be_even() -> None:
    def chain(potential: object, prior: object) -> Model:
        model = Model("chain")
        model.chain("z", 4, 2, prior=prior).children("x", 1, 3, potential=potential)
        return model

    assert read_formulas(learnable(chain(uneven, None))).conditional == {"z->x"}
    with pytest.raises(ModelError, match="formula 'z->x'"):
        read_formulas(learnable(chain(uneven, [0.5, 0.5])))


def test_a_formula_as_prior_of_learned_children_is_refused() -> None:
    model = Model("prior")
    model.root("root", 2).children("leaf", 2, 2, prior=[1, beta])

    with pytest.raises(ModelError, match="at or below 'leaf' weighs its states"):
        read_formulas(learnable(model))


def test_symbols_are_drawn_where_formulas_are_potentials() -> None:
    entries = {"edge": np.array([[[1 - share, share], [share, 1 - share]]], dtype=object)}
    formulas = Formulas(entries, (share,), ())

    drawn = [float(draw_symbols(formulas, np.random.default_rng(k))[0][0]) for k in range(20)]

    assert all(0 < value <= 1 for value in drawn)
    assert len(set(drawn)) == 20


def test_given_symbols_are_not_drawn() -> None:
    entries = {"edge": np.array([[[1 - share, share * beta]]], dtype=object)}
    formulas = Formulas(entries, (beta, share), ())

    theta, weights = draw_symbols(formulas, np.random.default_rng(0), {"share": 0.25})

    assert theta[1] == 0.25
    np.testing.assert_array_equal(weights["edge"], [[[0.75, 0.25 * theta[0]]]])


def test_a_formula_that_is_never_a_potential_is_refused() -> None:
    formulas = Formulas({"edge": np.array([[[-beta, 1]]], dtype=object)}, (beta,), ())

    with pytest.raises(ModelError, match=r"random values of the symbols beta .*start=model.bind"):
        draw_symbols(formulas, np.random.default_rng(0))
