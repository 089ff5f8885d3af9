"""Which plain step stands for each instruction of a schedule, and what it reads and writes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import torch
from torch import nn

from ghmpp.backends.network import Network
from ghmpp.backends.plain.messages import (
    GatherMessage,
    LayerMessage,
    SegmentMessage,
    TableMessage,
)
from ghmpp.backends.plain.readouts import EdgeStep, EvidenceTotal, MeanStep, PosteriorStep
from ghmpp.backends.plain.steps import (
    CombineStep,
    EvidenceStep,
    ExcludeStep,
    Logarithm,
    NormalizeStep,
    OnesStep,
    PoolStep,
    Reorder,
    UnaryStep,
)
from ghmpp.errors import QueryError
from ghmpp.models.forest import Edge
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Evidence,
    Exclude,
    Message,
    Normalize,
    Op,
    Pool,
    Readout,
    Spread,
    Unary,
    results,
    sources,
)
from ghmpp.schedule.provenance import provenance


@dataclass(frozen=True, slots=True)
class Call:
    """One step of a run: its name, and the names of the values that it reads and writes.

    Values are those of the schedule, ``("stack", key)`` and ``("log", key)`` of potentials, and
    ``("evidence", class)``.
    """

    step: str
    reads: tuple[Hashable, ...]
    writes: tuple[Hashable, ...]


@dataclass
class Wiring:
    """Steps by name, and their calls in order."""

    steps: dict[str, nn.Module] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    written: set[Hashable] = field(default_factory=set)

    def add(
        self, name: str, step: nn.Module, reads: Sequence[Hashable], writes: Sequence[Hashable]
    ) -> None:
        """The next step; a name that is taken gets a number."""
        free, number = name, 1
        while free in self.steps:
            number += 1
            free = f"{name} {number}"
        self.steps[free] = step
        self.calls.append(Call(free, tuple(reads), tuple(writes)))
        self.written.update(writes)


def wire(network: Network, dtype: torch.dtype) -> Wiring:
    """The steps of a network's schedule.

    Messages are called by their names, ``"pixel -> block"``; other steps by what they are at.

    Parameters
    ----------
    network
        Whose schedule and message layers.
    dtype
        Precision of the run.

    Raises
    ------
    QueryError
        If the schedule makes choices, takes maxima, or sums counts over the batch.
    """
    schedule, wiring = network.schedule, Wiring()
    if schedule.semiring != "sum":
        raise QueryError(
            "plain network: the most probable configuration is not one differentiable function; "
            "ask for posteriors, means, edges or the log evidence."
        )
    for op in schedule.ops:
        step, extra = _step(op, network, dtype)
        for each in extra:
            if each[0] == "log" and each not in wiring.written:
                wiring.add(f"log {each[1]}", Logarithm(dtype), [("stack", each[1])], [each])
        name = provenance(op, schedule.forest).name
        if not isinstance(op, Message):
            name = f"{name} {type(op).__name__.lower()}"
        wiring.add(name, step, (*_sources(op), *extra), results(op))
    return wiring


Extra = tuple[tuple[str, str], ...]


def _step(op: Op, network: Network, dtype: torch.dtype) -> tuple[nn.Module, Extra]:
    """The step of an instruction, and what it reads besides values of the schedule."""
    forest = network.schedule.forest
    match op:
        case Evidence(block=name):
            block = forest.blocks[name]
            return EvidenceStep(block.start, block.nodes), (("evidence", block.variable),)
        case Unary(block=name, key=key):
            return UnaryStep(forest.blocks[name].nodes), (("log", key),)
        case Message():
            return _message(op, network)
        case Pool(edge=edge):
            return PoolStep(forest.edges[edge], forest), ()
        case Spread(edge=edge):
            return Reorder(forest.parent_nodes(forest.edges[edge])), ()
        case Exclude(edge=edge):
            return ExcludeStep(forest.edges[edge], forest), ()
        case Combine(block=name, sources=()):
            block = forest.blocks[name]
            return OnesStep(block.nodes, block.states, dtype), ()
        case Combine():
            return CombineStep(), ()
        case Normalize():
            return NormalizeStep(), ()
        case Readout():
            return _readout(op, network, dtype)
        case Choose():
            raise QueryError("plain network: choices are made step by step; ask for posteriors.")
        case _:
            assert_never(op)


def _message(op: Message, network: Network) -> tuple[nn.Module, Extra]:
    """A layer that approximates, or else the potential."""
    forest = network.schedule.forest
    edge, variable = forest.edges[op.edge], forest.blocks[op.edge].variable
    if network.family != "exact":
        layers = network.collect if op.toward == "root" else network.distribute
        setting = network.setting(tracked=False)
        place, potential = setting.frame.places[op.edge], setting.potentials[variable]
        return LayerMessage(layers[variable], potential, op.edge, place), ()
    if edge.kind == "table":
        return TableMessage(edge, op.toward), _logs(edge)
    index = forest.data[edge.key]
    if (edge.kind == "child_of") == (op.toward == "root"):
        return GatherMessage(index), ()
    receiving = edge.parent if op.toward == "root" else edge.child
    return SegmentMessage(index, forest.blocks[receiving].states), ()


def _readout(op: Readout, network: Network, dtype: torch.dtype) -> tuple[nn.Module, Extra]:
    forest = network.schedule.forest
    match op.kind:
        case "posterior":
            return PosteriorStep(), ()
        case "mean":
            values = forest.variables[forest.blocks[op.block].variable].values
            assert values is not None
            return MeanStep(values, dtype), ()
        case "log_evidence":
            return EvidenceTotal(op.roots), ()
        case "edge":
            edge = forest.edges[op.block]
            return EdgeStep(edge, forest, dtype), _logs(edge)
        case "counts" | "unary_counts":
            raise QueryError("plain network: counts are sums over the batch; ask for edges.")
        case _:
            assert_never(op.kind)


def _logs(edge: Edge) -> Extra:
    return (("log", edge.key),) if edge.kind == "table" else ()


def _sources(op: Op) -> tuple[int, ...]:
    """Values in the order in which the step takes them."""
    if isinstance(op, Exclude) and op.context is not None:
        return (op.messages, op.context)
    return sources(op)
