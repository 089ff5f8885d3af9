"""The parts of a convolutional network that are no convolutions: sums, maxima, exp and log.

Values are feature maps (batch or 1, channels, *space), channels by rank and then by state. They
hold natural logs, up to a constant per node; -inf is allowed.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from ghmpp.backends.kernels import INFINITY, split


class Normalize(nn.Module):
    """Subtract the largest entry of each group of channels.

    Parameters
    ----------
    groups
        Groups of channels, one per rank.
    barred
        Added first, shape (states,): -inf for states that cannot occur, else 0; None for none.
    floor
        Least entry of the result.
    """

    barred: Tensor | None

    def __init__(
        self, groups: int = 1, *, barred: Tensor | None = None, floor: float = -INFINITY
    ) -> None:
        super().__init__()
        self.groups, self.floor = groups, floor
        self.register_buffer("barred", barred)

    def forward(self, x: Tensor) -> Tensor:
        """Logs with largest entry 0 in each group; -inf where all are."""
        x = split(x, 1, (self.groups, x.shape[1] // self.groups))
        if self.barred is not None:
            x = x + self.barred.view(-1, *(1 for _ in x.shape[3:]))
        largest = x.amax(2, keepdim=True)
        x = x - torch.where(largest > -INFINITY, largest, 0.0)
        return (x if self.floor == -INFINITY else x.clamp_min(self.floor)).flatten(1, 2)

    def extra_repr(self) -> str:
        """Groups of channels."""
        return f"groups={self.groups}"


class Siblings(nn.Module):
    """What each child is told: the context of its parent and the messages of its siblings.

    Parameters
    ----------
    ranks
        Children per parent.
    sources
        Where both come from, in words.
    """

    def __init__(self, ranks: int, sources: str = "") -> None:
        super().__init__()
        self.ranks, self.sources = ranks, sources

    def forward(self, context: Tensor, messages: Tensor | None) -> Tensor:
        """Sums (batch, ranks * states, *space); prefix and suffix sums, nothing is subtracted."""
        if messages is None:
            return torch.cat([context] * self.ranks, 1)
        own = messages.chunk(self.ranks, 1)
        before = list(accumulate(own[:-1], initial=context))
        after = list(accumulate(own[:0:-1]))[::-1]
        return torch.cat([a + b for a, b in zip(before, after, strict=False)] + before[-1:], 1)

    def extra_repr(self) -> str:
        """Ranks, context and skip."""
        return f"ranks={self.ranks}, {self.sources}"


class Pool(nn.Module):
    """Sum over ranks: channels (ranks * states) to (states).

    Parameters
    ----------
    ranks
        Children per parent.
    """

    def __init__(self, ranks: int) -> None:
        super().__init__()
        self.ranks = ranks

    def forward(self, x: Tensor) -> Tensor:
        """The product of the messages of siblings, in logs."""
        return split(x, 1, (self.ranks, x.shape[1] // self.ranks)).sum(1)

    def extra_repr(self) -> str:
        """Ranks."""
        return f"ranks={self.ranks}"


class Add(nn.Module):
    """Sum of feature maps of one class: the skip connection of a U-Net.

    Parameters
    ----------
    sources
        Where they come from, in words.
    """

    def __init__(self, sources: str = "") -> None:
        super().__init__()
        self.sources = sources

    def forward(self, *values: Tensor) -> Tensor:
        """The product of what is known of each node, in logs."""
        total, *others = values
        for other in others:
            total = total + other
        return total

    def extra_repr(self) -> str:
        """Where the feature maps come from."""
        return self.sources


class Constant(nn.Module):
    """A feature map without input: a log prior, or nothing known.

    Parameters
    ----------
    logs
        Shape (1, states, *space or ones).
    space
        Shape of the feature map.
    """

    logs: Tensor

    def __init__(self, logs: Tensor, space: tuple[int, ...]) -> None:
        super().__init__()
        self.space = space
        self.register_buffer("logs", logs)

    def forward(self) -> Tensor:
        """The feature map, for one row."""
        return self.logs.expand(-1, -1, *self.space)

    def extra_repr(self) -> str:
        """States."""
        return f"{self.logs.shape[1]} states"


class Exp(nn.Module):
    """Exponential."""

    def forward(self, x: Tensor) -> Tensor:
        """From logs to linear."""
        return x.exp()


class Log(nn.Module):
    """Natural logarithm, -inf at 0."""

    def forward(self, x: Tensor) -> Tensor:
        """From linear to logs; gradient 0 at 0."""
        return torch.where(x > 0, torch.where(x > 0, x, 1.0).log(), -INFINITY)


class OneHot(nn.Module):
    """Observed states as logs: 0 at the observed state, -inf elsewhere, 0 everywhere if missing.

    Parameters
    ----------
    states
        Number of states S; the input S stands for a missing one.
    """

    def __init__(self, states: int) -> None:
        super().__init__()
        self.states = states

    def forward(self, symbols: Tensor) -> Tensor:
        """From (batch, 1, *space) to (batch, states, *space)."""
        states = torch.arange(self.states, device=symbols.device)
        states = states.view(-1, *(1 for _ in symbols.shape[2:]))
        possible = (symbols == states) | (symbols == self.states)
        return torch.zeros_like(symbols).masked_fill(~possible, -INFINITY)

    def extra_repr(self) -> str:
        """States."""
        return f"{self.states} states"


class Layers(nn.Module):
    """Layers in a row that mirror one message; the first may read several feature maps.

    Parameters
    ----------
    message
        Name of the message, sender first.
    layers
        The layers.
    """

    def __init__(self, message: str, *layers: nn.Module) -> None:
        super().__init__()
        self.message = message
        for position, layer in enumerate(layers):
            self.add_module(str(position), layer)

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """The last layer's feature map."""
        first, *others = self.children()
        x: Tensor = first(*inputs)
        for layer in others:
            x = layer(x)
        return x

    def __getitem__(self, position: int) -> nn.Module:
        """A layer by its place in the row."""
        return list(self.children())[position]

    def extra_repr(self) -> str:
        """The message."""
        return self.message
