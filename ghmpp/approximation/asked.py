"""What a network is asked for: the query, what is observed, and the messages that answer it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Protocol, get_args

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.approximation.budgets import BUDGETS, LARGEST_WIDTH
from ghmpp.approximation.message import ROUNDOFF, Construction
from ghmpp.approximation.propagate import Domain
from ghmpp.approximation.routes import Routes, find_routes
from ghmpp.errors import QueryError
from ghmpp.models.channels import Gaussian, Given
from ghmpp.models.convert import as_model
from ghmpp.models.forest import Forest
from ghmpp.models.grouping import group

_ROUNDING = 1 + 1e-12


class Asked(Protocol):
    """What a query says: ``gh.posterior(...)`` and ``gh.mean(...)`` do."""

    @property
    def kind(self) -> str: ...
    @property
    def variable(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how span errors of beliefs become errors of it.

    Parameters
    ----------
    kind, variable
        "posterior" or "mean", and the user's class.
    value_range
        Largest minus smallest state value; 0 without values.
    rounding
        What reading the answer out of a belief may add, to first order.
    nodes
        Which nodes of their blocks are asked for; None for all.
    """

    kind: str
    variable: str
    value_range: float
    rounding: float = 0.0
    nodes: IntArray | None = None

    def answer(self, beliefs: Mapping[str, FloatArray]) -> float:
        """The largest error of the answer, from span errors of log beliefs by block."""
        chosen = [
            errors if self.nodes is None else errors[self.nodes] for errors in beliefs.values()
        ]
        span = max(float(errors.max()) for errors in chosen)
        if self.kind == "posterior":
            return span + self.rounding
        return self.value_range * math.tanh(span / 4) * _ROUNDING + self.rounding


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A query on a model, as messages to approximate.

    Parameters
    ----------
    model
        Name of the model.
    original
        The user's forest.
    routes
        The messages, on the forest whose classes were discovered (``forest``).
    asked
        The query; its ``nodes`` are those of ``forest``.
    observed
        What is observed, by the user's classes.
    domain
        Inputs and arithmetic for which the networks are made.
    """

    model: str
    original: Forest
    routes: Routes
    asked: Query
    observed: tuple[Given, ...]
    domain: Domain

    @property
    def forest(self) -> Forest:
        """The forest of the messages."""
        return self.routes.forest


def find_problem(
    model: object,
    query: Asked | str,
    given: str | Given | Sequence[str | Given] | None,
    domain: Domain,
) -> Problem:
    """Read a query on a model, or on the forest that is left of one, and find its messages.

    Raises
    ------
    QueryError
        If the query or ``given`` is wrong.
    ModelError, ConversionError
        If the model is not complete, or cannot be converted.
    """
    forest = model if isinstance(model, Forest) else _complete(model)
    asked = _read_query(forest, query, ROUNDOFF[domain.dtype])
    observed = _read_given(forest, given, noisy=asked.kind == "mean")
    grouped = group(forest)
    hard = [item.variable for item in observed if item.channel is None]
    routes = find_routes(
        grouped,
        [block.name for block in grouped.class_blocks(_home(grouped, asked.variable))],
        {_home(grouped, item.variable) for item in observed},
        symbols={_home(grouped, name) for name in hard} if math.isinf(domain.evidence_span) else (),
    )
    if grouped.grouping is not None:
        ((_, node),) = grouped.grouping.members[asked.variable]
        asked = replace(asked, nodes=np.array([node]))
    return Problem(forest.name, forest, routes, asked, observed, domain)


def _complete(model: object) -> Forest:
    complete = as_model(model)
    complete.require_complete()
    return complete.forest()


def check_options(delta: float | None, width: int | None, budget: str, domain: Domain) -> None:
    """Refuse options that are unknown, out of range, or exclude each other."""
    if delta is not None and width is not None:
        raise QueryError("bounds: give delta= or width=, not both; each follows from the other.")
    if delta is not None and not (_is(delta, Real) and 0 < delta < math.inf):
        raise QueryError(f"bounds: delta must be finite and > 0, got {delta!r}.")
    if width is not None and not (_is(width, Integral) and 1 <= width <= LARGEST_WIDTH):
        raise QueryError(
            f"bounds: width must be a whole number in 1..{LARGEST_WIDTH:,}, got {width!r}."
        )
    if width is not None and budget in BUDGETS and budget != "equal-width":
        raise QueryError(
            f"bounds: budget={budget!r} chooses widths for a wished error; pass delta= instead "
            "of width=."
        )
    for name, value, known in (
        ("budget", budget, BUDGETS),
        ("dtype", domain.dtype, ROUNDOFF),
        ("construction", domain.construction, get_args(Construction)),
    ):
        if value not in known:
            raise QueryError(f"bounds: unknown {name} {value!r}; known: {', '.join(known)}.")
    if not (_is(domain.evidence_span, Real) and domain.evidence_span > 0):
        raise QueryError(f"bounds: evidence_span must be > 0, got {domain.evidence_span!r}.")


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _read_query(forest: Forest, query: Asked | str, roundoff: float) -> Query:
    kind, name = ("posterior", query) if isinstance(query, str) else (query.kind, query.variable)
    if kind not in ("posterior", "mean"):
        raise QueryError(
            f"bounds: there is no bound for the query {kind!r}; ask gh.posterior(...) or "
            "gh.mean(...)."
        )
    _check_class(forest, kind, name)
    values = forest.variables[name].values
    if kind == "mean" and values is None:
        raise QueryError(
            f"mean: the states of {name!r} have no numeric values; declare values=, or ask "
            "for the posterior."
        )
    size = 1.0 if kind == "posterior" or values is None else float(abs(values).max())
    rounding = 4 * roundoff * (len(forest.variables[name].states) + 4) * size
    return Query(kind, name, 0.0 if values is None else float(np.ptp(values)), rounding)


def _read_given(
    forest: Forest, given: str | Given | Sequence[str | Given] | None, *, noisy: bool
) -> tuple[Given, ...]:
    if given is None:
        return tuple(Given(name, Gaussian(1.0) if noisy else None) for name in forest.leaves)
    items = [given] if isinstance(given, (str, Given)) else list(given)
    found = [Given(item) if isinstance(item, str) else item for item in items]
    for item in found:
        _check_class(forest, "given", item.variable)
        if item.channel is not None and forest.variables[item.variable].values is None:
            raise QueryError(
                f"given {item.variable!r}: a channel needs numeric state values; declare "
                f"values= for {item.variable!r}."
            )
    return tuple(found)


def _home(grouped: Forest, name: str) -> str:
    if grouped.grouping is None:
        return name
    members = grouped.grouping.members[name]
    if len(members) > 1:
        raise QueryError(
            f"nets are planned for classes whose variables play one part, and each of the "
            f"{len(members)} variables of {name!r} plays its own; ask the family 'exact'."
        )
    return members[0][0]


def _check_class(forest: Forest, where: str, name: str) -> None:
    if name not in forest.variables:
        known = ", ".join(forest.visible)
        raise QueryError(f"{where}: unknown class {name!r}; the model has {known}.")
