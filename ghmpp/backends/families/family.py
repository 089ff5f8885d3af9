"""Which rule stands for the potentials of a network: the exact one, ReLU nets, or free nets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import torch

from ghmpp.approximation.certificate import Certificate
from ghmpp.approximation.field_certificate import FieldCertificate
from ghmpp.approximation.propagate import StepBound
from ghmpp.approximation.weights import (
    ExpLogWeights,
    LayerWeights,
    LogOddsWeights,
    NetWeights,
    Place,
    SymbolWeights,
)
from ghmpp.backends.families.free import FreeNets
from ghmpp.backends.families.message import NetMessage, Route, copies
from ghmpp.backends.families.nets import ExpLogNets, LogOddsNets, SymbolNets
from ghmpp.backends.families.stacks import Nets
from ghmpp.backends.families.stages import Dense
from ghmpp.backends.fields.layers import gate_layers, local_layers
from ghmpp.backends.fields.parts import FieldLayers
from ghmpp.backends.messages import MessageLayer
from ghmpp.backends.prepare import Frame, message_layers
from ghmpp.schedule.ir import Direction, Schedule

FamilyName = Literal["exact", "relu", "trainable"]
FAMILIES: tuple[FamilyName, ...] = get_args(FamilyName)
# Names of the stacks of free nets, by what they read.
FREE = {"logs": "free", "symbol": "free_symbols"}


class Family(Protocol):
    """Makes the layers of a network."""

    @property
    def name(self) -> FamilyName: ...
    @property
    def certificate(self) -> Certificate | FieldCertificate | None: ...

    def layers(
        self, frame: Frame, toward: Direction, dtype: torch.dtype
    ) -> dict[str, MessageLayer]:
        """One layer per edge class that the schedule sends through in a direction."""

    def fields(self, schedule: Schedule, dtype: torch.dtype) -> FieldLayers | None:
        """What stands for the instructions on fields; None where there are none."""


@dataclass(frozen=True, slots=True)
class Exact:
    """The potentials themselves."""

    name: FamilyName = "exact"
    certificate: None = None

    def layers(
        self, frame: Frame, toward: Direction, dtype: torch.dtype
    ) -> dict[str, MessageLayer]:
        """Layers that use the network's potentials."""
        return message_layers(frame, toward)

    def fields(self, schedule: Schedule, dtype: torch.dtype) -> FieldLayers | None:
        """The couplings and functions themselves."""
        if not schedule.has_fields:
            return None
        return FieldLayers(schedule.forest, dtype, local_layers(schedule), gate_layers(schedule))


@dataclass(frozen=True, slots=True, eq=False)
class Relu:
    """Nets with proved errors.

    Parameters
    ----------
    steps
        The messages, with the sizes of their nets.
    weights
        The nets by layer.
    certificate
        What is proved of them.
    """

    steps: tuple[StepBound, ...]
    weights: Mapping[Place, LayerWeights]
    certificate: Certificate | None = None
    name: FamilyName = "relu"

    def layers(
        self, frame: Frame, toward: Direction, dtype: torch.dtype
    ) -> dict[str, MessageLayer]:
        """Layers of nets, in place of the exact ones."""
        bounds = {
            bound.step.edge.child: bound for bound in self.steps if bound.step.toward == toward
        }
        found: dict[str, MessageLayer] = {}
        for child, like in message_layers(frame, toward).items():
            weights = self.weights[toward, child]
            nets: dict[str, Nets] = {
                kind: _nets(each, weights, dtype) for kind, each in weights.nets.items()
            }
            routes = {
                block: Route.of(chosen, frame.places[block], bounds[block].step)
                for block, chosen in weights.chosen.items()
            }
            found[child] = NetMessage(like, nets, weights.chosen, routes)
        return found

    def fields(self, schedule: Schedule, dtype: torch.dtype) -> None:
        """None: these nets stand for messages."""


def _nets(nets: NetWeights, weights: LayerWeights, dtype: torch.dtype) -> Nets:
    match nets:
        case ExpLogWeights():
            return ExpLogNets(nets, weights.log_ratios, dtype)
        case LogOddsWeights():
            return LogOddsNets(nets, dtype)
        case SymbolWeights():
            return SymbolNets(nets, dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Trainable:
    """Free nets that start at random, one per row of each potential.

    Parameters
    ----------
    width
        Units of both hidden layers.
    symbols
        Classes of which states are observed, and nothing else.
    generator
        Of the starting weights.
    """

    width: int
    symbols: Collection[str]
    generator: torch.Generator = field(repr=False)
    name: FamilyName = "trainable"
    certificate: None = None

    def layers(
        self, frame: Frame, toward: Direction, dtype: torch.dtype
    ) -> dict[str, MessageLayer]:
        """Layers of free nets, but for copies."""
        return {
            child: like
            if copies(frame.edges[child], toward)
            else self._layer(frame, child, like, dtype)
            for child, like in message_layers(frame, toward).items()
        }

    def fields(self, schedule: Schedule, dtype: torch.dtype) -> None:
        """None: these nets stand for messages."""

    def _layer(
        self, frame: Frame, child: str, like: MessageLayer, dtype: torch.dtype
    ) -> NetMessage:
        forest, edge = frame.schedule.forest, frame.edges[child]
        alone = not any(
            forest.children[block.name] or block.unary is not None
            for block in forest.class_blocks(child)
        )
        symbols = like.toward == "root" and child in self.symbols and alone
        states = like.states if like.toward == "leaves" else like.states[::-1]
        nets = FreeNets.random(
            edge.rows, states, self.width, dtype, self.generator, symbols=symbols
        )
        kind = FREE["symbol" if symbols else "logs"]
        chosen = tuple((kind, row) for row in range(edge.rows))
        blocks = [block.name for block in forest.class_blocks(child) if block.name in forest.edges]
        routes = {block: Route.of(chosen, frame.places[block], None) for block in blocks}
        return NetMessage(like, {kind: nets}, dict.fromkeys(blocks, chosen), routes)


@dataclass(frozen=True, slots=True, eq=False)
class Unfrozen:
    """Free nets that start as the nets of another family."""

    start: Relu
    name: FamilyName = "trainable"
    certificate: None = None

    def layers(
        self, frame: Frame, toward: Direction, dtype: torch.dtype
    ) -> dict[str, MessageLayer]:
        """Layers of free nets, where the other family has nets."""
        found = self.start.layers(frame, toward, torch.float64)
        return {
            child: _freed(layer, dtype) if isinstance(layer, NetMessage) else layer
            for child, layer in found.items()
        }

    def fields(self, schedule: Schedule, dtype: torch.dtype) -> None:
        """None: these nets stand for messages."""


def _freed(layer: NetMessage, dtype: torch.dtype) -> NetMessage:
    """The same layer with its nets as free ones, each once."""
    chosen = [net for rows in layer.chosen.values() for net in rows if net is not None]
    nets: dict[str, dict[tuple[str, int], Dense]] = {}
    for kind, index in dict.fromkeys(chosen):
        dense = layer.nets(kind).dense(index)
        nets.setdefault(FREE[dense.reads], {})[kind, index] = dense
    place = {net: (kind, k) for kind, found in nets.items() for k, net in enumerate(found)}
    free: dict[str, Nets] = {
        kind: FreeNets.of(list(found.values()), dtype) for kind, found in nets.items()
    }
    return layer.with_nets(free, place)
