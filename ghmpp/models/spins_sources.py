"""Where couplings come from: known models, networkx graphs, tables of binary variables."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ConversionError, ModelError
from ghmpp.models.declaration import read_count
from ghmpp.models.factors import Factors, products
from ghmpp.models.rooting import shortened
from ghmpp.models.states import read_states

if TYPE_CHECKING:
    import networkx as nx

EXACTLY = "ask the discrete model instead, which knows such tables (gh.from_pgmpy, gh.infer)"


@dataclass(frozen=True, slots=True, eq=False)
class Couplings:
    """Couplings (sites, sites) and fields (sites,) with names of the sites."""

    name: str
    couplings: FloatArray
    fields: FloatArray
    sites: tuple[Hashable, ...]


def curie_weiss(d: int, beta: float) -> FloatArray:
    """Couplings ``beta / d`` between all pairs of d spins.

    Raises
    ------
    ModelError
        If d is no whole number >= 1, or beta is not finite.
    """
    size = read_count(d, "d", "curie_weiss")
    _require_number(beta, "curie_weiss")
    return beta / size * (1 - np.eye(size))


def sherrington_kirkpatrick(d: int, beta: float, seed: int) -> FloatArray:
    """Symmetric couplings, each pair N(0, beta^2 / d).

    Raises
    ------
    ModelError
        If d is no whole number >= 1, or beta is not finite.
    """
    size = read_count(d, "d", "sherrington_kirkpatrick")
    _require_number(beta, "sherrington_kirkpatrick")
    drawn = np.random.default_rng(seed).standard_normal((size, size))
    upper = np.triu(drawn, 1)
    found: FloatArray = beta / np.sqrt(size) * (upper + upper.T)
    return found


def from_networkx(graph: nx.Graph[Any]) -> Couplings:
    """Spins of an undirected graph.

    Parameters
    ----------
    graph
        Attribute of an edge: ``coupling``, a number. Attribute of a node: ``field``, a number, 0
        where it is missing. Sites have the order of the nodes.

    Raises
    ------
    ConversionError
        If the graph is directed or has parallel edges or loops, or an attribute is missing or no
        finite number.

    Examples
    --------
    >>> import networkx as nx
    >>> graph = nx.Graph([("a", "b", {"coupling": 0.5})])
    >>> from_networkx(graph).couplings.tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    if graph.is_directed() or graph.is_multigraph():
        raise ConversionError(
            "spins: the graph must be undirected and without parallel edges, as couplings are "
            "symmetric; use graph.to_undirected(), and add up parallel couplings."
        )
    if len(graph) == 0:
        raise ConversionError("spins: the graph has no nodes.")
    sites = tuple(graph)
    place = {site: k for k, site in enumerate(sites)}
    matrix = np.zeros((len(sites), len(sites)))
    for u, v, data in graph.edges(data=True):
        if u == v:
            raise ConversionError(
                f"spins: node {u!r} is coupled to itself, which is a constant; remove the loop."
            )
        if "coupling" not in data:
            raise ConversionError(
                f"spins: edge {u!r} - {v!r} needs the attribute 'coupling', a number; it has "
                f"{', '.join(data) or 'none'}."
            )
        number = _attribute(data["coupling"], f"coupling of the edge {u!r} - {v!r}")
        matrix[place[u], place[v]] = matrix[place[v], place[u]] = number
    fields = [
        _attribute(data.get("field", 0.0), f"field of node {node!r}")
        for node, data in graph.nodes(data=True)
    ]
    return Couplings(str(graph.graph.get("name") or "graph"), matrix, np.array(fields), sites)


def from_factors(graph: Factors) -> Couplings:
    r"""Spins from tables over one or two binary variables: exactly the same law.

    With state 0 as -1 and state 1 as +1, the log of a table is
    :math:`c + b_i x_i + b_j x_j + A_{ij} x_i x_j`.

    Parameters
    ----------
    graph
        Variables with two states, and positive factors over one or two of them.

    Raises
    ------
    ConversionError
        If a variable has other than two states, a factor three variables or more, no table, or
        entries that are not positive and finite; with what to do.
    """
    sites = tuple(graph.nodes)
    place = {site: k for k, site in enumerate(sites)}
    matrix, fields = np.zeros((len(sites), len(sites))), np.zeros(len(sites))
    for name, node in graph.nodes.items():
        states = len(read_states(node.states, node.values, f"variable {name!r}"))
        if states != 2:
            raise ConversionError(
                f"spins: variable {name!r} has {states} states, and a spin has two; {EXACTLY}."
            )
        if node.prior is not None:
            fields[place[name]] += _log_table((name,), np.asarray(node.prior).reshape(-1)) @ [
                -0.5,
                0.5,
            ]
    for scope, table in products(graph.factors).items():
        if len(scope) > 2:
            raise ConversionError(
                f"spins: the factor over ({shortened(scope)}) has {len(scope)} variables, and "
                f"couplings are between two; {EXACTLY}."
            )
        if table is None:
            raise ConversionError(
                f"spins: the factor over ({shortened(scope)}) has no table; learn it first."
            )
        if len(scope) == 0:
            continue
        logs = _log_table(scope, table)
        if len(scope) == 1:
            fields[place[scope[0]]] += (logs[1] - logs[0]) / 2
            continue
        i, j = (place[name] for name in scope)
        fields[i] += (logs[1].sum() - logs[0].sum()) / 4
        fields[j] += (logs[:, 1].sum() - logs[:, 0].sum()) / 4
        coupling = (logs[0, 0] + logs[1, 1] - logs[0, 1] - logs[1, 0]) / 4
        matrix[i, j] += coupling
        matrix[j, i] += coupling
    return Couplings(graph.name, matrix, fields, sites)


def _log_table(scope: tuple[str, ...], table: AnyArray) -> FloatArray:
    """Logs of a positive table with two states on each axis."""
    entries = np.asarray(table, dtype=np.float64)
    if entries.shape != (2,) * len(scope):
        raise ConversionError(
            f"spins: the factor over ({shortened(scope)}) must have shape {(2,) * len(scope)}, "
            f"got {entries.shape}."
        )
    if not (np.isfinite(entries).all() and (entries > 0).all()):
        raise ConversionError(
            f"spins: the factor over ({shortened(scope)}) must be positive and finite, since a "
            f"zero is an infinite coupling; {EXACTLY}."
        )
    return np.log(entries)


def _attribute(value: object, what: str) -> float:
    """A finite number from an attribute."""
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ConversionError(f"spins: the {what} must be a finite number, got {value!r}.")
    return number


def _require_number(beta: float, place: str) -> None:
    if not isinstance(beta, (int, float, np.number)) or not np.isfinite(beta):
        raise ModelError(f"{place}: beta must be a finite number, got {beta!r}.")
