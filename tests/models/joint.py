"""The joint law of a small model as one array, straight from its definition on a plain graph."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray


def joint_weights(graph: nx.DiGraph) -> tuple[list[str], NDArray[np.float64]]:
    """Names of the variables, and the weight of every configuration, one axis per variable."""
    names = list(graph)
    weights = np.ones([len(graph.nodes[name]["states"]) for name in names])
    for name, attributes in graph.nodes(data=True):
        if attributes["prior"] is not None:
            weights = weights * _along(attributes["prior"], [names.index(name)], len(names))
    for parent, child, table in graph.edges(data="potential"):
        axes = [names.index(parent), names.index(child)]
        weights = weights * _along(table, axes, len(names))
    return names, weights


def marginal(names: list[str], weights: NDArray[np.float64], *keep: str) -> NDArray[np.float64]:
    """Sum over all variables but ``keep``, with the axes in that order."""
    axes = [names.index(name) for name in keep]
    others = tuple(axis for axis in range(len(names)) if axis not in axes)
    kept = sorted(axes)
    return weights.sum(axis=others).transpose([kept.index(axis) for axis in axes])


def _along(table: NDArray[np.float64], axes: list[int], dimensions: int) -> NDArray[np.float64]:
    if axes != sorted(axes):
        table, axes = table.T, sorted(axes)
    shape = [1] * dimensions
    for axis, size in zip(axes, table.shape, strict=True):
        shape[axis] = size
    return np.asarray(table, dtype=np.float64).reshape(shape)
