"""Messages as plain modules: values are logs (batch, nodes, states), nodes in tree order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ghmpp._arrays import IntArray
from ghmpp.backends.kernels import INFINITY, Log
from ghmpp.backends.layout import Place
from ghmpp.backends.messages import MessageLayer
from ghmpp.backends.plain.logs import finite
from ghmpp.backends.potentials import Potential
from ghmpp.models.forest import Edge
from ghmpp.schedule.ir import Direction


class TableMessage(nn.Module):
    """Sum over the sender's states of table times value; one table for each ``k % rows``.

    Toward the leaves the largest entry is divided out first, which changes no result and keeps
    the digits of large logarithms; toward the root the log evidence needs it.
    """

    def __init__(self, edge: Edge, toward: Direction) -> None:
        super().__init__()
        self.rows, self.toward = edge.rows, toward

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """Messages (batch, nodes, receiver's states) of logs (rows, parent, child states)."""
        if self.toward == "leaves":
            x, table = x - finite(x.amax(-1, keepdim=True)), table.transpose(1, 2)
        if self.rows == 1:
            return (x.unsqueeze(-2) + table).logsumexp(-1)
        runs = torch.unflatten(x, 1, (x.shape[1] // self.rows, self.rows)).unsqueeze(-2)
        return (runs + table).logsumexp(-1).flatten(1, 2)


class GatherMessage(nn.Module):
    """Message through an index map from the end that it determines: a gather.

    Parameters
    ----------
    index
        State of the sender by state of the receiver, (rows, receiver's states).
    """

    index: Tensor

    def __init__(self, index: IntArray) -> None:
        super().__init__()
        self.register_buffer("index", torch.tensor(index))

    def forward(self, x: Tensor) -> Tensor:
        """Messages (batch, nodes, receiver's states)."""
        return _by_row(x, self.index)


class SegmentMessage(nn.Module):
    """Message through an index map to the end that it determines: sums over segments.

    Parameters
    ----------
    index
        State of the receiver by state of the sender, (rows, sender's states).
    states
        Number of states of the receiver.
    """

    members: Tensor

    def __init__(self, index: IntArray, states: int) -> None:
        super().__init__()
        longest = max(int(np.bincount(row).max()) for row in index)
        # The sender's states in each segment, filled up with a state of weight 0 after the last.
        members = np.full((len(index), states, longest), index.shape[1])
        for row, targets in enumerate(index):
            for target in range(states):
                found = np.flatnonzero(targets == target)
                members[row, target, : len(found)] = found
        self.longest = longest
        self.register_buffer("members", torch.tensor(members.reshape(len(index), -1)))

    def forward(self, x: Tensor) -> Tensor:
        """Messages (batch, nodes, receiver's states)."""
        gathered = _by_row(pad(x, (0, 1), value=-INFINITY), self.members)
        return torch.unflatten(gathered, -1, (-1, self.longest)).logsumexp(-1)


def _by_row(x: Tensor, index: Tensor) -> Tensor:
    """Entries of the last axis by an index (rows, entries); node k uses row ``k % rows``."""
    rows = len(index)
    if rows == 1:
        return x.index_select(-1, index[0])
    runs = torch.unflatten(x, 1, (x.shape[1] // rows, rows))
    return runs.gather(-1, index.expand(*runs.shape[:2], -1, -1)).flatten(1, 2)


class LayerMessage(nn.Module):
    """A message by a layer of the network that approximates it, in that layer's own layout.

    Parameters
    ----------
    layer
        The layer, which stays a part of the network alone.
    potential
        What its exact messages go through, in logs.
    block, place
        The child block of the edge, and where its nodes are.
    """

    order: Tensor
    inverse: Tensor

    def __init__(self, layer: MessageLayer, potential: Potential, block: str, place: Place) -> None:
        super().__init__()
        self.shape, self.block = (place.ranks, place.parents), block
        self._call = layer, potential  # in a tuple, so that the layer is a submodule once
        self.register_buffer("order", torch.tensor(place.order))
        self.register_buffer("inverse", torch.tensor(np.argsort(place.order)))

    def forward(self, x: Tensor) -> Tensor:
        """Messages (batch, nodes, receiver's states)."""
        layer, potential = self._call
        ordered = torch.unflatten(x.index_select(1, self.order), 1, self.shape)
        sent: Tensor = layer(Log(), potential, ordered.permute(1, 3, 2, 0), self.block)
        return sent.permute(3, 0, 2, 1).flatten(1, 2).index_select(1, self.inverse)
