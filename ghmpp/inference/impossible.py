"""Saying where impossible evidence arose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ghmpp.backends.leaves import log_leaves
from ghmpp.backends.reference import first_impossible
from ghmpp.errors import ImpossibleEvidenceError
from ghmpp.models.forest import Forest
from ghmpp.models.observations import Observation
from ghmpp.models.rooting import shortened
from ghmpp.models.summary import node_name
from ghmpp.models.validity import check, has_rules
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule

NAMED_ROWS = 3


def impossible_evidence(
    forest: Forest, observations: Mapping[str, Observation], rows: Sequence[int]
) -> ImpossibleEvidenceError:
    """The error for rows of probability zero, naming the variables at which it shows first.

    Where joint rules write a model, the tuple that no rule writes is named as well.
    """
    first = list(rows[:NAMED_ROWS])
    picked = {
        name: Observation(found.kind, found.array[first], found.channel)
        for name, found in observations.items()
    }
    leaves = log_leaves(picked, forest.variables)
    schedule = build_schedule(forest, [LOG_EVIDENCE], picked)
    where = {
        row: _place(forest, block, node) for row, block, node in first_impossible(schedule, leaves)
    }
    if has_rules(forest):
        broken = check(forest, picked, len(first)).broken
        where |= {row: names[0] for row, names in enumerate(broken) if names}
    parts = [
        f"row {row} at {where[position]}" for position, row in enumerate(first) if position in where
    ]
    more = f" and {len(rows) - NAMED_ROWS} more rows" if len(rows) > NAMED_ROWS else ""
    return ImpossibleEvidenceError(
        f"evidence has probability zero: {', '.join(parts)}{more}; every state there is ruled out "
        "by the evidence at and below it. Check the evidence, or use on_impossible='flag'.",
        tuple(rows),
    )


def _place(forest: Forest, block: str, node: int) -> str:
    """Name of a node; of a clique: its variables."""
    scope = forest.variables[forest.blocks[block].variable].scope
    return f"({shortened(scope)})" if scope else node_name(forest, forest.blocks[block], node)
