"""A model to look at: text, HTML, and the graph of its classes."""

from __future__ import annotations

import html as markup
from collections import Counter
from typing import TYPE_CHECKING

from ghmpp.models.declaration import Declaration
from ghmpp.models.expand import tied_keys
from ghmpp.models.forest import Block, Forest
from ghmpp.models.potentials import Stack
from ghmpp.models.rooting import shortened

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


def treewidth(model: Model) -> int:
    """Width of the model: variables that are tied in one clique, family or rule, minus 1.

    1 for trees with tables, 0 without edges; of a junction tree that of its triangulation; of
    rules the number of children of a rule.
    """
    declared = model.declarations.values()
    scopes = [len(each.scope) - 1 for each in declared if each.hidden]
    for each in declared:
        above = model.declarations.get(each.parent or "")
        table = each.potential is not None and each.potential.kind == "table"
        if table and above is not None and above.scope:
            scopes.append(len({*above.scope, *(each.scope or (each.name,))}) - 1)
    rules = {each.name for each in declared if each.hidden and not each.scope}
    ends = Counter({each.name: 1 for each in declared if each.parent and each.name in rules})
    ends.update({each.parent: each.count for each in declared if each.parent in rules})
    edges = [1 for each in declared if each.source is not None and not (scopes or rules)]
    return max([0, *scopes, *(count - 1 for count in ends.values()), *edges])


def template(model: Model) -> nx.DiGraph[str]:
    """The declaration as a graph with one node per class.

    Nodes have the attributes ``nodes``, ``states``, ``values``, ``prior`` and ``hidden``; edges
    ``count``, ``key``, ``free`` and ``potential`` (the stack of entries as declared: floats,
    fractions or sympy expressions; an index map for index maps; None when free). A chain is an edge
    from its class to itself with the further attribute ``length``.
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
            hidden=declared.hidden,
        )
        if declared.source is not None:
            graph.add_edge(declared.source, declared.name, **_edge_attributes(declared, keys))
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
    declarations = [each for each in model.declarations.values() if not each.hidden]
    nodes = sum(declared.nodes for declared in declarations)
    counts = [_plural(len(declarations), "class"), _plural(nodes, "variable")]
    values = [f"{k}={'?' if v is None else f'{v:g}'}" for k, v in model.parameters.items()]
    return f"Model {model.name!r}: {', '.join(counts + values + _width(model))}"


def _width(model: Model) -> list[str]:
    """Width and largest clique of a junction tree, in words."""
    joint = [declared for declared in model.declarations.values() if declared.scope]
    if not joint:
        return []
    largest = max(joint, key=lambda declared: len(declared.space))
    size = _plural(len(largest.space), "state")
    named = f"largest clique ({shortened(largest.scope)}) with {size}"
    return [f"treewidth {treewidth(model)}", named]


def _rows(model: Model) -> list[tuple[str, str, str, str]]:
    keys, rules = tied_keys(model.declarations), model.rules
    return [
        (
            declared.name,
            _plural(declared.nodes, "node"),
            _plural(len(declared.space), "state"),
            _origin(model, declared, keys.get(declared.name), declared.name in rules),
        )
        for declared in model.declarations.values()
        if not declared.hidden
    ]


def _origin(model: Model, declared: Declaration, key: str | None, by_rules: bool) -> str:
    words = [f"{declared.count} per {declared.parent}" if declared.parent else "root"]
    if declared.chain:
        words = ["chain"]
    helper = model.declarations.get(declared.parent or "", declared)
    if by_rules:
        words = [f"{declared.count} per {helper.parent}", _plural(len(helper.space), "rule")]
        words += ["weights free"] if helper.free_prior else _formula(helper.prior)
    elif declared.potential is not None and key is not None:
        rows = _plural(declared.potential.rows, "table")
        words.append(rows if declared.potential.kind == "table" else declared.potential.kind)
        words += [f"tied to {key}"] if key != declared.key else []
        words += _formula(declared.potential)
    words += ["free"] if declared.free else []
    words += ["prior"] if declared.prior is not None else []
    return ", ".join(words)


def _formula(stack: Stack | None) -> list[str]:
    """Which symbols a stack is a formula in, in words."""
    return [f"in {', '.join(stack.symbols)}"] if stack is not None and stack.symbols else []


def _plural(count: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{count} {noun if count == 1 else plural}"
