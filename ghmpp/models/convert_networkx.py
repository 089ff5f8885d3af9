"""Models from networkx graphs, and networkx graphs from models."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import ConversionError
from ghmpp.models.assembly import (
    NOT_YET,
    assemble,
    assemble_factors,
    cycle_error,
    rooted,
    string_names,
)
from ghmpp.models.factors import Factor, Node
from ghmpp.models.model import Model
from ghmpp.models.potentials import PotentialLike

if TYPE_CHECKING:
    import networkx as nx


def from_networkx(graph: nx.Graph[Any], *, root: Hashable | None = None) -> Model:
    """The model that a networkx graph describes, with one class per node.

    Three kinds of graph are understood:

    - a ``DiGraph`` with edges from parent to child, every node having at most one parent;
    - an undirected ``Graph`` without cycles, rooted at its centre unless ``root`` is given;
    - a bipartite factor graph, as :meth:`Model.factor_graph` makes it: nodes with the attribute
      ``bipartite=1`` are factors with the attributes ``variables`` and ``potential``.

    Parameters
    ----------
    graph
        Attributes of a node: ``states`` (a number of states or their names) or ``cardinality``;
        optional ``values`` (numeric state values) and ``prior`` (unary weights (states,),
        allowed at any node). Attribute of an edge: ``potential``, anything that
        ``Variable.children`` takes for one child, with axes (parent states, child states); a
        missing one is free. In an undirected graph an edge may also have ``axes=(u, v)``: the
        nodes that the axes of its potential belong to; without it the first axis belongs to the
        node that was added to the graph first. Nodes that are not strings are called
        ``str(node)``.
    root
        Node that becomes the root of its tree; undirected graphs and factor graphs only.

    Returns
    -------
    Model
        Named like the graph (``graph.name``), or "graph".

    Raises
    ------
    ConversionError
        For a cycle, two parents, parallel edges, a factor over three or more variables, missing
        states, or names that clash.
    ModelError
        If states, priors or potentials are wrong.

    Examples
    --------
    >>> import networkx as nx
    >>> graph = nx.DiGraph(name="coins")
    >>> graph.add_node("bias", states=["fair", "loaded"])
    >>> graph.add_node("coin", states=["heads", "tails"])
    >>> graph.add_edge("bias", "coin", potential=[[0.5, 0.5], [0.9, 0.1]])
    >>> from_networkx(graph)
    Model 'coins': 2 classes, 2 variables
      bias  1 node  2 states  root
      coin  1 node  2 states  1 per bias, 1 table
    """
    if graph.is_multigraph():
        raise ConversionError(
            "the graph is a multigraph, whose parallel edges have no meaning here; "
            "multiply their potentials and use Graph or DiGraph."
        )
    if len(graph) == 0:
        raise ConversionError("the graph has no nodes.")
    name = str(graph.graph.get("name") or "graph")
    start = None if root is None else str(root)
    if any(_is_factor(data) for _, data in graph.nodes(data=True)):
        return _from_factor_graph(graph, name, start)
    names = string_names(graph)
    nodes = {names[node]: _node(node, data) for node, data in graph.nodes(data=True)}
    if graph.is_directed():
        if root is not None:
            raise ConversionError(
                "root: the edges of a DiGraph say already which node is the root; "
                "use graph.to_undirected() to choose another."
            )
        parents = _directed_parents(cast("nx.DiGraph[Any]", graph), names)
    else:
        parents = rooted(_skeleton(graph, names), start)
    return assemble(name, nodes, parents, _potentials(graph, names, parents))


def to_networkx(model: Model) -> nx.DiGraph[str]:
    """One node per variable, edges from parent to child; the same as ``model.graph()``.

    Returns
    -------
    networkx.DiGraph
        Nodes have ``states``, ``values`` and ``prior``; edges ``potential``, axes (parent
        states, child states). :func:`from_networkx` reads it back, one class per variable.
    """
    return model.graph()


def factor_graph(model: Model) -> nx.Graph[str]:
    """The bipartite graph of variables and factors.

    Parameters
    ----------
    model
        Any model; free tables are factors with ``potential`` None.

    Returns
    -------
    networkx.Graph
        Variables have ``bipartite=0``, ``states``, ``values`` and ``cardinality``; factors have
        ``bipartite=1``, ``variables`` (names, parent first) and ``potential`` (one axis each).
        Factors are called "parent->child", or "->variable" for priors.
    """
    import networkx as nx

    source = model.graph()
    graph: nx.Graph[str] = nx.Graph(name=model.name)
    for name, data in source.nodes(data=True):
        states = data["states"]
        graph.add_node(
            name, bipartite=0, states=states, values=data["values"], cardinality=len(states)
        )
    for name, data in source.nodes(data=True):
        if data["prior"] is not None:
            _add_factor(graph, (name,), data["prior"])
    for parent, child, data in source.edges(data=True):
        _add_factor(graph, (parent, child), data["potential"])
    return graph


def _add_factor(graph: nx.Graph[str], variables: tuple[str, ...], potential: object) -> None:
    """Add a factor node and its edges."""
    name = "->".join(variables if len(variables) == 2 else ("", *variables))
    graph.add_node(name, bipartite=1, variables=variables, potential=potential)
    graph.add_edges_from((name, variable) for variable in variables)


def _from_factor_graph(graph: nx.Graph[Any], name: str, root: str | None) -> Model:
    """A model from a bipartite graph."""
    variables = {node: data for node, data in graph.nodes(data=True) if not _is_factor(data)}
    names = string_names(variables)
    factors = []
    for node, data in graph.nodes(data=True):
        if _is_factor(data):
            scope = tuple(data.get("variables", graph[node]))
            if set(scope) != set(graph[node]) or not names.keys() >= set(scope):
                raise ConversionError(
                    f"factor {node!r}: its attribute variables={scope} must name the variables "
                    f"next to it, {tuple(graph[node])}."
                )
            table = data.get("potential")
            table = None if table is None else np.asarray(table)
            factors.append(Factor(tuple(names[v] for v in scope), table))
    nodes = {names[node]: _node(node, data) for node, data in variables.items()}
    return assemble_factors(name, nodes, factors, root)


def _is_factor(data: Mapping[str, Any]) -> bool:
    """Whether these are the attributes of a factor node."""
    return data.get("bipartite") == 1 and not data.keys() & {"states", "cardinality"}


def _node(node: Hashable, data: Mapping[str, Any]) -> Node:
    """A variable from the attributes of a node."""
    states = data.get("states", data.get("cardinality"))
    if states is None:
        raise ConversionError(
            f"node {node!r}: needs the attribute 'states' (a number of states or their names); "
            f"its attributes are: {', '.join(data) or 'none'}."
        )
    values = data.get("values")
    # Numbers in a sequence would also be values; values=None says that there are none.
    if "values" in data and values is None and isinstance(states, (list, tuple)):
        states = len(states) if list(states) == list(range(len(states))) else states
    return Node(states, values, data.get("prior"))


def _directed_parents(
    graph: nx.DiGraph[Any], names: Mapping[Hashable, str]
) -> dict[str, str | None]:
    """Parent of each node of a directed forest, parents before children."""
    import networkx as nx

    for node in graph:
        above = [repr(parent) for parent in graph.predecessors(node)]
        if len(above) > 1:
            raise ConversionError(
                f"node {node!r} has {len(above)} parents: {', '.join(above)}; a variable has "
                f"at most one; {NOT_YET}."
            )
    parents: dict[str, str | None] = {}
    for node in graph:
        if graph.in_degree(node) == 0:
            parents[names[node]] = None
            parents.update((names[b], names[a]) for a, b in nx.bfs_edges(graph, node))
    if len(parents) < len(graph):
        raise cycle_error(graph)
    return parents


def _skeleton(graph: nx.Graph[Any], names: Mapping[Hashable, str]) -> nx.Graph[str]:
    """The graph with names for nodes, and without attributes."""
    import networkx as nx

    skeleton: nx.Graph[str] = nx.Graph()
    skeleton.add_nodes_from(names[node] for node in graph)
    skeleton.add_edges_from((names[u], names[v]) for u, v in graph.edges)
    return skeleton


def _potentials(
    graph: nx.Graph[Any], names: Mapping[Hashable, str], parents: Mapping[str, str | None]
) -> dict[str, PotentialLike | None]:
    """Potential of the edge above each child, axes (parent states, child states)."""
    position = {name: k for k, name in enumerate(names.values())}
    node_of = {name: node for node, name in names.items()}
    found: dict[str, PotentialLike | None] = {}
    for child, parent in parents.items():
        if parent is None:
            continue
        data = graph.edges[node_of[parent], node_of[child]]
        potential = data.get("potential")
        if potential is not None and not graph.is_directed():
            ends = (node_of[parent], node_of[child])
            stored = ends if position[parent] < position[child] else ends[::-1]
            axes = tuple(data.get("axes", stored))
            if axes not in (ends, ends[::-1]):
                raise ConversionError(
                    f"edge {parent!r} - {child!r}: axes must name its two nodes, got {axes}."
                )
            potential = potential if axes == ends else _flipped(potential)
        found[child] = potential
    return found


def _flipped(potential: Any) -> PotentialLike:
    """A potential with its two axes exchanged."""
    if callable(potential):
        return lambda above, below: potential(below, above)
    table: AnyArray = np.transpose(np.asarray(potential))
    return table
