"""Bayesian networks of pgmpy whose conditional probabilities are still to be learned."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp._memory import require_bytes
from ghmpp.models.convert_pgmpy import factors_from_pgmpy, is_pgmpy
from ghmpp.models.factors import Factors

ENTRY_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class StandIn:
    """A uniform distribution in place of a CPD that is missing; child first, then parents."""

    variable: Hashable
    variables: Sequence[Hashable]
    state_names: Mapping[Hashable, Sequence[Hashable]]

    @property
    def values(self) -> FloatArray:
        """Probabilities, one axis per variable."""
        shape = [len(self.state_names[variable]) for variable in self.variables]
        return np.full(shape, 1 / shape[0])


def is_bayesian(model: object) -> bool:
    """Whether an object is a Bayesian network of pgmpy with tables."""
    bases = {base.__name__ for base in type(model).__mro__}
    tables = "FunctionalBayesianNetwork" not in bases
    return is_pgmpy(model) and "DiscreteBayesianNetwork" in bases and tables


def scopes(network: Any) -> dict[Hashable, tuple[Hashable, ...]]:
    """Each variable of a network with its parents: in the order of its CPD, or of its edges."""
    known = {cpd.variable: tuple(cpd.variables) for cpd in network.cpds}
    return {node: known.get(node, (node, *network.predecessors(node))) for node in network}


def known_states(network: Any) -> dict[Hashable, list[Hashable]]:
    """State names of the variables that CPDs tell them of."""
    return {
        variable: list(cpd.state_names[variable])
        for cpd in network.cpds
        for variable in cpd.variables
    }


def open_factors(network: Any, states: Mapping[Hashable, Sequence[Hashable]]) -> Factors:
    """The variables and factors of a network, without tables for what is to be learned.

    Parameters
    ----------
    network
        A ``DiscreteBayesianNetwork``. CPDs that are missing are to be learned, and all of them
        where none is missing.
    states
        State names of all variables.

    Raises
    ------
    ConversionError
        As :func:`ghmpp.models.convert_pgmpy.factors_from_pgmpy`.
    ResourceError
        If the table of a variable given its parents does not fit into memory.

    Examples
    --------
    >>> from pgmpy.models import DiscreteBayesianNetwork
    >>> network = DiscreteBayesianNetwork([("rain", "wet")])
    >>> states = {"rain": ["no", "yes"], "wet": ["no", "yes"]}
    >>> [(factor.variables, factor.table) for factor in open_factors(network, states).factors]
    [(('rain',), None), (('wet', 'rain'), None)]
    """
    given = {cpd.variable for cpd in network.cpds}
    missing = {node: scope for node, scope in scopes(network).items() if node not in given}
    for node, scope in missing.items():
        require_bytes(
            ENTRY_BYTES * prod(len(states[variable]) for variable in scope),
            f"the table of {node!r} given its {len(scope) - 1} parents needs",
            cure="remove parents, or merge states",
            largest=f"parents: {', '.join(map(str, scope[1:]))}",
        )
    whole = network.copy()
    whole.graph.update(network.graph)
    whole.cpds += [StandIn(node, scope, states) for node, scope in missing.items()]
    graph = factors_from_pgmpy(whole)
    learned = {
        str(ours) for node, ours in zip(network, graph.nodes, strict=True) if node in missing
    }
    return replace(
        graph,
        factors=tuple(
            replace(factor, table=None) if factor.child in learned or not learned else factor
            for factor in graph.factors
        ),
    )
