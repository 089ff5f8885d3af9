"""Uses of the entries of potentials, counted in every configuration of a small model.

A model is an exponential family in the logs of its entries, so that gradient, curvature and Fisher
information are moments of these counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ghmpp.models.model import Model
from ghmpp.verification.unroll import unroll

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Uses:
    """All configurations of a model.

    ``weights`` (configurations,) as fractions; ``counts`` (configurations, entries) of the
    positive entries; ``states`` (configurations, nodes) by class.
    """

    weights: list[Fraction]
    counts: Array
    states: Mapping[str, NDArray[np.int64]]

    def seen(self, evidence: Mapping[str, Sequence[int]]) -> NDArray[np.bool_]:
        """Configurations that agree with one row of observed states."""
        agree = [(self.states[name] == row).all(axis=1) for name, row in evidence.items()]
        return np.logical_and.reduce([np.ones(len(self.weights), bool), *agree])

    def moments(self, mask: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Mean and covariance of the counts among some configurations."""
        shares = np.array([float(w) for w in self.weights]) * mask
        shares = shares / shares.sum()
        mean = shares @ self.counts
        return mean, (self.counts.T * shares) @ self.counts - np.outer(mean, mean)

    def rows(self, names: Sequence[str]) -> list[dict[str, list[int]]]:
        """Every joint state of some classes that has positive weight."""
        found = {}
        for k, weight in enumerate(self.weights):
            if weight:
                row = {name: self.states[name][k].tolist() for name in names}
                found[str(row)] = row
        return list(found.values())


def uses(model: Model) -> Uses:
    """Every configuration of a model; entries by key in the order of the forest, then flat."""
    forest = model.forest(exact=True)
    nodes = unroll(forest)
    positive = [
        (key, index)
        for key in forest.keys()
        for index in np.ndindex(forest.data[key].shape)
        if forest.data[key][index] > 0
    ]
    number = {entry: k for k, entry in enumerate(positive)}
    weights, counts, rows = [], [], []
    for states in product(*(range(node.states) for node in nodes)):
        used = []
        for node, state in zip(nodes, states, strict=True):
            if node.parent is not None:
                used.append((node.key, (node.row, states[node.parent], state)))
            if node.unary is not None:
                used.append((node.unary_key, (node.unary_row, state)))
        weight, count = Fraction(1), np.zeros(len(positive))
        for key, index in used:
            weight *= Fraction(forest.data[key][index])
            if (key, index) in number:
                count[number[key, index]] += 1
        weights.append(weight)
        counts.append(count)
        rows.append(states)
    table, found = np.array(rows), {}
    for name, variable in forest.variables.items():
        places = [k for k, node in enumerate(nodes) if node.variable == name]
        order = sorted(places, key=lambda k: nodes[k].position)
        found[name] = table[:, order]
        assert len(order) == variable.nodes
    return Uses(weights, np.array(counts), found)
