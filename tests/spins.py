"""Spins solved by summing over all configurations; nothing here imports ghmpp."""

from __future__ import annotations

import itertools

import numpy as np


def configurations(d):
    """All configurations of -1 and +1, (2^d, d)."""
    return np.array(list(itertools.product([-1.0, 1.0], repeat=d)))


def weights(couplings, fields):
    """Probability of every configuration, (2^d,)."""
    x = configurations(len(couplings))
    logs = (x @ couplings * x).sum(1) / 2 + x @ np.asarray(fields)
    found = np.exp(logs - logs.max())
    return found / found.sum()


def means(couplings, fields, evidence):
    """Posterior means (batch, d) given fields from evidence, (batch, d)."""
    x = configurations(len(couplings))
    logs = (x @ couplings * x).sum(1) / 2 + x @ np.asarray(fields) + np.asarray(evidence) @ x.T
    found = np.exp(logs - logs.max(1, keepdims=True))
    return found @ x / found.sum(1, keepdims=True)


def drawn(couplings, fields, n, rng):
    """Samples of the law, (n, d)."""
    x = configurations(len(couplings))
    return x[rng.choice(len(x), n, p=weights(couplings, fields))]


def diffused(x, t, rng):
    """``lam x + sig g`` at time t of the variance-preserving diffusion; with lam and sig."""
    lam = np.exp(-t)
    sig = np.sqrt(1 - lam**2)
    return lam * x + sig * rng.standard_normal(x.shape), float(lam), float(sig)


def random_couplings(d, rng, scale=0.5, density=1.0):
    """Symmetric couplings with zero diagonal."""
    upper = np.triu(rng.normal(scale=scale, size=(d, d)) * (rng.random((d, d)) < density), 1)
    return upper + upper.T


def random_tree(d, rng, scale=0.8):
    """Couplings of a random tree."""
    matrix = np.zeros((d, d))
    for k in range(1, d):
        parent = rng.integers(k)
        matrix[k, parent] = matrix[parent, k] = rng.normal(scale=scale)
    return matrix
