"""Oracle of Gaussian models: one joint normal distribution, conditioned by linear algebra.

It starts from the forest, node by node, and knows nothing of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ghmpp._arrays import FloatArray
from ghmpp.models.forest import Forest

Node = tuple[str, int]


@dataclass(frozen=True)
class Seen:
    """``z = scale x + sigma noise`` of a class, (nodes,) in the user's order; NaN is missing."""

    z: FloatArray
    sigma: float = 1.0
    scale: float = 1.0


@dataclass(frozen=True)
class Answer:
    """Means and variances by real class, state probabilities by class with states, log density."""

    mean: Mapping[str, FloatArray]
    variance: Mapping[str, FloatArray]
    posterior: Mapping[str, FloatArray]
    log_evidence: float


def joint(forest: Forest, states: Mapping[Node, int]) -> tuple[FloatArray, FloatArray, list[Node]]:
    """Mean and covariance of all real nodes given states: x = A x + b + noise, solved for x."""
    nodes = [
        (name, k)
        for name, block in forest.blocks.items()
        if forest.variables[block.variable].real
        for k in range(block.nodes)
    ]
    place = {node: position for position, node in enumerate(nodes)}
    link, offset, noise = np.zeros((len(nodes),) * 2), np.zeros(len(nodes)), np.zeros(len(nodes))
    component: dict[Node, int] = dict(states)
    for (name, k), position in place.items():
        edge = forest.edges[name]
        above = edge.parent, int(forest.parent_nodes(edge)[k])
        component[name, k] = component[above]
        a, offset[position], noise[position] = forest.data[edge.key][
            k % edge.rows, component[above]
        ]
        if above in place:
            link[position, place[above]] = a
    solved = np.linalg.inv(np.eye(len(nodes)) - link)
    return solved @ offset, solved @ np.diag(noise) @ solved.T, nodes


def solve(forest: Forest, seen: Mapping[str, Seen]) -> Answer:
    """Everything about one row, as a mixture over all configurations of the states."""
    discrete = [
        (name, k)
        for name, block in forest.blocks.items()
        if not forest.variables[block.variable].real
        for k in range(block.nodes)
    ]
    sizes = [range(forest.blocks[name].states) for name, _ in discrete]
    weights, total, means, variances, configurations = [], [], [], [], []
    nodes: list[Node] = []
    for chosen in product(*sizes):
        states = dict(zip(discrete, chosen, strict=True))
        weight = mass(forest, states)
        if weight == 0:
            continue
        mean, covariance, nodes = joint(forest, states)
        design, z, spread = observations(forest, nodes, seen)
        density = 0.0
        if len(z):
            around = design @ covariance @ design.T + np.diag(spread)
            density = multivariate_normal(design @ mean, around).logpdf(z)
            precision = np.linalg.inv(covariance)
            after = np.linalg.inv(precision + design.T @ (design / spread[:, None]))
            mean = after @ (precision @ mean + design.T @ (z / spread))
            covariance = after
        total.append(np.log(weight))
        weights.append(np.log(weight) + density)
        means.append(mean)
        variances.append(np.diag(covariance))
        configurations.append(states)
    shares = np.exp(np.array(weights) - logsumexp(weights))
    mean = shares @ np.array(means)
    variance = shares @ (np.array(variances) + (np.array(means) - mean) ** 2)
    return Answer(
        by_class(forest, dict(zip(nodes, mean, strict=True))),
        by_class(forest, dict(zip(nodes, variance, strict=True))),
        posteriors(forest, shares, configurations),
        float(logsumexp(weights) - logsumexp(total)),
    )


def mass(forest: Forest, states: Mapping[Node, int]) -> float:
    """Product of unaries and tables of one configuration."""
    weight = 1.0
    for name, k in states:
        block, edge = forest.blocks[name], forest.edges.get(name)
        if block.unary is not None:
            weight *= forest.data[block.unary][k % block.unary_rows, states[name, k]]
        if edge is not None:
            above = edge.parent, int(forest.parent_nodes(edge)[k])
            weight *= forest.data[edge.key][k % edge.rows, states[above], states[name, k]]
    return weight


def observations(
    forest: Forest, nodes: list[Node], seen: Mapping[str, Seen]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Design matrix, values and noise variances of what was observed."""
    rows, values, spread = [], [], []
    for position, (name, k) in enumerate(nodes):
        block = forest.blocks[name]
        found, order = seen.get(block.variable), forest.variables[block.variable].order
        at = block.start + k if order is None else int(order[block.start + k])
        if found is not None and not np.isnan(found.z[at]):
            rows.append(np.eye(len(nodes))[position] * found.scale)
            values.append(found.z[at])
            spread.append(found.sigma**2)
    return np.array(rows), np.array(values), np.array(spread)


def by_class(forest: Forest, numbers: Mapping[Node, float]) -> dict[str, FloatArray]:
    """Numbers of nodes as arrays (nodes,) by class, in the user's order."""
    found = {name: np.zeros(each.nodes) for name, each in forest.variables.items() if each.real}
    for (name, k), number in numbers.items():
        block = forest.blocks[name]
        order = forest.variables[block.variable].order
        at = block.start + k if order is None else order[block.start + k]
        found[block.variable][at] = number
    return found


def posteriors(
    forest: Forest, shares: FloatArray, configurations: list[dict[Node, int]]
) -> dict[str, FloatArray]:
    """Probabilities (nodes, states) by class with states, in the user's order."""
    found = {
        name: np.zeros((each.nodes, len(each.states)))
        for name, each in forest.variables.items()
        if not each.real
    }
    for share, states in zip(shares, configurations, strict=True):
        for (name, k), state in states.items():
            block = forest.blocks[name]
            order = forest.variables[block.variable].order
            at = block.start + k if order is None else order[block.start + k]
            found[block.variable][at, state] += share
    return found
