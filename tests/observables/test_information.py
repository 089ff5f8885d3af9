"""Gradient, curvature and Fisher information against moments of counts, and closed forms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.errors import (
    EvidenceError,
    ImpossibleEvidenceError,
    ModelError,
    QueryError,
    ResourceError,
)
from ghmpp.observables import fisher_information, log_evidence_gradient, log_evidence_hessian
from tests.observables.uses import uses
from tests.strategies import tree_models
from tests.tolerances import GRADIENT, SIGMAS

MODELS = tree_models(limit=300, maps=False).filter(lambda model: model.forest().keys())


def hidden_chain(length=2):
    model = gh.Model("chain")
    z = model.chain("z", length, 2, potential=[[0.8, 0.2], [0.4, 0.6]], prior=[0.3, 0.7])
    z.children("x", 1, 2, potential=[[0.9, 0.1], [0.25, 0.75]])
    return model


def coin(p=0.3):
    model = gh.Model("coin")
    model.root("coin", ["heads", "tails"], prior=[p, 1 - p], values=[1.0, -1.0])
    return model


@given(st.data(), MODELS)
def test_gradient_and_curvature_are_moments_of_counts(data, model):
    known = uses(model)
    name = data.draw(st.sampled_from(list(model.variables)))
    row = data.draw(st.sampled_from(known.rows([name])))
    seen, whole = known.moments(known.seen(row)), known.moments(known.seen({}))
    evidence = {name: np.array([row[name]])}

    gradient = log_evidence_gradient(model, evidence)
    assert_allclose(gradient.to_numpy()[0], seen[0] - whole[0], GRADIENT, GRADIENT)
    hessian = log_evidence_hessian(model, evidence)
    assert_allclose(hessian.to_numpy(), seen[1] - whole[1], GRADIENT, GRADIENT)
    assert list(hessian.columns) == list(hessian.index) == list(gradient.columns)


@given(MODELS)
def test_information_is_the_mean_of_squared_scores(model):
    known = uses(model)
    names = [model.forest().leaves[0]]
    whole, _ = known.moments(known.seen({}))
    weights = np.array([float(w) for w in known.weights])
    expected = 0
    for row in known.rows(names):
        mask = known.seen(row)
        score = known.moments(mask)[0] - whole
        expected = expected + np.outer(score, score) * (weights * mask).sum() / weights.sum()

    found = fisher_information(model, names)
    assert_allclose(found.to_numpy(), expected, GRADIENT, GRADIENT)


def test_symbols_are_differentiated_as_sympy_does_it():
    a, b = sp.symbols("a b", positive=True)
    model = gh.Model("symbols")
    root = model.root("r", 2, prior=[a, 1])
    root.children("x", 2, 2, potential=lambda s, x: sp.exp(-a * s * x) + b * int(s == x))
    table = [[sp.exp(-a * s * x) + b * int(s == x) for x in (0, 1)] for s in (0, 1)]

    def mass(seen):
        return sum(
            (a if s == 0 else 1) * sp.prod([table[s][x] for x in states])
            for s in (0, 1)
            for states in product((0, 1), repeat=2)
            if all(o in (-1, x) for o, x in zip(seen, states, strict=True))
        )

    at = {a: sp.Rational(7, 10), b: sp.Rational(6, 5)}
    logs = sp.log(mass((1, 0))) - sp.log(mass((-1, -1)))
    bound, evidence = model.bind(a=0.7, b=1.2), {"x": [[1, 0]]}

    gradient = log_evidence_gradient(bound, evidence)
    assert list(gradient.columns) == ["a", "b"]
    assert_allclose(gradient.iloc[0], [float(logs.diff(v).subs(at)) for v in (a, b)], GRADIENT)
    hessian = log_evidence_hessian(bound, evidence).to_numpy()
    second = [[float(logs.diff(v, w).subs(at)) for v in (a, b)] for w in (a, b)]
    assert_allclose(hessian, second, GRADIENT)


def test_rows_have_scores_of_their_own_and_one_curvature():
    model, x = hidden_chain(3), np.array(list(product((0, 1), repeat=3)) * 6)
    together = log_evidence_gradient(model, {"x": x})
    alone = log_evidence_gradient(model, {"x": x[5:6]})

    assert_allclose(together.iloc[5], alone.iloc[0], GRADIENT)
    parts = [log_evidence_hessian(model, {"x": rows}) for rows in (x[:7], x[7:])]
    assert_allclose(log_evidence_hessian(model, {"x": x}), parts[0] + parts[1], GRADIENT, GRADIENT)


class TestLogOdds:
    def test_bernoulli_information_is_the_variance(self):
        assert_allclose(fisher_information(coin(0.3), coordinates="log-odds"), [[0.21]], GRADIENT)

    def test_bernoulli_curvature_is_minus_the_variance(self):
        found = log_evidence_hessian(coin(0.3), {"coin": [0, 1, 1]}, coordinates="log-odds")

        assert_allclose(found, [[-0.63]], GRADIENT)

    def test_information_is_minus_the_mean_curvature(self):
        # the information equality holds where coordinates are those of probabilities
        model, names = hidden_chain(), ["x"]
        known = uses(model)
        weights = np.array([float(w) for w in known.weights])
        expected = sum(
            -log_evidence_hessian(model, {"x": [row["x"]]}, coordinates="log-odds").to_numpy()
            * (weights * known.seen(row)).sum()
            for row in known.rows(names)
        )

        found = fisher_information(model, names, coordinates="log-odds")
        assert found.shape == (5, 5)
        assert_allclose(found, expected / weights.sum(), GRADIENT, GRADIENT)

    def test_rules_share_the_weight_of_their_symbol(self):
        model = gh.grammar("S -> A B [0.7] | B A [0.3]; A -> a b; B -> c c [0.6] | c a [0.4]")
        found = fisher_information(model, coordinates="log-odds")

        # two free probabilities, both seen from the string
        assert_allclose(np.diag(found), [0.7 * 0.3, 0.6 * 0.4], GRADIENT)


class TestSamples:
    def test_they_come_near_the_sum(self):
        model, n = hidden_chain(), 2_000
        exact = fisher_information(model, "x", parameters=["z"])
        drawn = fisher_information(model, "x", samples=n, parameters=["z"], seed=1)

        # entries are means of products of scores, which are at most 1 in size
        assert_allclose(drawn, exact, rtol=0, atol=SIGMAS / np.sqrt(n))
        again = fisher_information(model, "x", samples=n, parameters=["z"], seed=1)
        assert drawn.equals(again)

    def test_little_noise_hides_nothing_and_much_noise_all(self):
        def information(sigma):
            seen = gh.noisy("coin", sigma=sigma)
            return fisher_information(coin(0.5), seen, samples=400, coordinates="log-odds")

        assert_allclose(information(0.05), [[0.25]], GRADIENT)
        assert information(100.0).to_numpy()[0, 0] < 1e-3


class TestChoices:
    def test_parameters_can_be_chosen(self):
        found = log_evidence_gradient(hidden_chain(), {"x": [0, 1]}, parameters=["z->x"])

        assert list(found.columns) == [f"log z->x[{s}, {x}]" for s in (0, 1) for x in (0, 1)]

    def test_rows_of_stacks_are_named(self):
        model = gh.GHM(states=(2, 2), branching=(2,)).initialise(0)
        found = log_evidence_gradient(model, [[0, 1]])

        assert found.columns[0] == "log x0->x1[0][0, 0]"
        assert found.columns[-1] == "log x0->x1[1][1, 1]"

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"parameters": ["beta"]}, "unknown 'beta'; the model has z, z->z, z->x"),
            ({"parameters": []}, "no symbols, tables or priors"),
            ({"coordinates": "linear"}, "unknown coordinates 'linear'; known: 'log', 'log-odds'"),
        ],
    )
    def test_unknown_ones_are_refused(self, options, words):
        with pytest.raises(QueryError, match=words):
            log_evidence_gradient(hidden_chain(), **options)


class TestRefusals:
    def test_impossible_rows_are_named(self):
        model = gh.Model("zeros")
        model.root("a", 2).children("b", 2, 2, potential=np.eye(2))

        for function in (log_evidence_gradient, log_evidence_hessian):
            with pytest.raises(ImpossibleEvidenceError, match="row 1"):
                function(model, {"b": [[0, 0], [0, 1]]})

    def test_incomplete_models(self):
        with pytest.raises(ModelError, match="x0->x1"):
            fisher_information(gh.GHM(states=(2, 2), branching=(2,)))

    def test_evidence_that_does_not_fit(self):
        with pytest.raises(EvidenceError, match="'y'"):
            log_evidence_gradient(hidden_chain(), {"y": 0})

    @pytest.mark.parametrize(
        ("given_", "options", "words"),
        [
            ("y", {}, "given: unknown class 'y'; the model has coin"),
            (gh.noisy("coin", sigma=1.0), {}, "cannot be enumerated; pass samples="),
            ("coin", {"samples": 0}, "samples must be at least 1, got 0"),
        ],
    )
    def test_what_cannot_be_observed(self, given_, options, words):
        with pytest.raises(QueryError, match=words):
            fisher_information(coin(), given_, **options)

    def test_too_many_states(self):
        model = gh.GHM(states=(2, 2), branching=(100,)).initialise(0)

        with pytest.raises(ResourceError, match=r"more than 10\^15 states of x1 exceed"):
            fisher_information(model)
