"""From variables and factors to a model: a tree where they form one, else a junction tree."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import ConversionError
from ghmpp.models.declaration import Declaration, check_name
from ghmpp.models.factors import (
    Factor,
    Factors,
    Node,
    Tables,
    free_priors,
    products,
    unary_tables,
)
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from ghmpp.models.potentials import PotentialLike
from ghmpp.models.rooting import rooted, unknown_root
from ghmpp.models.rooting import shortened as shortened
from ghmpp.models.states import read_states
from ghmpp.models.tables import with_potential, with_prior

if TYPE_CHECKING:
    import networkx as nx


def model_of(
    graph: Factors,
    *,
    root: str | None = None,
    together: Collection[tuple[str, ...]] = (),
) -> Model:
    """The model that some factors describe, one visible class per variable.

    A plain tree where every factor has one or two variables and they close no cycle, with the
    edges of conditional distributions from parent to child, and all other trees rooted at their
    centre; else, or where sets of variables are wanted ``together``, a junction tree.

    Parameters
    ----------
    graph
        Variables and factors. In a tree, a table may be None: it is learned later.
    root
        Variable that becomes the root of its tree, or of its junction tree.
    together
        Sets of variables whose joint posterior will be asked.

    Raises
    ------
    ConversionError
        If factors do not fit their variables, or a table is missing outside of a tree.
    ModelError
        If names, states or tables are wrong.
    TreewidthError
        If the cliques of the junction tree do not fit into memory.

    Examples
    --------
    >>> from ghmpp.models.factors import Factor
    >>> nodes = {"sun": Node(["no", "yes"]), "ice": Node(2), "sea": Node(2)}
    >>> table = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> tree = (Factor(("sun", "ice"), table, "ice"), Factor(("sun", "sea"), table, "sea"))
    >>> model_of(Factors("day", nodes, tree))
    Model 'day': 3 classes, 3 variables
      sun  1 node  2 states  root
      ice  1 node  2 states  1 per sun, 1 table
      sea  1 node  2 states  1 per sun, 1 table, tied to sun->ice
    >>> loop = (*tree, Factor(("ice", "sea"), table))
    >>> print(repr(model_of(Factors("day", nodes, loop))).splitlines()[0])
    Model 'day': 3 classes, 3 variables, treewidth 2, largest clique (sun, ice, sea) with 8 states
    """
    links = _links(graph)
    if root is not None and root not in graph.nodes:
        raise unknown_root(root, graph.nodes)
    if together or links is None:
        return junction_model(graph, together=together, root=root)
    pairs = products(factor for factor in graph.factors if len(factor.variables) == 2)
    unaries = unary_tables(graph)
    parents = _directed(graph, pairs) if root is None else None
    parents = rooted(links, root) if parents is None else parents
    potentials = {
        child: _oriented(pairs, parent, child)
        for child, parent in parents.items()
        if parent is not None
    }
    nodes = {n: Node(v.states, v.values, unaries[n]) for n, v in graph.nodes.items()}
    return assemble(graph.name, nodes, parents, potentials, free_priors(graph))


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


def open_families(
    graph: nx.Graph[Any], names: Mapping[Hashable, str], nodes: Mapping[str, Node]
) -> Iterator[Factor]:
    """What is to be learned in a directed graph with several parents per node.

    Parameters
    ----------
    graph
        Edges from parent to child, with or without the attribute ``potential``.
    names, nodes
        Names of its nodes, and the variables by name.

    Yields
    ------
    Factor
        Without table: the distribution of each node given its parents where no edge into it has
        a potential, and of parents of such a node that have neither parents nor a prior.
    """
    arrows = cast("nx.DiGraph[Any]", graph)
    given = {
        below for _, below, data in arrows.edges(data=True) if data.get("potential") is not None
    }
    learned = [node for node in arrows if arrows.in_degree(node) and node not in given]
    for node in learned:
        scope = (*arrows.predecessors(node), node)
        yield Factor(tuple(names[each] for each in scope), None, names[node])
    for node in arrows:
        above = not arrows.in_degree(node) and any(n in learned for n in arrows.successors(node))
        if above and nodes[names[node]].prior is None:
            yield Factor((names[node],), None, names[node])


def assemble(
    name: str,
    nodes: Mapping[str, Node],
    parents: Mapping[str, str | None],
    potentials: Mapping[str, PotentialLike | None],
    free: Collection[str] = (),
) -> Model:
    """A tree with one class per variable.

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
    free
        Roots whose prior is to be learned.

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
        declared = Declaration(child, space, parent, free_prior=child in free, untied=True)
        if parent is not None:
            declared = with_potential(declared, known[parent], potentials[child])
        known[child] = with_prior(declared, node.prior)
    return Model.from_declarations(name, known.values())


def _links(graph: Factors) -> nx.Graph[str] | None:
    """The undirected forest that factors of one or two variables form; None where they do not."""
    import networkx as nx

    links: nx.Graph[str] = nx.Graph()
    links.add_nodes_from(graph.nodes)
    for factor in graph.factors:
        scope = factor.variables
        if not 1 <= len(set(scope)) == len(scope) <= 2 or not links.nodes >= set(scope):
            return None
        links.add_edges_from([scope] if len(scope) == 2 else [])
    return links if len(links) and nx.is_forest(links) else None


def _directed(graph: Factors, pairs: Tables) -> dict[str, str | None] | None:
    """Parents as conditional distributions say, parents first; None where they do not say it."""
    import networkx as nx

    arrows: nx.DiGraph[str] = nx.DiGraph()
    arrows.add_nodes_from(graph.nodes)
    for factor in graph.factors:
        if len(factor.variables) == 2:
            if factor.child not in factor.variables:
                return None
            arrows.add_edge(*sorted(factor.variables, key=lambda name: name == factor.child))
    if len(arrows.edges) < len(pairs) or any(count > 1 for _, count in arrows.in_degree()):
        return None
    return {
        name: next(iter(arrows.predecessors(name)), None) for name in nx.topological_sort(arrows)
    }


def _oriented(tables: Tables, parent: str, child: str) -> AnyArray | None:
    """The table of an edge with axes (parent states, child states)."""
    if (parent, child) in tables:
        return tables[parent, child]
    table = tables[child, parent]
    return None if table is None else np.transpose(table)
