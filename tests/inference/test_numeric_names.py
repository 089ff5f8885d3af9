"""States that are called like positions of other states mean themselves, inside the library too."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.diffusion.metrics import bits_per_token, joint_probabilities
from ghmpp.inference.moments import value_moments
from ghmpp.observables import pair_probabilities, prefix_posteriors


def model(names):
    found = gh.Model("spins")
    root = found.root("root", 2, prior=[0.3, 0.7])
    root.children("spin", 3, names, potential=[[0.9, 0.1], [0.3, 0.7]], values=[-1.0, 1.0])
    return found


@pytest.mark.parametrize("names", [[1, 0], [-1, 1], [0.0, -1.0]])
@pytest.mark.parametrize(
    "measure",
    [
        pair_probabilities,
        joint_probabilities,
        lambda model: value_moments(model, ["spin"])[1],
        lambda model: bits_per_token(np.array([[0, 0, 1], [1, 0, 1]]), model),
        lambda model: prefix_posteriors(model, read(model, [[0, 0, 1], [1, 0, 1]])),
    ],
    ids=["pairs", "joint", "moments", "bits", "prefixes"],
)
def test_names_of_states_do_not_change_what_is_measured(measure, names):
    np.testing.assert_array_equal(measure(model(names)), measure(model(["down", "up"])))


def read(model, positions):
    """The names of states at positions."""
    return np.array(model.variables["spin"].states, dtype=object)[np.array(positions)].tolist()
