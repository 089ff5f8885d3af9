"""Which messages a query needs, in order, and which states can occur in each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, BoolArray, FloatArray
from ghmpp.approximation.kernels import (
    Kernel,
    gather_kernel,
    restricted,
    segment_kernel,
    table_kernel,
)
from ghmpp.errors import ModelError
from ghmpp.models.forest import Block, Edge, Forest

Toward = Literal["root", "leaves"]
# Direction, class of the parents, class of the children: what shares one width.
LayerKey: TypeAlias = tuple[Toward, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """All messages of one edge class in one direction.

    Parameters
    ----------
    edge
        The edge class.
    toward
        "root" (collect) or "leaves" (distribute).
    layer
        The layer whose width it has.
    kernels
        One per row of the potential.
    sending
        States of the sending end that can occur, shape (states,).
    receiving
        By row, states of the receiving end that can occur, shape (rows, states).
    mixed
        By child node: whether a state that can occur elsewhere cannot at the sending node.
    informed
        Whether what is sent depends on the evidence; else it is a constant.
    symbols
        Whether the sending end is an observed symbol and nothing else.
    """

    edge: Edge
    toward: Toward
    layer: LayerKey
    kernels: tuple[Kernel, ...]
    sending: BoolArray
    receiving: BoolArray
    mixed: BoolArray
    informed: bool
    symbols: bool

    @property
    def name(self) -> str:
        """The message in words, ``child -> parent`` or ``parent -> child``."""
        ends = (self.edge.child, self.edge.parent)
        return " -> ".join(ends if self.toward == "root" else ends[::-1])


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """The needed messages of a query on a forest, in an order in which they can be computed."""

    forest: Forest
    observed: frozenset[str]
    targets: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def layers(self) -> dict[LayerKey, list[Step]]:
        """Steps by layer, in order."""
        found: dict[LayerKey, list[Step]] = {}
        for step in self.steps:
            found.setdefault(step.layer, []).append(step)
        return found


def find_routes(
    forest: Forest,
    targets: Collection[str],
    observed: Collection[str],
    *,
    symbols: Collection[str] = (),
) -> Routes:
    """The messages that the beliefs of some blocks need.

    Parameters
    ----------
    forest
        Complete.
    targets
        Names of blocks.
    observed
        Names of classes that carry evidence.
    symbols
        Those of them whose evidence consists of observed states (and missing ones).

    Raises
    ------
    ModelError
        If no state of a variable can occur.
    """
    finder = _Finder(forest, frozenset(observed), frozenset(symbols))
    collects, distributes = _needed(forest, targets)
    steps = []
    for block in reversed(list(forest.blocks.values())):
        finder.visit(block)
        if block.name in collects:
            steps.append(finder.step(forest.edges[block.name], "root"))
    for name in forest.blocks:
        if name in distributes:
            steps.append(finder.step(forest.edges[name], "leaves"))
    return Routes(forest, frozenset(observed), tuple(targets), tuple(steps))


def _needed(forest: Forest, targets: Collection[str]) -> tuple[set[str], set[str]]:
    """Child blocks of the edges that a message has to pass, toward the root and the leaves."""
    above = set(targets)
    for name in reversed(list(forest.blocks)):
        if name in above and name in forest.edges:
            above.add(forest.edges[name].parent)
    # The belief of a target needs all below it; a cavity needs the siblings.
    collects = {edge.child for name in targets for edge in forest.children[name]}
    for name in above & forest.edges.keys():
        siblings = forest.children[forest.edges[name].parent]
        collects |= {edge.child for edge in siblings if edge.child != name or not edge.single}
    for name in forest.blocks:
        if name in collects:
            collects |= {edge.child for edge in forest.children[name]}
    return collects, above & forest.edges.keys()


@dataclass(slots=True)
class _Finder:
    """Follows states that cannot occur through the forest: toward the roots, then back."""

    forest: Forest
    observed: frozenset[str]
    symbols: frozenset[str]
    below: dict[str, BoolArray] = field(default_factory=dict)
    above: dict[str, BoolArray] = field(default_factory=dict)
    own: dict[str, BoolArray] = field(default_factory=dict)
    sent: dict[str, BoolArray] = field(default_factory=dict)
    told: dict[str, bool] = field(default_factory=dict)
    heard: dict[str, bool] = field(default_factory=dict)
    known: dict[tuple[str, int, bool, bytes, bytes], Kernel] = field(default_factory=dict)

    def visit(self, block: Block) -> None:
        """Gather what is known at a block from below; its children come first."""
        own = _unary_dead(self.forest, block)
        dead: BoolArray = own
        told = block.variable in self.observed
        for edge in self.forest.children[block.name]:
            if edge.child not in self.sent:
                self.sent[edge.child] = self.passed(edge, "root", self.below[edge.child])
            told = told or self.told[edge.child]
            if self.sent[edge.child].any():
                dead = np.asarray(dead | self.pooled(edge))
        self.own[block.name], self.below[block.name] = own, dead
        self.told[block.name] = told
        if dead.all(axis=-1).any():
            raise ModelError(
                f"model {self.forest.name!r}: no state of {block.variable} can occur; its tables "
                "and priors leave no configuration with positive weight."
            )

    def pooled(self, edge: Edge) -> BoolArray:
        """Dead states of the parents by the messages of an edge class, (nodes, states)."""
        block = self.forest.blocks[edge.parent]
        dead = np.zeros((block.nodes, block.states), dtype=bool)
        sent = self.sent[edge.child]
        children = np.arange(self.forest.blocks[edge.child].nodes)
        np.logical_or.at(dead, self.forest.parent_nodes(edge), sent[children % len(sent)])
        return dead

    def passed(self, edge: Edge, toward: Toward, dead: BoolArray) -> BoolArray:
        """Dead states behind an edge, one row per row of the potential."""
        alive: BoolArray = np.asarray(~dead.all(axis=0))
        stack = self.forest.data[edge.key]
        child = self.forest.blocks[edge.child]
        if edge.kind == "table":
            entries = stack if toward == "root" else stack.transpose(0, 2, 1)
            if alive.all() and entries.min() > 0:
                return np.zeros((1, entries.shape[1]), dtype=bool)
            return np.asarray(~(entries[:, :, alive] > 0).any(axis=-1))
        if (edge.kind == "child_of") == (toward == "root"):  # a gather
            return ~alive[stack]
        size = self.forest.blocks[edge.parent].states if toward == "root" else child.states
        return np.stack([np.bincount(row[alive], minlength=size) == 0 for row in stack])

    def cavity(self, edge: Edge) -> BoolArray:
        """Dead states of the parent as each child sees it, without its own message."""
        parent = self.forest.blocks[edge.parent]
        dead = self.own[parent.name] | self.above.get(parent.name, np.zeros((1, 1), dtype=bool))
        counts = np.zeros((parent.nodes, parent.states), dtype=np.int64)
        edges = [each for each in self.forest.children[parent.name] if self.sent[each.child].any()]
        if not edges:
            rows = len(dead)
            return dead if rows == 1 else dead[self.forest.parent_nodes(edge)]
        for each in edges:
            np.add.at(counts, self.forest.parent_nodes(each), self.by_child(each))
        above = self.forest.parent_nodes(edge)
        found: BoolArray = (counts[above] - self.by_child(edge) > 0) | np.broadcast_to(
            dead, counts.shape
        )[above]
        return found

    def by_child(self, edge: Edge) -> AnyArray:
        """Dead states of each message toward the root, as 0 and 1, (children, parent states)."""
        sent = self.sent[edge.child]
        children = np.arange(self.forest.blocks[edge.child].nodes)
        return sent[children % len(sent)].astype(np.int64)

    def step(self, edge: Edge, toward: Toward) -> Step:
        """The messages of an edge; those that it needs come first."""
        forest, child = self.forest, self.forest.blocks[edge.child]
        if toward == "root":
            dead, informed = self.below[edge.child], self.told[edge.child]
        else:
            dead, informed = self.cavity(edge), self.informed_above(edge)
            self.heard[edge.child] = informed
        passed = self.passed(edge, toward, dead)
        if toward == "leaves":
            self.above[edge.child] = passed[np.arange(child.nodes) % len(passed)]
            if not passed.any():
                self.above[edge.child] = np.zeros((1, child.states), dtype=bool)
        sending: BoolArray = np.asarray(~dead.all(axis=0) & self.heeded(edge, toward))
        mixed = np.broadcast_to((dead & sending).any(axis=-1), (child.nodes,))
        # A prior or a child would be heard where the symbol is missing.
        alone = child.unary is None and not forest.children[edge.child]
        receiving = np.broadcast_to(~passed, (edge.rows, passed.shape[1]))
        kernels = tuple(
            self.kernel(edge, row, toward, sending, receiving[row]) for row in range(edge.rows)
        )
        parent = forest.blocks[edge.parent]
        symbols = toward == "root" and alone and child.variable in self.symbols
        layer = (toward, parent.variable, child.variable)
        return Step(edge, toward, layer, kernels, sending, receiving, mixed, informed, symbols)

    def heeded(self, edge: Edge, toward: Toward) -> BoolArray | bool:
        """States of the sending end on which some entry of the potential depends."""
        if edge.kind != "table":
            return True
        return np.asarray(
            (self.forest.data[edge.key] > 0).any(axis=(0, 1 if toward == "root" else 2))
        )

    def informed_above(self, edge: Edge) -> bool:
        """Whether evidence reaches a child from above."""
        parent = self.forest.blocks[edge.parent]
        siblings = (
            self.told[each.child]
            for each in self.forest.children[parent.name]
            if each.child != edge.child or not edge.single
        )
        return (
            parent.variable in self.observed or self.heard.get(parent.name, False) or any(siblings)
        )

    def kernel(
        self, edge: Edge, row: int, toward: Toward, sending: BoolArray, receiving: BoolArray
    ) -> Kernel:
        """Constants of one row of a potential between the states that can occur."""
        known = (edge.key, row, toward == "root", sending.tobytes(), receiving.tobytes())
        if known not in self.known:
            self.known[known] = _kernel(self.forest, edge, row, toward, sending, receiving)
        return self.known[known]


def _kernel(
    forest: Forest,
    edge: Edge,
    row: int,
    toward: Toward,
    sending: BoolArray,
    receiving: BoolArray,
) -> Kernel:
    entries = forest.data[edge.key][row]
    if edge.kind == "table":
        table = entries if toward == "root" else entries.T
        return table_kernel(np.ascontiguousarray(restricted(table, receiving, sending)))
    if (edge.kind == "child_of") == (toward == "root"):
        places = np.cumsum(sending) - 1
        return gather_kernel(places[entries[receiving]], int(sending.sum()))
    places = np.cumsum(receiving) - 1
    return segment_kernel(places[entries[sending]], int(receiving.sum()))


def _unary_dead(forest: Forest, block: Block) -> BoolArray:
    """Zeros of the unary potential, (1 or nodes, states)."""
    if block.unary is None:
        return np.zeros((1, block.states), dtype=bool)
    stack = forest.data[block.unary] <= 0
    if not stack.any() or block.unary_rows == 1:
        return np.asarray(stack[:1])
    return np.asarray(stack[np.arange(block.nodes) % len(stack)])


def unary_spans(forest: Forest, block: Block) -> FloatArray:
    """Span of the log unary over its positive entries, (1 or nodes); 0 without.

    States that cannot occur at some nodes alone are counted in ``Step.mixed``.
    """
    if block.unary is None:
        return np.zeros(1)
    stack = forest.data[block.unary].astype(np.float64)
    with np.errstate(divide="ignore"):
        logs = np.log(stack)
    spans = logs.max(axis=1) - np.where(stack > 0, logs, np.inf).min(axis=1)
    found: FloatArray = spans if len(spans) == 1 else spans[np.arange(block.nodes) % len(spans)]
    return found
