"""Models from pgmpy models, and pgmpy models from models: the one place that knows pgmpy.

pgmpy is imported only to build its objects; its models are recognised by the name of their class.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ConversionError
from ghmpp.models.assembly import (
    NOT_YET,
    assemble,
    assemble_factors,
    string_names,
)
from ghmpp.models.convert_networkx import from_networkx
from ghmpp.models.factors import Factor, Node
from ghmpp.models.model import Model

if TYPE_CHECKING:
    import networkx as nx

PgmpyKind = Literal["bayesian", "markov", "factor"]
_KINDS: Mapping[str, PgmpyKind] = {
    "DiscreteBayesianNetwork": "bayesian",
    "DiscreteMarkovNetwork": "markov",
    "FactorGraph": "factor",
}
# Subclasses of the above whose potentials are no tables.
_REFUSED = ("FunctionalBayesianNetwork",)
_NAMES = "ghmpp_names"


def is_pgmpy(thing: object) -> bool:
    """Whether an object comes from pgmpy, by the module of its class and bases."""
    return any(base.__module__.partition(".")[0] == "pgmpy" for base in type(thing).__mro__)


def from_pgmpy(model: object, *, root: str | None = None) -> Model:
    """The model that a tree-shaped discrete pgmpy model describes, one class per variable.

    Parameters
    ----------
    model
        A ``DiscreteBayesianNetwork`` in which every variable has at most one parent, or a
        ``DiscreteMarkovNetwork`` or ``FactorGraph`` whose factors have one or two variables and
        form no cycle. Factors on the same variables are multiplied. Tables are taken as they
        are, also when a CPD does not sum to 1. States ``0, 1, ...`` get no numeric values.
    root
        Variable that becomes the root of its tree, for undirected models; otherwise the centre.

    Raises
    ------
    ConversionError
        For other kinds of models, two parents, cycles, factors over three or more variables,
        missing CPDs or factors, or state names that differ between the factors of a variable.
    ModelError
        If tables have negative, infinite or only zero entries.

    Examples
    --------
    >>> from pgmpy.factors.discrete import TabularCPD
    >>> from pgmpy.models import DiscreteBayesianNetwork
    >>> network = DiscreteBayesianNetwork([("rain", "wet")])
    >>> network.add_cpds(
    ...     TabularCPD("rain", 2, [[0.8], [0.2]]),
    ...     TabularCPD("wet", 2, [[0.9, 0.1], [0.1, 0.9]], evidence=["rain"], evidence_card=[2]),
    ... )
    >>> from_pgmpy(network)
    Model 'pgmpy': 2 classes, 2 variables
      rain  1 node  2 states  root, prior
      wet   1 node  2 states  1 per rain, 1 table
    """
    kind = _kind(model)
    network = cast("nx.Graph[Any]", model)
    if kind == "bayesian":
        if root is not None:
            raise ConversionError("root: a Bayesian network has its root already; leave it out.")
        return _from_bayesian(network)
    return _from_factors(network, root)


def to_pgmpy(model: Model, kind: PgmpyKind = "bayesian") -> nx.Graph[Any]:
    """The model as a pgmpy model, every variable by itself.

    Parameters
    ----------
    model
        A complete model (no free tables, no symbols without value).
    kind
        "bayesian" (``DiscreteBayesianNetwork``: tables become conditional probabilities, so the
        scale ``log_partition()`` is lost), "markov" (``DiscreteMarkovNetwork``) or "factor"
        (``FactorGraph``).

    Returns
    -------
    pgmpy model
        Variables are called as :func:`pgmpy_names` says, and have their state names;
        :func:`from_pgmpy` restores the names. Numeric state values are not kept by pgmpy.

    Raises
    ------
    ConversionError
        If ``kind`` is unknown.
    ModelError
        If the model is not complete, or no configuration is possible.
    """
    if kind not in _KINDS.values():
        raise ConversionError(f"to_pgmpy: kind must be bayesian, markov or factor, got {kind!r}.")
    model.require_complete()
    names = pgmpy_names(model)
    if kind == "bayesian":
        # A class per variable first: tied variables may need different conditionals.
        result: nx.Graph[Any] = _to_bayesian(
            from_networkx(model.graph()).normalized().graph(), names
        )
    else:
        result = _to_factors(model.graph(), names, kind)
    result.graph[_NAMES] = {safe: name for name, safe in names.items()}
    return result


def pgmpy_names(model: Model) -> dict[str, str]:
    """Names that every part of pgmpy accepts, by name of the variable.

    Examples
    --------
    >>> model = Model()
    >>> _ = model.root("digit", 10).children("my pixel", 2, 2)
    >>> pgmpy_names(model)
    {'digit': 'digit', 'my pixel[0]': 'my_pixel_0', 'my pixel[1]': 'my_pixel_1'}
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in model.graph():
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "x"
        plain = f"x{plain}" if plain[0].isdigit() else plain
        safe, count = plain, 1
        while safe in taken:
            safe, count = f"{plain}_{count}", count + 1
        taken.add(safe)
        names[name] = safe
    return names


def _kind(model: object) -> PgmpyKind:
    """Which supported class of pgmpy a model belongs to."""
    bases = [base.__name__ for base in type(model).__mro__ if base.__module__.startswith("pgmpy")]
    known = [_KINDS[name] for name in bases if name in _KINDS]
    if known and not set(bases) & set(_REFUSED):
        return known[0]
    raise ConversionError(
        f"cannot convert a {type(model).__name__} from {type(model).__module__}; supported pgmpy "
        f"models: {', '.join(_KINDS)} with the shape of a tree; {NOT_YET}."
    )


def _from_bayesian(network: Any) -> Model:
    """Model of a Bayesian network: pgmpy keeps CPDs with the child's axis first."""
    import networkx as nx

    names = _variable_names(network, network.nodes)
    cpds = {cpd.variable: cpd for cpd in network.cpds}
    parents: dict[str, str | None] = {}
    for node in nx.topological_sort(network):
        parent = _only_parent(node, list(network.predecessors(node)), cpds)
        parents[names[node]] = None if parent is None else names[parent]
    states = _states(cpds.values())
    tables = {names[node]: _values(cpds[node]).T for node in network}
    nodes = {
        name: Node(states[node], prior=tables[name] if parents[name] is None else None)
        for node, name in names.items()
    }
    return assemble(_model_name(network), nodes, parents, tables)


def _only_parent(
    node: Hashable, above: list[Hashable], cpds: Mapping[Hashable, Any]
) -> Hashable | None:
    """The parent of a variable, if it has one; its CPD must say the same."""
    if len(above) > 1:
        raise ConversionError(
            f"variable {node!r} has {len(above)} parents: {', '.join(map(repr, above))}; "
            f"at most one is possible; {NOT_YET}."
        )
    if node not in cpds:
        raise ConversionError(f"variable {node!r} has no CPD; add one, or fit the network first.")
    evidence = list(cpds[node].variables[1:])
    if evidence != above:
        raise ConversionError(
            f"the CPD of {node!r} is given {evidence}, but its parents in the network are {above}."
        )
    return above[0] if above else None


def _from_factors(network: Any, root: str | None) -> Model:
    """Model of a Markov network or factor graph."""
    states = _states(network.factors)
    for node in network:
        if node not in states and not hasattr(node, "cardinality"):  # a factor has a cardinality
            raise ConversionError(f"variable {node!r} has no factor, so its states are unknown.")
    names = _variable_names(network, states)
    factors = [
        Factor(tuple(names[variable] for variable in factor.variables), _values(factor))
        for factor in network.factors
    ]
    nodes = {names[variable]: Node(known) for variable, known in states.items()}
    return assemble_factors(_model_name(network), nodes, factors, root)


def _states(factors: Iterable[Any]) -> dict[Hashable, int | list[Hashable]]:
    """State names of each variable; their number where they are pgmpy's default 0, 1, ..."""
    found: dict[Hashable, list[Hashable]] = {}
    for factor in factors:
        for variable in factor.variables:
            names = list(factor.state_names[variable])
            known = found.setdefault(variable, names)
            if len(names) == len(known) and _is_default(known):
                found[variable] = names
            elif names != known and (len(names) != len(known) or not _is_default(names)):
                raise ConversionError(
                    f"variable {variable!r} has the states {known} in one factor and {names} in "
                    "another; give all factors the same state_names in the same order."
                )
    return {
        variable: len(names) if _is_default(names) else names for variable, names in found.items()
    }


def _is_default(names: list[Hashable]) -> bool:
    """Whether these are the names that pgmpy gives to states without names."""
    return all(
        isinstance(name, (int, np.integer)) and not isinstance(name, bool) and name == position
        for position, name in enumerate(names)
    )


def _values(factor: Any) -> FloatArray:
    """Entries of a factor, one axis per variable."""
    return np.asarray(factor.values, dtype=np.float64)


def _variable_names(network: Any, variables: Iterable[Hashable]) -> dict[Hashable, str]:
    """Our names of pgmpy's variables: those that :func:`to_pgmpy` started from, if it did."""
    kept = network.graph.get(_NAMES, {})
    return {node: kept.get(node, name) for node, name in string_names(variables).items()}


def _model_name(network: Any) -> str:
    """Name of the graph, if it has one."""
    return str(network.graph.get("name") or "pgmpy")


def _to_bayesian(graph: nx.DiGraph[str], names: Mapping[str, str]) -> Any:
    """A Bayesian network from conditional tables (parent states, child states)."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork()
    network.add_nodes_from(names.values())
    network.add_edges_from((names[parent], names[child]) for parent, child in graph.edges)
    for node, data in graph.nodes(data=True):
        above = list(graph.predecessors(node))
        scope = [node, *above]
        table = graph.edges[above[0], node]["potential"].T if above else data["prior"][:, None]
        cpd = TabularCPD(
            names[node],
            len(table),
            table,
            evidence=[names[parent] for parent in above],
            evidence_card=[table.shape[1]] if above else [],
            state_names={names[v]: list(graph.nodes[v]["states"]) for v in scope},
        )
        network.add_cpds(cpd)
    return network


def _to_factors(graph: nx.DiGraph[str], names: Mapping[str, str], kind: PgmpyKind) -> Any:
    """A Markov network or factor graph; a variable without any factor gets one of ones."""
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteMarkovNetwork, FactorGraph

    states = {node: list(data["states"]) for node, data in graph.nodes(data=True)}
    tables: dict[tuple[str, ...], AnyArray] = {}
    for node, data in graph.nodes(data=True):
        if data["prior"] is not None:
            tables[node,] = data["prior"]
        elif graph.degree(node) == 0:
            tables[node,] = np.ones(len(states[node]))
    for parent, child, data in graph.edges(data=True):
        tables[parent, child] = data["potential"]
    factors = [
        DiscreteFactor(
            [names[v] for v in scope],
            table.shape,
            table,
            state_names={names[v]: states[v] for v in scope},
        )
        for scope, table in tables.items()
    ]
    network = DiscreteMarkovNetwork() if kind == "markov" else FactorGraph()
    network.add_nodes_from(names.values())
    if kind == "markov":
        network.add_edges_from((names[parent], names[child]) for parent, child in graph.edges)
    network.add_factors(*factors)
    if kind == "factor":
        network.add_nodes_from(factors)  # after add_factors, which hashes every node each time
        network.add_edges_from((v, factor) for factor in factors for v in factor.variables)
    return network
