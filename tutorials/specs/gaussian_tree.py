"""A Gaussian tree: every child is its parent, shrunk, with independent noise."""

import ghmpp as gh


def model(depth: int = 3, weight: float = 0.8, noise: float = 0.36) -> gh.GaussianGHM:
    return gh.GaussianGHM(branching=(2,) * depth, weights=weight, noises=noise)
