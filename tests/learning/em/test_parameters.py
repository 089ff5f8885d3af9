from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.learning.em.conditional import read_formulas
from ghmpp.learning.em.families import learnable_families
from ghmpp.learning.em.learnable import learnable
from ghmpp.learning.em.parameters import Parameters, fitted, initial
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from ghmpp.models.rules import Rules
from tests.tolerances import EXACT

beta = sp.Symbol("beta", positive=True)


def digits() -> Model:
    model = Model("digits")
    block = model.root("digit", 3).children("block", 2, 2)
    block.children("pixel", 2, 3, potential=lambda s, x: sp.exp(-beta * (x - s) ** 2))
    return model


def start_of(model: Model, seed: int, start: Model | None = None) -> Parameters:
    parts = learnable(model)
    return initial(parts, read_formulas(parts), seed, start)


def test_tables_start_as_initialise_says() -> None:
    found = start_of(digits(), 5)

    expected = digits().initialise(5).declarations["block"].potential
    assert expected is not None
    np.testing.assert_allclose(found.tables["digit->block"], expected.entries, rtol=EXACT)
    np.testing.assert_allclose(found.tables["digit"], [[1 / 3] * 3], rtol=EXACT)


def test_seeds_differ() -> None:
    first, second = start_of(digits(), 1), start_of(digits(), 2)

    assert (first.tables["digit->block"] != second.tables["digit->block"]).all()
    assert first.symbols != second.symbols


def test_a_start_gives_tables_priors_and_symbols() -> None:
    table = np.array([[1.0, 1], [1, 3], [0, 0]])
    start = Model("start")
    block = start.root("digit", 3, prior=[1, 1, 2]).children("block", 2, 2, potential=table)
    block.children("pixel", 2, 3, potential=lambda s, x: beta + s * x)

    found = start_of(digits(), 0, start.bind(beta=0.25))

    rows = [[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]
    np.testing.assert_allclose(found.tables["digit->block"], [rows, rows], rtol=EXACT)
    np.testing.assert_allclose(found.tables["digit"], [[0.25, 0.25, 0.5]], rtol=EXACT)
    assert found.symbols.tolist() == [0.25]


def test_a_start_of_another_shape_is_refused() -> None:
    start = Model("start")
    start.root("digit", 3).children("block", 1, 4, potential=np.ones((3, 4)))

    with pytest.raises(ModelError, match=r"start: the potential 'digit->block' .* \(2, 3, 2\)"):
        start_of(digits(), 0, start)


def test_the_fitted_model_is_complete_and_directed() -> None:
    parts = learnable(digits())
    formulas = read_formulas(parts)

    model = fitted(parts, formulas, initial(parts, formulas, 3))

    model.require_complete()
    for stack in model.forest().data.values():
        np.testing.assert_allclose(stack.sum(axis=-1), 1, rtol=EXACT)
    assert model.log_partition() == pytest.approx(0, abs=EXACT)


def test_the_fitted_model_keeps_its_formula() -> None:
    parts = learnable(digits())
    formulas = read_formulas(parts)
    start = initial(parts, formulas, 3)

    model = fitted(parts, formulas, start)

    value = float(start.symbols[0])
    assert model.parameters == {"beta": value}
    weights = np.exp(-value * (np.arange(3) - np.arange(2)[:, None]) ** 2)
    expected = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.forest().data["block->pixel"], [expected], rtol=EXACT)
    again = model.bind(beta=2 * value).forest().data["block->pixel"]
    np.testing.assert_allclose(again.sum(axis=-1), 1, rtol=EXACT)


def test_free_weights_of_rules_start_as_initialise_says() -> None:
    model = Model("rules")
    model.root("a", 2).children("b", 2, 2, rules=Rules([0, 0, 1], [[0, 1], [1, 1], [1, 0]]))

    found = start_of(model, 5)

    np.testing.assert_allclose(found.tables["b rule"][0], model.initialise(5).rules["b"].weights)


def test_a_start_may_have_its_parents_in_another_order() -> None:
    table = np.random.default_rng(0).dirichlet([1, 1], size=(2, 3))
    nodes = {"a": Node(2), "b": Node(3), "c": Node(2)}
    turned = Factor(("b", "c", "a"), table.transpose(1, 2, 0), "c")
    start = junction_model(Factors("start", nodes, (turned,)))
    parts = learnable_families(
        junction_model(Factors("open", nodes, (Factor(("a", "b", "c"), None, "c"),)))
    )

    found = initial(parts, read_formulas(parts), 0, start)

    np.testing.assert_allclose(found.tables["family c"], table.reshape(1, -1), rtol=EXACT)


def test_a_start_with_other_states_is_refused() -> None:
    model, start = Model("m"), Model("m")
    model.root("a", ["no", "yes"]).children("b", 1, 2)
    start.root("a", ["yes", "no"]).children("b", 1, 2, potential=np.eye(2))

    with pytest.raises(ModelError, match="start: the variable 'a' has the states 'yes', 'no', but"):
        start_of(model, 0, start)
