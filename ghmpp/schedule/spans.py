"""How far below 1 the numbers of a linear run may fall, from the tables alone.

With tables scaled to largest entry ``1/S``, a message through a table whose positive entries span
``log10 kappa`` decades falls by at most ``log10(kappa S)`` decades below the largest entry of what
was sent; products add up, and a rescale starts again at 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.models.forest import Block, Edge, Forest
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Evidence,
    Exclude,
    Message,
    Normalize,
    Op,
    Pool,
    Readout,
    Schedule,
    Spread,
    Unary,
    Value,
)

NODE_DECADES = {"float32": 37.0, "float64": 307.0}
EDGE_DECADES = {"float32": 27.0, "float64": 290.0}
# Longer schedules always rescale once per node and pass, so the tables tell enough.
FOLLOWED_OPS = 1000


@dataclass(frozen=True, slots=True)
class Fall:
    """Decades below 1 that the entries of a node's value may lie.

    Parameters
    ----------
    largest, smallest
        For the largest and for the smallest entry; infinity where entries may be 0, as those
        of evidence and of whatever it was multiplied with. What comes through a table of
        positive entries has no such zeros.
    """

    largest: float
    smallest: float

    @classmethod
    def evenly(cls, decades: float) -> Fall:
        """All entries lie at most so many decades below 1."""
        return cls(decades, decades)

    @classmethod
    def product(cls, factors: Sequence[Fall]) -> Fall:
        """A product is largest at least where one factor is, times the smallest of the others.

        The bound is the best such choice; it must be the factor with zeros where there is one (a
        schedule never multiplies two such).
        """
        smallest = sum(factor.smallest for factor in factors)
        if math.isfinite(smallest):
            gained = max((factor.smallest - factor.largest for factor in factors), default=0.0)
            return cls(smallest - gained, smallest)
        with_zeros = [factor.largest for factor in factors if math.isinf(factor.smallest)]
        others = [factor.smallest for factor in factors if math.isfinite(factor.smallest)]
        return cls(sum(with_zeros) + sum(others), math.inf)


@dataclass(frozen=True)
class Spans:
    """Decimal decades between the largest and the smallest positive entry, by potential key."""

    forest: Forest
    decades: Mapping[str, float]

    @classmethod
    def of(cls, forest: Forest) -> Spans:
        """Read every potential once (free tables and index maps count as all ones)."""
        stacks = {key: stack for key, stack in forest.data.items() if stack.dtype.kind == "f"}
        return cls(forest, {key: _decades(stack) for key, stack in stacks.items()})

    def edge_decades(self) -> float:
        """Largest number of decades of one message: ``log10(kappa S)``."""
        return max(map(self._edge, self.forest.edges.values()), default=0.0)

    def node_decades(self, schedule: Schedule) -> float:
        """Largest number of decades that the product of messages at one node may span.

        At least what one rescale per node and pass would need, and what this schedule needs.
        """
        structural = max(map(self._block, self.forest.blocks.values()), default=0.0)
        if len(schedule.ops) > FOLLOWED_OPS:
            return structural
        return max(structural, self.peak_decades(schedule))

    def peak_decades(self, schedule: Schedule) -> float:
        """Decades below 1 that the largest entry of any node's value may lie, op by op."""
        return max((fall.largest for fall in self.falls(schedule).values()), default=0.0)

    def falls(self, schedule: Schedule) -> dict[Value, Fall]:
        """How far every value may fall, whatever the evidence."""
        falls: dict[Value, Fall] = {}
        for op in schedule.ops:
            falls[op.out] = self._fall(op, falls)
        return falls

    def _fall(self, op: Op, falls: Mapping[Value, Fall]) -> Fall:
        match op:
            case Evidence():
                return Fall(0.0, math.inf)
            case Unary(key=key):
                return Fall.evenly(self.decades.get(key, 0.0))
            case Message(edge=edge, source=source):
                return Fall.evenly(falls[source].largest + self._edge(self.forest.edges[edge]))
            case Pool(edge=edge, source=source):
                return Fall.product([falls[source]] * self.forest.edges[edge].fanout)
            case Exclude(edge=edge, context=context, messages=messages):
                siblings = [falls[messages]] * (self.forest.edges[edge].fanout - 1)
                return Fall.product(siblings if context is None else [falls[context], *siblings])
            case Spread(source=source):
                return falls[source]
            case Combine(sources=sources):
                return Fall.product([falls[source] for source in sources])
            case Normalize(source=source):
                return Fall(0.0, falls[source].smallest)
            case Readout(kind="edge" | "counts", block=child, sources=sources):
                ends = sum(falls[source].largest for source in sources)
                return Fall.evenly(ends + self._edge(self.forest.edges[child]))
            case Choose(block=child, below=below):
                edges = self.forest.edges
                further = self._edge(edges[child]) if child in edges else 0.0
                return Fall.evenly(falls[below].largest + further)
            case Readout():
                return Fall(0.0, math.inf)
            case _:
                assert_never(op)

    def _edge(self, edge: Edge) -> float:
        blocks = self.forest.blocks
        states = max(blocks[edge.parent].states, blocks[edge.child].states)
        return self.decades.get(edge.key, 0.0) + math.log10(states)

    def _block(self, block: Block) -> float:
        edges = self.forest.children[block.name]
        span = sum(edge.fanout * self._edge(edge) for edge in edges)
        if any(not self.forest.children[edge.child] for edge in edges):
            span += max(self._edge(edge) for edge in edges)
        if block.name in self.forest.edges:
            span += self._edge(self.forest.edges[block.name])
        return span + (self.decades.get(block.unary, 0.0) if block.unary else 0.0)


def _decades(stack: AnyArray) -> float:
    """``log10`` of the largest over the smallest positive entry of a stack."""
    positive = stack[stack > 0]
    if positive.size == 0:
        return 0.0
    return float(np.log10(positive.max()) - np.log10(positive.min()))
