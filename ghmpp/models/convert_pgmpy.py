"""Models from pgmpy models, and pgmpy models from models: the one place that knows pgmpy.

pgmpy is imported only to build its objects; its models are recognised by the name of their class.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ConversionError
from ghmpp.models.assembly import model_of, string_names
from ghmpp.models.bayesian import bayesian
from ghmpp.models.factors import Factor, Factors, Node, products, with_unit_sums
from ghmpp.models.model import Model
from ghmpp.models.states import read_states
from ghmpp.models.unfold import factors_of, variable_names

if TYPE_CHECKING:
    import networkx as nx

PgmpyKind = Literal["bayesian", "markov", "factor"]
_KINDS: Mapping[str, PgmpyKind] = {
    "DiscreteBayesianNetwork": "bayesian",
    "DiscreteMarkovNetwork": "markov",
    "FactorGraph": "factor",
    "ClusterGraph": "factor",  # and so JunctionTree
}
# Subclasses of the above whose potentials are no tables.
_REFUSED = ("FunctionalBayesianNetwork",)
_NAMES = "ghmpp_names"


def is_pgmpy(thing: object) -> bool:
    """Whether an object comes from pgmpy, by the module of its class and bases."""
    return any(base.__module__.partition(".")[0] == "pgmpy" for base in type(thing).__mro__)


def from_pgmpy(
    model: object, *, root: str | None = None, together: Collection[tuple[str, ...]] = ()
) -> Model:
    """The model that a discrete pgmpy model describes, one visible class per variable.

    Parameters
    ----------
    model
        A ``DiscreteBayesianNetwork``, ``DiscreteMarkovNetwork``, ``FactorGraph``,
        ``JunctionTree`` or ``ClusterGraph``, as :func:`factors_from_pgmpy` reads it. Where it is
        no tree with tables over one or two variables, it becomes a junction tree.
    root
        Variable that becomes the root of its tree, for undirected models; otherwise the centre.
    together
        Sets of variables whose joint posterior will be asked.

    Raises
    ------
    ConversionError
        As :func:`factors_from_pgmpy`; or for a ``root`` that is unknown or not to be chosen.
    ModelError
        If tables have negative, infinite or only zero entries.
    TreewidthError
        If the cliques of the junction tree do not fit into memory.

    Warns
    -----
    NormalizationWarning
        As :func:`factors_from_pgmpy`.

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
    if root is not None and _kind(model) == "bayesian":
        raise ConversionError("root: a Bayesian network has its root already; leave it out.")
    return model_of(factors_from_pgmpy(model), root=root, together=together)


def factors_from_pgmpy(model: object) -> Factors:
    """The variables and factors of a discrete pgmpy model.

    Parameters
    ----------
    model
        As for :func:`from_pgmpy`. The columns of CPDs are divided by their sums. States
        ``0, 1, ...`` get no numeric values.

    Returns
    -------
    Factors
        Variables by ``str`` of their names; a CPD has the child's axis first, and ``child``.

    Raises
    ------
    ConversionError
        For other kinds of models, missing CPDs or factors, CPDs that say other parents than the
        network, columns of CPDs whose sums miss 1 by more than 1 %, or state names that differ
        between the factors of a variable.

    Warns
    -----
    NormalizationWarning
        If the columns of a CPD miss 1 by more than rounding; with the largest deviation.
    """
    kind = _kind(model)
    network = cast("nx.Graph[Any]", model)
    return _from_bayesian(network) if kind == "bayesian" else _from_factors(network)


def to_pgmpy(model: Model, kind: PgmpyKind = "bayesian") -> nx.Graph[Any]:
    """The model as a pgmpy model, every variable by itself.

    Parameters
    ----------
    model
        A complete model (no free tables, no symbols without value).
    kind
        "bayesian" (``DiscreteBayesianNetwork``, see :func:`ghmpp.models.bayesian.bayesian`: the
        scale ``log_partition()`` is lost), "markov" (``DiscreteMarkovNetwork``) or "factor"
        (``FactorGraph``).

    Returns
    -------
    pgmpy model
        Variables are called as :func:`pgmpy_names` says, and have their state names;
        :func:`from_pgmpy` restores the names. pgmpy keeps no numeric state values.

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
    result: nx.Graph[Any]
    if kind == "bayesian":
        result = _to_bayesian(bayesian(model), names)
    else:
        result = _to_factors(factors_of(model), names, kind)
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
    for name in variable_names(model):
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
        f"models: {', '.join(_KINDS)} and JunctionTree."
    )


def _from_bayesian(network: Any) -> Factors:
    """Factors of a Bayesian network: pgmpy keeps CPDs with the child's axis first."""
    cpds = {cpd.variable: cpd for cpd in network.cpds}
    for node in network:
        _check_parents(node, set(network.predecessors(node)), cpds)
    names = _variable_names(network, network.nodes)
    states = _states(cpds.values())
    factors = []
    for node, name in names.items():
        scope = tuple(names[variable] for variable in cpds[node].variables)
        factors.append(Factor(scope, _values(cpds[node]), name))
    nodes = {name: Node(states[node]) for node, name in names.items()}
    return Factors(str(network.graph.get("name") or "pgmpy"), nodes, with_unit_sums(factors))


def _check_parents(node: Hashable, above: set[Hashable], cpds: Mapping[Hashable, Any]) -> None:
    """Every variable has a CPD, which says the same parents as the network."""
    if node not in cpds:
        raise ConversionError(f"variable {node!r} has no CPD; add one, or fit the network first.")
    evidence = list(cpds[node].variables[1:])
    if set(evidence) != above:
        raise ConversionError(
            f"the CPD of {node!r} is given {evidence}, but its parents in the network are "
            f"{sorted(above, key=str)}."
        )


def _from_factors(network: Any) -> Factors:
    """Factors of a Markov network, factor graph or tree of clusters."""
    states = _states(network.factors)
    for node in network:
        if hasattr(node, "cardinality"):  # a factor has one
            continue
        for variable in node if isinstance(node, tuple) and node not in states else (node,):
            if variable not in states:
                raise ConversionError(
                    f"variable {variable!r} has no factor, so its states are unknown."
                )
    names = _variable_names(network, states)
    factors = tuple(
        Factor(tuple(names[variable] for variable in factor.variables), _values(factor))
        for factor in network.factors
    )
    nodes = {names[variable]: Node(known) for variable, known in states.items()}
    return Factors(str(network.graph.get("name") or "pgmpy"), nodes, factors)


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


def _to_bayesian(graph: Factors, names: Mapping[str, str]) -> Any:
    """A Bayesian network from one conditional table per variable, child last."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    states = _state_names(graph)
    network = DiscreteBayesianNetwork()
    network.add_nodes_from(names.values())
    for factor in graph.factors:
        child = str(factor.child)
        above = [name for name in factor.variables if name != child]
        table = np.moveaxis(np.asarray(factor.table), factor.variables.index(child), 0)
        network.add_edges_from((names[parent], names[child]) for parent in above)
        cpd = TabularCPD(
            names[child],
            len(table),
            table.reshape(len(table), -1),
            evidence=[names[parent] for parent in above],
            evidence_card=list(table.shape[1:]),
            state_names={names[v]: states[v] for v in factor.variables},
        )
        network.add_cpds(cpd)
    return network


def _to_factors(graph: Factors, names: Mapping[str, str], kind: PgmpyKind) -> Any:
    """A Markov network or factor graph; a variable without any factor gets one of ones.

    Factors on the same variables are multiplied: pgmpy takes equal ones for one.
    """
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteMarkovNetwork, FactorGraph

    states = _state_names(graph)
    nodes = graph.nodes.items()
    unaries = [Factor((n,), np.asarray(v.prior)) for n, v in nodes if v.prior is not None]
    tables = products((*unaries, *graph.factors))
    for name in states.keys() - {name for scope in tables for name in scope}:
        tables[name,] = np.ones(len(states[name]))
    factors = [
        DiscreteFactor(
            [names[v] for v in scope],
            [len(states[v]) for v in scope],
            table,
            state_names={names[v]: states[v] for v in scope},
        )
        for scope, table in tables.items()
    ]
    network = DiscreteMarkovNetwork() if kind == "markov" else FactorGraph()
    network.add_nodes_from(names.values())
    if kind == "markov":
        pairs = (pair for scope in tables for pair in combinations(scope, 2))
        network.add_edges_from((names[one], names[other]) for one, other in pairs)
    network.add_factors(*factors)
    if kind == "factor":
        network.add_nodes_from(factors)  # after add_factors, which hashes every node each time
        network.add_edges_from((v, factor) for factor in factors for v in factor.variables)
    return network


def _state_names(graph: Factors) -> dict[str, list[Hashable]]:
    """State names of all variables."""
    return {
        name: list(read_states(node.states, node.values, name).names)
        for name, node in graph.nodes.items()
    }
