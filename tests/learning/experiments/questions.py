"""Small questions about which everything can be enumerated."""

from __future__ import annotations

import numpy as np

import ghmpp as gh
from ghmpp.verification.enumeration import enumeration


def tree(seed=0, states=3, branching=(2, 2), bound=4):
    """Random tables; the leaves have the values 0, 1, ..."""
    spaces = [states] * len(branching) + [range(states)]
    return gh.zoo.random_ghm(spaces, branching, bound=bound, seed=seed)


def classify(model, top="x0", leaf="x2"):
    return gh.compile(model, gh.posterior(top), given=leaf)


def denoise(model, leaf="x2", sigma=1.0):
    return gh.compile(model, gh.mean(leaf), given=gh.noisy(leaf, sigma=sigma))


def all_inputs(model, leaf="x2"):
    """Every joint state of the leaves, (inputs, leaves)."""
    variable = model.variables[leaf]
    grid = np.indices([len(variable.states)] * variable.nodes)
    return grid.reshape(variable.nodes, -1).T


def enumerated_posteriors(model, top="x0", leaf="x2"):
    """Probability of each input, and posteriors given it, by summing over configurations."""
    inputs = all_inputs(model, leaf)
    states = len(model.variables[leaf].states)
    with np.errstate(divide="ignore"):
        logs = np.log((inputs[..., None] == np.arange(states)).astype(float))
    found = enumeration(model.forest(), {leaf: logs})
    return np.exp(found.log_evidence), found.posteriors[top]
