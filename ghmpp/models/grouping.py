"""Tying that is discovered: variables that were declared one by one become classes of many nodes.

An imported tree has a class per variable. Its nodes are put together level by level, and within a
level by what a batched instruction needs to be equal (states, state values, the class of the
parents). Children are put in order by colour refinement: equal potentials above equal subtrees
stand next to each other. So an untied copy of a regular model has the regular model's schedule,
and on any other tree the number of instructions grows with the levels, not with the variables.

Equal means entry by entry. Tables that are multiples of each other stay apart, as rows of one
stack: each has its own expected counts and gradient, and its scale is part of log_partition().
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray, read_only
from ghmpp.models.forest import Block, Edge, Forest, Grouping, VariableClass


def group(forest: Forest) -> Forest:
    """The same forest in as few classes as there are different parts to play.

    Parameters
    ----------
    forest
        An untied forest (declared variable by variable) with tables on all edges; any other is
        returned as it is, with a class for each variable of those that are apart.

    Returns
    -------
    Forest
        With ``grouping`` set: where each class went. Potentials that are equal for all nodes of
        a class, or for all children of one rank, are stored once.
    """
    single = separated(forest)
    if not forest.untied or any(edge.kind != "table" for edge in forest.edges.values()):
        if single is forest:
            return forest
        where = {name: (name, 0) for name in single.variables}
        sources = {key: (key,) for key in single.keys()}
        return replace(single, grouping=Grouping(forest, _members(forest, where), sources))
    grouped = _Grouped(single, _sibling_order(single))
    return grouped.result(forest)


def separated(forest: Forest) -> Forest:
    """The same forest with a class for each variable of those that are apart, parents first."""
    if not any(each.apart for each in forest.variables.values()):
        return forest
    variables: dict[str, VariableClass] = {}
    blocks = dict(forest.blocks)
    for name, block in forest.blocks.items():
        variable = forest.variables[block.variable]
        variables[block.variable] = variable
        if variable.apart:
            del variables[block.variable]
            variables[name] = replace(
                variable, name=name, nodes=1, blocks=(name,), order=None, apart=False
            )
            blocks[name] = replace(block, variable=name, start=0)
    return replace(forest, variables=variables, blocks=blocks)


def _members(
    forest: Forest, where: Mapping[str, tuple[str, int]]
) -> dict[str, tuple[tuple[str, int], ...]]:
    """Where each node of each class went, from where each variable went by itself."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for name, variable in forest.variables.items():
        blocks = np.array(variable.blocks)
        if variable.order is not None and variable.apart:
            blocks = blocks[np.argsort(variable.order)]
        found[name] = tuple(where[str(block)] for block in blocks)
    return found


def _sibling_order(forest: Forest) -> dict[str, tuple[int, int]]:
    """Sort key of each block among its siblings: its potential, then the colour of its subtree.

    Potentials rank in the order in which they first appear; colours are numbers that are equal
    for equal subtrees under equal potentials.
    """
    keys = dict.fromkeys(edge.key for edge in forest.edges.values())
    rank = {key: position for position, key in enumerate(keys)}
    known: dict[Hashable, int] = {}
    unaries = {
        block.unary: forest.data[block.unary].tobytes()
        for block in forest.blocks.values()
        if block.unary is not None and block.unary in forest.data
    }
    order: dict[str, tuple[int, int]] = {}
    for block in reversed(list(forest.blocks.values())):
        edge = forest.edges.get(block.name)
        potential = -1 if edge is None else rank[edge.key]
        below = tuple(sorted(order[each.child] for each in forest.children[block.name]))
        unary = None if block.unary is None else unaries.get(block.unary, block.unary)
        look = (block.states, unary, potential, below)
        order[block.name] = (potential, known.setdefault(look, len(known)))
    return order


@dataclass
class _Grouped:
    """The grouped forest under construction; a group is a list of blocks of the original."""

    forest: Forest
    order: Mapping[str, tuple[int, int]]
    variables: dict[str, VariableClass] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    edges: dict[str, Edge] = field(default_factory=dict)
    data: dict[str, AnyArray] = field(default_factory=dict)
    formulas: dict[str, ObjectArray] = field(default_factory=dict)
    members: dict[str, tuple[str, int]] = field(default_factory=dict)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    known: dict[Hashable, str] = field(default_factory=dict)

    def result(self, original: Forest) -> Forest:
        """The forest of all groups, level by level."""
        level: list[tuple[list[str], str | None]]
        level = [(group, None) for group in self.alike(self.forest.roots)]
        while level:
            below: list[tuple[list[str], str | None]] = []
            for group, parent in level:
                name = self.add(group, parent)
                below += [(part, name) for part in self.alike(self.children(group))]
            level = below
        return replace(
            self.forest,
            untied=False,
            variables=self.variables,
            blocks=self.blocks,
            edges=self.edges,
            data=self.data,
            formulas=self.formulas,
            grouping=Grouping(original, _members(original, self.members), self.sources),
        )

    def children(self, group: Sequence[str]) -> list[str]:
        """Children of all members, siblings together and in their order."""
        found = []
        for member in group:
            names = [edge.child for edge in self.forest.children[member]]
            found += sorted(names, key=self.order.__getitem__)
        return found

    def alike(self, names: Sequence[str]) -> list[list[str]]:
        """Blocks of one level parted into those that can be the nodes of one class, in order."""
        parts: dict[Hashable, list[str]] = {}
        for name in names:
            variable = self.variable(name)
            values = None if variable.values is None else variable.values.tobytes()
            parts.setdefault((len(variable.states), values), []).append(name)
        return list(parts.values())

    def variable(self, name: str) -> VariableClass:
        """The original class of a block."""
        return self.forest.variables[self.forest.blocks[name].variable]

    def add(self, group: Sequence[str], parent: str | None) -> str:
        """Make one class, with its block and edge, of some blocks."""
        name = self.name(group)
        first = self.variable(group[0])
        nodes, states = len(group), len(first.states)
        for position, member in enumerate(group):
            self.members[self.variable(member).name] = (name, position)
        unaries = [self.forest.blocks[member].unary for member in group]
        key, rows = None, 1
        if any(unaries):
            key, rows = self.stack(f"{name} unary", unaries, 1, (states,))
        names = first.states if nodes == 1 else range(states)
        self.variables[name] = VariableClass(name, names, first.values, nodes, (name,))
        self.blocks[name] = Block(name, name, 0, nodes, states, key, rows)
        if parent is not None:
            self.edges[name] = self.edge(group, name, parent)
        return name

    def edge(self, group: Sequence[str], name: str, parent: str) -> Edge:
        """The edge of a class: regular if every parent has as many children, else with an index."""
        edges = [self.forest.edges[member] for member in group]
        above = np.array([self.members[self.variable(edge.parent).name][1] for edge in edges])
        counts = np.bincount(above, minlength=self.blocks[parent].nodes)
        fanout = int(counts.max())
        regular = bool((counts == fanout).all())
        keys = [edge.key for edge in edges]
        sizes = (self.blocks[parent].states, self.blocks[name].states)
        key, rows = self.stack(f"{parent}->{name}", keys, fanout if regular else 1, sizes)
        if regular:
            return Edge(parent, name, fanout, key, rows=rows)
        self.data[f"{name} parents"] = read_only(above)
        return Edge(parent, name, fanout, key, rows=rows, parents=f"{name} parents")

    def stack(
        self, key: str, sources: Sequence[str | None], period: int, sizes: tuple[int, ...]
    ) -> tuple[str, int]:
        """The key of the potentials of a class's nodes, and the number of rows.

        Classes with the same potentials share one key, ``key`` of the first. Row 0 alone if all
        are the same, ``period`` rows if they repeat so, else a row per node. No source stands for
        ones.
        """
        for rows in (1, period):
            if all(source == sources[k % rows] for k, source in enumerate(sources)):
                break
        else:
            rows = len(sources)
        kept = [source or "" for source in sources[:rows]]
        if (*kept, sizes) in self.known:
            return self.known[*kept, sizes], rows
        self.known[*kept, sizes] = key
        self.sources[key] = tuple(kept)
        if any(source in self.forest.formulas for source in kept):
            self.formulas[key] = np.concatenate([self.entries(source, sizes) for source in kept])
        if all(source in self.forest.data or not source for source in kept):
            stacks = [self.forest.data.get(source, np.ones((1, *sizes))) for source in kept]
            self.data[key] = stacks[0] if rows == 1 else read_only(np.concatenate(stacks))
        return key, rows

    def entries(self, source: str, sizes: tuple[int, ...]) -> ObjectArray:
        """Entries of a potential as expressions, where others of its class have symbols."""
        known: AnyArray | None = self.forest.formulas.get(source)
        if known is None:
            known = self.forest.data.get(source)
        return (np.ones((1, *sizes)) if known is None else known).astype(object)

    def name(self, group: Sequence[str]) -> str:
        """A name for a class: that of its only node, or the first and the last."""
        names = [self.variable(member).name for member in group]
        return names[0] if len(names) == 1 else f"{names[0]} .. {names[-1]}"
