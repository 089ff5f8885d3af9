"""Exact answers by summing over every configuration: float64 logarithms, or rationals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ResourceError
from ghmpp.models.forest import Forest
from ghmpp.verification.answers import Answer
from ghmpp.verification.recursion import log_sums, logarithms, require_mass
from ghmpp.verification.unroll import (
    Node,
    by_class,
    fractions,
    means,
    node_evidence,
    unroll,
    variances,
)


def configurations(forest: Forest) -> int:
    """Number of joint configurations of all variables."""
    return math.prod(block.states**block.nodes for block in forest.blocks.values())


def enumeration(
    forest: Forest,
    log_likelihoods: Mapping[str, FloatArray] | None = None,
    *,
    limit: int = 2_000_000,
) -> Answer:
    r"""Sum over every configuration, in float64 logarithms.

    .. math:: Z(e) = \sum_x \prod_v \phi_v(x_v)\, L_v(x_v) \prod_{(u,v)} \psi_{uv}(x_u, x_v)

    Parameters
    ----------
    forest
        A forest with values for all potentials.
    log_likelihoods
        By class, shape (batch, nodes, states), user's order, -inf allowed; absent classes are
        unobserved. None: one row without evidence.
    limit
        Largest number of configurations that is tried.

    Returns
    -------
    Answer
        Everything but counts and mass.

    Raises
    ------
    ResourceError
        If the forest has more than ``limit`` configurations.
    EvidenceError
        If a likelihood has the wrong shape.
    ModelError
        If a potential has no values.
    """
    _refuse(forest, limit)
    nodes = unroll(forest)
    observed, batch = node_evidence(nodes, log_likelihoods)
    factors = [(logarithms(node.table), logarithms(node.unary)) for node in nodes]
    empty = np.zeros(1)
    log_partition = require_mass(float(log_sums(_joint(nodes, factors, None, np.add, empty))))

    best = np.full(batch, -np.inf)
    logs = np.full(batch, -np.inf)
    choice = np.zeros((batch, len(nodes)), dtype=np.int64)
    singles, pairs = _room(nodes, batch, "float64")
    for row in range(batch):
        mass = _joint(nodes, factors, _row(observed, row), np.add, empty)
        at = int(np.argmax(mass))
        best[row] = mass[at]
        choice[row] = _digits(nodes, at)
        if best[row] > -np.inf:
            logs[row] = log_sums(mass)
            _marginals(nodes, np.exp(mass - logs[row]), row, singles, pairs)
    posteriors = by_class(nodes, singles)
    return Answer(
        log_evidence=logs - log_partition,
        log_partition=log_partition,
        posteriors=posteriors,
        means=means(forest, posteriors),
        variances=variances(forest, posteriors),
        edges=by_class(nodes, pairs),
        best=best,
        choice=by_class(nodes, dict(enumerate(choice.T))),
    )


def exact_enumeration(
    forest: Forest,
    likelihoods: Mapping[str, AnyArray] | None = None,
    *,
    limit: int = 50_000,
) -> Answer:
    """Sum over every configuration, in exact rational numbers.

    Parameters
    ----------
    forest
        A forest with values for all potentials; floats are read as the rationals that they are
        (``model.forest(exact=True)`` keeps declared fractions).
    likelihoods
        By class, shape (batch, nodes, states), LINEAR, user's order; integers, fractions or
        floats. None: one row without evidence.
    limit
        Largest number of configurations that is tried.

    Returns
    -------
    Answer
        ``mass`` and posteriors, means, edges as arrays of ``Fraction``; ``log_evidence`` and
        ``log_partition`` as floats. No choice, no counts.

    Raises
    ------
    ResourceError
        If the forest has more than ``limit`` configurations.
    EvidenceError
        If a likelihood has the wrong shape.
    ModelError
        If a potential has no values.
    """
    _refuse(forest, limit)
    nodes = unroll(forest)
    given = None if likelihoods is None else {k: fractions(v) for k, v in likelihoods.items()}
    observed, batch = node_evidence(nodes, given)
    factors = [
        tuple(None if each is None else fractions(each) for each in (node.table, node.unary))
        for node in nodes
    ]
    empty = fractions(np.ones(1))
    partition = _joint(nodes, factors, None, np.multiply, empty).sum()
    log_partition = require_mass(_log(partition))

    masses = np.empty(batch, dtype=object)
    singles, pairs = _room(nodes, batch, "object")
    for row in range(batch):
        mass = _joint(nodes, factors, _row(observed, row), np.multiply, empty)
        masses[row] = mass.sum()
        if masses[row] > 0:
            _marginals(nodes, mass / masses[row], row, singles, pairs)
    posteriors = by_class(nodes, singles)
    return Answer(
        log_evidence=np.array([_log(mass / partition) for mass in masses], dtype=np.float64),
        log_partition=log_partition,
        posteriors=posteriors,
        means=means(forest, posteriors),
        variances=variances(forest, posteriors),
        edges=by_class(nodes, pairs),
        mass=masses,
    )


def _refuse(forest: Forest, limit: int) -> None:
    """Raise when the forest has more configurations than the limit."""
    digits = sum(block.nodes * math.log10(block.states) for block in forest.blocks.values())
    if digits > 15:
        count = f"about 10^{digits:.0f}"
    elif configurations(forest) > limit:
        count = f"{configurations(forest):,}"
    else:
        return
    raise ResourceError(
        f"{count} configurations exceed limit={limit:,}; for bigger models use 'recursion'."
    )


def _row(observed: Sequence[AnyArray | None], row: int) -> list[AnyArray | None]:
    return [None if each is None else each[row] for each in observed]


def _joint(
    nodes: Sequence[Node],
    factors: Sequence[tuple[AnyArray | None, ...]],
    seen: Sequence[AnyArray | None] | None,
    combine: np.ufunc,
    empty: AnyArray,
) -> AnyArray:
    """Mass of every configuration, the last node fastest, shape (configurations,)."""
    joint = empty
    for index, (node, (table, unary)) in enumerate(zip(nodes, factors, strict=True)):
        grown = joint[:, None].repeat(node.states, axis=1)
        if node.parent is not None and table is not None:
            stride = math.prod(each.states for each in nodes[node.parent + 1 : index])
            parent_state = np.arange(len(joint)) // stride % nodes[node.parent].states
            grown = combine(grown, table[parent_state])
        for factor in (unary, None if seen is None else seen[index]):
            grown = grown if factor is None else combine(grown, factor)
        joint = grown.ravel()
    return joint


def _digits(nodes: Sequence[Node], configuration: int) -> list[int]:
    """States of the nodes in a configuration of :func:`_joint`."""
    states: list[int] = []
    for node in reversed(nodes):
        configuration, state = divmod(configuration, node.states)
        states.append(state)
    return states[::-1]


def _room(
    nodes: Sequence[Node], batch: int, dtype: str
) -> tuple[dict[int, AnyArray], dict[int, AnyArray]]:
    """Zeros for the posteriors of all nodes, and of all nodes with their parents."""
    singles: dict[int, AnyArray] = {}
    pairs: dict[int, AnyArray] = {}
    for index, node in enumerate(nodes):
        singles[index] = np.zeros((batch, node.states), dtype=dtype)
        if node.parent is not None:
            above = nodes[node.parent].states
            pairs[index] = np.zeros((batch, above, node.states), dtype=dtype)
    return singles, pairs


def _marginals(
    nodes: Sequence[Node],
    mass: AnyArray,
    row: int,
    singles: Mapping[int, AnyArray],
    pairs: Mapping[int, AnyArray],
) -> None:
    """Write the marginals of one normalised joint."""
    sizes = [node.states for node in nodes]
    for index, node in enumerate(nodes):
        before, after = math.prod(sizes[:index]), math.prod(sizes[index + 1 :])
        singles[index][row] = mass.reshape(before, node.states, after).sum(axis=(0, 2))
        if node.parent is not None:
            above, between = math.prod(sizes[: node.parent]), sizes[node.parent + 1 : index]
            shape = (above, sizes[node.parent], math.prod(between), node.states, after)
            pairs[index][row] = mass.reshape(shape).sum(axis=(0, 2, 4))


def _log(number: Fraction) -> float:
    """Log of an exact number of any size, to the last digits; -inf for 0."""
    if number <= 0:
        return -math.inf
    exponent = number.numerator.bit_length() - number.denominator.bit_length()
    return math.log(number / Fraction(2) ** exponent) + exponent * math.log(2)
