"""Questions to a model: what is asked, and whether a forest can answer it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from ghmpp.errors import QueryError
from ghmpp.models.channels import Given
from ghmpp.models.forest import Forest

QueryKind = Literal["posterior", "mean", "variance", "log_evidence", "edge", "draw", "code"]


@dataclass(frozen=True, slots=True)
class Query:
    """What a program answers: a kind, and the class of variables that it is about."""

    kind: QueryKind
    variable: str = ""


def posterior(variable: Hashable) -> Query:
    """Posterior probabilities of the states of a class, (batch, nodes, states).

    Parameters
    ----------
    variable
        Name of the class; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes, states), linear, summing to 1 over states; (batch,
        states) for a class with one node.

    Examples
    --------
    >>> posterior("digit")
    Query(kind='posterior', variable='digit')
    """
    return Query("posterior", str(variable))


def mean(variable: Hashable) -> Query:
    """Posterior means of the numeric state values of a class, (batch, nodes).

    Parameters
    ----------
    variable
        Name of the class; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes), in the units of the state values; (batch,) for a
        class with one node.

    Examples
    --------
    >>> mean("pixel")
    Query(kind='mean', variable='pixel')
    """
    return Query("mean", str(variable))


def variance(variable: Hashable) -> Query:
    """Posterior variances of numeric state values, or of real variables, (batch, nodes).

    Parameters
    ----------
    variable
        Name of the class; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes), in the squared units of the state values; (batch,)
        for a class with one node.

    Examples
    --------
    >>> variance("pixel")
    Query(kind='variance', variable='pixel')
    """
    return Query("variance", str(variable))


def log_evidence() -> Query:
    """Log probability (density, for continuous observations) of what is given, (batch,).

    Returns
    -------
    Query
        Answered by a tensor (batch,), natural log, float64; -inf for impossible evidence.

    Examples
    --------
    >>> log_evidence()
    Query(kind='log_evidence', variable='')
    """
    return Query("log_evidence")


def edge(variable: Hashable) -> Query:
    """Joint posterior of each variable of a class and its parent.

    Parameters
    ----------
    variable
        Name of the class, the children; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes with a parent, parent states, states), linear; (batch,
        parent states, states) for a class with one node.

    Examples
    --------
    >>> edge("pixel")
    Query(kind='edge', variable='pixel')
    """
    return Query("edge", str(variable))


def draw(variable: Hashable) -> Query:
    """One random sample of a class of real numbers from its (approximate) posterior.

    Parameters
    ----------
    variable
        Name of the class; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes), one sample per row of evidence; the network takes
        ``seed=``.

    Examples
    --------
    >>> draw("z")
    Query(kind='draw', variable='z')
    """
    return Query("draw", str(variable))


def code(variable: Hashable) -> Query:
    """The most probable, or sparsest, values of a class of real numbers.

    Parameters
    ----------
    variable
        Name of the class; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes).

    Examples
    --------
    >>> code("x1")
    Query(kind='code', variable='x1')
    """
    return Query("code", str(variable))


def output_blocks(forest: Forest, kind: str, name: str) -> list[str]:
    """The blocks of a class that can answer a kind of query; one without name for the evidence."""
    if kind == "log_evidence":
        return [""]
    names = [block.name for block in forest.class_blocks(name)]
    if kind == "unary_counts":
        return [block for block in names if forest.blocks[block].unary is not None]
    return [block for block in names if kind not in ("edge", "counts") or block in forest.edges]


def check_questions(forest: Forest, queries: Sequence[Query], given: Sequence[Given]) -> None:
    """Refuse what a forest cannot answer or be given, and what is listed twice."""
    for asked in queries:
        if not isinstance(asked, Query):
            raise QueryError(
                f"compile: a query must be gh.posterior(...), gh.mean(...), gh.edge(...) or "
                f"gh.log_evidence(), got {asked!r}."
            )
        check_query(forest, asked)
    _refuse_repeats("query", [f"{asked.kind}({asked.variable})" for asked in queries])
    _refuse_repeats("given", [item.variable for item in given])
    for item in given:
        check_given(forest, item)


def _refuse_repeats(where: str, names: Sequence[str]) -> None:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise QueryError(f"{where}: {repeated[0]} is listed twice; list it once.")


def check_query(forest: Forest, query: Query) -> None:
    """Refuse a query that a forest cannot answer."""
    if query.kind == "log_evidence":
        return
    check_class(forest, query.kind, query.variable)
    variable = forest.variables[query.variable]
    if variable.real and query.kind in ("posterior", "edge"):
        raise QueryError(
            f"{query.kind}: {query.variable!r} holds real numbers, which have no states; ask for "
            "their mean or variance."
        )
    if query.kind in ("mean", "variance") and variable.values is None and not variable.real:
        raise QueryError(
            f"{query.kind}: the states of {query.variable!r} have no numeric values; declare "
            "values=, or ask for the posterior."
        )
    if query.kind in ("draw", "code") and not variable.real:
        raise QueryError(
            f"{query.kind}: {query.variable!r} has states, and {query.kind}s are for real numbers; "
            "ask for the posterior, or sample with gh.infer."
        )
    if query.kind == "edge" and variable.apart:
        raise QueryError(
            f"edge: the variables of {query.variable!r} have different parents; ask a model with "
            "a class for each variable (of spins, spins.model(gathered=False))."
        )
    if query.kind == "edge" and not output_blocks(forest, "edge", query.variable):
        raise QueryError(f"edge: {query.variable!r} is a root and has no parent.")


def check_class(forest: Forest, where: str, name: str) -> None:
    """Refuse an unknown class."""
    if name not in forest.variables:
        known = ", ".join(forest.visible)
        raise QueryError(f"{where}: unknown class {name!r}; the model has {known}.")


def check_given(forest: Forest, item: Given) -> None:
    """Refuse an observation of an unknown class, or through a channel that needs values."""
    check_class(forest, "given", item.variable)
    variable = forest.variables[item.variable]
    if item.channel is not None and variable.values is None and not variable.real:
        raise QueryError(
            f"given {item.variable!r}: a channel needs numeric state values; declare "
            f"values= for {item.variable!r}."
        )
