"""Relevance against enumerated log-odds, an integral by scipy, closed forms; and conserved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import logsumexp, softmax

import ghmpp as gh
from ghmpp.errors import (
    EvidenceError,
    ImpossibleEvidenceError,
    QueryError,
    ScheduleError,
)
from ghmpp.observables import relevance as module
from ghmpp.observables import sweep
from ghmpp.verification.enumeration import enumeration
from ghmpp.verification.unroll import unroll
from tests.strategies import chain_models, evidence, models, regular_models
from tests.tolerances import ENUMERATION, EXACT, PGMPY


def explained(model, given_, **options):
    """Relevance where the log-odds are finite."""
    try:
        return gh.relevance(model, given_, variable=_root(model), **options)
    except (ImpossibleEvidenceError, QueryError):
        assume(False)


def _root(model):
    forest = model.forest()
    return forest.blocks[forest.roots[0]].variable


def odds(model, logs, states):
    """Enumerated log-odds of states of the first root, and without evidence."""
    name = _root(model)
    found = []
    for given_ in (logs, None):
        posterior = enumeration(model.forest(), given_).posteriors[name][:, 0]
        rows = np.arange(len(states))
        chosen = np.broadcast_to(posterior, (len(states), posterior.shape[1]))[rows, states]
        found.append(np.log(chosen) - np.log1p(-chosen))
    return found


@given(st.data(), models(limit=1_000))
def test_total_is_the_change_of_the_enumerated_log_odds(data, model):
    seen = data.draw(evidence(model, possible=True))
    found = explained(model, seen.given)
    after, before = odds(model, seen.logs or None, _codes(model, found))
    assume(np.abs([after, before]).max() < 6)  # digits of 1 - p

    assert_allclose(
        found.log_odds, np.broadcast_to(after, found.log_odds.shape), rtol=PGMPY, atol=PGMPY
    )
    assert_allclose(found.prior, before, rtol=PGMPY, atol=PGMPY)


def _codes(model, found):
    states = list(model.variables[found.variable].states)
    return [states.index(state) for state in found.states]


@given(st.data(), models(limit=1_000))
def test_each_variable_has_the_relevance_of_its_children_and_its_evidence(data, model):
    seen = data.draw(evidence(model, possible=True))
    found = explained(model, seen.given)

    nodes = unroll(model.forest())
    of = {
        k: found.nodes[n.variable][:, n.position]
        for k, n in enumerate(nodes)
        if n.variable in found.nodes
    }
    parts = {k: np.zeros_like(array) for k, array in of.items()}
    for k, node in enumerate(nodes):
        if k in of and node.variable in found.evidence:
            parts[k] += found.evidence[node.variable][:, node.position]
        if k in of and node.parent is not None:
            parts[node.parent] += of[k]
    for k, array in of.items():
        assert_allclose(array, parts[k], rtol=ENUMERATION, atol=ENUMERATION)


@given(st.data(), regular_models(limit=2_000, zeros=False))
def test_relevance_is_conserved_at_every_level(data, model):
    leaf = model.forest().leaves[0]
    found = explained(model, data.draw(evidence(model, classes=[leaf])).given)

    for array in found.nodes.values():
        assert_allclose(array.sum(axis=1), found.total, rtol=ENUMERATION, atol=ENUMERATION)
    assert found.deviation <= ENUMERATION * max(1.0, np.abs(found[leaf]).max(initial=0))


@given(st.data(), chain_models(limit=500, zeros=False))
def test_every_step_of_a_chain_hands_on_what_comes_later(data, model):
    found = explained(model, data.draw(evidence(model, classes=["x"])).given)

    per_step = found["x"].reshape(*found["z"].shape, -1).sum(axis=2)
    later = per_step[:, ::-1].cumsum(axis=1)[:, ::-1]
    assert_allclose(found["z"], later, rtol=ENUMERATION, atol=ENUMERATION)


def test_leaves_of_one_root_have_the_changes_of_their_log_ratios():
    tables = np.random.default_rng(0).uniform(0.1, 1, (4, 2, 3))
    x = np.array([[0, 2, 1, -1]])
    found = gh.relevance(gh.GHM((2, 3), (4,), [tables]), x, state=1)

    logs = np.log(tables / tables.sum(axis=2, keepdims=True))
    truth = [logs[k, 1, s] - logs[k, 0, s] if s >= 0 else 0.0 for k, s in enumerate(x[0])]
    assert_allclose(found["x1"], [truth], rtol=EXACT, atol=EXACT)
    assert found["x1"][0, 3] == 0


def test_average_along_the_path_is_the_integral():
    rng = np.random.default_rng(1)
    tables = [np.exp(rng.normal(size=(2, 3, 3)) * 2) for _ in range(2)]
    likelihood = np.exp(3 * rng.normal(size=(1, 4, 3)))
    found = gh.relevance(gh.GHM(3, (2, 2), tables), {"x2": likelihood}, state=0, against=2)

    outer, inner = np.log(tables)

    def sent(h):
        return np.array([logsumexp(inner[k % 2] + h[k], axis=1) for k in range(4)])

    q, q0 = sent(np.log(likelihood[0])), sent(np.zeros((4, 3)))
    for v in range(2):
        children = [2 * v, 2 * v + 1]
        h, h0 = q[children].sum(0), q0[children].sum(0)
        weight = np.zeros(3)
        for s, sign in ((0, 1), (2, -1)):
            for a in range(3):
                average, _ = quad(
                    lambda t, s=s, a=a, h=h, h0=h0, v=v: softmax(outer[v, s] + h0 + t * (h - h0))[
                        a
                    ],
                    0,
                    1,
                    epsabs=1e-13,
                )
                weight[a] += sign * average
        truth = [weight @ (q[c] - q0[c]) for c in children]
        assert_allclose(found["x2"][0, children], truth, rtol=ENUMERATION)


def test_constants_in_messages_change_nothing():
    model = gh.zoo.random_ghm(3, (2, 2), bound=5, seed=2)
    forest, rng = model.forest(), np.random.default_rng(0)
    likelihood = rng.uniform(0.1, 1, (2, 4, 3))
    scaled = model.with_tables({key: 7.5 * forest.data[key] for key in ("x0->x1", "x1->x2")})
    first = gh.relevance(model, {"x2": likelihood})
    second = gh.relevance(scaled, {"x2": likelihood * rng.uniform(1, 9, (2, 4, 1))})

    assert_allclose(first["x2"], second["x2"], rtol=ENUMERATION)


def test_order_of_nodes_is_the_users():
    model = gh.zoo.random_ghm(3, (2, 2), bound=5, seed=2)
    order = [2, 0, 3, 1]
    tables = [model.forest().data[key] for key in ("x0->x1", "x1->x2")]
    moved = gh.GHM(3, (2, 2), tables, order=order)
    x = np.array([[0, 1, 2, 1]])
    found = gh.relevance(moved, x[:, np.argsort(order)])

    assert_allclose(found["x2"][:, order], gh.relevance(model, x)["x2"], rtol=EXACT)


def test_what_rules_a_state_out_has_what_the_state_had():
    """The root is a or b; the first leaf says "not a" outright, the second agrees with anything."""
    model = gh.Model("rules")
    hidden = model.root("top", 2).children(
        "mid", 1, 3, potential=[[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]
    )
    hidden.children("leaf", 2, 2, potential=[[1, 0], [0.5, 0.5], [0.5, 0.5]])
    found = gh.relevance(model, {"leaf": [[1, -1]]}, state=1)

    truth = np.log(0.9 / 0.5)
    assert_allclose(found["leaf"], [[truth, 0.0]], atol=EXACT)


def test_several_that_rule_a_state_out_share_it():
    model = gh.Model("rules")
    hidden = model.root("top", 2).children("mid", 1, 2, potential=[[0.5, 0.5], [0.1, 0.9]])
    hidden.children("leaf", 3, 2, potential=[[1, 0], [0.5, 0.5]])
    found = gh.relevance(model, {"leaf": [[1, 1, -1]]}, state=1)

    assert_allclose(found["leaf"], [[np.log(1.8) / 2, np.log(1.8) / 2, 0.0]], atol=EXACT)


def test_rules_of_a_grammar_are_explained():
    model = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2, classes=3, seed=0)
    x = model.sample(4, seed=1)
    leaf = model.forest().leaves[0]
    partly = np.where(np.arange(x[leaf].shape[1]) == 0, x[leaf], -1)
    found = gh.relevance(model, {leaf: partly}, state=x["x0"][:, 0])

    assert_allclose(found[leaf].sum(axis=1), found.total, atol=ENUMERATION)


def test_digits_have_maps_of_pixels():
    _, test, _, labels = gh.examples.digits_split()
    found = gh.relevance(gh.examples.digits(), test[:3])

    assert found["pixel"].shape == (3, 64)
    assert found.states == tuple(labels[:3])
    for name in ("quadrant", "block", "pixel"):
        assert_allclose(found[name].sum(axis=1), found.total, rtol=ENUMERATION)
    assert list(found.frame().columns[-2:]) == ["pixel[62]", "pixel[63]"]
    assert "row 0: 2 against all others" in repr(found)


def test_parts_of_a_batch_are_put_together(monkeypatch):
    model = gh.zoo.random_ghm(3, (2, 2), bound=5, seed=2)
    x, states = np.random.default_rng(0).integers(3, size=(5, 4)), [0, 1, 2, 0, 1]
    whole = gh.relevance(model, x, state=states, against=[1, 2, 0, 2, 0])
    monkeypatch.setattr(module, "ENTRIES", 80)
    parts = gh.relevance(model, x, state=states, against=[1, 2, 0, 2, 0])

    assert parts.against == whole.against == (1, 2, 0, 2, 0)
    assert_allclose(parts["x2"], whole["x2"], rtol=EXACT)


def test_no_rows_are_no_rows():
    found = gh.relevance(gh.zoo.random_ghm(2, (2, 2), bound=3), np.zeros((0, 4), int))

    assert found["x2"].shape == (0, 4)
    assert found.total.shape == (0,)


MODEL = gh.zoo.random_ghm(3, (2, 2), bound=5, seed=2)
X = [[0, 1, 2, 1]]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"variable": "x1"}, QueryError, "'x1' is no root of the model; the roots are x0"),
        ({"state": 5}, EvidenceError, "5 is not a state"),
        ({"state": None, "against": [0, 1]}, QueryError, r"one per row \(1\), got shape \(2,\)"),
        ({"state": -1}, QueryError, "a state of 'x0' is missing"),
        ({"state": 1, "against": 1}, QueryError, "row 0 compares a state of 'x0' with itself"),
    ],
)
def test_wrong_questions_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        gh.relevance(MODEL, X, **options)


def test_unknown_class_of_a_result_is_refused():
    with pytest.raises(QueryError, match="no class 'pixel'; there are x0, x1, x2"):
        gh.relevance(MODEL, X)["pixel"]


def test_infinite_log_odds_are_refused():
    model = gh.GHM(2, (2,), [[[1, 0], [0.5, 0.5]]])

    with pytest.raises(ImpossibleEvidenceError, match=r"'x0' = 0 in row 1 are infinite") as caught:
        gh.relevance(model, [[0, 0], [0, 1]], state=0)
    assert caught.value.rows == (1,)
    with pytest.raises(ImpossibleEvidenceError, match="probability zero: row 0"):
        gh.relevance(gh.GHM(2, (2,), [np.eye(2)]), [[0, 1]])


def test_too_sharp_likelihoods_are_refused():
    sharp = gh.LogLikelihoods([[[0.0, -5e4, -1.0]] * 2])

    with pytest.raises(EvidenceError, match="49,999 nats, more than 12,000; give states"):
        gh.relevance(MODEL, {"x1": sharp, "x2": X})


def test_sharp_likelihoods_of_leaves_are_no_trouble():
    sharp = gh.LogLikelihoods(np.where(np.arange(3) == np.array(X)[..., None], 0.0, -1e6))

    assert_allclose(
        gh.relevance(MODEL, {"x2": sharp})["x2"], gh.relevance(MODEL, X)["x2"], rtol=EXACT
    )


def test_relevance_that_is_lost_is_a_bug(monkeypatch):
    def lossy(*arguments):
        weight, lost = sweep_shares(*arguments)
        return 0.9 * weight, lost

    sweep_shares = sweep.shares_of_change
    monkeypatch.setattr(sweep, "shares_of_change", lossy)
    with pytest.raises(ScheduleError, match=r"not conserved: off by .* a bug in ghmpp"):
        gh.relevance(MODEL, X)


def test_classes_that_rule_out_the_same_state_share_what_it_had():
    model = gh.Model("twins")
    root = model.root("root", 3, prior=[0.5, 0.3, 0.2])
    for name in ("left", "right"):
        root.children(name, 1, 2, potential=[[0, 1], [0.5, 0.5], [0.9, 0.1]])

    found = gh.relevance(model, {"left": [0], "right": [0]}, state=1)
    assert_allclose(found["left"], found["right"], atol=EXACT)
    assert_allclose(found["left"][:, 0] + found["right"][:, 0], found.total, atol=EXACT)
    assert_allclose(found.total, [np.log(0.3 * 0.25 / (0.2 * 0.81)) - np.log(0.3 / 0.7)])
