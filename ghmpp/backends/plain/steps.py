"""Instructions inside and between blocks as plain modules: batch first, natural logs, out of place.

Values are (batch, nodes, states), nodes in the order of the tree; the batch axis has size 1 for
what no evidence reaches. There is no branch on data, no subtraction that could meet two
infinities, and no constant that a tracer might round: -inf goes through every instruction.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ghmpp._arrays import IntArray
from ghmpp.backends.plain.logs import cast, finite, total, wide
from ghmpp.models.forest import Edge, Forest


class Logarithm(nn.Module):
    """Natural logs of a linear stack in the precision of the run; zeros give -inf."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, stack: Tensor) -> Tensor:
        """Logs, shape of the stack; taken in the wider of both precisions."""
        return cast(wide(stack).log() if stack.dtype != self.dtype else stack.log(), self.dtype)


class Siblings(nn.Module):
    """The messages of an edge by parent and rank; ones where a parent has fewer children."""

    slots: Tensor
    places: Tensor

    def __init__(self, edge: Edge, forest: Forest) -> None:
        super().__init__()
        slots = forest.slots(edge)
        self.shape, self.regular = slots.shape, edge.parents is None
        if not self.regular:
            places = np.flatnonzero(slots.ravel() >= 0)
            children = slots.ravel()[places]
            slots = np.where(slots < 0, slots.max() + 1, slots)
            self.register_buffer("slots", torch.tensor(slots.ravel()))
            self.register_buffer("places", torch.tensor(places[np.argsort(children)]))

    def gathered(self, x: Tensor) -> Tensor:
        """Messages (batch, children, states) as (batch, parents, ranks, states)."""
        if not self.regular:
            x = pad(x, (0, 0, 0, 1)).index_select(1, self.slots)
        return torch.unflatten(x, 1, self.shape)

    def scattered(self, x: Tensor) -> Tensor:
        """The reverse of :meth:`gathered`."""
        x = x.flatten(1, 2)
        return x if self.regular else x.index_select(1, self.places)


class PoolStep(Siblings):
    """Product over the children of each parent."""

    def forward(self, x: Tensor) -> Tensor:
        """Values (batch, parents, states) of messages (batch, children, states)."""
        return self.gathered(x).sum(2)


class ExcludeStep(Siblings):
    """For each child, the context times the messages of its siblings, from both ends."""

    def forward(self, messages: Tensor, context: Tensor | None = None) -> Tensor:
        """Values like the messages (batch, children, parent states)."""
        x = self.gathered(messages)
        if self.shape[1] == 2:
            others = x.flip(2)
        else:
            earlier = pad(x[:, :, :-1], (0, 0, 1, 0)).cumsum(2)
            others = earlier + pad(x[:, :, 1:], (0, 0, 0, 1)).flip(2).cumsum(2).flip(2)
        return self.scattered(others if context is None else others + context.unsqueeze(2))


class Reorder(nn.Module):
    """Nodes in another order, or several times: the value of each parent at its children.

    Parameters
    ----------
    order
        Node that is read, by node that is written.
    """

    order: Tensor

    def __init__(self, order: IntArray) -> None:
        super().__init__()
        self.register_buffer("order", torch.tensor(order))

    def forward(self, x: Tensor) -> Tensor:
        """Values (batch, nodes, ...)."""
        return x.index_select(1, self.order)


class EvidenceStep(nn.Module):
    """The part of a block in the evidence of its class."""

    def __init__(self, start: int, nodes: int) -> None:
        super().__init__()
        self.start, self.stop = start, start + nodes

    def forward(self, x: Tensor) -> Tensor:
        """Values (batch, nodes, states) of those (batch, nodes of the class, states)."""
        return x[:, self.start : self.stop]


class UnaryStep(nn.Module):
    """The unary potential of a block at each of its nodes."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.nodes = nodes

    def forward(self, x: Tensor) -> Tensor:
        """Values (1, nodes, states) of logs (rows, states)."""
        return x.expand(self.nodes, -1).unsqueeze(0)


class CombineStep(nn.Module):
    """Product of values."""

    def forward(self, *values: Tensor) -> Tensor:
        """Value (batch, nodes, states)."""
        return total(values)


class OnesStep(nn.Module):
    """A value that is 1 everywhere."""

    ones: Tensor

    def __init__(self, nodes: int, states: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("ones", torch.zeros(1, nodes, states, dtype=dtype), persistent=False)

    def forward(self) -> Tensor:
        """Value (1, nodes, states)."""
        return self.ones


class NormalizeStep(nn.Module):
    """Divided by the largest entry of each node, and the log of what was divided out."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values (batch, nodes, states), and (batch,) in float64."""
        largest = x.amax(-1, keepdim=True)
        return x - finite(largest), wide(largest).sum((1, 2))
