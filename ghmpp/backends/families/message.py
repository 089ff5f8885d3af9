"""The message layer of the families that approximate: nets in place of potentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import AnyArray, BoolArray, FloatArray, IntArray
from ghmpp.approximation.routes import Step
from ghmpp.backends.container import Named
from ghmpp.backends.families.stacks import Nets
from ghmpp.backends.families.stages import Dense
from ghmpp.backends.kernels import INFINITY, Kernel
from ghmpp.backends.layout import Place
from ghmpp.backends.messages import MessageLayer
from ghmpp.backends.potentials import Potential
from ghmpp.errors import EvidenceError
from ghmpp.models.forest import Edge
from ghmpp.models.observations import Observation
from ghmpp.schedule.ir import Direction

# For each row of a potential, kind and index of the net; None where the message is exact.
Chosen = tuple[tuple[str, int] | None, ...]


class NetMessage(MessageLayer):
    """One message layer: small networks, which read and write natural logs.

    Each net stands for the messages through one row of the potential. What needs none stays
    exact: copies, and messages that carry no evidence.

    Parameters
    ----------
    like
        The exact layer that it replaces.
    nets
        Stacked nets by kind.
    chosen, routes
        By child block, which of them sends each message.
    """

    def __init__(
        self,
        like: MessageLayer,
        nets: Mapping[str, Nets],
        chosen: Mapping[str, Chosen],
        routes: Mapping[str, Route],
    ) -> None:
        super().__init__(
            like.parent, like.child, toward=like.toward, states=like.states, ranks=like.ranks
        )
        for kind, stack in nets.items():
            self.add_module(kind, stack)
        self.chosen, self._routes = dict(chosen), dict(routes)

    def forward(self, kernel: Kernel, potential: Potential, x: Tensor, block: str) -> Tensor:
        """Messages (ranks, receiver's states, parents, batch) from the sender's states."""
        route = self._routes[block]
        result = None if route.covered else self.exact(kernel, potential, x)
        if route.senders is not None:
            x = x + torch.as_tensor(route.senders, dtype=x.dtype, device=x.device)
        largest = x.amax(1, keepdim=True)
        x = x - torch.where(largest > -INFINITY, largest, 0.0)
        for kind, (index, here) in route.indices.items():
            sent = self.nets(kind)(x, torch.as_tensor(index, device=x.device))
            mask = torch.as_tensor(here, device=x.device)[:, None, :, None]
            result = sent if result is None else torch.where(mask, sent, result)
        assert result is not None
        if route.receivers is not None:
            return result + torch.as_tensor(route.receivers, dtype=x.dtype, device=x.device)
        return result

    def nets(self, kind: str) -> Nets:
        """The stacked nets of a kind."""
        found = self.get_submodule(kind)
        assert isinstance(found, Nets)
        return found

    def dense(self, block: str, row: int) -> Dense | None:
        """The net of a message as affine maps and ReLUs; None where the message is exact."""
        chosen = self.chosen[block][row]
        return None if chosen is None else self.nets(chosen[0]).dense(chosen[1])

    def route(self, block: str) -> Route:
        """Which net sends each message to or from a child block."""
        return self._routes[block]

    def with_nets(
        self, nets: Mapping[str, Nets], instead: Mapping[tuple[str, int], tuple[str, int]]
    ) -> NetMessage:
        """The same messages sent by other nets, ``instead`` of the present ones."""
        chosen = {
            block: tuple(None if net is None else instead[net] for net in rows)
            for block, rows in self.chosen.items()
        }
        routes = {block: route.sent_by(chosen[block]) for block, route in self._routes.items()}
        return NetMessage(self, nets, chosen, routes)

    @property
    def reads_symbols(self) -> bool:
        """Whether it takes observed states only, and no other likelihoods."""
        return any(isinstance(nets, Nets) and nets.symbols for nets in self.children())


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Which net sends each message of a block, and which states can occur.

    Parameters
    ----------
    rows
        Row of the potential of each message, shape (ranks, parents), or (ranks, 1) where all
        parents are alike.
    indices
        By kind: the net of each message, and which messages it is asked for, of that shape.
    covered
        Whether no message is exact.
    senders, receivers
        0 for states that can occur and -inf for others, shape (states, 1, 1) and (ranks, states,
        parents or 1, 1); None where all can.
    """

    rows: IntArray
    indices: Mapping[str, tuple[IntArray, BoolArray]]
    covered: bool
    senders: FloatArray | None
    receivers: FloatArray | None

    @staticmethod
    def of(chosen: Chosen, place: Place, step: Step | None) -> Route:
        """The route of a block; without ``step`` all states can occur."""
        rows = place.order.reshape(place.ranks, place.parents) % len(chosen)
        if (rows == rows[:, :1]).all():
            rows = rows[:, :1]
        senders = receivers = None
        if step is not None and not step.sending.all():
            senders = _barred(step.sending)[:, None, None]
        if step is not None and not step.receiving.all():
            receivers = _barred(step.receiving[rows]).swapaxes(1, 2)[..., None]
        return Route(rows, {}, True, senders, receivers).sent_by(chosen)

    def sent_by(self, chosen: Chosen) -> Route:
        """The same messages, sent by other nets."""
        indices = {}
        for kind in dict.fromkeys(net[0] for net in chosen if net is not None):
            mine = np.array([net is not None and net[0] == kind for net in chosen])
            nets = np.array([net[1] if net and net[0] == kind else 0 for net in chosen])
            indices[kind] = nets[self.rows], mine[self.rows]
        covered = all(net is not None for net in chosen)
        return replace(self, indices=indices, covered=covered)


def _barred(possible: AnyArray) -> FloatArray:
    """0 for what is possible, -inf for what is not."""
    found: FloatArray = np.where(possible, 0.0, -np.inf)
    return found


def reads_symbols(layers: Named[MessageLayer]) -> bool:
    """Whether some layer takes observed states only."""
    found = (layers[name] for name in layers)
    return any(isinstance(layer, NetMessage) and layer.reads_symbols for layer in found)


def refuse_soft(seen: Mapping[str, Observation], layers: Named[MessageLayer]) -> None:
    """Refuse likelihoods where nets were made for observed states.

    Raises
    ------
    EvidenceError
        Naming the class.
    """
    for name, observation in seen.items():
        if name not in layers or observation.kind == "states":
            continue
        layer = layers[name]
        if isinstance(layer, NetMessage) and layer.reads_symbols:
            raise EvidenceError(
                f"{name}: the nets of this network read observed states, and got likelihoods; "
                "pass states, or compile it with evidence_span= for likelihoods."
            )


def copies(edge: Edge, toward: Direction) -> bool:
    """Whether the messages of an edge in a direction copy their input, so that no net is needed."""
    return edge.kind != "table" and (edge.kind == "child_of") == (toward == "root")
