"""Saying where impossible evidence arose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ghmpp.backends.leaves import log_leaves
from ghmpp.backends.reference import first_impossible
from ghmpp.errors import ImpossibleEvidenceError
from ghmpp.models.observations import Observation
from ghmpp.models.summary import node_name
from ghmpp.schedule.ir import Schedule

NAMED_ROWS = 3


def impossible_evidence(
    schedule: Schedule, observations: Mapping[str, Observation], rows: Sequence[int]
) -> ImpossibleEvidenceError:
    """The error for rows of probability zero, naming the variables at which it shows first."""
    first = list(rows[:NAMED_ROWS])
    picked = {
        name: Observation(found.kind, found.array[first], found.channel)
        for name, found in observations.items()
    }
    leaves = log_leaves(picked, schedule.forest.variables)
    forest = schedule.forest
    where = {
        row: node_name(forest, forest.blocks[block], node)
        for row, block, node in first_impossible(schedule, leaves)
    }
    parts = [
        f"row {row} at {where[position]}" for position, row in enumerate(first) if position in where
    ]
    more = f" and {len(rows) - NAMED_ROWS} more rows" if len(rows) > NAMED_ROWS else ""
    return ImpossibleEvidenceError(
        f"evidence has probability zero: {', '.join(parts)}{more}; every state there is ruled out "
        "by the evidence at and below it. Check the evidence, or use on_impossible='flag'.",
        tuple(rows),
    )
