"""Models whose leaves can be enumerated, with state values."""

from __future__ import annotations

import numpy as np

import ghmpp as gh

FLIP = np.array([[0.9, 0.1], [0.1, 0.9]])
STICKY = np.full((3, 3), 0.03) + 0.91 * np.eye(3)


def broadcast(depth, values=(1, 2)):
    """A binary tree that copies the root's state with flip probability 0.1."""
    return gh.GHM(2, (2,) * depth, [FLIP] * depth, state_values=values)


def sticky():
    """Three states that mostly stay; 81 configurations of the leaves."""
    return gh.GHM(3, (2, 2), [STICKY] * 2, state_values=(1, 2, 3))


def extreme():
    """Tables with entries 1/10 and 10; 81 configurations of the leaves."""
    values = [1, 2, 3]
    return gh.zoo.random_ghm((3, 3, values), (2, 2), bound=10, entries="extreme", seed=0)
