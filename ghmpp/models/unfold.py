"""Any model as variables and factors: tied classes node by node, helper classes folded away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp._memory import require_bytes
from ghmpp.errors import ConversionError
from ghmpp.models.declaration import Declaration
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.forest import Block, Edge, Forest
from ghmpp.models.index_maps import edge_tables
from ghmpp.models.joint_states import joint_table
from ghmpp.models.states import StatesLike
from ghmpp.models.summary import node_name

if TYPE_CHECKING:
    from ghmpp.models.model import Model

# Memory of a variable by itself: its name, records and tables that are not shared.
NODE_BYTES = 1000
ENTRY_BYTES = 8
# Rows of a table that miss 1 by no more are conditional probabilities.
ROUNDING = 1e-12


def factors_of(model: Model) -> Factors:
    """The variables of a model and the factors whose product is its mass.

    Parameters
    ----------
    model
        Any model. Families of a junction tree are the factors again that they were; the joint
        rules of a level become a table over the parent and all its children.

    Returns
    -------
    Factors
        Variables are called as in :meth:`Model.graph`, and have the unaries of the model as
        priors. Tables are linear; float64, or fractions and sympy expressions where symbols have
        no value; None where they are free. A factor whose table has rows that sum to 1 has the
        ``child`` that they are distributions of.

    Raises
    ------
    ResourceError
        If so many variables, or the table of joint rules, do not fit into memory.
    ConversionError
        If hidden classes without weights have to be summed over.

    Examples
    --------
    >>> from ghmpp.models.model import Model
    >>> model = Model("tossed")
    >>> _ = model.root("coin", 2, prior=[1, 3]).children("toss", 2, 2, potential=np.eye(2))
    >>> for factor in factors_of(model).factors:
    ...     print(factor.variables, factor.child)
    ('coin', 'toss[0]') toss[0]
    ('coin', 'toss[1]') toss[1]
    """
    forest = model.forest()
    require_bytes(
        NODE_BYTES * forest.nodes,
        f"factors of model {model.name!r}: {forest.nodes:,} variables need",
        cure="use model.template, with one node per class",
        largest=forest.largest,
    )
    return _Unfolding(model, forest, Entries.of(model)).result()


def variable_names(model: Model) -> list[str]:
    """Names of the user's variables, one by one, in the order of :func:`factors_of`."""
    forest = model.forest()
    return [
        node_name(forest, block, node)
        for variable in forest.visible
        for block in forest.class_blocks(variable)
        for node in range(block.nodes)
    ]


@dataclass
class Entries:
    """Tables and unaries by node, one array per row however many nodes share it."""

    forest: Forest
    data: Mapping[str, AnyArray]
    rows: dict[tuple[str, int], AnyArray] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> Entries:
        """Numbers where all symbols have values, else exact entries."""
        symbolic = any(value is None for value in model.parameters.values())
        forest = model.forest()
        data = dict(model.forest(exact=True).data if symbolic else {}) | dict(forest.data)
        return cls(forest, data)

    def unary(self, block: Block, node: int) -> AnyArray | None:
        """Weights (states,) of a node; None for none."""
        if block.unary is None or block.unary not in self.data:
            return None
        row: AnyArray = self.data[block.unary][node % block.unary_rows]
        return row

    def table(self, edge: Edge, child: int) -> AnyArray | None:
        """Table (parent states, child states) above a child; None where it is free."""
        if edge.key not in self.data:
            return None
        at = (edge.key, child % edge.rows)
        if at not in self.rows:
            entries = self.data[edge.key][at[1] : at[1] + 1]
            self.rows[at] = edge_tables(self.forest, edge, entries)[0]
        return self.rows[at]

    def index(self, edge: Edge, child: int) -> AnyArray:
        """Index map above a child, (states of the determining end,)."""
        row: AnyArray = self.data[edge.key][child % edge.rows]
        return row


@dataclass(frozen=True, slots=True)
class _End:
    """A neighbour of a hidden node: its name, and the index map or table between the two.

    ``table`` is (hidden states, neighbour's states); ``index`` (hidden states,) where the hidden
    state decides the neighbour's.
    """

    name: str
    states: int
    index: AnyArray | None
    table: AnyArray | None


@dataclass
class _Unfolding:
    """The factors under construction."""

    model: Model
    forest: Forest
    entries: Entries
    nodes: dict[str, Node] = field(default_factory=dict)
    factors: list[Factor] = field(default_factory=list)
    conditional: dict[int, bool] = field(default_factory=dict)

    def result(self) -> Factors:
        """All blocks and edges, parents first."""
        for variable in self.forest.visible.values():
            for block in self.forest.class_blocks(variable.name):
                self.add_variables(block)
        for block in self.forest.blocks.values():
            if block.variable not in self.forest.visible:
                self.fold(block)
        for edge in self.forest.edges.values():
            ends = self.forest.blocks[edge.parent], self.forest.blocks[edge.child]
            if all(end.variable in self.forest.visible for end in ends):
                self.add_edges(edge)
            elif edge.kind == "table" and all(map(self.scope, ends)):
                self.add_joint_edge(edge)
        return Factors(self.model.name, self.nodes, tuple(self.factors))

    def add_variables(self, block: Block) -> None:
        variable = self.forest.variables[block.variable]
        states: StatesLike = variable.states
        if variable.values is None and states == range(len(variable.states)):
            states = len(variable.states)  # numbers in a sequence would be values too
        for node in range(block.nodes):
            name = node_name(self.forest, block, node)
            self.nodes[name] = Node(states, variable.values, self.entries.unary(block, node))
            if self.declared(block).free_prior:
                self.factors.append(Factor((name,), None, name))

    def add_edges(self, edge: Edge) -> None:
        """A factor per edge between two variables of the user."""
        above, below = self.forest.blocks[edge.parent], self.forest.blocks[edge.child]
        for child, parent in enumerate(self.forest.parent_nodes(edge).tolist()):
            table = self.entries.table(edge, child)
            scope = node_name(self.forest, above, parent), node_name(self.forest, below, child)
            self.factors.append(Factor(scope, table, scope[1] if self.is_cpd(table) else None))

    def scope(self, block: Block) -> tuple[str, ...]:
        """Variables that the states of a class stand for; none for rules."""
        declared = self.declared(block)
        return (declared.name,) if block.variable in self.forest.visible else declared.scope

    def declared(self, block: Block) -> Declaration:
        """Where a block was declared: under its own name, or as (part of) its class."""
        declarations = self.model.declarations
        return declarations.get(block.name) or declarations[block.variable]

    def add_joint_edge(self, edge: Edge) -> None:
        """A factor for a table between joint states."""
        above, below = (self.scope(self.forest.blocks[end]) for end in (edge.parent, edge.child))
        table = self.entries.table(edge, 0)
        if table is None:
            raise ConversionError(f"the table above {edge.child!r} is free; give it one first.")
        sizes = {name: len(self.model.declarations[name].space) for name in (*above, *below)}
        scope, entries = joint_table(above, below, sizes, table)
        self.factors.append(Factor(scope, entries, scope[-1] if self.is_cpd(entries) else None))

    def is_cpd(self, table: AnyArray | None) -> bool:
        """Whether the last axis sums to 1."""
        if table is None or table.dtype == object:
            return False
        if id(table) not in self.conditional:
            self.conditional[id(table)] = is_distribution(table)
        return self.conditional[id(table)]

    def fold(self, block: Block) -> None:
        """A hidden class: the table of a family, or the sum over the states of a helper."""
        declared = self.model.declarations[block.variable]
        below = {} if declared.scope else self.children(block)
        for node in range(block.nodes):
            weights = self.entries.unary(block, node)
            if declared.scope:
                if declared.free_prior:
                    self.factors.append(Factor(declared.scope, None, declared.child))
                elif weights is not None:
                    sizes = [len(self.model.declarations[v].space) for v in declared.scope]
                    table = weights.reshape(sizes)
                    child = declared.child if declared.child and self.is_cpd(table) else None
                    self.factors.append(Factor(declared.scope, table, child))
                continue
            if declared.free_prior:
                raise ConversionError(
                    f"hidden class {block.variable!r} has no weights yet, so it cannot be summed "
                    "over; give them (gh.fit, with_tables, initialise)."
                )
            weights = np.ones(block.states) if weights is None else weights
            self.sum_over(block, weights, list(self.ends(block, node, below)))

    def children(self, block: Block) -> dict[str, list[list[int]]]:
        """Children of each node of a block, by child block."""
        found: dict[str, list[list[int]]] = {}
        for edge in self.forest.children[block.name]:
            slots = self.forest.slots(edge).tolist()
            found[edge.child] = [[child for child in row if child >= 0] for row in slots]
        return found

    def ends(self, block: Block, node: int, below: Mapping[str, list[list[int]]]) -> Iterator[_End]:
        """The neighbours of a hidden node: its parent first, then its children."""
        if block.name in self.forest.edges:
            edge = self.forest.edges[block.name]
            parent = int(self.forest.parent_nodes(edge)[node])
            yield self.end(edge, node, edge.parent, parent)
        for edge in self.forest.children[block.name]:
            for child in below[edge.child][node]:
                yield self.end(edge, child, edge.child, child)

    def end(self, edge: Edge, child: int, other: str, position: int) -> _End:
        """One neighbour, in block ``other``, across the edge of a child."""
        block = self.forest.blocks[other]
        if block.variable not in self.forest.visible:
            raise ConversionError(
                f"hidden classes {edge.parent!r} and {edge.child!r} are neighbours, and no factor "
                "over users' variables stands for the two; show one of them."
            )
        name = node_name(self.forest, block, position)
        decides = "parent_of" if other == edge.parent else "child_of"
        if edge.kind == decides:
            return _End(name, block.states, self.entries.index(edge, child), None)
        table = self.entries.table(edge, child)
        if table is None:
            raise ConversionError(f"the table above {edge.child!r} is free; give it one first.")
        return _End(name, block.states, None, table.T if other == edge.parent else table)

    def sum_over(self, block: Block, weights: AnyArray, ends: Sequence[_End]) -> None:
        """The table over the neighbours of a hidden node."""
        shape = tuple(end.states for end in ends)
        require_bytes(
            ENTRY_BYTES * prod(shape),
            f"factors of model {self.model.name!r}: the table over "
            f"{', '.join(end.name for end in ends)} needs",
            cure="keep the rules, which have no zeros",
            largest=self.forest.largest,
        )
        if all(end.index is not None for end in ends):
            table = np.zeros(shape, dtype=weights.dtype)
            at = tuple(end.index for end in ends if end.index is not None)
            np.add.at(table, at, weights)
        else:
            table = np.zeros(shape, dtype=object if weights.dtype == object else np.float64)
            for state in range(block.states):
                table = table + weights[state] * _outer([_row(end, state) for end in ends])
        self.factors.append(Factor(tuple(end.name for end in ends), table))


def is_distribution(table: AnyArray) -> bool:
    """Whether a table sums to 1 over its last axis, but for rounding."""
    return bool((np.abs(table.sum(axis=-1) - 1) <= ROUNDING).all())


def _row(end: _End, state: int) -> AnyArray:
    """Weights of the neighbour's states given the hidden state."""
    if end.table is not None:
        row: AnyArray = end.table[state]
        return row
    assert end.index is not None
    linked: AnyArray = np.arange(end.states) == end.index[state]
    return linked.astype(np.float64)


def _outer(rows: Sequence[AnyArray]) -> AnyArray:
    product: AnyArray = np.ones(())
    for row in rows:
        product = np.multiply.outer(product, row)
    return product
