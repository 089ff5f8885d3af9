"""Undirected forests get roots: parents of all nodes, small depth, cycles named."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from ghmpp.errors import ConversionError

if TYPE_CHECKING:
    import networkx as nx


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
        raise unknown_root(root, graph)
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
        f"the graph has the cycle {arrow.join([*nodes, nodes[0]])}, but here a forest is needed; "
        "remove an edge of the cycle, merge variables, or give the tables as a factor graph."
    )


def unknown_root(root: str, names: Iterable[object]) -> ConversionError:
    """The error for a root that is no node."""
    return ConversionError(f"root: no node {root!r}; the nodes are: {shortened(names)}.")


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
