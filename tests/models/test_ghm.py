"""The regular model from arrays."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.errors import ModelError
from ghmpp.models.ghm import GHM
from ghmpp.models.layouts import morton_order
from tests.models.joint import joint_weights
from tests.tolerances import EXACT


def test_layers_are_named_from_the_root():
    model = GHM(states=(2, 3, 4), branching=(2, 5))

    assert {name: (v.nodes, len(v.states)) for name, v in model.variables.items()} == {
        "x0": (1, 2),
        "x1": (2, 3),
        "x2": (10, 4),
    }
    assert model.free == ("x0->x1", "x1->x2")


def test_one_number_of_states_serves_all_layers():
    assert [len(v.states) for v in GHM(states=3, branching=(2, 2)).variables.values()] == [3, 3, 3]


def test_weights_are_the_product_of_the_tables():
    rng = np.random.default_rng(0)
    prior, first, second = rng.random(2), rng.random((2, 2, 3)), rng.random((3, 2))

    model = GHM(states=(2, 3, 2), branching=(2, 1), tables=[first, second], prior=prior)
    names, weights = joint_weights(model.graph())

    assert names == ["x0", "x1[0]", "x1[1]", "x2[0]", "x2[1]"]
    expected = np.einsum("a,ab,ac,bd,ce->abcde", prior, *first, second, second)
    np.testing.assert_allclose(weights, expected, rtol=EXACT)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0, 6.0], {"x1": [5, 6]}),
        (np.array([5.0, 6.0]), {"x1": [5, 6]}),
        ([None, [5.0, 6.0]], {"x1": [5, 6]}),
        ([[1, 2, 3], [5, 6]], {"x0": [1, 2, 3], "x1": [5, 6]}),
        ({0: [1, 2, 3]}, {"x0": [1, 2, 3]}),
    ],
)
def test_state_values_are_those_of_the_leaves_or_by_layer(values, expected):
    model = GHM(states=(3, 2), branching=(2,), state_values=values)

    found = {n: list(v.values) for n, v in model.variables.items() if v.values is not None}
    assert found == expected


def test_the_order_is_that_of_the_leaves():
    model = GHM(states=2, branching=(4, 4), order=morton_order(4))

    assert model.variables["x1"].order is None
    np.testing.assert_array_equal(model.variables["x2"].order[:4], [0, 1, 4, 5])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"branching": ()}, "branching is empty"),
        ({"branching": 2}, r"branching must be a sequence \(m1, ..., mL\), got 2"),
        ({"branching": (2, 0)}, "variable 'x2': count must be a whole number >= 1, got 0"),
        ({"states": None}, r"states must be a sequence \(S0, ..., SL\), got None"),
        ({"tables": 5}, "tables must be a sequence"),
        ({"states": (2, 2)}, r"states must have 3 entries \(root to leaves\) .* got 2"),
        ({"tables": [np.ones((2, 2))]}, "tables must have one entry per level, 2 for .* got 1"),
        ({"tables": [np.ones((2, 2)), np.ones((3, 2))]}, "potential of 'x1' -> 'x2'"),
        ({"tables": [np.ones((2, 2, 3)), None]}, r"level 1: .*\(2, 2, 2\), a joint .*\(2, 2, 3\)"),
        (
            {"branching": (3, 1), "tables": [np.ones((2, 2, 2)), np.ones((3, 2, 2))]},
            r"potential of 'x0' -> 'x1'.* got \(2, 2, 2\)",
        ),
        (
            {"branching": (1, 3), "tables": [None, np.ones((2, 2, 2, 3))]},
            r"tables of level 2: .*\(3, 2, 2\), one .* \(2, 2, 2, 2\), a joint .*\(2, 2, 2, 3\)",
        ),
        ({"tables": [np.ones((3, 2, 2)), None]}, r"\(2, 2\) or \(2, 2, 2\).*got \(3, 2, 2\)"),
        ({"prior": [1, -1]}, "prior of 'x0': entries must be >= 0"),
        ({"state_values": {3: [1, 2]}}, "names layer 3, not in 0..2"),
        ({"state_values": [None, [1, 2]]}, "needs 3 entries, got 2"),
        ({"state_values": [1, 2, 3]}, r"variable 'x2': state values must have shape \(2,\)"),
        ({"order": [0, 1]}, r"order must have shape \(4,\)"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        GHM(**({"states": 2, "branching": (2, 2)} | arguments))
