"""Declaring models: what they remember, what they refuse, and what they make."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.errors import ModelError
from ghmpp.models.directed import log_partition
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.schedule.plan import schedule_for
from ghmpp.verification.unroll import unroll

BETA = sp.Symbol("beta", positive=True)
ONES = np.ones((2, 2))


@pytest.fixture
def model():
    """A complete model with a symbol: ``exp(beta)`` where parent and child agree."""
    model = Model("potts")
    top = model.root("top", 2, prior=[1, 3])
    top.children("leaf", 3, 2, potential=lambda s, a: sp.exp(BETA * int(s == a)))
    return model


def test_variables_are_in_the_order_of_declaration():
    model = Model()
    top = model.root("b", ["x", "y"], values=[0, 1])
    top.children("a", 3, range(4))

    variables = model.variables

    assert list(variables) == ["b", "a"]
    assert variables["b"].states == ("x", "y")
    assert (variables["a"].nodes, variables["a"].blocks) == (3, ("a",))
    np.testing.assert_array_equal(variables["a"].values, [0, 1, 2, 3])


def test_priors_may_be_functions_of_the_state():
    model = Model()
    model.root("a", [1, 2, 3], prior=lambda s: s**2)

    np.testing.assert_array_equal(model.forest().data["a"], [[1, 4, 9]])


def test_several_roots_make_a_forest():
    model = Model()
    model.root("a", 2)
    model.chain("z", 2, 2, potential=ONES)

    assert model.forest().roots == ("a", "z[0]")


def test_the_forest_is_made_once_and_again_after_a_declaration():
    model = Model()
    model.root("a", 2)
    first = model.forest()

    assert model.forest() is first
    model.root("b", 2)
    assert list(model.forest().variables) == ["a", "b"]
    assert list(first.variables) == ["a"]


def test_parameters_are_the_symbols_and_their_values(model):
    assert model.parameters == {"beta": None}
    assert model.bind(beta=Fraction(1, 2)).parameters == {"beta": 0.5}
    assert model.bind(beta=0.5).bound == {"beta": Fraction(1, 2)}


def test_binding_makes_a_new_model(model):
    bound = model.bind(beta=1)

    assert bound is not model
    assert model.parameters == {"beta": None}
    assert bound.bind(beta=2).parameters == {"beta": 2}


def test_one_symbol_ties_two_potentials(model):
    model.root("other", 2, prior=lambda s: BETA**s)

    data = model.bind(beta=2).forest().data

    np.testing.assert_array_equal(data["other"], [[1, 2]])
    assert data["top->leaf"][0, 0, 0] == np.exp(2)


def test_two_symbols_of_one_name_are_refused(model):
    with pytest.raises(ModelError, match="variable 'other': two different symbols"):
        model.root("other", 2, prior=[1, sp.Symbol("beta")])
    assert list(model.variables) == ["top", "leaf"]


def test_values_that_break_a_potential_are_refused_when_bound():
    q = sp.Symbol("q")
    model = Model()
    model.root("a", 2, prior=[q, 1 - q])

    with pytest.raises(ModelError, match="potential 'a': entries must be >= 0"):
        model.bind(q=2)


def test_an_unknown_symbol_is_refused(model):
    with pytest.raises(ModelError, match="no symbol 'gamma'; its symbols: beta"):
        model.bind(gamma=1)


def test_free_lists_the_edges_without_table():
    model = Model()
    top = model.root("a", 2)
    top.children("b", 2, 2)
    top.children("c", 2, 2, potential=ONES)
    model.chain("z", 3, 2)

    assert model.free == ("a->b", "z->z")
    assert model.initialise().free == ()


def test_incomplete_models_are_refused_with_the_cure(model):
    model.root("a", 2).children("b", 2, 2)

    words = r"'potts' is not complete: free tables a->b \(.*\); symbols without value beta \(bind\)"
    with pytest.raises(ModelError, match=words):
        model.log_partition()


def test_a_model_without_variables_is_refused():
    with pytest.raises(ModelError, match="no variables"):
        Model().sample(1)


def test_the_partition_function_of_potts_has_a_closed_form(model):
    expected = np.log(4) + 3 * np.log(np.e**0.7 + 1)

    assert model.bind(beta=0.7).log_partition() == pytest.approx(expected, rel=1e-14)


def test_a_refused_declaration_leaves_the_model_as_it_was():
    model = Model()
    top = model.root("a", 2)

    with pytest.raises(ModelError, match="tables must have shape"):
        top.children("b", 2, 2, potential=np.ones((3, 3)))
    top.children("b", 2, 2, potential=ONES)
    assert list(model.variables) == ["a", "b"]


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda m: m.root("leaf", 2), "'leaf' is declared twice"),
        (lambda m: m.root("", 2), "non-empty string"),
        (lambda m: m.root("a", 0), "variable 'a': needs at least one state"),
        (lambda m: m.root("a", 2, prior=[1, 2, 3]), r"prior of 'a': prior must have shape \(2,\)"),
        (lambda m: m.root("a", 2, prior=[0, 0]), "prior of 'a': has only zeros"),
        (lambda m: m.chain("z", 0, 2), "variable 'z': length must be a whole number >= 1"),
        (lambda m: m.chain("z", 3, 2, potential=np.ones((2, 3))), "potential of 'z' -> 'z'"),
        (lambda m: m.chain("z", 3, 2, potential=np.ones((2, 2, 2))), r"got \(2, 2, 2\)"),
        (lambda m: m.chain("z", 3, 2, prior=np.ones((3, 2))), r"prior of 'z'.*got \(3, 2\)"),
    ],
)
def test_wrong_declarations_are_refused(model, declare, words):
    with pytest.raises(ModelError, match=words):
        declare(model)


def test_the_repr_says_what_was_declared(model):
    model.chain("z", 5, 3)

    assert repr(model.bind(beta=0.5)).splitlines() == [
        "Model 'potts': 3 classes, 9 variables, beta=0.5",
        "  top   1 node   2 states  root, prior",
        "  leaf  3 nodes  2 states  3 per top, 1 table, in beta",
        "  z     5 nodes  3 states  chain, free",
    ]


def test_models_can_be_rebuilt_from_their_declarations(model):
    bound = model.bind(beta=0.3)

    again = Model.from_declarations("again", bound.declarations.values(), bound.bound)

    assert again.log_partition() == bound.log_partition()


def test_declarations_cannot_be_changed_from_outside(model):
    with pytest.raises(TypeError, match="assignment"):
        model.declarations["x"] = model.declarations["top"]


@pytest.mark.slow
def test_a_long_chain_with_observations_is_declared_in_linear_time():
    model = Model()
    model.chain("z", 100_000, 2, potential=ONES).children("x", 1, 2, potential=ONES)

    assert len(model.forest().blocks) == 200_000


def test_assumptions_and_samples_are_at_hand():
    model = GHM(states=2, branching=(2,), tables=[ONES])

    assert model.assumptions().bound == 1
    assert model.sample(3)["x1"].shape == (3, 2)


def test_incompleteness_has_one_wording():
    model = Model("open")
    root = model.root("a", 2, prior=lambda s: 1 + BETA * s)
    root.children("b", 2, 2)
    words = (
        r"model 'open' is not complete: free tables a->b \(gh\.fit, with_tables, initialise\); "
        r"symbols without value beta \(bind\)\."
    )
    forest = model.forest()

    for ask in (
        model.require_complete,
        forest.require_values,
        lambda: log_partition(forest),
        lambda: unroll(forest),
        lambda: run(schedule_for(forest, [LOG_EVIDENCE], []), {}, LogFloat()),
    ):
        with pytest.raises(ModelError, match=words):
            ask()
