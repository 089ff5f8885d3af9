"""Belief propagation on directed edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.models.cavities import arrows, longest_path
from tests.schedule.test_variational import answer
from tests.spins import means, random_couplings, random_tree
from tests.tolerances import EXACT, SATURATED, SINGLE

RNG = np.random.default_rng(0)


@settings(max_examples=20)
@given(st.integers(1, 8), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_trees_are_exact_after_the_longest_path(d, classes, seed):
    rng = np.random.default_rng(seed)
    matrix, b = random_tree(d, rng), rng.normal(size=d)
    parted = rng.permutation(d)
    names = {"x": parted[: d - 1].tolist(), "y": parted[d - 1 :].tolist()} if d > 1 else None
    spins = gh.PairwiseSpins(matrix, b, names if classes == 2 else None)
    fields = rng.normal(size=(3, d))
    sites = {name: list(found) for name, found in spins.classes.items()}

    expected = means(matrix, b, fields)
    seen = {name: fields[:, found] for name, found in sites.items()}
    for name, found in sites.items():
        np.testing.assert_allclose(
            answer(spins, gh.LoopyBP(), seen, of=name), expected[:, found], atol=EXACT
        )


def test_one_step_less_than_the_longest_path_is_not_exact():
    matrix = 0.5 * (np.eye(6, k=1) + np.eye(6, k=-1))
    spins = gh.PairwiseSpins(matrix)
    fields = RNG.normal(size=(2, 6))
    longest = longest_path(arrows(matrix))

    short = answer(spins, gh.LoopyBP(steps=longest - 1), {"x": fields})

    assert longest == 5
    assert np.abs(short - means(matrix, np.zeros(6), fields)).max() > 1e-6


def test_temperature_is_that_of_the_law():
    matrix, b = random_tree(6, RNG), RNG.normal(size=6)
    fields = RNG.normal(size=(3, 6))

    found = answer(gh.PairwiseSpins(matrix, b), gh.LoopyBP(temperature=0.4), {"x": fields})

    np.testing.assert_allclose(found, means(matrix / 0.4, b / 0.4, fields / 0.4), atol=EXACT)


def test_damping_leaves_the_fixed_point():
    spins = gh.PairwiseSpins(random_couplings(6, RNG, scale=0.2))
    fields = {"x": RNG.normal(size=(3, 6))}

    np.testing.assert_allclose(
        answer(spins, gh.LoopyBP(steps=400, damping=0.4), fields),
        answer(spins, gh.LoopyBP(steps=400, damping=0.0), fields),
        atol=EXACT,
    )


def test_spins_without_couplings_hear_nothing():
    fields = RNG.normal(size=(3, 4))

    found = answer(gh.PairwiseSpins(np.zeros((4, 4)), 0.2), gh.LoopyBP(), {"x": fields})

    np.testing.assert_allclose(found, np.tanh(fields + 0.2), atol=EXACT)


def test_strong_couplings_are_exact_on_trees_in_both_precisions():
    strong = np.array([11.0, -10.5, 11.5, 8.0])
    spins = gh.PairwiseSpins(np.diag(strong, 1) + np.diag(strong, -1), [0.3, 0, -2.0, 1.0, 0])
    seen = np.array([[1, -1, -1, -1, 0], [0, -1, 1, -1, -1]])
    question = gh.mean("x"), "x"
    exact = gh.compile(spins, *question, engine="exact").network()(seen)
    program = gh.compile(spins, *question, engine=gh.LoopyBP())

    np.testing.assert_allclose(program.network()(seen), exact, atol=SATURATED)
    np.testing.assert_allclose(program.network(dtype="float32")(seen), exact, atol=SINGLE)
    assert program.network("trainable", init="relu")(seen).isfinite().all()


def test_options_and_models_that_do_not_fit_are_refused():
    with pytest.raises(QueryError, match="temperature must be finite and > 0, got 0"):
        gh.LoopyBP(temperature=0)
    with pytest.raises(
        QueryError, match="messages that lose their digits; they must stay below 12"
    ):
        answer(gh.PairwiseSpins([[0, 20.0], [20.0, 0]]), gh.LoopyBP(), {"x": np.zeros((1, 2))})
    named = gh.PairwiseSpins([[0, 1.0], [1.0, 0]], names="messages")
    with pytest.raises(QueryError, match="a class is called 'messages'"):
        gh.compile(named, gh.mean("messages"), engine=gh.LoopyBP())
    coding = gh.SparseCoding(np.eye(2), 0.1, prior=([0, 1], [0.5, 0.5]))
    with pytest.raises(QueryError, match="'x' is a class of real numbers"):
        gh.compile(coding, gh.mean("x"), gh.noisy("x", sigma=1.0), engine=gh.LoopyBP())
