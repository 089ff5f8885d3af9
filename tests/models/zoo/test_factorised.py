"""Broadcasts, random tables, joint models, quad-trees and hidden Markov chains."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ModelError
from tests.tolerances import ENUMERATION, EXACT


@settings(max_examples=10)
@given(depth=st.integers(1, 4), flip=st.floats(0, 1), states=st.integers(2, 5))
def test_a_leaf_of_a_broadcast_keeps_the_root_with_the_closed_form(depth, flip, states):
    model = gh.zoo.broadcast(depth, flip, states=states, branching=1)
    found = gh.infer(model, {"x0": 0})[f"x{depth}"][0]

    kept = (1 - flip * states / (states - 1)) ** depth
    expected = np.full(states, (1 - kept) / states)
    expected[0] += kept
    np.testing.assert_allclose(found, expected, atol=ENUMERATION)


@given(bound=st.floats(1, 50), seed=st.integers(0, 5), extreme=st.booleans())
def test_random_tables_keep_their_bound(bound, seed, extreme):
    entries = "extreme" if extreme else "log-uniform"
    model = gh.zoo.random_ghm((2, 3, 4), (2, 3), bound=bound, entries=entries, seed=seed)

    assert model.assumptions().bound <= bound * (1 + EXACT)
    for key, shape in {"x0->x1": (2, 2, 3), "x1->x2": (3, 3, 4)}.items():
        table = model.forest().data[key]
        assert table.shape == shape
        if extreme:
            near = np.minimum(np.abs(table * bound - 1), np.abs(table / bound - 1))
            np.testing.assert_allclose(near, 0, atol=1e-9)


def test_logarithms_of_random_tables_are_uniform():
    table = gh.zoo.random_ghm(60, (2,), bound=10, seed=0).forest().data["x0->x1"]
    share = (np.log10(table) + 1) / 2

    found = np.histogram(share, bins=8, range=(0, 1))[0] / table.size
    np.testing.assert_allclose(found, 1 / 8, atol=0.02)


def test_a_seed_gives_the_same_tables():
    def made(seed):
        return gh.zoo.random_ghm(3, (2, 2), bound=5, seed=seed).forest().data["x0->x1"]

    np.testing.assert_array_equal(made(4), made(4))
    assert not np.array_equal(made(4), made(5))


class TestJoint:
    def test_siblings_share_the_permutation_and_have_flips_of_their_own(self):
        model = gh.zoo.joint_ghm(6, flip=0.2, image=(3, 3), text=(2,), seed=1)

        for key, table in model.forest().data.items():
            if "->" in key:
                copied = table.argmax(axis=2)
                assert sorted(copied[0].tolist()) == list(range(6))
                np.testing.assert_array_equal(copied, copied[:1].repeat(len(table), axis=0))
                np.testing.assert_allclose(table.sum(axis=2), 1, rtol=EXACT)
                assert table.max(axis=2).min() >= 0.8
                assert not np.allclose(table[0], table[1])

    def test_without_flips_all_leaves_tell_the_topic(self):
        model = gh.zoo.joint_ghm(5, flip=0.0, image=(2, 2), text=(2,), seed=0)
        drawn = model.sample(30, seed=0)

        for leaves in ("image2", "text1"):
            found = gh.infer(model, {leaves: drawn[leaves]})["topic"]
            np.testing.assert_array_equal(found.argmax(axis=1), drawn["topic"][:, 0])
            np.testing.assert_allclose(found.max(axis=1), 1, rtol=EXACT)

    def test_without_spread_a_flip_is_uniform(self):
        model = gh.zoo.joint_ghm(4, flip=1.0, spread=0.0, image=(2,), text=(2,))

        np.testing.assert_allclose(model.forest().data["topic->image1"], 1 / 4, rtol=EXACT)


class TestQuadtree:
    def test_quarters_are_blocks_of_the_picture(self):
        tables = [np.full((1, 4), 0.25), np.eye(4)]
        model = gh.zoo.quadtree(4, (1, 4, 4), tables=tables)
        x = model.sample(5, seed=0)
        picture, quarters = x["x2"].reshape(5, 4, 4), x["x1"].reshape(5, 2, 2)

        np.testing.assert_array_equal(picture, quarters.repeat(2, axis=1).repeat(2, axis=2))

    def test_tables_are_free_until_they_are_learned(self):
        model = gh.zoo.quadtree(4, (2, 3, 5))

        assert model.free == ("x0->x1", "x1->x2")
        assert model.variables["x2"].nodes == 16


class TestHiddenMarkov:
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    emission = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])

    def test_posteriors_are_those_of_the_sum_over_all_paths(self):
        initial, seen = np.array([0.6, 0.4]), [0, 2, 1, 2]
        model = gh.zoo.hidden_markov(4, self.transition, self.emission, initial=initial)
        joint = np.zeros((2, 2, 2, 2))
        for path in product(range(2), repeat=4):
            weight = initial[path[0]] * np.prod([self.transition[a, b] for a, b in pairwise(path)])
            joint[path] = weight * np.prod(
                [self.emission[s, o] for s, o in zip(path, seen, strict=True)]
            )
        beliefs = gh.infer(model, {"symbol": [seen]})

        assert beliefs.log_evidence[0] == pytest.approx(np.log(joint.sum()), rel=ENUMERATION)
        for step in range(4):
            others = tuple(axis for axis in range(4) if axis != step)
            expected = joint.sum(axis=others) / joint.sum()
            np.testing.assert_allclose(beliefs["state"][0, step], expected, atol=ENUMERATION)

    def test_the_first_state_is_uniform_by_default(self):
        model = gh.zoo.hidden_markov(1, self.transition, self.emission)

        found = gh.infer(model)["symbol"][0]
        np.testing.assert_allclose(found, self.emission.mean(axis=0), rtol=EXACT)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gh.zoo.broadcast(0, 0.1), "depth must be a whole number >= 1"),
        (lambda: gh.zoo.broadcast(2, 1.1), r"flip must lie in \[0, 1\], got 1.1"),
        (lambda: gh.zoo.broadcast(2, 0.1, states=1), "states must be a whole number >= 2"),
        (lambda: gh.zoo.broadcast(2, 0.1, branching=0), "branching must be a whole number >= 1"),
        (lambda: gh.zoo.random_ghm(2, (2,), bound=0.5), "bound must be finite and >= 1, got 0.5"),
        (lambda: gh.zoo.random_ghm(2, (2,), bound=np.inf), "bound must be finite"),
        (lambda: gh.zoo.random_ghm(2, (2,), bound=2, entries="all"), "'log-uniform' or 'extreme'"),
        (lambda: gh.zoo.joint_ghm(3, flip=-0.1), r"flip must lie in \[0, 1\]"),
        (lambda: gh.zoo.joint_ghm(0, flip=0.1), "states must be a whole number >= 1"),
        (lambda: gh.zoo.joint_ghm(3, flip=0.1, spread=-1), "spread must be finite and >= 0"),
        (lambda: gh.zoo.quadtree(6, 2), "side must be a power of 2"),
        (lambda: gh.zoo.quadtree(1, 2), "side must be a whole number >= 2"),
        (lambda: gh.zoo.quadtree(4, (2, 2)), "states must have 3 entries"),
        (lambda: gh.zoo.hidden_markov(3, [[1, 0]], [[1]]), r"got \(1, 2\) and \(1, 1\)"),
        (lambda: gh.zoo.hidden_markov(3, np.eye(2), np.eye(3)), "transition must have shape"),
        (lambda: gh.zoo.hidden_markov(0, np.eye(2), np.eye(2)), "length must be a whole number"),
    ],
)
def test_numbers_out_of_range_are_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
