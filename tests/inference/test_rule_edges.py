"""Joint posteriors of a parent and a child that rules write, against all configurations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import QueryError
from tests.tolerances import ENUMERATION

rng = np.random.default_rng(5)
UPPER = rng.uniform(size=(2, 3, 3)) * (rng.random((2, 3, 3)) < 0.7)
LOWER = rng.uniform(size=(3, 2, 2))
ORDER = [2, 0, 3, 1]


def model() -> gh.Model:
    return gh.GHM((2, 3, 2), (2, 2), [UPPER, gh.Rules.from_table(LOWER)], order=ORDER)


def truth(seen: list[int]) -> np.ndarray:
    """P(x1[k], x2[.]) of tree leaf v with parent v // 2, (leaves in tree order, 3, 2)."""
    joint = np.zeros((4, 3, 2))
    for s, a, b, *leaves in itertools.product(range(2), *[range(3)] * 2, *[range(2)] * 4):
        if any(see not in (-1, leaves[v]) for v, see in enumerate(seen)):
            continue
        weight = UPPER[s, a, b] * LOWER[a, leaves[0], leaves[1]] * LOWER[b, leaves[2], leaves[3]]
        for v, state in enumerate(leaves):
            joint[v, (a, b)[v // 2], state] += weight
    return joint / joint.sum(axis=(1, 2), keepdims=True)


def test_edges_through_rules_are_those_of_all_configurations():
    tree = [0, -1, 1, -1]
    users = np.empty(4, dtype=int)
    users[ORDER] = tree
    found = gh.Inference(model()).edge({"x2": users[None]}, "x1", "x2")

    assert found.shape == (1, 4, 3, 2)
    np.testing.assert_allclose(found[0, ORDER], truth(tree), rtol=0, atol=ENUMERATION)


def test_tensors_in_give_tensors_out():
    found = gh.Inference(model()).edge({"x2": torch.tensor([[0, 1, -1, 1]])}, "x0", "x1")

    assert isinstance(found, torch.Tensor)
    assert found.shape == (1, 2, 2, 3)
    torch.testing.assert_close(found.sum((2, 3)), torch.ones(1, 2, dtype=found.dtype))


def test_the_hidden_class_itself_has_edges_too():
    engine = gh.Inference(model())
    assert engine.edge({}, "x0", "x1 rule").shape == (1, 1, 2, np.count_nonzero(UPPER))
    with pytest.raises(QueryError, match="'x0' is not the parent of 'x2'"):
        engine.edge({}, "x0", "x2")
    with pytest.raises(QueryError, match="'x1' is not the parent of 'nothing'"):
        engine.edge({}, "x1", "nothing")
