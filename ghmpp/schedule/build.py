"""From a forest and a set of wanted results to a message schedule.

The collect pass runs from the leaves to the roots, the distribute pass back. Both are emitted
block by block, so the number of instructions grows with the number of blocks (levels), never
with the nodes inside a block. Normalisation is placed afterwards (:mod:`ghmpp.schedule.passes`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ghmpp.models.forest import Block, Edge, Forest
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Evidence,
    Exclude,
    Message,
    Op,
    Pool,
    Readout,
    ReadoutKind,
    Schedule,
    Semiring,
    Spread,
    Unary,
    Value,
)

OutputKind = ReadoutKind | Literal["choice"]
Output: TypeAlias = tuple[OutputKind, str]

LOG_EVIDENCE: Final[Output] = ("log_evidence", "")
NEEDS_DISTRIBUTE = frozenset({"posterior", "mean", "variance", "edge", "counts", "unary_counts"})


def build_schedule(
    forest: Forest,
    outputs: Collection[Output],
    observed: Collection[str],
    *,
    semiring: Semiring = "sum",
    choose: Literal["argmax", "sample"] = "argmax",
) -> Schedule:
    """Schedule that computes ``outputs`` when the classes ``observed`` may carry evidence.

    Requires: every name in ``outputs`` and ``observed`` is a block or class of the forest.
    Ensures: a legal schedule without normalisation; unused instructions are left in.

    Parameters
    ----------
    forest
        Structure; potentials may still be missing (free tables).
    outputs
        Pairs (kind, block name): see :class:`~ghmpp.schedule.ir.Readout`; ``("choice", block)``
        for a chosen state, ``("log_evidence", "")`` for the log evidence.
    observed
        Names of variable classes that receive evidence.
    semiring
        "sum" for posteriors, "max" for the most probable configuration.
    choose
        What ``("choice", ...)`` outputs are: the argmax or a random draw.
    """
    joint = {name for kind, name in outputs if kind in ("edge", "counts")}
    builder = _Builder(forest, frozenset(observed), frozenset(joint))
    builder.collect()
    if any(kind in NEEDS_DISTRIBUTE for kind, _ in outputs):
        builder.distribute()
    if any(kind == "choice" for kind, _ in outputs):
        builder.choose(choose)
    builder.read_out(outputs)
    return Schedule(forest, tuple(builder.ops), builder.outputs, semiring)


@dataclass
class _Builder:
    """Emits instructions and remembers which value plays which part."""

    forest: Forest
    observed: frozenset[str]
    joint: frozenset[str]
    ops: list[Op] = field(default_factory=list)
    outputs: dict[tuple[str, str], Value] = field(default_factory=dict)
    local: dict[str, list[Value]] = field(default_factory=dict)
    below: dict[str, Value] = field(default_factory=dict)
    above: dict[str, Value] = field(default_factory=dict)
    message: dict[str, Value] = field(default_factory=dict)
    pooled: dict[str, Value] = field(default_factory=dict)
    cavity: dict[str, Value] = field(default_factory=dict)
    belief: dict[str, Value] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)
    choice: dict[str, Value] = field(default_factory=dict)

    def emit(self, op: Op) -> Value:
        """Append an instruction; it writes the value of the next number."""
        self.ops.append(op)
        return op.out

    @property
    def fresh(self) -> Value:
        """The next free value number."""
        return len(self.ops)

    def product(self, block: str, values: list[Value]) -> Value:
        """The product of values of a block; of none of them, ones."""
        if len(values) == 1:
            return values[0]
        return self.emit(Combine(block, tuple(values), self.fresh))

    def collect(self) -> None:
        """Leaves to roots: what each block's subtree says about the block."""
        for block in reversed(list(self.forest.blocks.values())):
            self.local[block.name] = self.local_values(block)
            edges = self.forest.children[block.name]
            for edge in edges:
                sent = self.emit(Message(edge.child, "root", self.below[edge.child], self.fresh))
                self.message[edge.child] = sent
                if not edge.single:
                    sent = self.emit(Pool(edge.child, sent, self.fresh))
                self.pooled[edge.child] = sent
            if not self.local[block.name] and all(map(self.silent, edges)):
                self.blank.add(block.name)
            telling = [edge for edge in edges if not self.silent(edge)]
            parts = [self.pooled[edge.child] for edge in telling if self.projected(edge)]
            others = [self.pooled[edge.child] for edge in telling if not self.projected(edge)]
            if parts and not all(map(self.projected, edges)):  # the part that both passes use
                both = self.product(block.name, self.local[block.name] + parts)
                self.local[block.name], parts = [both], []
            whole = self.local[block.name] + parts + others
            self.below[block.name] = self.product(block.name, whole)

    def silent(self, edge: Edge) -> bool:
        """Whether children that are functions of their parent have nothing to say: ones."""
        return edge.kind == "child_of" and edge.child in self.blank

    def projected(self, edge: Edge) -> bool:
        """Whether a child is a function of its parent and nothing else depends on it.

        Its posterior is then a sum over the posterior of its parent, which serves all such
        children at once and needs no product over the others.
        """
        leaf = not self.forest.children[edge.child] and edge.child not in self.joint
        return edge.kind == "child_of" and edge.single and leaf

    def local_values(self, block: Block) -> list[Value]:
        """Evidence and unary potential of a block, where it has them."""
        values = []
        if block.variable in self.observed:
            values.append(self.emit(Evidence(block.name, self.fresh)))
        if block.unary is not None:
            values.append(self.emit(Unary(block.name, block.unary, self.fresh)))
        return values

    def distribute(self) -> None:
        """Roots to leaves: what the rest of the forest says about each block."""
        for block in self.forest.blocks.values():
            children = self.forest.children[block.name]
            self.project(block, [edge for edge in children if self.projected(edge)])
            edges = tuple(edge for edge in children if not self.projected(edge))
            for edge, context in zip(edges, self.contexts(block, edges), strict=True):
                self.cavity[edge.child] = self.exclude(block, edge, context)
                self.above[edge.child] = self.emit(
                    Message(edge.child, "leaves", self.cavity[edge.child], self.fresh)
                )

    def project(self, block: Block, edges: list[Edge]) -> None:
        """What the posterior of a parent says about children that are functions of it."""
        if not edges:
            return
        whole = [self.below[block.name]]
        if block.name in self.above:
            whole.append(self.above[block.name])
        belief = self.product(block.name, whole)
        for edge in edges:
            spread = self.emit(Spread(edge.child, belief, self.fresh))
            self.belief[edge.child] = self.emit(Message(edge.child, "leaves", spread, self.fresh))

    def exclude(self, block: Block, edge: Edge, context: Value | None) -> Value:
        """What a parent tells each child of an edge, before it goes through the potential."""
        if not edge.single:
            return self.emit(Exclude(edge.child, context, self.message[edge.child], self.fresh))
        if context is None:
            context = self.product(block.name, [])
        return self.emit(Spread(edge.child, context, self.fresh))

    def contexts(self, block: Block, edges: tuple[Edge, ...]) -> list[Value | None]:
        """Per edge: above * own evidence * unary * pools of all other edges (prefix, suffix)."""
        own = self.local[block.name]
        if block.name in self.above:
            own = [self.above[block.name], *own]
        pools = [[] if self.silent(edge) else [self.pooled[edge.child]] for edge in edges]
        prefixes = self.running_products(block.name, own, pools)
        suffixes = self.running_products(block.name, [], pools[::-1])[::-1]
        return [
            self.product(block.name, both) if (both := before + after) else None
            for before, after in zip(prefixes, suffixes, strict=True)
        ]

    def running_products(
        self, block: str, start: list[Value], values: list[list[Value]]
    ) -> list[list[Value]]:
        """For each position, the product of ``start`` and all earlier values (0 or 1 value).

        A position has one value, or none.
        """
        running = [self.product(block, start)] if start else []
        found = []
        for position, value in enumerate(values):
            found.append(running)
            if position + 1 < len(values) and value:
                running = [self.product(block, [*running, *value])]
        return found

    def choose(self, how: Literal["argmax", "sample"]) -> None:
        """Roots to leaves: a state for every node given the state of its parent."""
        for block in self.forest.blocks.values():
            edge = self.forest.edges.get(block.name)
            parent = None if edge is None else self.choice[edge.parent]
            chosen = self.emit(Choose(block.name, self.below[block.name], parent, how, self.fresh))
            self.choice[block.name] = chosen

    def read_out(self, outputs: Iterable[Output]) -> None:
        """The wanted results, each once."""
        for kind, name in dict.fromkeys(outputs):
            if kind == "choice":
                self.outputs[kind, name] = self.choice[name]
                continue
            roots = len(self.forest.roots) if kind == "log_evidence" else 0
            read = self.readout_sources(kind, name)
            self.outputs[kind, name] = self.emit(Readout(kind, name, read, self.fresh, roots))

    def readout_sources(self, kind: ReadoutKind, name: str) -> tuple[Value, ...]:
        """The values that a readout of this kind reads."""
        if kind == "log_evidence":
            return tuple(self.below[root] for root in self.forest.roots)
        if kind in ("edge", "counts"):
            return (self.cavity[name], self.below[name])
        if name in self.belief:
            return (self.belief[name],)
        if name not in self.above:
            return (self.below[name],)
        return (self.product(name, [self.below[name], self.above[name]]),)
