"""Scalar messages give what messages of two states give, in fewer operations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
import torch
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.backends.symbolics.odds import ising, log_odds
from ghmpp.backends.symbolics.terms import operation_count
from ghmpp.errors import QueryError
from ghmpp.schedule.cost import cost
from tests.schedule.plans import in_logs
from tests.tolerances import EXACT

RNG = np.random.default_rng(11)


def tables(rows):
    return RNG.uniform(0.2, 5.0, (rows, 2, 2))


def tree():
    """Two levels with several branches, priors, and tables by rank and by edge."""
    model = gh.Model("tree")
    a = model.root("a", 2, prior=[1.0, 3.0])
    b = a.children("b", 2, [-1.0, 2.0], potential=tables(2), prior=[2.0, 1.0])
    b.children("c", 3, 2, potential=tables(6))
    a.children("d", 1, [0.0, 1.0], potential=tables(1)[0])
    return model


def evaluate(assignments, given):
    """Values of all names."""
    known = dict(given)
    for each in assignments:
        free = {symbol: known[symbol.name] for symbol in each.expression.free_symbols}
        known[each.name] = float(each.expression.evalf(20, subs=free))
    return known


@pytest.mark.parametrize(("kind", "name"), [("posterior", "a"), ("mean", "b"), ("mean", "d")])
def test_they_are_the_networks_answers(kind, name):
    query = {"posterior": gh.posterior, "mean": gh.mean}[kind](name)
    program = gh.compile(tree(), query, ["c", "d"])
    likelihoods = {"c": RNG.uniform(0.1, 1, (1, 6, 2)), "d": RNG.uniform(0.1, 1, (1, 1, 2))}
    given = {
        f"l_{key}_{k}": math.log(up / down)
        for key, rows in likelihoods.items()
        for k, (up, down) in enumerate(rows[0])
    }

    values = evaluate(log_odds(program.schedule), given)
    found = [value for key, value in values.items() if key.startswith(f"{kind}_{name}_")]
    expected = program.network()(*(torch.tensor(each) for each in likelihoods.values()))
    assert_allclose(found, expected.numpy().ravel(), EXACT, EXACT)


def test_tables_are_couplings_and_fields():
    table = np.array([[3, 1], [2, 5]], dtype=object) * sp.Integer(1)
    coupling, above, below = ising(table)
    signs = (1, -1)
    strength = sp.atanh(coupling)
    built = [[sp.exp(strength * s * a + above * s + below * a) for a in signs] for s in signs]

    ratios = np.array([[float(built[s][a] / table[s, a]) for a in (0, 1)] for s in (0, 1)])
    assert_allclose(ratios, ratios[0, 0], EXACT)


def test_a_message_is_the_log_odds_of_the_product():
    table = sp.Matrix([[3, 1], [2, 5]])
    sent = sp.Rational(7, 5)
    arrived = table * sp.Matrix([sp.exp(sent), 1])

    found = ising(np.array(table.tolist())).send(sent, "root")
    assert float(found) == pytest.approx(float(sp.log(arrived[0] / arrived[1])), abs=EXACT)


def test_half_the_numbers_and_fewer_operations_than_logarithms_of_both_states():
    model = gh.GHM(states=2, branching=(2, 2, 2), tables=[[[3, 1], [1, 3]]] * 3)
    program = gh.compile(model, gh.posterior("x3"), given="x3")
    scalars = log_odds(program.schedule)
    logs = cost(in_logs(program.schedule))

    assert len(scalars) < 0.6 * len(program.symbolic())
    assert operation_count(scalars) < 0.5 * (logs.flops + logs.exps)


@pytest.mark.parametrize(
    ("model", "query", "words"),
    [
        (gh.GHM((2, 3), (2,), [np.ones((2, 3))]), gh.posterior("x0"), "'x1' has 3"),
        (gh.GHM((2, 2), (2,), [np.eye(2)]), gh.posterior("x0"), "'x0->x1' has zeros"),
        (gh.GHM((2, 2), (2,), [np.ones((2, 2))]), gh.log_evidence(), "got log_evidence"),
    ],
    ids=["states", "zeros", "query"],
)
def test_what_has_no_log_odds_is_refused(model, query, words):
    with pytest.raises(QueryError, match=words):
        log_odds(gh.compile(model, query, "x1").schedule)


def test_index_maps_are_refused():
    model = gh.Model()
    model.root("a", 2).children("b", 1, 2, potential=gh.ChildOf([1, 0]))

    with pytest.raises(QueryError, match="index map"):
        log_odds(gh.compile(model, gh.posterior("a"), "b").schedule)
