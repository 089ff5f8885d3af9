"""Singular values against the joint law summed over all configurations; ranks against cuts."""

from __future__ import annotations

from string import ascii_letters

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError, ResourceError
from ghmpp.verification.unroll import unroll
from tests.observables.test_cuts import partitions
from tests.strategies import models
from tests.tolerances import EXACT


def joint(model, part):
    """Probabilities of the leaves, those of the part as rows."""
    nodes = unroll(model.forest())
    letter = dict(enumerate(ascii_letters))
    operands, terms = [], []
    for index, node in enumerate(nodes):
        operands.append(np.ones(node.states) if node.unary is None else node.unary)
        terms.append(letter[index])
        if node.parent is not None:
            operands.append(node.table)
            terms.append(letter[node.parent] + letter[index])
    leaves = [k for k, node in enumerate(nodes) if node.variable in model.forest().leaves]
    inside = [k for k in leaves if nodes[k].position in part.get(nodes[k].variable, ())]
    outside = [k for k in leaves if k not in inside]
    kept = "".join(letter[k] for k in (*inside, *outside))
    found = np.einsum(f"{','.join(terms)}->{kept}", *operands, optimize=True)
    rows = int(np.prod([nodes[k].states for k in inside]))
    return found.reshape(rows, -1) / found.sum()


@given(st.data(), models(limit=1_000))
def test_values_are_those_of_the_enumerated_law(data, model):
    part = data.draw(partitions(model))
    found = gh.schmidt(model, part)

    truth = np.linalg.svd(joint(model, part), compute_uv=False)
    assert_allclose(found.values, truth, rtol=0, atol=EXACT)
    assert found.rank <= found.cut.rank
    assert found.entropy <= found.cut.value + EXACT


def chain(hidden, seen, length):
    rng = np.random.default_rng(3)
    model = gh.Model("chain")
    steps = model.chain("z", length, hidden, potential=rng.uniform(0.1, 2, (hidden, hidden)))
    steps.children("x", 1, seen, potential=rng.uniform(0.1, 2, (hidden, seen)))
    return model


def irregular():
    rng = np.random.default_rng(4)
    model = gh.Model("irregular")
    root = model.root("r", 3)
    inner = root.children("u", 2, 2, potential=rng.uniform(0.1, 2, (2, 3, 2)))
    inner.children("a", 2, 3, potential=rng.uniform(0.1, 2, (2, 2, 3)))
    root.children("b", 3, 2, potential=rng.uniform(0.1, 2, (3, 3, 2)))
    other = model.root("q", 2)
    other.children("c", 2, 3, potential=rng.uniform(0.1, 2, (2, 2, 3)))
    return model


def ghm(states, branching):
    return gh.zoo.random_ghm(states, branching, bound=20, seed=0)


PAIRS = [
    ("contiguous", ghm(3, (2, 4)), {"x2": [0, 1, 2, 3]}, 3),
    ("interleaved", ghm(3, (2, 4)), {"x2": [0, 2, 4, 6]}, 9),
    ("one from each", ghm(3, (2, 4)), {"x2": [0, 4]}, 9),
    ("one leaf", ghm(3, (2, 4)), {"x2": [5]}, 3),
    ("binary, halves", ghm(2, (2, 2, 2)), {"x3": [0, 1, 2, 3]}, 2),
    ("binary, pairs", ghm(2, (2, 2, 2)), {"x3": [0, 1, 4, 5]}, 4),
    ("binary, alternating", ghm(2, (2, 2, 2)), {"x3": [0, 2, 4, 6]}, 16),
    ("narrow root", ghm((2, 3, 3), (2, 3)), {"x2": [0, 1, 2]}, 2),
    ("wide root", ghm((5, 3, 3), (2, 3)), {"x2": [0, 1, 2]}, 3),
    ("chain, halves", chain(2, 3, 8), {"x": [0, 1, 2, 3]}, 2),
    ("chain, interleaved", chain(2, 3, 8), {"x": [0, 1, 4, 5]}, 8),
    ("forest", irregular(), {"a": [0, 2], "b": [0], "c": [1]}, 16),
]


@pytest.mark.parametrize(
    ("model", "part", "rank"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS]
)
def test_generic_rank_is_the_vertex_cut(model, part, rank):
    found = gh.schmidt(model, part)

    assert found.cut.rank == rank
    assert np.linalg.matrix_rank(joint(model, part), rtol=EXACT) == rank
    assert found.rank == rank
    assert found.entropy <= found.cut.value


def test_copies_are_as_entangled_as_the_cut_allows():
    eye = np.eye(3)
    found = gh.schmidt(gh.GHM(3, (2, 2), [eye, eye]), {"x2": [0, 1]})

    assert_allclose(found.values[:3], 1 / 3)
    assert found.entropy == pytest.approx(np.log(3))
    assert found.cut.value == pytest.approx(np.log(3))


def test_independent_leaves_have_no_entropy():
    found = gh.schmidt(gh.GHM(2, (2,), [np.ones((2, 2))]), {"x1": [0]})

    assert (found.rank, found.entropy) == (1, pytest.approx(0, abs=EXACT))
    assert repr(found).startswith("1 leaves against 1: rank 1 of at most 2")


def test_too_many_joint_states_are_refused():
    with pytest.raises(ResourceError, match=r"131,072 joint states, more than limit=100,000"):
        gh.schmidt(gh.zoo.random_ghm(2, (17,), bound=2), {"x1": [0]})
    with pytest.raises(ResourceError, match=r"more than 10\^15 joint states"):
        gh.schmidt(gh.zoo.random_ghm(2, (4, 4, 4), bound=2), {"x3": [0]})


def test_wrong_arguments_are_refused():
    model = ghm(2, (2,))
    with pytest.raises(QueryError, match=r"tolerance must lie in \[0, 1\), got 1"):
        gh.schmidt(model, {"x1": [0]}, tolerance=1)
    with pytest.raises(ModelError, match="not complete"):
        gh.schmidt(gh.GHM(2, (2,)), {"x1": [0]})
    model = gh.Model("none")
    top = model.root("a", 2).children("b", 1, 2, potential=[[1, 0], [1, 0]])
    top.children("c", 1, 2, potential=[[0, 0], [1, 1]])
    with pytest.raises(ModelError, match="positive weight"):
        gh.schmidt(model, {"c": [0]})


@pytest.mark.parametrize("flip", [0.1, 0.3])
def test_entropy_is_that_of_the_squared_singular_values(flip):
    model = gh.GHM(2, (2,), [[np.eye(2), [[1 - flip, flip], [flip, 1 - flip]]]])
    found = gh.schmidt(model, ["x1[0]"])
    share = 1 / (1 + (1 - 2 * flip) ** 2)

    assert_allclose(found.values, [0.5, 0.5 - flip], atol=EXACT)
    wanted = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert found.entropy == pytest.approx(wanted, abs=EXACT)
