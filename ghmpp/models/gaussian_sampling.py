"""Samples and moments of forests with Gaussian edges: parents first, all samples at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp._memory import require_bytes
from ghmpp.models.forest import Forest
from ghmpp.models.sampling import sample as sample_states

ITEM_BYTES = 8


def sample(forest: Forest, n: int, rng: np.random.Generator | int = 0) -> dict[str, AnyArray]:
    """Independent samples of all variables of a forest, real ones and others.

    Parameters
    ----------
    forest
        A forest with values for all potentials.
    n
        Number of samples, at least 0.
    rng
        A generator, or a seed for one.

    Returns
    -------
    dict of arrays (n, nodes of the class), by class
        State indices, or real numbers; nodes in the user's order. Hidden classes are left out.

    Raises
    ------
    ModelError
        If ``n`` is negative, a potential has no values, or no configuration is possible.
    ResourceError
        If the samples do not fit into memory.
    """
    generator = np.random.default_rng(rng)
    states = of_states(forest)
    shown = {name: replace(found, hidden=False) for name, found in states.variables.items()}
    drawn: dict[str, AnyArray] = dict(sample_states(replace(states, variables=shown), n, generator))
    require_bytes(
        2 * ITEM_BYTES * n * forest.nodes,
        f"sample: {n:,} draws from model {forest.name!r} need",
        cure="draw fewer at a time",
        largest=forest.largest,
    )
    # In the order of the tree, as states of the class above; then the numbers themselves.
    components: dict[str, IntArray] = {}
    numbers: dict[str, FloatArray] = {}
    for block in forest.blocks.values():
        if not forest.is_gaussian(block.name):
            order = forest.variables[block.variable].order
            whole = drawn[block.variable] if order is None else drawn[block.variable][:, order]
            components[block.name] = whole[:, block.start : block.start + block.nodes]
            numbers[block.name] = np.zeros((n, block.nodes))
            continue
        edge = forest.edges[block.name]
        above, nodes = forest.parent_nodes(edge), np.arange(block.nodes)
        components[block.name] = components[edge.parent][:, above]
        stack = forest.data[edge.key][nodes % edge.rows]
        factor, offset, noise = np.moveaxis(stack[nodes, components[block.name]], -1, 0)
        mean = factor * numbers[edge.parent][:, above] + offset
        numbers[block.name] = mean + np.sqrt(noise) * generator.standard_normal(mean.shape)
        order = forest.variables[block.variable].order
        x = numbers[block.name]
        drawn[block.variable] = x if order is None else x[:, np.argsort(order)]
    return {name: drawn[name] for name in forest.visible}


def of_states(forest: Forest) -> Forest:
    """The forest without its real variables, which are leaves or below one another."""
    blocks = {name: each for name, each in forest.blocks.items() if not forest.is_gaussian(name)}
    return replace(
        forest,
        variables={name: each for name, each in forest.variables.items() if not each.real},
        blocks=blocks,
        edges={name: edge for name, edge in forest.edges.items() if name in blocks},
        data={key: found for key, found in forest.data.items() if key not in forest.gaussian},
    )


def moments(forest: Forest) -> tuple[FloatArray, FloatArray]:
    """Mean (variables,) and covariance of the real variables of a forest with one component.

    Raises
    ------
    ResourceError
        If the covariance does not fit into memory.
    """
    blocks = [block for block in forest.blocks.values() if forest.is_gaussian(block.name)]
    size = sum(block.nodes for block in blocks)
    require_bytes(
        2 * ITEM_BYTES * size**2,
        f"moments: the covariance of {forest.name!r} needs",
        cure="ask gh.mean and gh.variance, which need none",
        largest=forest.largest,
    )
    mean, covariance = np.zeros(size), np.zeros((size, size))
    place: dict[str, IntArray] = {}
    start = 0
    for block in blocks:
        edge, nodes = forest.edges[block.name], np.arange(block.nodes)
        factor, offset, noise = forest.data[edge.key][nodes % edge.rows, 0].T
        place[block.name] = here = start + nodes
        start += block.nodes
        mean[here] = offset
        if edge.parent in place:
            above = place[edge.parent][forest.parent_nodes(edge)]
            between = factor[:, None] * covariance[np.ix_(above, above)] * factor
            mean[here] += factor * mean[above]
            covariance[here] = factor[:, None] * covariance[above]
            covariance[:, here] = covariance[here].T
            covariance[np.ix_(here, here)] = between
        covariance[here, here] += noise
    return mean, covariance
