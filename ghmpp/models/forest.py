"""The meaning of every model: a rooted forest of discrete variables with pairwise potentials.

This is the only form that the schedule builder reads. Nodes that play the same part are kept
together in a *block* (one block per level of a regular model), so that a forest with 65,536
leaves is a handful of records. Potentials live once, by key, in ``Forest.data``.

Potential kinds (``psi(s, a)`` with parent state s and child state a):

- ``"table"``: a stack of tables, axes (row, parent state, child state), entries >= 0;
- ``"child_of"``: index maps, axes (row, parent state): ``psi(s, a) = 1[a == index[s]]``;
- ``"parent_of"``: index maps, axes (row, child state): ``psi(s, a) = 1[index[a] == s]``;
- ``"gaussian"``: of a real child, ``x = a x_parent + b + noise`` with noise N(0, q): stacks with
  the axes (row, component, 3), the last (a, b, q). A component is a state of the nearest class of
  states above, on which all may depend; an edge from that class has a = 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray, ObjectArray
from ghmpp.errors import ModelError
from ghmpp.models.expressions import symbols_of

PotentialKind = Literal["table", "child_of", "parent_of", "gaussian"]
CouplingKind = Literal["dense", "diagonal", "sparse", "constant"]
StateNames: TypeAlias = tuple[Hashable, ...] | range


@dataclass(frozen=True, slots=True)
class VariableClass:
    """A named class of tied variables, as the user addresses it.

    Parameters
    ----------
    name
        Name in evidence, queries and results.
    states
        State names; state ``i`` is ``states[i]``. None at all for real numbers.
    values
        Numeric state values, shape (states,), or None when the states have none.
    nodes
        Number of variables in the class.
    blocks
        Names of the blocks that hold the class, in node order.
    order
        ``order[k]`` is the user's position of tree node k, shape (nodes,); None = tree order.
    hidden
        Whether it is a helper class that results and summaries leave out unless asked by name.
    scope
        Of a helper whose states are joint states of users' variables: their names.
    apart
        Whether its variables play different parts, each in a block of its own.
    """

    name: str
    states: StateNames
    values: FloatArray | None
    nodes: int
    blocks: tuple[str, ...]
    order: IntArray | None = None
    hidden: bool = False
    scope: tuple[str, ...] = ()
    apart: bool = False

    @property
    def real(self) -> bool:
        """Whether its variables are real numbers, without states."""
        return len(self.states) == 0


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes of one class at one level; node k of the block is node ``start + k`` of the class.

    ``states`` is the number of entries per node; 1 for a field of real numbers, and 3 for each
    component below Gaussian edges: factors ``exp(-J x^2 / 2 + h x + c)``, first all J, then all h,
    then all c.
    ``unary`` is the key of a stack (rows, states) in ``Forest.data``, linear, entries >= 0;
    node k uses row ``k % unary_rows`` (rows is 1 or the number of nodes).
    ``function`` names what is applied at the nodes to what arrives through couplings, if anything.
    """

    name: str
    variable: str
    start: int
    nodes: int
    states: int
    unary: str | None = None
    unary_rows: int = 1
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """All edges from one block to its child block.

    Child k has parent ``k // fanout``; or, where the tree is irregular, parent
    ``Forest.data[parents][k]``, and ``fanout`` is the largest number of children of one parent.
    Child k uses row ``k % rows`` of the potential stack; rows is 1 (one shared table or index
    map), ``fanout`` (one per child rank) or the number of children (one per edge).
    """

    parent: str
    child: str
    fanout: int
    key: str
    kind: PotentialKind = "table"
    rows: int = 1
    parents: str | None = None

    @property
    def single(self) -> bool:
        """Whether every parent has exactly one child, so that siblings need no product."""
        return self.fanout == 1 and self.parents is None


@dataclass(frozen=True, slots=True)
class Coupling:
    """A linear map from the nodes of one block to those of another (or of the same).

    By ``kind``, ``Forest.data[key]`` is

    - "dense": the matrix, (target nodes, source nodes);
    - "diagonal": one factor per node, (nodes,);
    - "sparse": the entries, (entries,), at the positions ``Forest.data[index]``, int64
      (2, entries): target nodes, then source nodes;
    - "constant": a field of the target, (target nodes,), which reads nothing.

    Transposed, a coupling leads from the target to the source.
    """

    name: str
    source: str
    target: str
    key: str
    kind: CouplingKind = "dense"
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Grouping:
    """How nodes of an untied forest became the nodes of larger classes.

    Parameters
    ----------
    original
        The forest as it was.
    members
        By class of the original forest: for each of its nodes, in the user's order, the class
        that took it in, and its node there.
    sources
        By potential key of the grouped forest: the original key of each row of the stack.
    """

    original: Forest
    members: Mapping[str, tuple[tuple[str, int], ...]]
    sources: Mapping[str, tuple[str, ...]]


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
        (rows, states), linear, float64 (or objects for exact arithmetic); index maps int64,
        (rows, states of the end that determines the other).
        A free table that has not been learned yet has no entry.
    formulas
        Entries of a table stack or unary stack as sympy expressions, for keys with symbols.
    parameters
        Values of the symbols that have one.
    untied
        Whether its variables were declared one by one, so that classes can be discovered.
    grouping
        What the classes were made of, if they were discovered and not declared.
    couplings
        Linear maps between fields, by name; their numbers are in ``data``.
    """

    name: str
    variables: Mapping[str, VariableClass]
    blocks: Mapping[str, Block]
    edges: Mapping[str, Edge]
    data: Mapping[str, AnyArray]
    formulas: Mapping[str, ObjectArray] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    untied: bool = False
    grouping: Grouping | None = None
    couplings: Mapping[str, Coupling] = field(default_factory=dict)

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
    def visible(self) -> Mapping[str, VariableClass]:
        """Classes by name, without the hidden ones."""
        return {name: found for name, found in self.variables.items() if not found.hidden}

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Names of the visible classes without another visible class below them.

        A chain is not below itself.
        """
        above: set[str] = set()
        nearest: dict[str, str] = {}  # by block: the visible class of itself or above it
        for block in self.blocks.values():
            parent = (
                nearest.get(self.edges[block.name].parent) if block.name in self.edges else None
            )
            if block.variable in self.visible:
                if parent is not None and parent != block.variable:
                    above.add(parent)
                parent = block.variable
            if parent is not None:
                nearest[block.name] = parent
        return tuple(name for name in self.visible if name not in above)

    @cached_property
    def levels(self) -> Mapping[str, int]:
        """Depth of every block below its root (0 for roots)."""
        depth: dict[str, int] = {}
        for name in self.blocks:
            depth[name] = depth[self.edges[name].parent] + 1 if name in self.edges else 0
        return depth

    @cached_property
    def largest(self) -> str:
        """The class with the most entries (nodes times states) in words, for messages."""
        sizes = {name: each.nodes * len(each.states) for name, each in self.variables.items()}
        if not sizes:
            return "class: none"
        found = self.variables[max(sizes, key=sizes.__getitem__)]
        return f"class: {found.name!r} with {found.nodes:,} nodes of {len(found.states):,} states"

    @property
    def nodes(self) -> int:
        """Number of variables in the forest."""
        return sum(block.nodes for block in self.blocks.values())

    @cached_property
    def field_keys(self) -> tuple[str, ...]:
        """Keys of numbers that are no potentials: those of couplings, and of priors."""
        if self.edges:  # fields have none
            return ()
        potentials = set(self.keys())
        floats = (key for key, found in self.data.items() if found.dtype.kind == "f")
        return tuple(key for key in floats if key not in potentials)

    def is_field(self, block: str) -> bool:
        """Whether the values of a block are real numbers as they are, one per node."""
        found = self.blocks[block]
        return found.states == 1 and self.variables[found.variable].real

    @cached_property
    def gaussian(self) -> frozenset[str]:
        """Keys of the potentials of Gaussian edges."""
        return frozenset(edge.key for edge in self.edges.values() if edge.kind == "gaussian")

    def is_gaussian(self, block: str) -> bool:
        """Whether values of a block are Gaussian factors: it lies below a Gaussian edge."""
        return block in self.edges and self.edges[block].kind == "gaussian"

    def observed_entries(self, variable: str) -> int:
        """Entries per node of what was observed of a class: its states; of real numbers 1, or 3.

        Those below Gaussian edges have J, h and c, whatever the component.
        """
        found = self.variables[variable]
        return len(found.states) or (3 if self.is_gaussian(found.blocks[0]) else 1)

    def parent_nodes(self, edge: Edge) -> IntArray:
        """Parent of each child of an edge, as positions in the parent block, shape (children,)."""
        if edge.parents is not None:
            found: IntArray = self.data[edge.parents]
            return found
        return np.arange(self.blocks[edge.child].nodes) // edge.fanout

    def slots(self, edge: Edge) -> IntArray:
        """Children of each parent by rank, -1 where there are fewer: shape (parents, fanout)."""
        above = self.parent_nodes(edge)
        order = np.argsort(above, kind="stable")
        counts = np.bincount(above, minlength=self.blocks[edge.parent].nodes)
        slots = np.full((len(counts), edge.fanout), -1)
        slots[np.arange(edge.fanout) < counts[:, None]] = order
        return slots

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

    def require_values(self, data: Mapping[str, AnyArray] | None = None) -> None:
        """Refuse potentials that have no values in ``data``, by default those of the forest.

        Raises
        ------
        ModelError
            Naming the free tables and the symbols without value, and how to give them values.
        """
        given = self.data if data is None else data
        missing = [key for key in self.keys() if key not in given]
        if not missing:
            return
        free = [key for key in missing if key not in self.formulas]
        formulas = [self.formulas[key] for key in missing if key in self.formulas]
        symbols = {name for entries in formulas for name in symbols_of(entries, self.name)}
        problems = []
        if free:
            problems.append(f"free tables {', '.join(free)} (gh.fit, with_tables, initialise)")
        if unbound := sorted(symbols - self.parameters.keys()):
            problems.append(f"symbols without value {', '.join(unbound)} (bind)")
        raise ModelError(f"model {self.name!r} is not complete: {'; '.join(problems)}.")
