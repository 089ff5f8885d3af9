"""What can be known about the values of a schedule before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from ghmpp.schedule.cost import last_use
from ghmpp.schedule.ir import Choose, Op, Schedule, Unary, Value, sources


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
    """

    ops: tuple[Op, ...]
    ending: tuple[tuple[Value, ...], ...]
    outputs: tuple[Value, ...]
    borrowed: frozenset[Value]


def make_plan(schedule: Schedule) -> Plan:
    """Lifetimes of values. What ``Choose`` reads is kept, so that it can run again."""
    again = {v for op in schedule.ops if isinstance(op, Choose) for v in sources(op)}
    ending: list[list[Value]] = [[] for _ in schedule.ops]
    for value, position in last_use(schedule).items():
        if position < len(ending) and value not in again:
            ending[position].append(value)
    return Plan(
        schedule.ops,
        tuple(map(tuple, ending)),
        tuple(schedule.outputs.values()),
        frozenset(op.out for op in schedule.ops if isinstance(op, Unary)),
    )
