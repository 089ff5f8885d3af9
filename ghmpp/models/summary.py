"""A model to look at: text, HTML, and networkx graphs."""

from __future__ import annotations

import html as markup
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.models.declaration import Declaration
from ghmpp.models.expand import tied_keys
from ghmpp.models.forest import Block, Edge, Forest

if TYPE_CHECKING:
    import networkx as nx

    from ghmpp.models.model import Model


def text(model: Model) -> str:
    """The model as a headline and one line per class."""
    rows = _rows(model)
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(4)]
    padded = [[cell.ljust(w) for cell, w in zip(row, widths, strict=True)] for row in rows]
    lines = [f"  {'  '.join(row)}".rstrip() for row in padded]
    return "\n".join([_headline(model), *lines])


def html(model: Model, only: str | None = None) -> str:
    """The model, or one class, as an HTML table."""
    head = "".join(f"<th>{title}</th>" for title in ("class", "nodes", "states", "declared"))
    body = "".join(
        "<tr>" + "".join(f"<td>{markup.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _rows(model)
        if only in (None, row[0])
    )
    caption = markup.escape(_headline(model))
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"


def line(model: Model, name: str) -> str:
    """One class as a line."""
    row = next(row for row in _rows(model) if row[0] == name)
    return f"Variable {name!r} of model {model.name!r}: {', '.join(row[1:])}"


def template(model: Model) -> nx.DiGraph[str]:
    """The declaration as a graph with one node per class.

    Nodes have the attributes ``nodes``, ``states``, ``values`` and ``prior``; edges ``count``,
    ``key``, ``free`` and ``potential`` (the stack of entries as declared: floats, fractions or
    sympy expressions; an index map for index maps; None when free). A chain is an edge from its
    class to itself with the further attribute ``length``.
    """
    import networkx as nx

    keys = tied_keys(model.declarations)
    graph: nx.DiGraph[str] = nx.DiGraph(name=model.name)
    for declared in model.declarations.values():
        graph.add_node(
            declared.name,
            nodes=declared.nodes,
            states=declared.space.names,
            values=declared.space.values,
            prior=None if declared.prior is None else declared.prior.entries,
        )
        if declared.source is not None:
            graph.add_edge(declared.source, declared.name, **_edge_attributes(declared, keys))
    return graph


def graph(model: Model) -> nx.DiGraph[str]:
    """The model as a graph with one node per variable, edges from parent to child.

    Nodes are named by class and position in the user's order ("pixel[3]"; the only node of a
    class has the class's name), with the attributes ``variable`` (class), ``states``, ``values``
    and ``prior`` (weights (states,), or None). Edges have ``potential``, a table (parent states,
    child states), linear, also for index maps; float64, or fractions and sympy expressions where
    symbols have no value; None where tables are free.
    """
    import networkx as nx

    forest = model.forest()
    data = _Entries(model, forest)
    graph: nx.DiGraph[str] = nx.DiGraph(name=model.name)
    for block in forest.blocks.values():
        variable = forest.variables[block.variable]
        for node in range(block.nodes):
            graph.add_node(
                node_name(forest, block, node),
                variable=block.variable,
                states=variable.states,
                values=variable.values,
                prior=data.unary(block, node),
            )
    for edge in forest.edges.values():
        above, below = forest.blocks[edge.parent], forest.blocks[edge.child]
        for child in range(below.nodes):
            parent = node_name(forest, above, child // edge.fanout)
            potential = data.table(edge, child)
            graph.add_edge(parent, node_name(forest, below, child), potential=potential)
    return graph


def node_name(forest: Forest, block: Block, node: int) -> str:
    """Name of a node of a block: the class and the position in the user's order."""
    variable = forest.variables[block.variable]
    if variable.blocks == (variable.name,) and variable.nodes == 1:
        return variable.name
    position = block.start + node
    if variable.order is not None:
        position = int(variable.order[position])
    return f"{variable.name}[{position}]"


class _Entries:
    """Tables and unaries by node, one array per row however many nodes share it."""

    def __init__(self, model: Model, forest: Forest) -> None:
        symbolic = any(value is None for value in model.parameters.values())
        self.forest = forest
        self.data = dict(model.forest(exact=True).data if symbolic else {}) | dict(forest.data)
        self.rows: dict[tuple[str, int], AnyArray] = {}

    def unary(self, block: Block, node: int) -> AnyArray | None:
        if block.unary is None or block.unary not in self.data:
            return None
        row: AnyArray = self.data[block.unary][node % block.unary_rows]
        return row

    def table(self, edge: Edge, child: int) -> AnyArray | None:
        if edge.key not in self.data:
            return None
        at = (edge.key, child % edge.rows)
        if at not in self.rows:
            self.rows[at] = self._row(edge, at[1])
        return self.rows[at]

    def _row(self, edge: Edge, row: int) -> AnyArray:
        entries = self.data[edge.key]
        if edge.kind == "table":
            table: AnyArray = entries[row]
            return table
        parents = self.forest.blocks[edge.parent].states
        children = self.forest.blocks[edge.child].states
        return _dense_index_map(edge, entries, parents, children)


def _dense_index_map(edge: Edge, index: AnyArray, parents: int, children: int) -> AnyArray:
    """An index map as a table of zeros and ones, (parent states, child states)."""
    if edge.kind == "child_of":
        support: AnyArray = index[:, None] == np.arange(children)
    else:
        support = index == np.arange(parents)[:, None]
    return support.astype(np.float64)


def _edge_attributes(declared: Declaration, keys: dict[str, str]) -> dict[str, object]:
    stack = declared.potential
    attributes: dict[str, object] = {
        "count": declared.count,
        "key": keys[declared.name],
        "free": declared.free,
        "kind": "table" if stack is None else stack.kind,
        "potential": None if stack is None else stack.entries,
    }
    return attributes | ({"length": declared.nodes} if declared.chain else {})


def _headline(model: Model) -> str:
    declarations = model.declarations
    nodes = sum(declared.nodes for declared in declarations.values())
    counts = [_plural(len(declarations), "class"), _plural(nodes, "variable")]
    values = [f"{k}={'?' if v is None else f'{v:g}'}" for k, v in model.parameters.items()]
    return f"Model {model.name!r}: {', '.join(counts + values)}"


def _rows(model: Model) -> list[tuple[str, str, str, str]]:
    keys = tied_keys(model.declarations)
    return [
        (
            declared.name,
            _plural(declared.nodes, "node"),
            _plural(len(declared.space), "state"),
            _origin(declared, keys.get(declared.name)),
        )
        for declared in model.declarations.values()
    ]


def _origin(declared: Declaration, key: str | None) -> str:
    words = [f"{declared.count} per {declared.parent}" if declared.parent else "root"]
    if declared.chain:
        words = ["chain"]
    if declared.potential is not None and key is not None:
        rows = _plural(declared.potential.rows, "table")
        words.append(rows if declared.potential.kind == "table" else declared.potential.kind)
        words += [f"tied to {key}"] if key != declared.key else []
        symbols = ", ".join(declared.potential.symbols)
        words += [f"in {symbols}"] if symbols else []
    words += ["free"] if declared.free else []
    words += ["prior"] if declared.prior is not None else []
    return ", ".join(words)


def _plural(count: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{count} {noun if count == 1 else plural}"
