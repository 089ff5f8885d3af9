"""Junction trees are verified by oracles that see variables and factors, and no clique."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ResourceError
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.verification.engines import ENGINES
from ghmpp.verification.factored import Joint
from tests.strategies import joint_weights
from tests.tolerances import EXACT

RNG = np.random.default_rng(0)
PAIRS = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]
SIZES = {"a": 2, "b": 3, "c": 2, "d": 2}
RING = Factors(
    "ring",
    {name: Node(size) for name, size in SIZES.items()},
    tuple(Factor(p, RNG.random([SIZES[v] for v in p]) + 0.1) for p in PAIRS),
)


@pytest.fixture
def model():
    return model_of(RING)


def test_every_engine_that_fits_agrees(model):
    report = gh.verify(model, rows=2)

    assert report.passed
    compared = {(check.engine, check.quantity) for check in report.checks}
    left_out = {skipped.engine for skipped in report.skipped}
    assert left_out == {"fractions", "pgmpy.BeliefPropagationWithMessagePassing"}
    assert {engine for engine, _ in compared} == set(ENGINES) - left_out
    quantities = {"log evidence", "log partition", "posterior", "map mass", "unary counts"}
    assert {quantity for engine, quantity in compared if engine == "enumeration"} == quantities
    assert report.subject == "model 'ring', 4 variables, float64"


def test_a_wrong_table_is_found(model, monkeypatch):
    from ghmpp.verification import factored

    wrong = Factors("ring", RING.nodes, (*RING.factors[1:], Factor(("a", "b"), np.ones((2, 3)))))
    monkeypatch.setattr(factored, "factors_of", lambda model: wrong)
    report = gh.verify(model, rows=1, engines=["enumeration", "triangulation"])

    assert not report.passed
    assert {check.engine for check in report.checks if not check.passed} == {
        "enumeration",
        "triangulation",
    }


def test_enumeration_of_variables_is_the_product_of_all_factors(model):
    joint = Joint.of(model)
    logs = {"b": np.log([[[0.2, 0.3, 0.5]], [[1e-9, 1, 0.5]]])}
    answer = joint.enumeration(logs, limit=100)
    weights = joint_weights(RING)

    for row, likelihood in enumerate(np.exp(logs["b"][:, 0])):
        mass = weights * likelihood[:, None, None]
        np.testing.assert_allclose(
            answer.log_evidence[row], np.log(mass.sum() / weights.sum()), rtol=EXACT
        )
        np.testing.assert_allclose(
            answer.posteriors["c"][row, 0], mass.sum((0, 1, 3)) / mass.sum(), rtol=EXACT
        )
        np.testing.assert_allclose(answer.best[row], np.log(mass.max()), rtol=EXACT)
    choice = {name: np.array([[1], [0]]) for name in SIZES}
    expected = np.log([weights[1, 1, 1, 1] * 0.3, weights[0, 0, 0, 0] * 1e-9])
    np.testing.assert_allclose(joint.log_mass(choice, logs), expected, rtol=EXACT)


def test_impossible_rows_count_nothing(model):
    joint = Joint.of(model)
    logs = {"a": np.full((1, 1, 2), -np.inf)}
    answer = joint.enumeration(logs, limit=100)

    assert answer.log_evidence == [-np.inf]
    assert not answer.posteriors["b"].any()
    assert answer.counts == {}


def test_what_is_too_big_is_left_out_with_the_reason(model):
    with pytest.raises(ResourceError, match=r"about 10\^1 configurations exceed limit=20"):
        Joint.of(model).enumeration({}, limit=20)
    names = [f"v{k}" for k in range(6)]
    table = np.ones([5] * 6)
    wide = model_of(Factors("wide", {n: Node(5) for n in names}, (Factor(tuple(names), table),)))
    report = gh.verify(wide, rows=1, engines=["recursion", "triangulation"])

    assert report.passed
    (skipped,) = report.skipped
    assert "index maps would be tables of 244,609,375 entries" in skipped.reason


def test_trees_have_no_second_triangulation():
    tree = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])

    assert Joint.of(tree) is None
    (skipped,) = gh.verify(tree, engines=["triangulation"]).skipped
    assert "nothing to triangulate" in skipped.reason
