"""A model as a networkx graph with one node per variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import ConversionError
from ghmpp.models.factors import Factor
from ghmpp.models.summary import node_name
from ghmpp.models.unfold import factors_of

if TYPE_CHECKING:
    import networkx as nx

    from ghmpp.models.model import Model


def graph(model: Model) -> nx.DiGraph[str]:
    """The model as a graph with one node per variable, edges from parent to child.

    Nodes are named by class and position in the user's order ("pixel[3]"; the only node of a
    class has the class's name), with the attributes ``variable`` (class), ``states``, ``values``
    and ``prior`` (weights (states,), or None). Edges have ``potential``, a table (parent states,
    child states), linear, also for index maps; float64, or fractions and sympy expressions where
    symbols have no value; None where tables are free. In a model with helper classes, an edge
    goes from the variable that comes first, unless its table is a distribution of that one.

    Raises
    ------
    ResourceError
        If so many nodes do not fit into memory.
    ConversionError
        If a factor of a model with helper classes has three variables or more.
    """
    import networkx as nx

    unfolded = factors_of(model)
    classes = {
        node_name(model.forest(), block, node): block.variable
        for block in model.forest().blocks.values()
        for node in range(block.nodes)
    }
    graph: nx.DiGraph[str] = nx.DiGraph(name=model.name)
    for name, known in unfolded.nodes.items():
        states = tuple(model.forest().variables[classes[name]].states)
        graph.add_node(
            name, variable=classes[name], states=states, values=known.values, prior=known.prior
        )
    hidden = len(model.variables) < len(model.declarations)
    directed = not hidden or all(factor.child for factor in unfolded.factors)
    position = {name: k for k, name in enumerate(unfolded.nodes)}
    for factor in unfolded.factors:
        if len(factor.variables) != 2:
            raise ConversionError(
                f"graph: the factor over {', '.join(factor.variables)} has no place on one edge; "
                "use factor_graph(), with a node per factor."
            )
        parent, child = factor.variables
        if not directed and position[parent] > position[child]:
            parent, child = child, parent
        _add_edge(graph, parent, child, _oriented(factor, parent))
    return graph


def _oriented(factor: Factor, first: str) -> AnyArray | None:
    """The table of a factor over two variables, with the axis of one of them first."""
    if factor.table is None or factor.variables[0] == first:
        return factor.table
    return np.transpose(factor.table)


def _add_edge(graph: nx.DiGraph[str], parent: str, child: str, table: AnyArray | None) -> None:
    """An edge; another on the same two variables is multiplied with it."""
    if graph.has_edge(parent, child) and table is not None:
        table = graph.edges[parent, child]["potential"] * table
    graph.add_edge(parent, child, potential=table)
