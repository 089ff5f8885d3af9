"""A bound on what underflow may have lost in scaled linear arithmetic.

Potentials are scaled so that no message has an entry above 1 if its input has none. So no value
has one: a product adds at most the absolute errors of its factors, a message passes on at most
that of its input, and a rescale divides by the largest entry before it.

``tiny`` (the smallest normal number, times the states) is added at each rescale, and once more at a
result, for what vanished below the exponent range since the rescale before. Underflow is gradual,
so that one operation loses no more than eps times the smallest normal number, and ``tiny`` is
enough for ``1 / eps`` of them (8 million in float32). Under ``torch.set_flush_denormal(True)`` it
would be enough for one message only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ghmpp.backends.kernels import split
from ghmpp.backends.layout import Place
from ghmpp.models.forest import Forest
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Couple,
    Evidence,
    Exclude,
    Gate,
    Local,
    Message,
    Noise,
    Normalize,
    Op,
    Pool,
    Readout,
    Repeat,
    Spread,
    Unary,
    Value,
)


@dataclass
class Guard:
    """Bounds by value, (ranks, parents, batch) of the block or of the edge's children.

    ``worst`` is the largest relative loss that any result of a row may have, (batch,).
    """

    places: Mapping[str, Place]
    forest: Forest
    like: Tensor
    lost: dict[Value, Tensor] = field(default_factory=dict)
    divided: dict[Value, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.worst = self.like.new_zeros(1)
        states = max(block.states for block in self.forest.blocks.values())
        self.tiny = torch.finfo(self.like.dtype).tiny * states

    def start(self, value: Value, name: str, lost: float) -> None:
        """Bound of fresh evidence or of a potential."""
        place = self.places[name]
        self.lost[value] = self.like.new_full((place.ranks, place.parents, 1), lost)

    def rescaled(self, value: Value, before: Tensor) -> None:
        """Remember the largest entry before a rescale, whose result is ``value``."""
        self.divided[value] = before.detach().amax(0)

    def follow(self, op: Op, floor: float) -> None:
        """Carry the bound through one instruction; ``floor`` is what evidence may have dropped."""
        lost = self.lost
        match op:
            case Evidence(block=block):
                self.start(op.out, block, floor)
            case Unary(block=block):
                self.start(op.out, block, 0.0)
            case Message(edge=edge, toward=toward, source=source):
                sent = lost[source]
                single = toward == "root" and self.forest.edges[edge].single
                lost[op.out] = self.at_parent(edge, sent[0]) if single else sent
            case Pool(edge=edge, source=source):
                lost[op.out] = self.at_parent(edge, self.summed(edge, lost[source]))
            case Spread(source=source):
                lost[op.out] = lost[source].flatten(0, 1)[None]
            case Exclude(edge=edge, context=context, messages=messages):
                total = self.summed(edge, lost[messages])
                if context is not None:
                    total = total + lost[context].flatten(0, 1)
                above = self.places[edge].above
                if above is None:
                    lost[op.out] = total.expand(lost[messages].shape[0], *total.shape)
                else:
                    lost[op.out] = total[torch.as_tensor(above, device=total.device)][None]
            case Combine(block=block, sources=sources):
                self.start(op.out, block, 0.0)
                for source in sources:
                    lost[op.out] = lost[op.out] + lost[source]
            case Normalize(source=source):
                before = self.divided.pop(op.out, None)
                kept = lost[source]
                lost[op.out] = kept if before is None else (kept + self.tiny) / before
            case Choose() | Readout():
                pass
            case Couple() | Local() | Gate() | Noise() | Repeat():
                raise AssertionError("fields run in logarithms, which need no guard")

    def summed(self, edge: str, lost: Tensor) -> Tensor:
        """Sum over the children of each parent, (parents, batch)."""
        above = self.places[edge].above
        if above is None:
            return lost.sum(0)
        nodes = self.places[self.forest.edges[edge].parent].nodes
        index = torch.as_tensor(above, device=lost.device)
        return lost.new_zeros(nodes, lost.shape[2]).index_add(0, index, lost[0])

    def at_parent(self, edge: str, lost: Tensor) -> Tensor:
        """Bounds (parents, batch) in the shape of the parent block."""
        place = self.places[self.forest.edges[edge].parent]
        return split(lost, 0, (place.ranks, place.parents))

    def watch(self, largest: Tensor, values: tuple[Value, ...]) -> None:
        """Relate the bounds of a result's sources to its largest entries, (..., batch)."""
        total = sum((self.lost[value] for value in values), torch.zeros_like(self.worst))
        relative = (total + self.tiny) / largest.detach()
        self.worst = torch.maximum(self.worst, relative.flatten(0, -2).amax(0))
