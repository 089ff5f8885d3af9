"""Networks to be fitted: what is open in them, and the states that only the data tell."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ghmpp.errors import ModelError
from ghmpp.learning.em.columns import observed_states
from ghmpp.learning.em.families import is_junction, require_bayesian, undirected
from ghmpp.models.assembly import model_of
from ghmpp.models.convert import as_model
from ghmpp.models.declaration import Declaration
from ghmpp.models.model import Model
from ghmpp.models.rooting import shortened
from ghmpp.models.states import StatesLike, read_states
from ghmpp.models.structure import is_bayesian, known_states, open_factors, scopes

# Row sums of given tables may differ by this much from 1.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Problem:
    """A model with something to learn, and data, all under the model's names."""

    model: Model
    data: object
    evidence: Mapping[str, object]
    tie: Mapping[str, str]


def read_problem(
    described: object,
    data: object,
    evidence: Mapping[str, object],
    *,
    states: Mapping[Any, StatesLike] | None = None,
    tie: Mapping[Any, Any] | None = None,
) -> Problem:
    """The model that is fitted, for whatever describes it.

    Parameters
    ----------
    described
        A model; a networkx graph; or a pgmpy model, of a Bayesian network also without CPDs.
    data, evidence
        As for :func:`ghmpp.fit`.
    states
        States of variables of a pgmpy network that no CPD and no data tell.
    tie
        For names of variables, another whose table is also theirs.

    Raises
    ------
    ConversionError
        If it cannot be converted, or states are unknown.
    EvidenceError
        If the states that a column has are not clear.
    ModelError
        If nothing can be learned, or ``states`` are given where they are known.
    """
    states, tie = states or {}, tie or {}
    if not is_bayesian(described):
        if states:
            raise ModelError(
                "fit: states are only for Bayesian networks of pgmpy without CPDs; this model says "
                "its own."
            )
        return Problem(_with_something_open(as_model(described)), data, evidence, tie)
    found = _all_states(described, _columns(data) | dict(evidence), states, tie)
    graph = open_factors(described, found)
    names = dict(zip(found, graph.nodes, strict=True))
    return Problem(
        model_of(graph),
        _renamed(data, names),
        {str(names.get(key, key)): column for key, column in evidence.items()},
        {names.get(one, one): names.get(other, other) for one, other in tie.items()},
    )


def _with_something_open(model: Model) -> Model:
    """The model itself; an imported network in which all is given as numbers, with all open.

    Raises
    ------
    ModelError
        If it is imported, all is given, and it is no Bayesian network.
    """
    declared = model.declarations.values()
    imported = is_junction(model) or all(each.untied for each in declared)
    if not imported or model.free or model.parameters:
        return model
    if is_junction(model):
        require_bayesian(model)
    else:
        _require_conditionals(model)
    return Model.from_declarations(model.name, map(_open, declared), model.bound)


def _require_conditionals(model: Model) -> None:
    """Refuse a tree whose tables are no conditional probabilities."""
    forest = model.forest()
    for name, edge in forest.edges.items():
        block, sums = forest.blocks[name], forest.data[edge.key].sum(axis=-1)
        if edge.kind != "table" or not np.allclose(sums, 1, rtol=ROUNDING, atol=0) or block.unary:
            raise undirected(model, f"factor over ({edge.parent}, {edge.child})")


def _open(declared: Declaration) -> Declaration:
    """The class without its distribution, if it has one."""
    if declared.prior is not None:
        declared = replace(declared, prior=None, free_prior=True)
    if declared.potential is not None and declared.potential.kind == "table":
        declared = replace(declared, potential=None)
    return declared


def _all_states(
    network: Any,
    columns: Mapping[Any, object],
    states: Mapping[Any, StatesLike],
    tie: Mapping[Any, Any],
) -> dict[Hashable, Sequence[Hashable]]:
    """State names of all variables of a network, in its order.

    They are what CPDs or ``states`` say, or else what the data have at the variable and at all
    that must have the same states because tables are tied.
    """
    known: dict[Hashable, Sequence[Hashable]] = dict(known_states(network))
    for name, given in states.items():
        _require_node(network, name, "states")
        listed = list(read_states(given, None, f"states of {name!r}").names)
        if known.setdefault(name, listed) != listed:
            raise ModelError(
                f"states: a CPD says that {name!r} has the states {known[name]}, but got {listed}."
            )
    found: dict[Hashable, Sequence[Hashable]] = {}
    for alike in _alike(network, tie):
        told = next((known[node] for node in alike if node in known), None)
        if told is None:
            told = observed_states({n: columns.get(n, columns.get(str(n))) for n in alike})
        found.update((node, known.get(node, told)) for node in alike)
    return {node: found[node] for node in network}


def _require_node(network: Any, name: Hashable, option: str) -> None:
    if name not in network:
        raise ModelError(
            f"{option}: the network has no variable {name!r}; its variables are: "
            f"{shortened(network)}."
        )


def _alike(network: Any, tie: Mapping[Any, Any]) -> Iterator[set[Hashable]]:
    """Sets of variables that have the same states."""
    import networkx as nx

    scope = scopes(network)
    links: nx.Graph[Hashable] = nx.Graph()
    links.add_nodes_from(network)
    for one, other in tie.items():
        _require_node(network, one, "tie")
        _require_node(network, other, "tie")
        if len(scope[one]) != len(scope[other]):
            raise ModelError(
                f"tie: {one!r} has {len(scope[one]) - 1} parents and {other!r} has "
                f"{len(scope[other]) - 1}, so they cannot share a table."
            )
        links.add_edges_from(zip(scope[one], scope[other], strict=True))
    yield from nx.connected_components(links)


def _columns(data: Any) -> dict[Any, object]:
    """Columns of a dictionary or data frame by name; a bare array has none."""
    return dict(data.items()) if isinstance(data, Mapping) or hasattr(data, "columns") else {}


def _renamed(data: Any, names: Mapping[Hashable, str]) -> object:
    """The data under the model's names; other names stay, to be refused later."""
    if isinstance(data, Mapping):
        return {names.get(name, name): column for name, column in data.items()}
    return data.rename(columns=dict(names)) if hasattr(data, "columns") else data
