"""How a broken rule of schedules is reported: shortly, then with the schedule around it."""

from __future__ import annotations

from typing import NoReturn

from ghmpp.errors import ScheduleError
from ghmpp.schedule.ir import Schedule

CONTEXT_LINES = 12


class Illegal(Exception):
    """A broken rule, stated shortly; the caller adds the instruction and the schedule."""


def expect(condition: bool, fact: str) -> None:
    """Break off with ``fact`` unless the condition holds."""
    if not condition:
        raise Illegal(fact)


def refuse(schedule: Schedule, fact: str, position: int | None) -> NoReturn:
    """Raise with the instruction and the schedule around it."""
    where = "" if position is None else f"op {position}, {schedule.ops[position]!r}: "
    raise ScheduleError(
        f"check_schedule: {where}{fact}. This is a bug in ghmpp: please report it with the "
        f"model and this schedule of '{schedule.forest.name}':\n{_listing(schedule, position)}"
    ) from None


def _listing(schedule: Schedule, position: int | None) -> str:
    """The instructions, or those around ``position`` when there are many."""
    around = 0 if position is None else position
    start = max(0, around - CONTEXT_LINES)
    shown = schedule.ops[start : around + CONTEXT_LINES]
    lines = [
        f"{'>' if index == position else ' '}{index:>6}  {op!r}"
        for index, op in enumerate(shown, start)
    ]
    return "\n".join([*lines, f"outputs: {dict(list(schedule.outputs.items())[:CONTEXT_LINES])}"])
