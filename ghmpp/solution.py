"""Declarations that are no hierarchical model: who solves them, and with which schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ghmpp.errors import QueryError
from ghmpp.models.channels import Given
from ghmpp.models.declared import FieldModel
from ghmpp.models.forest import Forest
from ghmpp.models.queries import Query, check_questions, output_blocks
from ghmpp.schedule.domain import Precision, choose_domain
from ghmpp.schedule.engines import Engine, engine_named
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.passes import prune, without_unused_couplings


@dataclass(frozen=True)
class Solution:
    """A declaration with the schedule that answers questions about it.

    ``given`` says what the network's inputs are: of real variables that are fields, the numbers
    themselves, as the schedule was made for their noise.
    """

    model: FieldModel
    given: tuple[Given, ...]
    schedule: Schedule


def solution(
    model: object,
    queries: Sequence[Query],
    given: tuple[Given, ...],
    engine: Engine | Literal["exact"] | None,
    dtype: Precision,
) -> Solution | None:
    """What an engine makes of a declaration; None where it is to be solved as a tree of messages.

    Raises
    ------
    QueryError
        If the declaration cannot answer, ``engine`` is none, or a hierarchical model is given one.
    """
    if not isinstance(model, FieldModel):
        if engine not in (None, "exact"):
            raise QueryError("compile: engine= is for declarations that are no hierarchical model.")
        return None
    if engine is None:
        name, options = model.solver(queries[0], given)
        engine = "exact" if name == "exact" else engine_named(name, **options)
    if engine == "exact":
        return None
    if isinstance(engine, (str, type)) or not hasattr(engine, "build"):
        raise QueryError(
            f"compile: unknown engine {engine!r}; pass an engine with its options, such as "
            "gh.TAP(), or 'exact'."
        )
    forest = model.forest(given)
    check_questions(forest, queries, given)
    wanted = [
        (query.kind, block)
        for query in queries
        for block in output_blocks(forest, query.kind, query.variable)
    ]
    built = engine.build(forest, wanted, [item.variable for item in given])
    read = tuple(
        replace(item, channel=None) if _is_field(forest, item.variable) else item for item in given
    )
    schedule = without_unused_couplings(prune(built, wanted))
    return Solution(model, read, choose_domain(schedule, dtype))


def _is_field(forest: Forest, variable: str) -> bool:
    return all(forest.is_field(block.name) for block in forest.class_blocks(variable))
