"""The definition of messages and results of real variables with Gaussian factors.

A value of a real node is a function of its variable x and of the component k, the state of the
nearest class of states above,

.. math:: f(x, k) = \\exp(-J_k x^2 / 2 + h_k x + c_k),

kept as (..., 3 components): all J, then all h, then all c. Factors are multiplied by adding these
numbers, so that the instructions for products are the same as for logarithms of likelihoods.
"""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.backends.reference_machine import Machine, require_logs
from ghmpp.models.forest import Edge
from ghmpp.schedule.ir import Message


def message(machine: Machine, op: Message, edge: Edge, source: AnyArray) -> FloatArray:
    """The factor of the sender and the density of the edge, integrated over the sender."""
    require_logs(machine)
    forest = machine.forest
    nodes = forest.blocks[edge.child].nodes
    stack = machine.stored(edge.key)[np.arange(nodes) % edge.rows]  # (nodes, components, 3)
    factor, offset, noise = np.moveaxis(stack, -1, 0)
    from_states = forest.blocks[edge.parent].states == factor.shape[1]
    if op.toward == "root":
        sent = toward_root(source, factor, offset, noise)
        return sent[..., 2 * factor.shape[1] :] if from_states else sent
    if from_states:
        return from_component(source, offset, noise)
    return toward_leaves(source, factor, offset, noise)


def toward_root(
    x: FloatArray, factor: FloatArray, offset: FloatArray, noise: FloatArray
) -> FloatArray:
    """Integral of ``f(y) N(y; a x + b, q)`` over y, as a factor of x."""
    precision, shift, constant = components(x)
    spread = 1 + noise * precision
    square = noise * shift**2 + 2 * offset * shift - offset**2 * precision
    return np.concatenate(
        [
            factor**2 * precision / spread,
            factor * (shift - offset * precision) / spread,
            constant - np.log1p(noise * precision) / 2 + square / (2 * spread),
        ],
        axis=-1,
    )


def toward_leaves(
    x: FloatArray, factor: FloatArray, offset: FloatArray, noise: FloatArray
) -> FloatArray:
    """Integral of ``f(x) N(y; a x + b, q)`` over x, as a factor of y."""
    precision, shift, constant = components(x)
    spread = factor**2 + noise * precision
    square = noise * shift**2 - 2 * factor * offset * shift - offset**2 * precision
    return np.concatenate(
        [
            precision / spread,
            (factor * shift + offset * precision) / spread,
            constant - np.log(spread) / 2 + square / (2 * spread),
        ],
        axis=-1,
    )


def from_component(logs: FloatArray, offset: FloatArray, noise: FloatArray) -> FloatArray:
    """The density ``N(y; b, q)`` of each component times its weight, given in logs."""
    constant = logs - offset**2 / (2 * noise) - np.log(2 * np.pi * noise) / 2
    precision, shift = (np.broadcast_to(part, logs.shape) for part in (1 / noise, offset / noise))
    return np.concatenate([precision, shift, constant], axis=-1)


def moments(machine: Machine, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each node under its factor, (batch, nodes); 0 where impossible."""
    require_logs(machine)
    precision, shift, constant = components(x)
    means = shift / precision
    masses = constant + shift * means / 2 - np.log(precision) / 2
    algebra = machine.algebra
    weights = algebra.shares(masses, algebra.plus.reduce(masses, axis=-1, keepdims=True))
    mean = (weights * means).sum(axis=-1)
    away = 1 / precision + (means - mean[..., None]) ** 2
    return mean, (weights * away).sum(axis=-1)


def components(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """J, h and c of a value, each (..., components)."""
    precision, shift, constant = np.split(x, 3, axis=-1)
    return precision, shift, constant


def repeated(x: AnyArray, entries: int) -> AnyArray:
    """What was observed, (..., 3), for all components: (..., entries)."""
    return np.repeat(x, entries // x.shape[-1], axis=-1)
