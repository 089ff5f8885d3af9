"""A small model with all that exporters get wrong, its answers by brute force, and its export."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

import ghmpp as gh
from ghmpp.compiler import Program
from ghmpp.models.model import Model

Array = NDArray[np.float64]

# Entries of 1e-30 decide where nothing else does; a zero makes evidence impossible; no number
# but 0 and 1 has few binary digits.
PRIOR = np.array([0.3, 0.7])
PIXEL = np.array([[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], [[0.4, 0.4, 0.2], [1e-30, 0.9, 0.1]]])
SYMBOL = np.array([[0.6, 1e-30, 0.4 - 1e-30, 0.0], [0.7, 3e-30, 0.3 - 3e-30, 0.0]])
VALUES = np.array([0.0, 0.1, 0.3])
SIGMA = 0.7


def model() -> Model:
    """A digit with two noisy pixels and one symbol, whose last state never occurs."""
    found = gh.Model("small")
    digit = found.root("digit", 2, prior=PRIOR)
    digit.children("pixel", 2, 3, potential=PIXEL, values=VALUES, order=(1, 0))
    digit.children("symbol", 1, 4, potential=SYMBOL)
    return found


def program() -> Program:
    """Posterior, means and evidence, from pixels and symbol."""
    return gh.compile(
        model(),
        [gh.posterior("digit"), gh.mean("pixel"), gh.log_evidence()],
        given=[gh.noisy("pixel", sigma=SIGMA), "symbol"],
    )


def answers(z: Array, symbol: Array, sigma: float = SIGMA) -> tuple[Array, Array, Array]:
    """The same by a sum over all configurations: (batch, 2), (batch, 2), (batch,)."""
    posteriors, means, logs = [], [], []
    for row, seen in zip(z, symbol[:, 0], strict=True):
        weights, moments, mass = np.zeros(2), np.zeros(2), 0.0
        for digit, first, second, sign in product(range(2), range(3), range(3), range(4)):
            # The user's pixel 1 is the first child.
            weight = PRIOR[digit] * PIXEL[0, digit, first] * PIXEL[1, digit, second]
            weight *= SYMBOL[digit, sign]
            pixels = np.array([VALUES[second], VALUES[first]])
            logs_of = -0.5 * ((row - pixels) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))
            weight *= np.exp(logs_of[~np.isnan(row)].sum()) * (seen in (-1, sign))
            weights[digit] += weight
            moments += weight * pixels
            mass += weight
        total = mass if mass > 0 else 1.0
        posteriors.append(weights / total)
        means.append(moments / total)
        with np.errstate(divide="ignore"):
            logs.append(np.log(mass))
    return np.array(posteriors), np.array(means), np.array(logs)


# One row, and a number of rows that was not traced: ordinary, missing, decided by 1e-30,
# impossible, and far away.
Z = np.array([[0.1, 0.2], [np.nan, 0.4], [np.nan, np.nan], [0.3, -0.2], [0.0, 0.1]])
SYMBOLS = np.array([[0], [-1], [1], [3], [1]])
