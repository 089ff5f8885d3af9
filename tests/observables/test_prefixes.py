"""Prefix posteriors against sums over all sequences, and the chain rule."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import EvidenceError, ImpossibleEvidenceError, QueryError
from ghmpp.inference import tokens
from ghmpp.observables import prefix_posteriors
from tests.tolerances import ENUMERATION, EXACT


def small():
    return gh.zoo.random_ghm(3, (2, 2), bound=5, seed=4)


def law(model, states, count):
    """Probability of every sequence of leaves, by the definition of the model."""
    data = model.forest().data
    total = np.zeros([states] * count)
    for root, *inner in product(range(states), repeat=3):
        weight = np.prod([data["x0->x1"][r, root, a] for r, a in enumerate(inner)])
        tables = [data["x1->x2"][r, a] for a in inner for r in range(2)]
        total += weight * np.einsum("a,b,c,d->abcd", *tables)
    return total / total.sum()


def test_every_prefix_is_a_conditional_of_the_law_of_the_leaves():
    model, x = small(), np.array([[0, 1, 2, 0], [2, 2, 1, 1]])
    joint = law(model, 3, 4)
    found = prefix_posteriors(model, x)

    assert found.shape == (2, 4, 3)
    for row, sequence in enumerate(x):
        for position in range(4):
            given = joint[tuple(sequence[:position])]
            expected = given.reshape(3, -1).sum(axis=1)
            np.testing.assert_allclose(
                found[row, position], expected / expected.sum(), rtol=ENUMERATION
            )


@pytest.mark.parametrize(
    "model",
    [
        gh.zoo.random_hierarchy(4, 2, 2, 3, seed=1),
        gh.zoo.hidden_markov(6, [[0.9, 0.1], [0.3, 0.7]], [[0.8, 0.2], [0.1, 0.9]]),
        gh.zoo.quadtree(2, (3, 4)).initialise(0),
    ],
    ids=lambda model: model.name,
)
def test_chain_rule_gives_the_log_evidence(model):
    name = model.forest().leaves[0]
    x = model.sample(5, seed=2)[name]
    found = np.take_along_axis(prefix_posteriors(model, x), x[..., None], axis=-1)

    expected = gh.Inference(model).log_evidence({name: x})
    np.testing.assert_allclose(np.log(found).sum(axis=(1, 2)), expected, rtol=ENUMERATION)


def test_missing_tokens_are_summed_out():
    model, joint = small(), law(small(), 3, 4)
    found = prefix_posteriors(model, [[1, np.nan, 2, 0]])

    given = joint[1].sum(axis=0)[2]
    np.testing.assert_allclose(found[0, 3], given / given.sum(), rtol=ENUMERATION)


def test_portions_change_nothing(monkeypatch):
    model, x = small(), small().sample(7, seed=0)["x2"]
    whole = prefix_posteriors(model, x)
    monkeypatch.setattr(tokens, "PORTION", 3 * 8 * 4 * 3)

    np.testing.assert_allclose(prefix_posteriors(model, x), whole, rtol=EXACT)


def test_one_token_has_its_prior():
    model = gh.Model()
    model.root("x", ["a", "b"], prior=[3, 1])

    np.testing.assert_allclose(prefix_posteriors(model, [["b"]]), [[[0.75, 0.25]]], rtol=EXACT)


class TestImpossible:
    model = gh.GHM((2, 2), (3,), [np.eye(2)])

    def test_prefix_is_named(self):
        with pytest.raises(
            ImpossibleEvidenceError, match="sequence 1 is impossible from token 1 on"
        ) as caught:
            prefix_posteriors(self.model, [[0, 0, 0], [0, 1, 0]])
        assert caught.value.rows == (1,)

    def test_prefix_can_be_flagged(self):
        found = prefix_posteriors(self.model, [[0, 1, 0]], on_impossible="flag")

        np.testing.assert_array_equal(found[0], [[0.5, 0.5], [1, 0], [0, 0]])

    def test_last_token_may_be_impossible(self):
        found = prefix_posteriors(self.model, [[0, 0, 1]])

        np.testing.assert_array_equal(found[0, 2], [1, 0])


def test_classes_must_be_clear():
    two = gh.zoo.joint_ghm(2, flip=0.1, image=(2,), text=(2,))
    with pytest.raises(QueryError, match="classes of leaves image1, text1; say which"):
        prefix_posteriors(two, [[0, 0]])
    with pytest.raises(QueryError, match="unknown class 'sound'; the model has topic, image1"):
        prefix_posteriors(two, [[0, 0]], variable="sound")

    assert prefix_posteriors(two, [[0, 0]], variable="text1").shape == (1, 2, 2)


def test_beliefs_are_not_sequences():
    with pytest.raises(EvidenceError, match="x must be states of 'x2'"):
        prefix_posteriors(small(), np.full((1, 4, 3), 0.5))
