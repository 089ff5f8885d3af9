"""Models from networkx graphs, and networkx graphs from models."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import ConversionError
from ghmpp.models.assembly import assemble, model_of, open_families, string_names
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.index_maps import zeros_and_ones
from ghmpp.models.model import Model
from ghmpp.models.potentials import PotentialLike, read_potential
from ghmpp.models.rooting import cycle_error, rooted
from ghmpp.models.states import read_states
from ghmpp.models.unfold import factors_of

if TYPE_CHECKING:
    import networkx as nx

NODE = ("states", "cardinality", "values", "prior", "bipartite", "variable")
FACTOR = ("variables", "potential", "bipartite", "child")
EDGE = ("potential", "axes")
# Ratio of equal letters from which on a name is taken for a misspelt one: "state", not "status".
ALIKE = 0.85


def from_networkx(graph: nx.Graph[Any], *, root: Hashable | None = None) -> Model:
    """The model that a networkx graph describes, with one visible class per node.

    Three kinds of graph are understood:

    - a ``DiGraph`` with edges from parent to child;
    - an undirected ``Graph``, rooted at its centre unless ``root`` is given;
    - a bipartite factor graph, as :meth:`Model.factor_graph` makes it: nodes with the attribute
      ``bipartite=1`` are factors with the attributes ``variables`` and ``potential``, and
      ``child`` where they are the distribution of that one of their variables.

    The mass of a configuration is the product of all potentials. Where a node has two parents,
    edges close a cycle or a factor has three variables or more, the model is a junction tree,
    see :mod:`ghmpp.models.junction`.

    Parameters
    ----------
    graph
        Attributes of a node: ``states`` (a number of states or their names) or ``cardinality``;
        optional ``values`` (numeric state values) and ``prior`` (unary weights (states,),
        allowed at any node). Attribute of an edge: ``potential``, anything that
        ``Variable.children`` takes for one child, with axes (parent states, child states); a
        missing one is free. In an undirected graph an edge may also have ``axes=(u, v)``: the
        nodes that the axes of its potential belong to; without it the first axis belongs to the
        node that was added to the graph first. Where no edge into a node has a potential, the
        distribution of the node given all its parents is free. Nodes that are not strings are
        called ``str(node)``; evidence, queries and beliefs take the node itself too. Attributes
        with other names are free, but one that is called almost like these ("state",
        "potentials") is taken for a slip and refused.
    root
        Node that becomes the root of its tree; undirected graphs and factor graphs only.

    Returns
    -------
    Model
        Named like the graph (``graph.name``), or "graph".

    Raises
    ------
    ConversionError
        For a directed cycle, parallel edges, missing states or names that clash; outside of a
        tree also for missing potentials.
    ModelError
        If states, priors or potentials are wrong.
    TreewidthError
        If the cliques of a junction tree do not fit into memory.

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
    import networkx as nx

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
    for above, below, data in graph.edges(data=True):
        _check_attributes(f"edge {above!r} - {below!r}", data, EDGE)
    if graph.is_directed():
        if root is not None:
            raise ConversionError(
                "root: the edges of a DiGraph say already which node is the root; "
                "use graph.to_undirected() to choose another."
            )
        parents = _directed_parents(cast("nx.DiGraph[Any]", graph), names)
    else:
        skeleton = _skeleton(graph, names)
        parents = rooted(skeleton, start) if nx.is_forest(skeleton) else None
    if parents is None:
        return model_of(_pairwise(graph, name, names, nodes), root=start)
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
        ``bipartite=1``, ``variables`` (names, parent first), ``potential`` (one axis each), and
        ``child`` where they are the distribution of a variable.
        Factors are called "parent->child", "->variable" for priors, and "a, b, c" for more.
    """
    return bipartite(factors_of(model))


def bipartite(source: Factors) -> nx.Graph[str]:
    """The bipartite graph of variables and factors, see :func:`factor_graph`."""
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph(name=source.name)
    for name, node in source.nodes.items():
        states = tuple(read_states(node.states, node.values, name).names)
        graph.add_node(
            name, bipartite=0, states=states, values=node.values, cardinality=len(states)
        )
    for name, node in source.nodes.items():
        if node.prior is not None:
            _add_factor(graph, (name,), node.prior)
    for factor in source.factors:
        _add_factor(graph, factor.variables, factor.table, factor.child)
    return graph


def _add_factor(
    graph: nx.Graph[str], variables: tuple[str, ...], potential: object, child: str | None = None
) -> None:
    """Add a factor node and its edges."""
    name = ", ".join(variables) or "constant"
    if 1 <= len(variables) <= 2:
        name = "->".join(variables if len(variables) == 2 else ("", *variables))
    while name in graph:
        name += "'"
    graph.add_node(name, bipartite=1, variables=variables, potential=potential)
    if child is not None:
        graph.nodes[name]["child"] = child
    graph.add_edges_from((name, variable) for variable in variables)


def _from_factor_graph(graph: nx.Graph[Any], name: str, root: str | None) -> Model:
    """A model from a bipartite graph."""
    variables = {node: data for node, data in graph.nodes(data=True) if not _is_factor(data)}
    names = string_names(variables)
    factors = []
    for node, data in graph.nodes(data=True):
        if _is_factor(data):
            _check_attributes(f"factor {node!r}", data, FACTOR)
            scope = tuple(data.get("variables", graph[node]))
            if set(scope) != set(graph[node]) or not names.keys() >= set(scope):
                raise ConversionError(
                    f"factor {node!r}: its attribute variables={scope} must name the variables "
                    f"next to it, {tuple(graph[node])}."
                )
            table = data.get("potential")
            table = None if table is None else np.asarray(table)
            child = data.get("child")
            if child is not None and child not in scope:
                raise ConversionError(f"factor {node!r}: its child {child!r} is not in {scope}.")
            factors.append(
                Factor(
                    tuple(names[v] for v in scope), table, None if child is None else names[child]
                )
            )
    nodes = {names[node]: _node(node, data) for node, data in variables.items()}
    return model_of(Factors(name, nodes, tuple(factors)), root=root)


def _is_factor(data: Mapping[str, Any]) -> bool:
    """Whether these are the attributes of a factor node."""
    return data.get("bipartite") == 1 and not data.keys() & {"states", "cardinality"}


def _node(node: Hashable, data: Mapping[str, Any]) -> Node:
    """A variable from the attributes of a node."""
    _check_attributes(f"node {node!r}", data, NODE)
    states = data.get("states", data.get("cardinality"))
    if states is None:
        raise ConversionError(
            f"node {node!r}: needs the attribute 'states' (a number of states or their names); "
            f"its attributes are: {', '.join(data) or 'none'}."
        )
    values = data.get("values")
    # Numbers in a sequence would also be values; values=None says that there are none.
    if "values" in data and values is None and isinstance(states, (list, tuple, range)):
        counted = all(type(state) is int and state == k for k, state in enumerate(states))
        states = len(states) if counted else states
    return Node(states, values, data.get("prior"))


def _check_attributes(place: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse attributes that mean nothing here but are called like one that does."""
    for name in data:
        if name not in known and _misspelt(name):
            raise ConversionError(
                f"{place}: the attribute {name!r} means nothing here; the known ones are "
                f"{', '.join(known)}; rename or remove it (other names, such as 'label', are free)."
            )


@cache
def _misspelt(name: Hashable) -> bool:
    """Whether a name is that of a known attribute, or almost."""
    known = {*NODE, *FACTOR, *EDGE, "axis"}
    return bool(get_close_matches(str(name).lower(), known, n=1, cutoff=ALIKE))


def _directed_parents(
    graph: nx.DiGraph[Any], names: Mapping[Hashable, str]
) -> dict[str, str | None] | None:
    """Parent of each node of a directed forest, parents before children; None for any other."""
    import networkx as nx

    if not nx.is_directed_acyclic_graph(graph):
        raise cycle_error(graph)
    if any(count > 1 for _, count in graph.in_degree()):
        return None
    parents: dict[str, str | None] = {}
    for node in graph:
        if graph.in_degree(node) == 0:
            parents[names[node]] = None
            parents.update((names[b], names[a]) for a, b in nx.bfs_edges(graph, node))
    return parents


def _skeleton(graph: nx.Graph[Any], names: Mapping[Hashable, str]) -> nx.Graph[str]:
    """The graph with names for nodes, and without attributes."""
    import networkx as nx

    skeleton: nx.Graph[str] = nx.Graph()
    skeleton.add_nodes_from(names[node] for node in graph)
    skeleton.add_edges_from((names[u], names[v]) for u, v in graph.edges)
    return skeleton


def _pairwise(
    graph: nx.Graph[Any], name: str, names: Mapping[Hashable, str], nodes: Mapping[str, Node]
) -> Factors:
    """The factors of a graph that is no forest: the potential of each edge as a table."""
    spaces = {v: read_states(n.states, n.values, f"variable {v!r}") for v, n in nodes.items()}
    position = {node: k for k, node in enumerate(graph)}
    factors = list(open_families(graph, names, nodes)) if graph.is_directed() else []
    learned = {factor.child for factor in factors}
    for edge in graph.edges:
        if names[edge[1]] in learned:
            continue
        ends = edge if graph.is_directed() else sorted(edge, key=position.__getitem__)
        above, below = (names[node] for node in ends)
        potential = _potentials(graph, names, {below: above})[below]
        if potential is None:
            factors.append(Factor((above, below), None))
            continue
        stack = read_potential(
            potential,
            f"potential of {above!r} -> {below!r}",
            parent=spaces[above],
            child=spaces[below],
            rows=(1,),
            ranks=1,
        )
        tables = stack.entries
        if stack.kind != "table":
            tables = zeros_and_ones(stack.kind, tables, len(spaces[above]), len(spaces[below]))
        factors.append(Factor((above, below), tables[0]))
    return Factors(name, nodes, tuple(factors))


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
