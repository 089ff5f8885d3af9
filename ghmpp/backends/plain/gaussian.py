"""Gaussian factors as plain modules: values (batch, nodes, 3 components), all J, then h, then c."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp.backends.gaussian import (
    components,
    from_component,
    toward_leaves,
    toward_root,
    weighted_moments,
)
from ghmpp.backends.plain.logs import cast, shares, wide
from ghmpp.models.channels import Gaussian, Localization
from ghmpp.models.forest import Forest
from ghmpp.schedule.ir import Message


class GaussianMessage(nn.Module):
    """The factor of the sender and the density of the edge, integrated over the sender."""

    rows: Tensor

    def __init__(self, op: Message, forest: Forest) -> None:
        super().__init__()
        edge, child = forest.edges[op.edge], forest.blocks[op.edge]
        self.toward = op.toward
        self.from_states = forest.blocks[edge.parent].states != child.states
        self.register_buffer("rows", torch.tensor(np.arange(child.nodes) % edge.rows))

    def forward(self, x: Tensor, stack: Tensor) -> Tensor:
        """Messages (batch, nodes, receiver's entries) with a stack (rows, components, 3)."""
        factor, offset, noise = cast(stack, x.dtype).index_select(0, self.rows).unbind(-1)
        if self.toward == "leaves" and self.from_states:
            return torch.cat(from_component(x, offset, noise), -1)
        through = toward_root if self.toward == "root" else toward_leaves
        parts = through(components(x, -1), factor, offset, noise)
        return parts[2] if self.from_states else torch.cat(parts, -1)


class ComponentStep(nn.Module):
    """What was observed of some nodes of a class, (batch, nodes, 3), for all components."""

    def __init__(self, start: int, nodes: int, entries: int) -> None:
        super().__init__()
        self.start, self.stop, self.times = start, start + nodes, entries // 3

    def forward(self, x: Tensor) -> Tensor:
        """Values (batch, nodes, entries)."""
        part = x[:, self.start : self.stop]
        return part.unsqueeze(-1).expand(-1, -1, -1, self.times).flatten(2)


class MomentStep(nn.Module):
    """Mean or variance of each node under its factor; 0 where the evidence is impossible."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (batch, nodes)."""
        masses, means, variances = weighted_moments(*components(x, -1))
        weights = shares(masses)
        mean = (weights * means).sum(-1)
        if self.kind == "mean":
            return mean
        return (weights * (variances + (means - mean.unsqueeze(-1)) ** 2)).sum(-1)


class NaturalInput(nn.Module):
    """Real variables seen through a channel (batch, nodes), NaN for missing.

    Parameters
    ----------
    channel
        The channel; its parameters are those of the call, or else its own.
    dtype
        Precision.
    """

    log_norm: Tensor

    def __init__(self, channel: Gaussian | Localization, dtype: torch.dtype) -> None:
        super().__init__()
        own = {each.name: getattr(channel, each.name) for each in fields(channel)}
        self.gaussian, self.dtype, self.names = isinstance(channel, Gaussian), dtype, tuple(own)
        log_norm = torch.tensor(0.5 * math.log(2 * math.pi), dtype=torch.float64)
        self.register_buffer("log_norm", log_norm, persistent=False)
        for name, value in own.items():
            self.register_buffer(name, torch.tensor(value, dtype=dtype), persistent=False)

    def forward(self, z: Tensor, channel: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """J, h and 0, and the sum of what does not depend on the variables."""
        missing = torch.isnan(z)
        z = cast(torch.where(missing, torch.zeros_like(z), z), self.dtype)
        own = dict(self.named_buffers())
        found = {name: cast(channel.get(name, own[name]), self.dtype) for name in self.names}
        rest = torch.zeros_like(wide(z))
        if self.gaussian:
            factor = found["scale"]
            gain = factor / found["sigma"] / found["sigma"]
            rest = rest - (wide(z) / found["sigma"]) ** 2 / 2 - wide(found["sigma"]).log()
            rest = rest - self.log_norm
        else:
            factor = found["time"]
            gain = torch.ones_like(factor)
        nothing = torch.zeros_like(z)
        precision = torch.where(missing, nothing, nothing + gain * factor)
        value = torch.stack((precision, gain * z, nothing), -1)
        return value, torch.where(missing, torch.zeros_like(rest), rest).sum(1)
