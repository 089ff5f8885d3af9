"""Which states are possible at all: the collect pass in true and false, instead of numbers.

A state is possible at a node if some configuration of positive weight at and below the node has
it and agrees with the evidence there. Nothing rounds and nothing underflows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ghmpp._arrays import AnyArray, BoolArray, IntArray
from ghmpp.models.forest import Block, Edge, Forest
from ghmpp.models.observations import Observation


def possible_states(
    forest: Forest, observations: Mapping[str, Observation], rows: slice
) -> dict[str, BoolArray]:
    """The possible states of every node, given the evidence at and below it.

    Parameters
    ----------
    forest
        Potentials without values (free tables, weights to be learned) forbid nothing.
    observations
        By class, in the user's order of nodes.
    rows
        Which rows of the batch.

    Returns
    -------
    dict of bool arrays (batch, nodes of the block, states), by block
        Nodes in tree order.

    Examples
    --------
    >>> from ghmpp.models.ghm import GHM
    >>> forest = GHM(states=2, branching=(2,), tables=[np.eye(2)]).forest()
    >>> seen = {"x1": Observation("states", np.array([[0, 0], [0, 1]]))}
    >>> possible_states(forest, seen, slice(None))["x0"].tolist()
    [[[True, False]], [[False, False]]]
    """
    found = {name: _own(forest, block, observations, rows) for name, block in forest.blocks.items()}
    for name in reversed(list(forest.edges)):
        edge = forest.edges[name]
        found[edge.parent] = found[edge.parent] & _message(forest, edge, found[name])
    return found


def _own(
    forest: Forest, block: Block, observations: Mapping[str, Observation], rows: slice
) -> BoolArray:
    """What the unary and the evidence of a block allow; a batch of 1 where nothing was seen."""
    allowed = np.ones((1, block.nodes, block.states), dtype=np.bool_)
    if block.unary is not None and block.unary in forest.data:
        stack = forest.data[block.unary] > 0
        allowed &= stack[np.arange(block.nodes) % block.unary_rows].astype(np.bool_)
    seen = observations.get(block.variable)
    if seen is None:
        return allowed
    variable = forest.variables[block.variable]
    part = Observation(seen.kind, seen.array[rows], seen.channel)
    likely = part.log_likelihood(variable) > -np.inf
    if variable.order is not None:
        likely = likely[:, variable.order]
    return allowed & likely[:, block.start : block.start + block.nodes]


def _message(forest: Forest, edge: Edge, below: BoolArray) -> BoolArray:
    """States of the parents that go with what is possible at all of their children."""
    parents, states = forest.blocks[edge.parent].nodes, forest.blocks[edge.parent].states
    sent = np.ones((*below.shape[:2], states), dtype=np.bool_)
    if edge.key in forest.data:
        stack = forest.data[edge.key]
        for row in range(len(stack)):
            part = below[:, row :: len(stack)]
            sent[:, row :: len(stack)] = _through(edge, stack[row], part, states)
    return of_all_children(sent, forest.parent_nodes(edge), parents)


def of_all_children(below: BoolArray, owners: IntArray, parents: int) -> BoolArray:
    """Whether something is true of all children of each parent, shape (batch, parents, ...).

    Parameters
    ----------
    below
        Whether it is true, shape (batch, children, ...).
    owners
        Parent of each child, shape (children,).
    parents
        Number of parents; it is true of those without children.

    Examples
    --------
    >>> of_all_children(np.array([[True, False, True]]), np.array([2, 0, 2]), 3).tolist()
    [[False, True, True]]
    """
    found = np.ones((len(below), parents, *below.shape[2:]), dtype=np.bool_)
    _by_group(np.logical_and, below, owners, found, axis=1)
    return found


def _through(edge: Edge, potential: AnyArray, below: BoolArray, states: int) -> BoolArray:
    """States of the parent that one potential links to a possible state of the child."""
    if edge.kind == "child_of":
        gathered: BoolArray = below[..., potential]
        return gathered
    if edge.kind == "parent_of":
        return _any_of(below, potential, states)
    linked = (potential > 0).astype(np.float32)
    return (below.astype(np.float32) @ linked.T) > 0


def _any_of(below: BoolArray, index: IntArray, states: int) -> BoolArray:
    """For each parent state, whether any child state that determines it is possible."""
    found = np.zeros((*below.shape[:2], states), dtype=np.bool_)
    _by_group(np.logical_or, below, index, found, axis=2)
    return found


def _by_group(join: np.ufunc, array: BoolArray, index: IntArray, out: BoolArray, axis: int) -> None:
    """Join the slices of an axis that have the same index, and put them there in ``out``."""
    order = np.argsort(index, kind="stable")
    present, starts = np.unique(index[order], return_index=True)
    joined = join.reduceat(array.take(order, axis=axis), starts, axis=axis)
    out[(slice(None),) * axis + (present,)] = joined
