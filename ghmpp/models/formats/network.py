"""Bayesian networks among the models: which factor is the distribution of which variable."""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import FormatError, NormalizationWarning
from ghmpp.models.factors import Factor, Factors
from ghmpp.models.formats.notes import count_states

# A table is a conditional distribution if its sums differ from 1 by rounding only.
ROUNDING = 1e-8
# Sums that miss 1 by less come from the last digit of float64; by more than the second, from
# whoever wrote the file.
EXACT, WORTH_A_WORD = 1e-12, 1e-6


def tables(graph: Factors) -> list[Factor]:
    """All factors of a model as float64 tables; priors of variables become factors.

    Raises
    ------
    FormatError
        If a table is to be learned.
    """
    found = []
    for name, node in graph.nodes.items():
        if node.prior is not None:
            found.append(Factor((name,), np.asarray(node.prior, dtype=np.float64)))
    for factor in graph.factors:
        if factor.table is None:
            raise FormatError(
                f"the table on {', '.join(factor.variables)} is still to be learned; fit or "
                "initialise the model first, or save it as .json."
            )
        found.append(replace(factor, table=np.asarray(factor.table, dtype=np.float64)))
    return found


def network(graph: Factors) -> dict[str, Factor] | None:
    """The conditional distribution of each variable, if the model is a Bayesian network.

    Factors that say whose distribution they are (``child``) are believed; if some do not, a
    variable that occurs in a single factor can only be the child of that one, and what remains
    without it is again a network or not.

    Parameters
    ----------
    graph
        Any model without free tables.

    Returns
    -------
    dict or None
        By name of the variable, in the order of the model, its factor, with ``child`` set;
        a variable without factors gets a uniform one. None if there is no such assignment.
    """
    factors = tables(graph)
    if any(factor.child is None for factor in factors):
        factors = _oriented(graph, factors)
    owners = {factor.child: factor for factor in factors if factor.child is not None}
    if len(owners) < len(factors):
        return None
    found = {}
    for name, node in graph.nodes.items():
        states = count_states(node.states)
        found[name] = owners.get(name, Factor((name,), np.full(states, 1 / states), name))
    return None if cycle({name: parents(factor) for name, factor in found.items()}) else found


def require_network(graph: Factors, what: str) -> dict[str, Factor]:
    """As :func:`network`, for a format that can describe nothing else.

    Raises
    ------
    FormatError
        If tables are free, or the model is no Bayesian network.
    """
    found = network(graph)
    if found is None:
        raise FormatError(
            f"model {graph.name!r}: its factors are not one conditional distribution for each "
            f"variable, so {what} cannot describe it; write it as .uai or .json."
        )
    return found


def normalised(graph: Factors, path: str) -> Factors:
    """The model with conditional distributions that sum to 1; those that do stay as they are.

    Configurations of the parents without any weight stay without it.

    Warns
    -----
    NormalizationWarning
        With the file and the largest deviation, if it exceeds 1e-6.
    """
    worst, where = 0.0, ""
    factors = []
    for factor in graph.factors:
        if factor.child is not None and factor.table is not None:
            axis = factor.variables.index(factor.child)
            sums = np.sum(np.asarray(factor.table), axis=axis, keepdims=True)
            off = np.abs(sums - 1)
            if off.max() > worst:
                worst, where = float(off.max()), factor.child
            wrong = (off > EXACT) & (sums > 0)
            if wrong.any():
                table = np.asarray(factor.table) / np.where(wrong, sums, 1.0)
                factor = replace(factor, table=table)
        factors.append(factor)
    if worst > WORTH_A_WORD:
        warnings.warn(
            f"{path}: conditional probabilities were divided by their sums, which miss 1 by up to "
            f"{worst:.2g} (variable {where!r}).",
            NormalizationWarning,
            stacklevel=3,
        )
    return replace(graph, factors=tuple(factors))


def parents(factor: Factor) -> tuple[str, ...]:
    """The variables that a conditional distribution is given."""
    return tuple(name for name in factor.variables if name != factor.child)


def child_last(factor: Factor) -> FloatArray:
    """The table of a conditional distribution with axes (parents in order, child)."""
    table = np.asarray(factor.table, dtype=np.float64)
    if factor.child is None:
        return table
    return np.moveaxis(table, factor.variables.index(factor.child), -1)


def cycle(above: Mapping[str, Sequence[str]]) -> list[str]:
    """The variables of a directed cycle, by the parents of each variable; empty if none."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(above)
    graph.add_edges_from((parent, child) for child, names in above.items() for parent in names)
    if nx.is_directed_acyclic_graph(graph):
        return []
    return [str(edge[0]) for edge in nx.find_cycle(graph)]


def _oriented(graph: Factors, factors: Sequence[Factor]) -> list[Factor]:
    """The factors with their children, as far as they can be found by taking leaves off."""
    users: dict[str, set[int]] = defaultdict(set)
    for index, factor in enumerate(factors):
        for name in factor.variables:
            users[name].add(index)
    found = list(factors)
    single = deque(name for name in graph.nodes if len(users[name]) == 1)
    while single:
        name = single.popleft()
        if not users[name]:
            continue
        (index,) = users[name]
        factor = factors[index]
        if not _distribution(factor, name):
            continue
        found[index] = replace(factor, child=name)
        for other in factor.variables:
            users[other].discard(index)
            if len(users[other]) == 1:
                single.append(other)
    return found


def _distribution(factor: Factor, name: str) -> bool:
    """Whether a table is marked as the distribution of a variable, or sums to 1 over it."""
    if factor.child is not None:
        return factor.child == name
    sums = np.sum(np.asarray(factor.table), axis=factor.variables.index(name))
    return bool(np.allclose(sums, 1, rtol=0, atol=ROUNDING))
