"""The same model under other names: states or siblings in reverse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.models.forest import Forest


def reverse_states(forest: Forest) -> Forest:
    """The forest in which state i of every class is called S - 1 - i.

    All classes change together, since edge classes may share potentials.
    """
    data = {key: _reversed(stack) for key, stack in forest.data.items()}
    for edge in forest.edges.values():
        parents, children = forest.blocks[edge.parent].states, forest.blocks[edge.child].states
        if edge.kind != "table":
            targets = children if edge.kind == "child_of" else parents
            data[edge.key] = targets - 1 - forest.data[edge.key][:, ::-1]
    variables = {
        name: replace(
            each,
            states=each.states[::-1],
            values=None if each.values is None else each.values[::-1].copy(),
        )
        for name, each in forest.variables.items()
    }
    return replace(forest, variables=variables, data=data, formulas={}, parameters={})


def reverse_siblings(forest: Forest) -> Forest:
    """The forest in which the children in every leaf class come in reverse order.

    Tables and unaries move with their nodes, and so does the user's order: results in the user's
    order stay the same.
    """
    data, blocks, edges = dict(forest.data), dict(forest.blocks), dict(forest.edges)
    variables = dict(forest.variables)
    for name, variable in forest.variables.items():
        if variable.blocks[0] not in edges or any(forest.children[b] for b in variable.blocks):
            continue
        fanout = edges[variable.blocks[0]].fanout
        place = np.arange(variable.nodes)
        source = place - place % fanout + (fanout - 1 - place % fanout)
        order = place if variable.order is None else variable.order
        variables[name] = replace(variable, order=order[source])
        for block in variable.blocks:
            edge, unary, rows = edges[block], blocks[block].unary, blocks[block].unary_rows
            if edge.rows > 1:
                key = f"{edge.key} of {name}"
                data[key] = forest.data[edge.key][source[: edge.rows] % edge.rows]
                edges[block] = replace(edge, key=key)
            if unary is not None and rows > 1:
                data[f"{unary} of {name}"] = forest.data[unary][source[:rows] % rows]
                blocks[block] = replace(blocks[block], unary=f"{unary} of {name}")
    used = {edge.key for edge in edges.values()} | {edge.parents for edge in edges.values()}
    used |= {block.unary for block in blocks.values()}
    data = {key: stack for key, stack in data.items() if key in used}
    return replace(
        forest,
        variables=variables,
        blocks=blocks,
        edges=edges,
        data=data,
        formulas={},
        parameters={},
    )


def _reversed(stack: AnyArray) -> AnyArray:
    """A stack of tables or unaries with the states in reverse, the rows in place."""
    axes = tuple(range(1, stack.ndim))
    return np.flip(stack, axes).copy()
