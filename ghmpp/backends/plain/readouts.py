"""Results as plain modules: posteriors, means, log evidence, edge posteriors."""

from __future__ import annotations

from typing import assert_never

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp._arrays import FloatArray
from ghmpp.backends.kernels import INFINITY
from ghmpp.backends.plain.logs import shares, total, wide
from ghmpp.models.forest import Edge, Forest


class PosteriorStep(nn.Module):
    """Each node's belief divided by its sum; zeros where the evidence is impossible."""

    def forward(self, x: Tensor) -> Tensor:
        """Linear probabilities (batch, nodes, states)."""
        return shares(x)


class MeanStep(nn.Module):
    """Posterior mean of numeric state values."""

    values: Tensor

    def __init__(self, values: FloatArray, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("values", torch.tensor(values, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Means (batch, nodes)."""
        return (shares(x) * self.values).sum(-1)


class VarianceStep(nn.Module):
    """Posterior variance of numeric state values."""

    values: Tensor

    def __init__(self, values: FloatArray, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("values", torch.tensor(values, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Variances (batch, nodes)."""
        weights = shares(x)
        mean = (weights * self.values).sum(-1, keepdim=True)
        return (weights * (self.values - mean) ** 2).sum(-1)


class EvidenceTotal(nn.Module):
    """Log of the total mass: root values summed over states, and all scales, in float64."""

    def __init__(self, roots: int) -> None:
        super().__init__()
        self.roots = roots

    def forward(self, *values: Tensor) -> Tensor:
        """Log mass (batch,); -inf where the evidence is impossible."""
        roots = [wide(root.logsumexp(-1)).sum(1) for root in values[: self.roots]]
        return total((*roots, *values[self.roots :]))


class EdgeStep(nn.Module):
    """Joint posterior of parent and child: cavity times potential times value below."""

    linked: Tensor

    def __init__(self, edge: Edge, forest: Forest, dtype: torch.dtype) -> None:
        super().__init__()
        self.rows = edge.rows
        match edge.kind:
            case "table":
                return
            case "child_of":
                states = np.arange(forest.blocks[edge.child].states)
                linked = forest.data[edge.key][:, :, None] == states
            case "parent_of":
                states = np.arange(forest.blocks[edge.parent].states)
                linked = states[:, None] == forest.data[edge.key][:, None, :]
            case "gaussian":
                raise AssertionError(edge)  # real variables have no joint table
            case _:
                assert_never(edge.kind)
        logs = torch.zeros(linked.shape, dtype=dtype).masked_fill(~torch.tensor(linked), -INFINITY)
        self.register_buffer("linked", logs)

    def forward(self, cavity: Tensor, below: Tensor, table: Tensor | None = None) -> Tensor:
        """Probabilities (batch, children, parent states, child states)."""
        logs = self.linked if table is None else table
        joint = cavity.unsqueeze(-1) + below.unsqueeze(-2)
        runs = torch.unflatten(joint, 1, (joint.shape[1] // self.rows, self.rows)) + logs
        return torch.unflatten(shares(runs.flatten(-2)).flatten(1, 2), -1, joint.shape[2:])
