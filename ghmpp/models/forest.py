"""The meaning of every model: a rooted forest of discrete variables with pairwise potentials.

This is the only form that the schedule builder reads. Nodes that play the same part are kept
together in a *block* (one block per level of a regular model), so that a forest with 65,536
leaves is a handful of records. Potentials live once, by key, in ``Forest.data``.

Potential kinds (``psi(s, a)`` with parent state s and child state a):

- ``"table"``: a stack of tables, axes (row, parent state, child state), entries >= 0;
- ``"child_of"``: an index map (parent states,): ``psi(s, a) = 1[a == index[s]]``;
- ``"parent_of"``: an index map (child states,): ``psi(s, a) = 1[index[a] == s]``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ghmpp._arrays import AnyArray, FloatArray, IntArray, ObjectArray

PotentialKind = Literal["table", "child_of", "parent_of"]


@dataclass(frozen=True, slots=True)
class VariableClass:
    """A named class of tied variables, as the user addresses it.

    Parameters
    ----------
    name
        Name in evidence, queries and results.
    states
        State names; state ``i`` is ``states[i]``.
    values
        Numeric state values, shape (states,), or None when the states have none.
    nodes
        Number of variables in the class.
    blocks
        Names of the blocks that hold the class, in node order.
    order
        ``order[k]`` is the user's position of tree node k, shape (nodes,); None = tree order.
    """

    name: str
    states: tuple[Hashable, ...]
    values: FloatArray | None
    nodes: int
    blocks: tuple[str, ...]
    order: IntArray | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes of one class at one level; node k of the block is node ``start + k`` of the class.

    ``unary`` is the key of a stack (rows, states) in ``Forest.data``, linear, entries >= 0;
    node k uses row ``k % unary_rows`` (rows is 1 or the number of nodes).
    """

    name: str
    variable: str
    start: int
    nodes: int
    states: int
    unary: str | None = None
    unary_rows: int = 1


@dataclass(frozen=True, slots=True)
class Edge:
    """All edges from one block to its child block: child k has parent ``k // fanout``.

    Child k uses row ``k % rows`` of the potential stack; rows is 1 (one shared table),
    ``fanout`` (one table per child rank) or the number of children (one table per edge).
    """

    parent: str
    child: str
    fanout: int
    key: str
    kind: PotentialKind = "table"
    rows: int = 1


@dataclass(frozen=True)
class Forest:
    """A rooted forest in blocks, parents before children.

    Parameters
    ----------
    name
        Name of the model.
    variables
        Classes by name, in the order of declaration.
    blocks
        Blocks by name, every parent before its children.
    edges
        The edge to the parent, by name of the child block; roots have none.
    data
        Potentials by key: table stacks (rows, parent states, child states) and unary stacks
        (rows, states), linear, float64 (or objects for exact arithmetic); index maps int64.
        A free table that has not been learned yet has no entry.
    formulas
        Entries of a table stack or unary stack as sympy expressions, for keys with symbols.
    parameters
        Values of the symbols that have one.
    """

    name: str
    variables: Mapping[str, VariableClass]
    blocks: Mapping[str, Block]
    edges: Mapping[str, Edge]
    data: Mapping[str, AnyArray]
    formulas: Mapping[str, ObjectArray] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def children(self) -> Mapping[str, tuple[Edge, ...]]:
        """Edges to the child blocks, by name of the parent block (blocks without: empty)."""
        found: dict[str, list[Edge]] = {name: [] for name in self.blocks}
        for edge in self.edges.values():
            found[edge.parent].append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Names of the blocks without parent."""
        return tuple(name for name in self.blocks if name not in self.edges)

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Names of the classes that have no other class below them; a chain is not below itself."""
        above = {
            self.blocks[edge.parent].variable
            for edge in self.edges.values()
            if self.blocks[edge.parent].variable != self.blocks[edge.child].variable
        }
        return tuple(name for name in self.variables if name not in above)

    @cached_property
    def levels(self) -> Mapping[str, int]:
        """Depth of every block below its root (0 for roots)."""
        depth: dict[str, int] = {}
        for name in self.blocks:
            depth[name] = depth[self.edges[name].parent] + 1 if name in self.edges else 0
        return depth

    @property
    def nodes(self) -> int:
        """Number of variables in the forest."""
        return sum(block.nodes for block in self.blocks.values())

    def class_blocks(self, variable: str) -> Iterator[Block]:
        """The blocks of one class, in node order."""
        return (self.blocks[name] for name in self.variables[variable].blocks)

    def keys(self) -> tuple[str, ...]:
        """Keys of all potentials that the forest uses, with or without values, in block order."""
        seen: dict[str, None] = {}
        for block in self.blocks.values():
            if block.name in self.edges:
                seen[self.edges[block.name].key] = None
            if block.unary is not None:
                seen[block.unary] = None
        return tuple(seen)
