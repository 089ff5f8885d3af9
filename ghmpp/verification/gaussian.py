"""Networks of real variables against one joint normal distribution, solved by linear algebra.

The oracle forms the precision matrix of all real variables at once, for every configuration of
the discrete ones; there are no messages and no tree in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ResourceError
from ghmpp.models.channels import Channel, Gaussian, Given, Localization
from ghmpp.models.forest import Forest
from ghmpp.models.gaussian_sampling import sample
from ghmpp.models.observations import Observed
from ghmpp.verification.answers import Answer
from ghmpp.verification.recursion import log_sums
from ghmpp.verification.subjects import Subject

VARIABLES, CONFIGURATIONS = 600, 500

Logs: TypeAlias = Mapping[str, FloatArray]
Node: TypeAlias = tuple[str, int]


def draw_gaussian_evidence(
    forest: Forest, given: Sequence[Given], rows: int, seed: int
) -> dict[str, dict[str, object]]:
    """Evidence by kind, as a user would pass it, drawn from the model.

    - "none": nothing observed, one row;
    - "noisy": real variables through their channels, states as they are;
    - "partial": the same, half of it missing; "large": numbers ten times as large.
    """
    rng = np.random.default_rng(seed)
    drawn = sample(forest, rows, rng)

    def batch(missing: float, scale: float) -> dict[str, object]:
        found: dict[str, object] = {}
        for item in given:
            x, channel = drawn[item.variable], item.channel
            gone = rng.random(x.shape) < missing
            if isinstance(channel, Gaussian | Localization):
                values = forest.variables[item.variable].values
                z = channel.sample(x if values is None else values[x], rng)
                found[item.variable] = Observed(np.where(gone, np.nan, scale * z), channel)
            else:
                found[item.variable] = np.where(gone, -1, x)
        return found

    return {
        "none": {},
        "noisy": batch(0.0, 1.0),
        "partial": batch(0.5, 1.0),
        "large": batch(0.0, 10.0),
    }


def as_observed(logs: FloatArray, channel: Channel | None) -> Observed:
    """Observations that have these J, h and c (..., 3): numbers, NaN where nothing was seen."""
    assert isinstance(channel, Gaussian | Localization)
    gain, _ = channel.coefficients()
    nothing = (logs == 0).all(axis=-1)
    return Observed(np.where(nothing, np.nan, logs[..., 1] / gain), channel)


def normal(subject: Subject, logs: Logs) -> Answer:
    """Means, variances, posteriors and log evidence by dense linear algebra.

    Raises
    ------
    ResourceError
        If there are too many real variables, or configurations of the others.
    """
    forest = subject.forest
    real = [node for node in _nodes(forest) if forest.is_gaussian(node[0])]
    others = [node for node in _nodes(forest) if not forest.is_gaussian(node[0])]
    sizes = [forest.blocks[name].states for name, _ in others]
    if len(real) > VARIABLES or prod(sizes) > CONFIGURATIONS:
        raise ResourceError(
            f"{len(real):,} real variables and {prod(sizes):,} configurations of others exceed "
            f"{VARIABLES:,} and {CONFIGURATIONS:,}; it would be slow."
        )
    batch = max((len(each) for each in logs.values()), default=1)
    seen = _seen(forest, real, logs, batch)
    bare, masses, means, variances, states = [], [], [], [], []
    for chosen in product(*map(range, sizes)):
        configuration = dict(zip(others, chosen, strict=True))
        weight = _log_weight(forest, configuration)
        if weight == -np.inf:
            continue
        mass, mean, variance = _condition(forest, real, configuration, seen)
        likelihood = sum(
            _rows(forest, logs, node, batch)[:, state] for node, state in configuration.items()
        )
        bare.append(weight)
        masses.append(weight + likelihood + mass)
        means.append(mean)
        variances.append(variance)
        states.append(configuration)
    total = log_sums(np.array(masses).T)
    shares = np.exp(np.array(masses) - np.where(total == -np.inf, 0.0, total))  # (s, batch)
    mean = np.einsum("sb,sbn->bn", shares, np.array(means))
    variance = np.einsum("sb,sbn->bn", shares, np.array(variances) + (np.array(means) - mean) ** 2)
    log_partition = float(log_sums(np.array(bare)))
    return Answer(
        log_evidence=total - log_partition,
        posteriors=_posteriors(forest, shares, states),
        means=_by_class(forest, real, mean),
        variances=_by_class(forest, real, variance),
    )


def _nodes(forest: Forest) -> list[Node]:
    """All variables, parents before children, as block and node."""
    return [(name, k) for name, block in forest.blocks.items() for k in range(block.nodes)]


def _place(forest: Forest, node: Node) -> tuple[str, int]:
    """Class and the user's position of a node."""
    block = forest.blocks[node[0]]
    order, at = forest.variables[block.variable].order, block.start + node[1]
    return block.variable, at if order is None else int(order[at])


def _rows(forest: Forest, logs: Logs, node: Node, batch: int) -> FloatArray:
    """What was observed of a node, (batch, entries); zeros where nothing was."""
    variable, position = _place(forest, node)
    if variable not in logs:
        return np.zeros((batch, forest.observed_entries(variable)))
    return logs[variable][:, position]


def _seen(forest: Forest, real: list[Node], logs: Logs, batch: int) -> FloatArray:
    """J, h and c of all real variables, (batch, variables, 3)."""
    return np.stack([_rows(forest, logs, node, batch) for node in real], axis=1)


def _log_weight(forest: Forest, configuration: Mapping[Node, int]) -> float:
    """Log of the potentials of the discrete variables."""
    weight = 0.0
    with np.errstate(divide="ignore"):
        for (name, k), state in configuration.items():
            block, edge = forest.blocks[name], forest.edges.get(name)
            if block.unary is not None:
                weight += float(np.log(forest.data[block.unary][k % block.unary_rows, state]))
            if edge is None:
                continue
            above = configuration[edge.parent, int(forest.parent_nodes(edge)[k])]
            stack: AnyArray = forest.data[edge.key][k % edge.rows]
            match edge.kind:
                case "child_of":
                    weight += 0.0 if stack[above] == state else -np.inf
                case "parent_of":
                    weight += 0.0 if stack[state] == above else -np.inf
                case _:
                    weight += float(np.log(stack[above, state]))
    return weight


def _condition(
    forest: Forest, real: list[Node], configuration: Mapping[Node, int], seen: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log density (batch,), and mean and variance (batch, variables) given the others.

    With ``x = A x + b + noise``, the prior has the precision ``(1 - A)' Q^-1 (1 - A)``, and its
    determinant is that of Q, since A leads from parents to children only.
    """
    place = {node: position for position, node in enumerate(real)}
    component = dict(configuration)
    link = np.eye(len(real))
    offset, noise = np.zeros(len(real)), np.zeros(len(real))
    for (name, k), position in place.items():
        edge = forest.edges[name]
        above = edge.parent, int(forest.parent_nodes(edge)[k])
        component[name, k] = component[above]
        stack = forest.data[edge.key][k % edge.rows, component[above]]
        factor, offset[position], noise[position] = stack
        if above in place:
            link[position, place[above]] -= factor
    scaled = link / noise[:, None]
    precision = link.T @ scaled + seen[..., :1] * np.eye(len(real))
    shift = offset @ scaled + seen[..., 1]
    covariance = np.linalg.inv(precision)
    mean = np.einsum("bmn,bn->bm", covariance, shift)
    constant = seen[..., 2].sum(1) - (np.log(noise) + offset**2 / noise).sum() / 2
    density = constant + (mean * shift).sum(1) / 2 - np.linalg.slogdet(precision)[1] / 2
    return density, mean, np.diagonal(covariance, axis1=1, axis2=2)


def _by_class(forest: Forest, real: list[Node], numbers: FloatArray) -> dict[str, FloatArray]:
    """Numbers (batch, variables) by class, in the user's order."""
    found = {
        name: np.zeros((len(numbers), each.nodes))
        for name, each in forest.variables.items()
        if each.real
    }
    for node, column in zip(real, numbers.T, strict=True):
        name, position = _place(forest, node)
        found[name][:, position] = column
    return found


def _posteriors(
    forest: Forest, shares: FloatArray, states: Sequence[Mapping[Node, int]]
) -> dict[str, FloatArray]:
    """Probabilities (batch, nodes, states) by discrete class, in the user's order."""
    found = {
        name: np.zeros((shares.shape[1], each.nodes, len(each.states)))
        for name, each in forest.variables.items()
        if not each.real
    }
    for share, configuration in zip(shares, states, strict=True):
        for node, state in configuration.items():
            name, position = _place(forest, node)
            found[name][:, position, state] += share
    return found


GAUSSIAN_ENGINES: Mapping[str, Callable[[Subject, Logs], Answer]] = {"normal": normal}
