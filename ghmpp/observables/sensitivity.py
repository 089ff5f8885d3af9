"""How posteriors and means change with the parameters."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ghmpp.errors import QueryError
from ghmpp.models.convert import as_model
from ghmpp.models.forest import Forest
from ghmpp.models.queries import Query
from ghmpp.observables.coordinates import Coordinates, differentiable
from ghmpp.observables.scores import read_rows, refuse_impossible, rows_of
from ghmpp.schedule.build import LOG_EVIDENCE

if TYPE_CHECKING:
    from pandas import DataFrame, Index


def sensitivity(
    model: object,
    query: Query,
    evidence: object = None,
    *,
    parameters: Collection[str] | None = None,
    coordinates: Coordinates = "log",
) -> DataFrame:
    """Derivative of posterior probabilities or means in every parameter.

    Parameters
    ----------
    model, evidence, parameters, coordinates
        As in :func:`log_evidence_gradient`.
    query
        ``gh.posterior(...)``, ``gh.mean(...)`` or ``gh.log_evidence()``.

    Returns
    -------
    DataFrame
        One column per parameter; one row per number that the query answers, such as
        ``"season = dry"``; with several rows of evidence, their numbers come first.

    Raises
    ------
    QueryError
        If the query or a parameter is unknown, or the query is of another kind.
    EvidenceError
        If evidence does not fit the model, or (``ImpossibleEvidenceError``) has probability 0.
    ModelError
        If the model is not complete.

    Examples
    --------
    >>> import ghmpp as gh, sympy as sp
    >>> flip = sp.Symbol("flip")
    >>> model = gh.Model("channel")
    >>> bit = model.root("bit", 2)
    >>> seen = bit.children("seen", 1, 2, potential=[[1 - flip, flip], [flip, 1 - flip]])
    >>> sensitivity(model.bind(flip=0.1), gh.posterior("bit"), {"seen": 0})
             flip
    bit = 0  -1.0
    bit = 1   1.0
    """
    from pandas import DataFrame, concat

    known = as_model(model)
    observations, batch = read_rows(known, evidence)
    labels = _labels(known.forest(), query)
    outputs = list(dict.fromkeys([(query.kind, query.variable), LOG_EVIDENCE]))
    found = differentiable(known, outputs, observations, parameters, coordinates)
    refuse_impossible(known, found, observations)
    frames = []
    for row in range(batch):
        picked = rows_of(observations, slice(row, row + 1))
        answers = found.answer(picked, outputs[0]).flatten()
        frames.append(DataFrame(found.slopes(answers), index=labels, columns=list(found.names)))
    if batch == 1:
        return frames[0]
    return concat(frames, keys=range(batch), names=["row", "quantity"])


def _labels(forest: Forest, query: Query) -> Index[str]:
    """Names of the numbers that a query answers."""
    from pandas import Index

    kinds = ("posterior", "mean", "log_evidence")
    if not isinstance(query, Query) or query.kind not in kinds:
        raise QueryError(
            f"sensitivity: ask gh.posterior(...), gh.mean(...) or gh.log_evidence(), got {query!r}."
        )
    if query.kind == "log_evidence":
        return Index(["log evidence"])
    if query.variable not in forest.variables:
        raise QueryError(
            f"{query.kind}: unknown class {query.variable!r}; the model has "
            f"{', '.join(forest.visible)}."
        )
    variable = forest.variables[query.variable]
    if query.kind == "mean" and variable.values is None:
        raise QueryError(f"mean: the states of {query.variable!r} have no numeric values.")
    alone = variable.nodes == 1
    nodes = [variable.name] if alone else [f"{variable.name}[{k}]" for k in range(variable.nodes)]
    if query.kind == "mean":
        return Index(nodes)
    return Index([f"{node} = {state}" for node in nodes for state in variable.states])
