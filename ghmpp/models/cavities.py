"""Directed edges of a graph of couplings, and what is known of messages along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray, IntArray

# Rounds of the power iteration for the rate at which messages contract.
ROUNDS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Arrows:
    """Directed edges: edge e leads from ``source[e]`` to ``target[e]``, and back ``reverse[e]``."""

    source: IntArray
    target: IntArray
    reverse: IntArray
    strength: FloatArray


def arrows(matrix: FloatArray) -> Arrows:
    """Both directions of each pair that is coupled; (sites, sites), symmetric.

    Examples
    --------
    >>> found = arrows(np.array([[0.0, 0.5], [0.5, 0.0]]))
    >>> found.source, found.target, found.reverse
    (array([0, 1]), array([1, 0]), array([1, 0]))
    """
    source, target = np.nonzero(matrix)
    number = np.full(matrix.shape, -1)
    number[source, target] = np.arange(len(source))
    return Arrows(source, target, number[target, source], matrix[source, target])


def longest_path(edges: Arrows) -> int | None:
    """Edges of the longest path where the graph is a forest; None where it has a cycle.

    Examples
    --------
    >>> chain = np.diag([1.0, 1.0], 1) + np.diag([1.0, 1.0], -1)
    >>> longest_path(arrows(chain)), longest_path(arrows(np.ones((3, 3)) - np.eye(3)))
    (2, None)
    """
    # Leaves are removed layer by layer: what is left, if anything, is a cycle; and the longest
    # path to an edge is one more than the longest one behind it.
    length = np.ones(len(edges.source), dtype=np.int64)
    sites = int(edges.source.max(initial=-1)) + 1
    incoming = np.bincount(edges.target, minlength=sites)
    pending = incoming[edges.source] - 1
    leaving: list[list[int]] = [[] for _ in range(sites)]
    for edge, site in enumerate(edges.source):
        leaving[site].append(edge)
    ready = [int(edge) for edge in np.nonzero(pending == 0)[0]]
    done = 0
    while ready:
        edge = ready.pop()
        done += 1
        for after in leaving[edges.target[edge]]:
            if after == edges.reverse[edge]:
                continue
            length[after] = max(length[after], length[edge] + 1)
            pending[after] -= 1
            if pending[after] == 0:
                ready.append(after)
    return int(length.max(initial=0)) if done == len(edges.source) else None


def contraction(edges: Arrows) -> float:
    r"""Rate at which belief propagation contracts; below 1 it has one fixed point, and finds it.

    The spectral radius of the matrix with entries :math:`\tanh |A_{ij}|` from edge (k, i) to
    (i, j) with k != j; or somewhat more, as what rounds of a power iteration leave is an upper
    bound (the rate in a weighted maximum norm).

    References
    ----------
    .. [1] J. M. Mooij, H. J. Kappen, IEEE Trans. Inf. Theory 53 (2007), 4422-4437, Corollary 3.

    Examples
    --------
    >>> ring = 0.5 * (np.roll(np.eye(5), 1, 0) + np.roll(np.eye(5), -1, 0))
    >>> round(contraction(arrows(ring)) - float(np.tanh(0.5)), 9)
    0.0
    """
    sites = int(edges.source.max(initial=-1)) + 1
    weight = np.tanh(np.abs(edges.strength))
    x = np.ones(len(weight))
    rate = 0.0
    for _ in range(ROUNDS):
        into = np.bincount(edges.target, weights=x, minlength=sites)
        # A share of the old value keeps the iteration from swinging where the graph is bipartite.
        new = weight * (into[edges.source] - x[edges.reverse]) + x
        rate = float(np.max(new / x, initial=1.0, where=x > 0)) - 1
        x = new / new.max(initial=1e-300)
    return max(rate, 0.0)
