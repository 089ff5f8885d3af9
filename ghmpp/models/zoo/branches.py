"""A phylogenetic tree as a list of branches, from Newick text or a networkx tree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ghmpp.errors import ModelError
from ghmpp.models.zoo.newick import read_newick

if TYPE_CHECKING:
    import networkx as nx

TreeLike: TypeAlias = "str | nx.DiGraph[Any] | nx.Graph[Any]"


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of a tree and the branch above it.

    Parameters
    ----------
    name
        Name of the node, different from all others.
    parent
        Name of its parent; None for the root.
    length
        Length of the branch, >= 0; None for the root and where no length is given.
    tip
        Whether nothing is below.
    """

    name: str
    parent: str | None
    length: float | None
    tip: bool


def read_branches(tree: TreeLike, root: Hashable | None = None) -> list[Branch]:
    """The nodes of a tree, parents first, children in the order of the tree.

    Parameters
    ----------
    tree
        Newick text; or a networkx tree with edge attributes ``length``, directed from the root, or
        undirected. A node is called after its attribute ``label``, or else as it is in the graph.
        In Newick text inner nodes without a name of their own (no label, a number such as a
        bootstrap support, or a label that occurs twice) are called ``node0``, ``node1``, ... by
        their place in the text.
    root
        For an undirected tree, the node to start from; None = its first inner node.

    Raises
    ------
    FormatError
        If the text is not Newick.
    ModelError
        If the graph is not one tree, tips share a name, or a length is negative or not finite.

    Examples
    --------
    >>> [branch.name for branch in read_branches("((A:1,B:1)99:1,C:2);")]
    ['node0', 'node1', 'A', 'B', 'C']
    """
    import networkx as nx

    text = isinstance(tree, str)
    graph: Any = read_newick(tree) if isinstance(tree, str) else tree
    if not isinstance(graph, nx.Graph) or len(graph) == 0 or not nx.is_tree(graph):
        raise ModelError(f"phylogeny: needs Newick text or one networkx tree, got {tree!r}.")
    if not graph.is_directed():
        graph = _directed(graph, root)
    elif root is not None or not nx.is_arborescence(graph):
        raise ModelError(
            "phylogeny: in a directed tree all edges point away from its root, which needs no "
            "root=; pass tree.to_undirected() to root it elsewhere."
        )
    names = _names(graph, text)
    start = next(node for node, above in graph.in_degree() if above == 0)
    found = [Branch(names[start], None, None, graph.out_degree(start) == 0)]
    for parent, node in nx.dfs_edges(graph, start):
        length = _length(graph.edges[parent, node].get("length"), names[node])
        found.append(Branch(names[node], names[parent], length, graph.out_degree(node) == 0))
    return found


def _directed(graph: nx.Graph[Any], root: Hashable | None) -> nx.DiGraph[Any]:
    """An undirected tree with edges away from the root."""
    import networkx as nx

    if root is None:
        root = next((node for node, degree in graph.degree() if degree > 1), next(iter(graph)))
    if root not in graph:
        raise ModelError(f"phylogeny: root {root!r} is not a node of the tree.")
    directed: nx.DiGraph[Any] = nx.DiGraph()
    directed.add_nodes_from(graph.nodes(data=True))
    directed.add_edges_from((a, b, graph.edges[a, b]) for a, b in nx.dfs_edges(graph, root))
    return directed


def _names(graph: nx.DiGraph[Any], text: bool) -> dict[Hashable, str]:
    """A name for each node."""
    labels = {node: data.get("label") for node, data in graph.nodes(data=True)}
    if not text:
        labels = {node: node if label is None else label for node, label in labels.items()}
    tips = {node for node, below in graph.out_degree() if below == 0}
    times = Counter(labels.values())
    for node, label in labels.items():
        if node in tips and label is None:
            raise ModelError(
                f"phylogeny: the tip that is node {node} of the text has no label, and needs one."
            )
        if times[label] > 1 and (node in tips or not text):
            raise ModelError(f"phylogeny: {times[label]} nodes are called {label!r}.")
    names = {
        node: str(label)
        for node, label in labels.items()
        if node in tips or not text or (times[label] == 1 and not _is_number(label))
    }
    taken = set(names.values())
    for node in graph:
        if node not in names:
            names[node] = f"node{node}"
            while names[node] in taken:
                names[node] += "'"
    return names


def _is_number(label: str | None) -> bool:
    try:
        return label is None or math.isfinite(float(label))
    except ValueError:
        return False


def _length(length: Any, name: str) -> float | None:
    if length is None:
        return None
    if not (math.isfinite(length) and length >= 0):
        raise ModelError(
            f"phylogeny: the branch to {name!r} must have a finite length >= 0, got {length!r}."
        )
    return float(length)
