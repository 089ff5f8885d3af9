"""Exact answers node by node: an oracle for trees that are too big to enumerate.

One pass of log-sum-exps from the leaves to the roots, then ``P(child | parent, evidence)`` from
the roots down. No message toward the leaves is formed and no sibling excluded, so that the
way down shares no step with that of a schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.errors import ModelError
from ghmpp.models.forest import Forest
from ghmpp.verification.answers import Answer
from ghmpp.verification.unroll import Node, by_class, means, node_evidence, unroll, variances


def log_recursion(
    forest: Forest,
    log_likelihoods: Mapping[str, FloatArray] | None = None,
    *,
    edges: bool = True,
) -> Answer:
    r"""Two passes over the nodes, in float64 logarithms; linear in the number of nodes.

    .. math::
        u_v(s) &= \phi_v(s)\, L_v(s) \prod_{c} \sum_a \psi_{vc}(s, a)\, u_c(a) \\
        P(x_c = a \mid x_v = s, e) &= \psi_{vc}(s, a)\, u_c(a) / \sum_b \psi_{vc}(s, b)\, u_c(b)

    Parameters
    ----------
    forest
        A forest with values for all potentials.
    log_likelihoods
        By class, shape (batch, nodes, states), user's order, -inf allowed; absent classes are
        unobserved. None: one row without evidence.
    edges
        Whether joint posteriors with the parents are kept; they need much memory on big trees.

    Returns
    -------
    Answer
        Everything but counts and mass.

    Raises
    ------
    EvidenceError
        If a likelihood has the wrong shape.
    ModelError
        If a potential has no values, or no configuration has positive mass.
    """
    nodes = unroll(forest)
    observed, batch = node_evidence(nodes, log_likelihoods)
    nothing: tuple[FloatArray | None, ...] = (None,) * len(nodes)
    log_partition = require_mass(float(_upward(nodes, nothing, 1, log_sums)[1][0]))

    below, logs = _upward(nodes, observed, batch, log_sums)
    possible = (logs > -np.inf).astype(np.float64)[:, None]
    singles: dict[int, FloatArray] = {}
    pairs: dict[int, FloatArray] = {}
    for index, node in enumerate(nodes):
        if node.parent is None:
            share = np.exp(below[index] - _finite(log_sums(below[index]))[:, None])
            singles[index] = share * possible
            continue
        joint = logarithms(node.table) + below[index][:, None, :]
        conditional = np.exp(joint - _finite(log_sums(joint))[:, :, None])
        pair = singles[node.parent][:, :, None] * conditional
        singles[index] = pair.sum(axis=1)
        if edges:
            pairs[index] = pair

    best_below, best = _upward(nodes, observed, batch, _maxima)
    posteriors = by_class(nodes, singles)
    return Answer(
        log_evidence=logs - log_partition,
        log_partition=log_partition,
        posteriors=posteriors,
        means=means(forest, posteriors),
        variances=variances(forest, posteriors),
        edges=by_class(nodes, pairs),
        best=best,
        choice=by_class(nodes, _backtrack(nodes, best_below)),
    )


def log_mass(
    forest: Forest,
    choice: Mapping[str, IntArray],
    log_likelihoods: Mapping[str, FloatArray] | None = None,
) -> FloatArray:
    """Log mass of given configurations, likelihood included, shape (batch,).

    Parameters
    ----------
    forest
        A forest with values for all potentials.
    choice
        State of every node by class, shape (batch, nodes), user's order.
    log_likelihoods
        As for :func:`enumeration`; None: without evidence.
    """
    nodes = unroll(forest)
    observed, _ = node_evidence(nodes, log_likelihoods)
    total = np.zeros(len(next(iter(choice.values()))))
    rows = np.arange(len(total))
    for node, seen in zip(nodes, observed, strict=True):
        state = choice[node.variable][:, node.position]
        if node.parent is not None and node.table is not None:
            above = nodes[node.parent]
            total += logarithms(node.table)[choice[above.variable][:, above.position], state]
        total += 0.0 if node.unary is None else logarithms(node.unary)[state]
        total += (
            0.0 if seen is None else np.broadcast_to(seen, (len(rows), node.states))[rows, state]
        )
    return total


def require_mass(log_partition: float) -> float:
    """The log partition function, refused when it is -inf."""
    if log_partition == -math.inf:
        raise ModelError("the model has no configuration of positive mass: Z() = 0.")
    return log_partition


def logarithms(array: AnyArray | None) -> FloatArray:
    """Natural logarithms, true -inf at zeros; None counts as 1."""
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(1.0 if array is None else array, dtype=np.float64))


def log_sums(logs: FloatArray) -> FloatArray:
    """Log-sum-exp over the last axis; -inf where all entries are."""
    shift = _finite(logs.max(axis=-1))
    with np.errstate(divide="ignore"):
        return np.asarray(shift + np.log(np.exp(logs - shift[..., None]).sum(axis=-1)))


def _upward(
    nodes: Sequence[Node],
    observed: Sequence[FloatArray | None],
    batch: int,
    reduce: Callable[[FloatArray], FloatArray],
) -> tuple[list[FloatArray], FloatArray]:
    """Log mass below each state of each node, shifted to maximum 0, and the log total."""
    below = [np.zeros((batch, node.states)) for node in nodes]
    total = np.zeros(batch)
    for index in range(len(nodes) - 1, -1, -1):
        node, seen, mass = nodes[index], observed[index], below[index]
        mass += 0.0 if node.unary is None else logarithms(node.unary)
        mass += 0.0 if seen is None else seen
        shift = mass.max(axis=-1)
        total += shift
        mass -= _finite(shift)[:, None]
        if node.parent is None:
            total += reduce(mass)
        else:
            below[node.parent] += reduce(logarithms(node.table) + mass[:, None, :])
    return below, total


def _backtrack(nodes: Sequence[Node], below: Sequence[FloatArray]) -> dict[int, IntArray]:
    """Best state of every node given the best state of its parent, each (batch,)."""
    chosen: dict[int, IntArray] = {}
    for index, node in enumerate(nodes):
        mass = below[index]
        if node.parent is not None:
            mass = mass + logarithms(node.table)[chosen[node.parent]]
        chosen[index] = mass.argmax(axis=-1)
    return chosen


def _maxima(logs: FloatArray) -> FloatArray:
    return np.asarray(logs.max(axis=-1))


def _finite(logs: FloatArray) -> FloatArray:
    """The array with -inf replaced by 0: a shift for rows without mass."""
    return np.where(logs == -np.inf, 0.0, logs)
