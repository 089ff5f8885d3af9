"""From variables and potentials on a graph to a model: names, trees, roots, declarations."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import ConversionError
from ghmpp.models.declaration import Declaration, check_name
from ghmpp.models.factors import Factor, Node
from ghmpp.models.model import Model
from ghmpp.models.potentials import PotentialLike
from ghmpp.models.states import read_states
from ghmpp.models.tables import with_potential, with_prior

if TYPE_CHECKING:
    import networkx as nx

NOT_YET = "joint potentials of three or more variables and loops are not supported yet"


def string_names(nodes: Iterable[Hashable]) -> dict[Hashable, str]:
    """Names of variables for nodes of any kind: ``str(node)``, all different."""
    names: dict[Hashable, str] = {}
    owners: dict[str, Hashable] = {}
    for node in nodes:
        names[node] = str(node)
        if owners.setdefault(names[node], node) != node:
            raise ConversionError(
                f"the nodes {owners[names[node]]!r} and {node!r} would both be called "
                f"{names[node]!r}; rename one of them."
            )
    return names


def assemble(
    name: str,
    nodes: Mapping[str, Node],
    parents: Mapping[str, str | None],
    potentials: Mapping[str, PotentialLike | None],
) -> Model:
    """A model with one class per variable.

    Parameters
    ----------
    name
        Name of the model.
    nodes
        Variables by name.
    parents
        Parent of each variable (None for roots), parents before children.
    potentials
        Potential of the edge to the parent by name of the child, axes (parent states, child
        states); None = free.

    Raises
    ------
    ModelError
        If names, states, priors or potentials are wrong.
    """
    known: dict[str, Declaration] = {}
    for child, parent in parents.items():
        check_name(child, known, parent)
        node = nodes[child]
        space = read_states(node.states, node.values, f"variable {child!r}")
        declared = Declaration(child, space, parent)
        if parent is not None:
            declared = with_potential(declared, known[parent], potentials[child])
        known[child] = with_prior(declared, node.prior)
    return Model.from_declarations(name, known.values())


def assemble_factors(
    name: str, nodes: Mapping[str, Node], factors: Iterable[Factor], root: str | None
) -> Model:
    """A model from tables over one or two variables; tables on the same variables multiply.

    Raises
    ------
    ConversionError
        If a factor has three or more variables, or the factors close a cycle.
    ModelError
        If names, states or tables are wrong.
    """
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(nodes)
    tables: dict[tuple[str, ...], AnyArray | None] = {}
    for factor in factors:
        scope, table = factor.variables, factor.table
        if len(scope) not in (1, 2):
            raise ConversionError(
                f"a factor has the {len(scope)} variables {', '.join(scope)}; {NOT_YET}."
            )
        if scope[::-1] in tables:
            scope, table = scope[::-1], None if table is None else table.T
        tables[scope] = _product(scope, tables[scope], table) if scope in tables else table
        graph.add_edges_from([scope] if len(scope) == 2 else [])
    parents = rooted(graph, root)
    potentials = {
        child: _oriented(tables, parent, child)
        for child, parent in parents.items()
        if parent is not None
    }
    with_priors = {
        node: Node(record.states, record.values, tables.get((node,)))
        for node, record in nodes.items()
    }
    return assemble(name, with_priors, parents, potentials)


def rooted(graph: nx.Graph[str], root: str | None = None) -> dict[str, str | None]:
    """Parent of each node of an undirected forest, parents before children; None for roots.

    Parameters
    ----------
    graph
        An undirected forest.
    root
        Root of its tree; all other trees are rooted at their centre (of two centres the one that
        comes first in the graph), which gives the smallest depth.

    Raises
    ------
    ConversionError
        If the graph has a cycle, or ``root`` is none of its nodes.
    """
    import networkx as nx

    if root is not None and root not in graph:
        raise ConversionError(f"root: no node {root!r}; the nodes are: {shortened(graph)}.")
    if len(graph) and not nx.is_forest(graph):
        raise cycle_error(graph)
    parents: dict[str, str | None] = {}
    position = {node: k for k, node in enumerate(graph)}
    for tree in nx.connected_components(graph):
        start = root if root in tree else min(_centres(graph, tree), key=position.__getitem__)
        parents[str(start)] = None
        parents.update((child, parent) for parent, child in nx.bfs_edges(graph, start))
    return parents


def cycle_error(graph: nx.Graph[str]) -> ConversionError:
    """The error for a graph that has a cycle, which it names."""
    import networkx as nx

    nodes = [str(edge[0]) for edge in nx.find_cycle(graph)]
    arrow = " -> " if graph.is_directed() else " - "
    return ConversionError(
        f"the graph has the cycle {arrow.join([*nodes, nodes[0]])}, but a model is a forest; "
        f"{NOT_YET}: remove an edge of the cycle, or merge variables."
    )


def shortened(names: Iterable[object]) -> str:
    """The first names, for messages."""
    listed = [str(name) for name in names]
    return ", ".join(listed if len(listed) <= 12 else [*listed[:10], f"... ({len(listed)} in all)"])


def _centres(graph: nx.Graph[str], tree: Collection[str]) -> list[str]:
    """The one or two nodes that remain when leaves are taken off, layer by layer."""
    degree = {node: graph.degree(node) for node in tree}
    layer = [node for node in tree if degree[node] <= 1]
    remaining = len(tree)
    while remaining > 2:
        remaining -= len(layer)
        inner = []
        for leaf in layer:
            for node in graph[leaf]:
                degree[node] -= 1
                if degree[node] == 1:
                    inner.append(node)
        layer = inner
    return layer


def _product(scope: tuple[str, ...], first: AnyArray | None, second: AnyArray | None) -> AnyArray:
    """Product of two tables on the same variables."""
    if first is None or second is None:
        raise ConversionError(
            f"factors on {', '.join(scope)}: a table to be learned must be the only one there."
        )
    if np.shape(first) != np.shape(second):
        raise ConversionError(
            f"factors on {', '.join(scope)} have the shapes {np.shape(first)} and "
            f"{np.shape(second)}, which must be equal."
        )
    product: AnyArray = first * second
    return product


def _oriented(
    tables: Mapping[tuple[str, ...], AnyArray | None], parent: str, child: str
) -> AnyArray | None:
    """The table of an edge with axes (parent states, child states)."""
    if (parent, child) in tables:
        return tables[parent, child]
    table = tables[child, parent]
    return None if table is None else table.T
