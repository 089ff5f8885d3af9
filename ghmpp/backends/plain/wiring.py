"""Which plain step stands for each instruction of a schedule, and what it reads and writes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import torch
from torch import nn

from ghmpp.backends.fields.layers import local_name
from ghmpp.backends.fields.parts import FieldLayers
from ghmpp.backends.network import Network
from ghmpp.backends.plain.fields import CoupleStep, FieldReadout, GateStep, LocalStep
from ghmpp.backends.plain.gaussian import ComponentStep, GaussianMessage, MomentStep
from ghmpp.backends.plain.messages import (
    GatherMessage,
    LayerMessage,
    SegmentMessage,
    TableMessage,
)
from ghmpp.backends.plain.readouts import (
    EdgeStep,
    EvidenceTotal,
    MeanStep,
    PosteriorStep,
    VarianceStep,
)
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
from ghmpp.errors import QueryError, ScheduleError
from ghmpp.models.forest import Edge, Forest
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
    Schedule,
    Spread,
    Term,
    Unary,
)
from ghmpp.schedule.provenance import provenance
from ghmpp.schedule.values import results, sources


@dataclass(frozen=True, slots=True)
class Call:
    """One step of a run: its name, and the names of the values that it reads and writes.

    Values are those of the schedule, ``("stack", key)`` and ``("log", key)`` of potentials,
    ``("number", key)`` of couplings and priors, and ``("evidence", class)``.
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
    taken: dict[str, int] = field(default_factory=dict)

    def add(
        self, name: str, step: nn.Module, reads: Sequence[Hashable], writes: Sequence[Hashable]
    ) -> None:
        """The next step; a name that is taken gets a number."""
        number = self.taken[name] = self.taken.get(name, 0) + 1
        free = name if number == 1 else f"{name} {number}"
        self.steps[free] = step
        self.calls.append(Call(free, tuple(reads), tuple(writes)))
        self.written.update(writes)


def wire(network: Network, schedule: Schedule, dtype: torch.dtype) -> Wiring:
    """The steps of a network's schedule, of which all repetitions are unrolled.

    Messages are called by their names, ``"pixel -> block"``; other steps by what they are at.

    Parameters
    ----------
    network
        Whose layers.
    schedule
        What it computes, without repetitions.
    dtype
        Precision of the run.

    Raises
    ------
    QueryError
        If the schedule makes choices, takes maxima, or sums counts over the batch.
    """
    wiring = Wiring()
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
        wiring.add(name, step, (*_sources(op, schedule.forest), *extra), results(op))
    return wiring


Extra = tuple[tuple[str, str], ...]


def _step(op: Op, network: Network, dtype: torch.dtype) -> tuple[nn.Module, Extra]:
    """The step of an instruction, and what it reads besides values of the schedule."""
    forest = network.schedule.forest
    match op:
        case Evidence(block=name):
            block = forest.blocks[name]
            if forest.is_gaussian(name):
                step = ComponentStep(block.start, block.nodes, block.states)
                return step, (("evidence", block.variable),)
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
        case Couple():
            return CoupleStep(op, forest, dtype), ()
        case Local(sources=read, key=key):
            layer = _fields(network).local[local_name(op.function)]
            return LocalStep(layer, len(read), dtype), () if key is None else (("number", key),)
        case Gate():
            return GateStep(_fields(network).gates[op.name]), ()
        case Noise():
            raise QueryError("plain network: a network that draws noise is no function to write.")
        case Repeat():
            raise ScheduleError("plain network: repetitions are unrolled before; a bug in ghmpp.")
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
    if edge.kind == "gaussian":
        return GaussianMessage(op, forest), (("stack", edge.key),)
    index = forest.data[edge.key]
    if (edge.kind == "child_of") == (op.toward == "root"):
        return GatherMessage(index), ()
    receiving = edge.parent if op.toward == "root" else edge.child
    return SegmentMessage(index, forest.blocks[receiving].states), ()


def _readout(op: Readout, network: Network, dtype: torch.dtype) -> tuple[nn.Module, Extra]:
    forest = network.schedule.forest
    match op.kind:
        case "mean" if forest.is_field(op.block):
            return FieldReadout(), ()
        case "draw" | "code":
            return FieldReadout(), ()
        case "posterior":
            return PosteriorStep(), ()
        case "mean" | "variance" if forest.is_gaussian(op.block):
            return MomentStep(op.kind), ()
        case "mean" | "variance":
            values = forest.variables[forest.blocks[op.block].variable].values
            assert values is not None
            if op.kind == "mean":
                return MeanStep(values, dtype), ()
            return VarianceStep(values, dtype), ()
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


def _sources(op: Op, forest: Forest) -> tuple[Hashable, ...]:
    """Values in the order in which the step takes them."""
    if isinstance(op, Exclude) and op.context is not None:
        return (op.messages, op.context)
    if isinstance(op, Couple):
        return tuple(name for term in op.terms for name in _term_reads(term, forest))
    return sources(op)


def _term_reads(term: Term, forest: Forest) -> tuple[Hashable, ...]:
    """A field, and the numbers of a coupling, as far as there are any."""
    field = () if term.source is None else (term.source,)
    if term.coupling is None:
        return field
    return (*field, ("number", forest.couplings[term.coupling].key))


def _fields(network: Network) -> FieldLayers:
    assert network.fields is not None
    return network.fields
