"""Models that are wrong on purpose: other trees over the same leaves."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.learning.experiments.paths import Path
from ghmpp.models.declaration import Declaration
from ghmpp.models.forest import Forest
from ghmpp.models.index_maps import edge_tables
from ghmpp.models.model import Model
from ghmpp.models.potentials import Stack


def far_siblings(path: Path) -> IntArray:
    """Leaf at each place of a tree whose siblings are as far apart as can be, (leaves,).

    The place of a leaf, its ranks from the root down, is read from the leaves up.

    Examples
    --------
    >>> far_siblings(Path(("x0", "x1", "x2"), (2, 3), ((1, 2), (1, 3))))
    array([0, 3, 1, 4, 2, 5])
    """
    leaves = np.arange(prod(path.branching))
    return leaves.reshape(path.branching).transpose().ravel()


def shuffled(path: Path, seed: int) -> IntArray:
    """Leaves in random order, (leaves,), such that some siblings are parted.

    Where all leaves are siblings, or no node has two children, any other order will do.

    Examples
    --------
    >>> path = Path(("x0", "x1", "x2"), (2, 2), ((1, 2), (1, 2)))
    >>> sorted(shuffled(path, seed=0).tolist())
    [0, 1, 2, 3]
    """
    rng, leaves = np.random.default_rng(seed), prod(path.branching)
    together = path.branching[-1]
    apart = 1 < together < leaves
    while True:
        places = rng.permutation(leaves)
        families = np.sort(places.reshape(-1, together) // together, axis=1)
        if (families[:, 0] != families[:, -1]).any() if apart else (np.diff(places) != 1).any():
            return places


def reordered(model: Model, name: str, places: IntArray) -> Model:
    """The model with other nodes of a class at the places of its tree, (nodes,)."""
    declared = model.declarations[name]
    order = np.arange(declared.nodes) if declared.order is None else declared.order
    return _with(model, replace(declared, order=order[places]))


def untied(forest: Forest) -> Forest:
    """The forest with a potential of its own on each edge, all with the entries that they had.

    A chain keeps its one potential: its steps are blocks of one class.
    """
    edges, data = dict(forest.edges), dict(forest.data)
    for name, edge in forest.edges.items():
        copies = forest.blocks[name].nodes // edge.rows
        if copies == 1:
            continue
        stack = forest.data[edge.key]
        data[f"{name} untied"] = np.tile(stack, (copies, *[1] * (stack.ndim - 1)))
        edges[name] = replace(edge, key=f"{name} untied", rows=copies * edge.rows)
    return replace(forest, edges=edges, data=data, formulas={})


def removable(model: Model, path: Path, kept: str) -> str | None:
    """The lowest class between root and leaves that nobody asks for and nothing else hangs on."""
    for name in path.classes[-2:0:-1]:
        below = [
            each for each in model.declarations.values() if _visible_parent(model, each) == name
        ]
        if name != kept and sum(not each.hidden for each in below) == 1:
            return name
    return None


def without_level(model: Model, path: Path, name: str) -> Model:
    """The model without a class: its children hang on its parent, each with the pairwise law.

    The states of the class are summed out for each child alone. So children that were dependent
    given the class above are independent now: the tree is too shallow.
    """
    model, position = model.normalized(), path.classes.index(name)
    above, child = path.classes[position - 1], path.classes[position + 1]
    gone, step = [], model.declarations[child]
    while step.parent is not None and step.parent != above:
        step = model.declarations[step.parent]
        gone.append(step)
    declared = model.declarations[child]
    count = declared.count * prod(each.count for each in gone)
    tables = _composed(model.forest(), [declared, *gone], count)
    flat = replace(declared, parent=above, count=count, potential=Stack("table", tables))
    names = {each.name for each in gone}
    kept = [each for each in model.declarations.values() if each.name not in names]
    listed = [flat if each.name == child else each for each in kept]
    return Model.from_declarations(model.name, listed, model.bound)


def _composed(forest: Forest, chain: list[Declaration], count: int) -> FloatArray:
    """Tables from the class above a chain of classes to its lowest, (rows, parents, children)."""
    tables, unaries = [], []
    for declared in chain:
        (name,) = forest.variables[declared.name].blocks
        edge, block = forest.edges[name], forest.blocks[name]
        stored = forest.data[edge.key]
        dense = stored if edge.kind == "table" else edge_tables(forest, edge, stored)
        tables.append(np.asarray(dense, dtype=np.float64))
        ones = np.ones((1, block.states))
        unaries.append(ones if block.unary is None else forest.data[block.unary])
    tied = all(
        len(table) in (1, each.count) and (len(unary) == 1 or each is chain[0])
        for table, unary, each in zip(tables, unaries, chain, strict=True)
    )
    rows = count if tied else chain[0].nodes
    found = []
    for row in range(rows):
        node, table = row, tables[0][row % len(tables[0])]
        for k in range(1, len(chain)):
            node //= chain[k - 1].count
            weights = unaries[k][node % len(unaries[k])]
            table = tables[k][node % len(tables[k])] @ (weights[:, None] * table)
        found.append(table)
    return np.array(found)


def _visible_parent(model: Model, declared: Declaration) -> str | None:
    """The nearest class above that is no helper."""
    parent = declared.parent
    while parent is not None and model.declarations[parent].hidden:
        parent = model.declarations[parent].parent
    return parent


def _with(model: Model, changed: Declaration) -> Model:
    """The model with one declaration replaced."""
    listed = [
        changed if each.name == changed.name else each for each in model.declarations.values()
    ]
    return Model.from_declarations(model.name, listed, model.bound)
