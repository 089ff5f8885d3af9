"""The layers of one message in the standard form: nets of all ranks, or the potential itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from ghmpp._arrays import FloatArray
from ghmpp.backends.convolutions.convolutions import Maker
from ghmpp.backends.convolutions.grids import Grids
from ghmpp.backends.convolutions.layers import Exp, Log, Normalize, Pool
from ghmpp.backends.convolutions.stages import constant_net, side_by_side, with_constant_unit
from ghmpp.backends.families.free import LOWEST, FreeNets
from ghmpp.backends.families.message import NetMessage
from ghmpp.backends.families.nets import FARTHEST
from ghmpp.backends.families.stages import Dense, Stage
from ghmpp.backends.messages import MessageLayer

if TYPE_CHECKING:
    from ghmpp.backends.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Makes the layers of the messages of a network."""

    network: Network
    grids: Grids
    maker: Maker

    def encoder(
        self, child: str, *, pooled: bool
    ) -> tuple[list[nn.Module], Literal["logs", "symbol"]]:
        """Layers toward the root, and what they read.

        They give the messages of each rank, (ranks * states) channels, or their sum if
        ``pooled``.
        """
        kernel, layer = self.grids.kernel(child), self._layer(child, "root")
        nets = self._nets(layer, child)
        end = [Pool(layer.ranks)] if pooled else []
        if nets is None:
            gather = self.maker.gather(self._tables(layer, child), kernel, bias=False)
            return [Normalize(), Exp(), gather, Log(), *end], "logs"
        first, *others = side_by_side(nets)
        start = [] if nets[0].reads == "symbol" else [self._finite(layer, child)]
        layers = [*start, *_stage(self.maker.gather(first, kernel), first)]
        for stage in others:
            last = pooled and stage is others[-1]
            made = self.maker.pooled(stage) if last else self.maker.grouped(stage)
            layers += _stage(made, stage)
        return [*layers, *([] if others else end)], nets[0].reads

    def decoder(self, child: str) -> list[nn.Module]:
        """Layers toward the leaves: from (ranks * parent states) to (child states) channels."""
        kernel, layer = self.grids.kernel(child), self._layer(child, "leaves")
        nets = self._nets(layer, child)
        if nets is None:
            scatter = self.maker.scatter(self._tables(layer, child), kernel)
            return [Normalize(layer.ranks), Exp(), scatter, Log()]
        *inner, last = with_constant_unit(side_by_side(nets))
        layers: list[nn.Module] = [self._finite(layer, child, layer.ranks)]
        for stage in inner:
            layers += _stage(self.maker.grouped(stage), stage)
        return [*layers, self.maker.scatter(last, kernel)]

    def _layer(self, child: str, toward: Literal["root", "leaves"]) -> MessageLayer:
        """The network's layer of a message."""
        variable = self.network.schedule.forest.blocks[child].variable
        return (self.network.collect if toward == "root" else self.network.distribute)[variable]

    def _stack(self, child: str) -> Tensor:
        """Linear tables on an edge, (rows, parent states, child states), largest entry 1."""
        stack = self.network.stack(self.network.schedule.forest.edges[child].key).detach()
        return stack / stack.amax()

    def _tables(self, layer: MessageLayer, child: str) -> list[Stage]:
        """The potential by rank, (receiving states, sending states)."""
        stack = self._stack(child).to(self.network.like)
        tables = stack if layer.toward == "root" else stack.transpose(1, 2)
        return [
            Stage(table, table.new_zeros(len(table)), relu=False)
            for table in tables.expand(layer.ranks, -1, -1)
        ]

    def _nets(self, layer: MessageLayer, child: str) -> list[Dense] | None:
        """The net of each rank; None where all messages are exact.

        An exact message beside nets has a table of rank one, and is a constant.
        """
        if not isinstance(layer, NetMessage):
            return None
        edge = self.network.schedule.forest.edges[child]
        found = [layer.dense(child, row) for row in range(edge.rows)]
        some = next((net for net in found if net is not None), None)
        if some is None:
            return None
        tables, possible = self._tables(layer, child), _senders(layer, child)
        nets = []
        for rank in range(layer.ranks):
            net = found[rank % edge.rows]
            if net is None:
                weights = tables[rank].weight
                sent = weights if possible is None else weights[:, possible == 0]
                net = constant_net(sent.sum(1).log(), some)
            nets.append(_barring(net, layer.route(child).receivers, rank))
        return nets

    def _finite(self, layer: MessageLayer, child: str, ranks: int = 1) -> Normalize:
        """The rescale in front of plain affine maps, in which -inf has no place."""
        assert isinstance(layer, NetMessage)
        free = any(isinstance(nets, FreeNets) for nets in layer.children())
        senders = _senders(layer, child)
        barred = None if senders is None else senders.to(self.network.like)
        return Normalize(ranks, barred=barred, floor=LOWEST if free else FARTHEST)


def _stage(made: nn.Module, stage: Sequence[Stage]) -> list[nn.Module]:
    """A convolution, with the ReLU that follows it."""
    return [made, nn.ReLU()] if stage[0].relu else [made]


def _senders(layer: NetMessage, child: str) -> Tensor | None:
    """0 for sending states that can occur and -inf for others, (states,); None where all can."""
    barred = layer.route(child).senders
    return None if barred is None else torch.tensor(barred).flatten()


def _barring(net: Dense, barred: FloatArray | None, rank: int) -> Dense:
    """The net with -inf for receiving states that cannot occur."""
    if barred is None:
        return net
    *inner, last = net.stages
    bias = last.bias + torch.tensor(barred[rank, :, 0, 0]).to(last.bias)
    return Dense(net.reads, (*inner, Stage(last.weight, bias, last.relu)))
