"""Questions about random spins, for the tests of networks of fields."""

from __future__ import annotations

import numpy as np

import ghmpp as gh

SEEN = gh.noisy("x", sigma=1.0)
ENGINES = {
    "naive": gh.NaiveMeanField(12, 0.0),
    "damped": gh.NaiveMeanField(12, 0.4),
    "tap": gh.TAP(4, 0.0, "constant"),
    "self": gh.TAP(3, 0.0),
    "loopy": gh.LoopyBP(3, 0.0),
}


def program(engine, *, norm=0.6, query=gh.mean, d=8):
    """A question about spins of all signs of couplings."""
    rng = np.random.default_rng(3)
    matrix = np.triu(rng.normal(size=(d, d)), 1)
    matrix = (matrix + matrix.T) * norm / np.linalg.norm(matrix + matrix.T, 2)
    spins = gh.PairwiseSpins(matrix, 0.3 * rng.normal(size=d))
    return gh.compile(spins, query("x"), SEEN, engine=engine)


def distance(network, exact, z):
    """Largest Euclidean norm, over nodes, of the error; of posteriors of the second state."""
    z = z.to(network.dtype)
    gap = network(z).double() - exact(z.double())
    gap = gap[..., 1] if gap.ndim == 3 else gap
    return gap.norm(dim=1)
