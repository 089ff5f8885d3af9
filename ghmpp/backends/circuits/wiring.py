"""Which layer stands for each instruction of a collect pass, and what it reads and writes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import nn

from ghmpp.backends.circuits.layers import Mass, Ones, Product, Products, WeightedSums, Weights
from ghmpp.errors import ModelError, ScheduleError
from ghmpp.models.forest import Forest
from ghmpp.schedule.ir import Combine, Evidence, Message, Op, Pool, Readout, Schedule, Unary, Value
from ghmpp.schedule.values import sources


@dataclass(frozen=True, slots=True)
class Step:
    """One call: what it writes, what of, and what it reads.

    ``name`` is that of a layer; or, if ``observed``, that of a block whose likelihoods are given.
    """

    out: Value
    name: str
    reads: tuple[Value, ...]
    observed: bool = False


def wired(schedule: Schedule, dtype: torch.dtype) -> tuple[dict[str, nn.Module], list[Step]]:
    """The layers of a schedule by name, and their calls in order.

    Blocks of one class that do the same share a layer, so that a chain has one for all its steps.

    Raises
    ------
    ModelError
        If a potential is an index map.
    ScheduleError
        If the schedule rescales, or does anything but collect.
    """
    layers: dict[str, nn.Module] = {}
    known: dict[tuple[str, Hashable], str] = {}
    steps: list[Step] = []
    for op in schedule.ops:
        if isinstance(op, Evidence):
            steps.append(Step(op.out, op.block, (), observed=True))
            continue
        name, same = _look(op, schedule.forest)
        if (name, same) not in known:
            free = name
            while free in layers:
                free += "_"
            known[name, same], layers[free] = free, _layer(op, schedule.forest, dtype)
        steps.append(Step(op.out, known[name, same], sources(op)))
    return layers, steps


def _look(op: Op, forest: Forest) -> tuple[str, Hashable]:
    """The name of a layer, and what must be equal where it is shared."""
    match op:
        case Unary(block=block, key=key):
            return f"{_variable(forest, block)}_prior", (key, forest.blocks[block].nodes)
        case Message(edge=child):
            edge = forest.edges[child]
            return _variable(forest, child), (edge.key, edge.rows)
        case Pool(edge=child):
            slots = forest.slots(forest.edges[child])
            return f"{_variable(forest, child)}_pool", (slots.shape, slots.tobytes())
        case Combine(block=block):
            nodes = 0 if op.sources else forest.blocks[block].nodes  # ones have a size
            return f"{_variable(forest, block)}_product", nodes
        case _:
            return "mass", None


def _layer(op: Op, forest: Forest, dtype: torch.dtype) -> nn.Module:
    match op:
        case Unary(block=block, key=key):
            return Weights(forest.data[key], forest.blocks[block].nodes, dtype)
        case Message(edge=child, toward="root"):
            edge = forest.edges[child]
            if edge.kind != "table":
                raise ModelError(
                    f"circuit: the edge above {_variable(forest, child)!r} has no table but is of "
                    f"kind {edge.kind!r} (index maps come from joint rules and junction trees); "
                    "the network of gh.compile(model, gh.log_evidence(), given=...) runs it."
                )
            return WeightedSums(forest.data[edge.key], dtype)
        case Pool(edge=child):
            return Products(forest.slots(forest.edges[child]))
        case Combine(block=block, sources=()):
            return Ones(forest.blocks[block].nodes, forest.blocks[block].states, dtype)
        case Combine():
            return Product()
        case Readout(kind="log_evidence", sources=read, roots=roots) if len(read) == roots:
            return Mass()
        case _:
            raise ScheduleError(f"circuit: {op} is in no linear collect pass; a bug in ghmpp.")


def _variable(forest: Forest, block: str) -> str:
    return forest.blocks[block].variable
