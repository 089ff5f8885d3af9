"""What can be known about the values of a schedule before it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.cost import last_use
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Exclude,
    Message,
    Op,
    Pool,
    Schedule,
    Spread,
    Unary,
    Value,
)
from ghmpp.schedule.values import sources


@dataclass(frozen=True)
class Plan:
    """Instructions with the lifetime of their values.

    Parameters
    ----------
    ops
        The instructions.
    ending
        Values that are used for the last time, by instruction.
    outputs
        Values that are results.
    borrowed
        Values whose memory belongs to a potential and must not be overwritten.
    postponed
        Values that are computed only where they are summed up, in pieces (see
        :mod:`ghmpp.backends.gathers`); what they are made from lives as long as they do.
    shared
        Values in the memory of what they were copied from, which lives as long as they do.
    held
        Numbers per row of each block of which some value is held as a whole.
    """

    ops: tuple[Op, ...]
    ending: tuple[tuple[Value, ...], ...]
    outputs: tuple[Value, ...]
    borrowed: frozenset[Value]
    postponed: frozenset[Value]
    shared: frozenset[Value]
    held: Mapping[str, int]


def make_plan(schedule: Schedule, *, pieced: bool = True) -> Plan:
    """Lifetimes of values. What ``Choose`` reads is kept, so that it can run again.

    With ``pieced``, values between a gather and a sum are postponed.
    """
    again = {v for op in schedule.ops if isinstance(op, Choose) for v in sources(op)}
    ending: list[list[Value]] = [[] for _ in schedule.ops]
    readers = _readers(schedule)
    last = last_use(schedule)
    postponed = _postponed(schedule, readers) if pieced else frozenset()
    shared = frozenset(
        op.out
        for op in schedule.ops
        if isinstance(op, Spread) and all(isinstance(each, Message) for each in readers[op.out])
    )
    for op in reversed(schedule.ops):
        if op.out in postponed | shared:
            last |= {source: max(last[source], last[op.out]) for source in sources(op)}
    for value, position in last.items():
        if position < len(ending) and value not in again:
            ending[position].append(value)
    return Plan(
        schedule.ops,
        tuple(map(tuple, ending)),
        tuple(schedule.outputs.values()),
        frozenset(op.out for op in schedule.ops if isinstance(op, Unary)),
        postponed,
        shared,
        _held(schedule, postponed),
    )


def _held(schedule: Schedule, postponed: Collection[Value]) -> dict[str, int]:
    """Numbers per row of each block of which some value is held; unaries aside."""
    found: dict[str, int] = {}
    for op in schedule.ops:
        match op:
            case Unary():
                continue
            case Message(edge=name, toward=toward):
                name = schedule.forest.edges[name].parent if toward == "root" else name
            case Pool(edge=name) | Spread(edge=name) | Exclude(edge=name):
                name = schedule.forest.edges[name].parent
            case _:
                name = op.block
        if op.out not in postponed and name:
            block = schedule.forest.blocks[name]
            found[name] = block.nodes * block.states
    return found


def _readers(schedule: Schedule) -> dict[Value, list[Op]]:
    """The instructions that read each value."""
    readers: dict[Value, list[Op]] = {op.out: [] for op in schedule.ops}
    for op in schedule.ops:
        for source in sources(op):
            readers.setdefault(source, []).append(op)
    return readers


def _postponed(schedule: Schedule, readers: Mapping[Value, list[Op]]) -> frozenset[Value]:
    """Values between a gather and the sum that follows it."""
    found: set[Value] = set()
    for op in schedule.ops:
        reading = readers[op.out]
        once = len(reading) == 1 or (isinstance(op, Message) and op.toward == "root")
        summed = all(_takes_factors(op, reader, schedule.forest) for reader in reading)
        if once and summed and _is_gathered(op, schedule.forest, found):
            found.add(op.out)
    return frozenset(found)


def _is_gathered(op: Op, forest: Forest, found: Collection[Value]) -> bool:
    """Whether an instruction gathers, or multiplies what others have gathered."""
    match op:
        case Message(edge=child, toward="root"):
            edge = forest.edges[child]
            return edge.kind == "child_of" and edge.fanout > 1 and _by_rank(edge)
        case Message(edge=child):
            edge = forest.edges[child]
            return edge.kind == "parent_of" and edge.single and edge.rows == 1
        case Pool(source=source):
            return source in found
        case Exclude(messages=messages):
            return messages in found
        case Combine(sources=many):
            return any(source in found for source in many)
        case _:
            return False


def _takes_factors(op: Op, reader: Op, forest: Forest) -> bool:
    """Whether a reader can do with the factors of what an instruction writes."""
    match reader:
        case Message(edge=child, toward="root"):
            edge = forest.edges[child]
            return edge.kind == "parent_of" and edge.single and edge.rows == 1
        case Message(edge=child):
            edge = forest.edges[child]
            return isinstance(op, Exclude) and edge.kind == "child_of" and _by_rank(edge)
        case Pool():
            return True
        case Exclude(edge=child, messages=messages):
            edge = forest.edges[child]
            return messages == op.out or (edge.kind == "child_of" and _by_rank(edge))
        case Combine():
            return not isinstance(op, Exclude)
        case _:
            return False


def _by_rank(edge: Edge) -> bool:
    """Whether all parents have the same number of children, and nodes of one rank one index map."""
    return edge.parents is None and edge.rows in (1, edge.fanout)
