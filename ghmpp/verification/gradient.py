r"""Posteriors and expected counts as derivatives of ``log Z`` by automatic differentiation.

.. math::
    P(x_v = s \mid e) = L_v(s)\, \frac{\partial \log Z}{\partial L_v(s)}, \qquad
    E[N_k(s, a) \mid e] = \psi_k(s, a)\, \frac{\partial \log Z}{\partial \psi_k(s, a)}

Only the way up is written; torch finds the way down. Derivatives are taken in linear likelihoods
and tables, so they are finite where those are zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.models.forest import Forest
from ghmpp.verification.answers import Answer
from ghmpp.verification.recursion import require_mass
from ghmpp.verification.unroll import Node, by_class, means, node_evidence, unroll, variances

if TYPE_CHECKING:
    from torch import Tensor


def gradient(forest: Forest, log_likelihoods: Mapping[str, FloatArray] | None = None) -> Answer:
    """Posteriors and expected counts from the gradient of the log evidence, float64.

    Parameters
    ----------
    forest
        A forest with values for all potentials.
    log_likelihoods
        By class, shape (batch, nodes, states), user's order, -inf allowed; absent classes are
        unobserved. None: one row without evidence. Entries more than about 700 below the
        largest of their node count as 0.

    Returns
    -------
    Answer
        log_evidence, log_partition, posteriors, means and counts. Impossible rows count nothing.

    Raises
    ------
    EvidenceError
        If a likelihood has the wrong shape.
    ModelError
        If a potential has no values, or no configuration has positive mass.
    """
    import torch

    nodes = unroll(forest)
    observed, batch = node_evidence(nodes, log_likelihoods)
    keys = {node.key for node in nodes} | {node.unary_key for node in nodes}
    stacks = {
        key: torch.tensor(np.asarray(forest.data[key], dtype=np.float64), requires_grad=True)
        for key in keys - {""}
    }
    ones = torch.ones(1, 1, dtype=torch.float64)
    free = _log_mass(nodes, stacks, [ones] * len(nodes))
    log_partition = require_mass(float(free.detach()[0]))

    likelihoods, shift = _scaled(nodes, observed, batch)
    for likelihood in likelihoods:
        likelihood.requires_grad_(True)
    logs = _log_mass(nodes, stacks, likelihoods)
    slopes = torch.autograd.grad(
        torch.where(logs > -torch.inf, logs, 0.0).sum(),
        [*likelihoods, *stacks.values()],
        materialize_grads=True,
    )
    single = {
        index: (likelihood * slope).detach().numpy()
        for index, (likelihood, slope) in enumerate(zip(likelihoods, slopes, strict=False))
    }
    counts = {
        key: (stack * slope).detach().numpy()
        for (key, stack), slope in zip(stacks.items(), slopes[len(nodes) :], strict=True)
    }
    posteriors = by_class(nodes, single)
    return Answer(
        log_evidence=logs.detach().numpy() + shift - log_partition,
        log_partition=log_partition,
        posteriors=posteriors,
        means=means(forest, posteriors),
        variances=variances(forest, posteriors),
        counts=counts,
    )


def _scaled(
    nodes: Sequence[Node], observed: Sequence[FloatArray | None], batch: int
) -> tuple[list[Tensor], FloatArray]:
    """Linear likelihoods scaled to maximum 1 per node, and the sum of the logs of the scales."""
    import torch

    shift = np.zeros(batch)
    likelihoods: list[Tensor] = []
    for node, logs in zip(nodes, observed, strict=True):
        if logs is None:
            likelihoods.append(torch.ones(batch, node.states, dtype=torch.float64))
            continue
        top = logs.max(axis=-1)
        top = np.where(top > -np.inf, top, 0.0)
        shift += top
        likelihoods.append(torch.tensor(np.exp(logs - top[:, None])))
    return likelihoods, shift


def _log_mass(
    nodes: Sequence[Node], stacks: Mapping[str, Tensor], likelihoods: Sequence[Tensor]
) -> Tensor:
    """``log Z`` per row, -inf (with zero gradient) where it is 0, shape (batch,)."""
    import torch

    below = list(likelihoods)
    logs = torch.zeros(len(likelihoods[0]), dtype=torch.float64)
    masses: list[Tensor] = []
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        mass = below[index]
        if node.unary is not None:
            mass, scale = _rescale(mass * stacks[node.unary_key][node.unary_row])
            logs = logs + scale
        if node.parent is None:
            masses.append((mass * torch.ones(node.states, dtype=torch.float64)).sum(dim=-1))
            continue
        table = stacks[node.key][node.row] if node.key else torch.tensor(node.table)
        message = (mass[:, None, :] * table).sum(dim=-1)
        below[node.parent], scale = _rescale(below[node.parent] * message)
        logs = logs + scale
    possible = torch.stack([mass.detach() > 0 for mass in masses]).all(dim=0)
    for mass in masses:
        logs = logs + torch.where(possible, mass, 1.0).log()
    return torch.where(possible, logs, -torch.inf)


def _rescale(mass: Tensor) -> tuple[Tensor, Tensor]:
    """The mass divided by its largest entry per row, and the log of that (both constants)."""
    top = mass.detach().amax(dim=-1)
    top = top.where(top > 0, 1.0)
    return mass / top[:, None], top.log()
