"""How far below 1 the numbers of a linear run may fall, from the tables alone.

With tables scaled to largest entry ``1/S``, a message through a table whose positive entries span
``log10 kappa`` decades falls by at most ``log10(kappa S)`` decades below the largest entry of what
was sent; products add up, and a rescale starts again at 1. A sum through an index map, scaled to
the mean of its longest segment, falls by the length of that; what zeros leave over, here and in
tables, is for the run to watch.
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
    Couple,
    Evidence,
    Exclude,
    Gate,
    Local,
    Message,
    Noise,
    Normalize,
    Op,
    Pool,
    Readout,
    Repeat,
    Schedule,
    Spread,
    Unary,
    Value,
)
from ghmpp.schedule.values import results

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
    spread
        Between the largest and the smallest entry (at most ``smallest``): what a table of
        positive entries leaves of any input, and what remains after a rescale.
    """

    largest: float
    smallest: float
    spread: float = math.inf

    @classmethod
    def evenly(cls, decades: float, spread: float = math.inf) -> Fall:
        """All entries lie at most so many decades below 1, and at most ``spread`` apart."""
        return cls(decades, decades, min(decades, spread))

    @classmethod
    def product(cls, factors: Sequence[Fall]) -> Fall:
        """A product is largest at least where one factor is, times the smallest of the others.

        The bound is the best such choice; it must be the factor with zeros where there is one (a
        schedule never multiplies two such).
        """
        smallest = sum(factor.smallest for factor in factors)
        if math.isfinite(smallest):
            gained = max((factor.smallest - factor.largest for factor in factors), default=0.0)
            return cls(smallest - gained, smallest, sum(factor.spread for factor in factors))
        with_zeros = [factor.largest for factor in factors if math.isinf(factor.smallest)]
        others = [factor.smallest for factor in factors if math.isfinite(factor.smallest)]
        return cls(sum(with_zeros) + sum(others), math.inf)

    def times(self, count: int) -> Fall:
        """The product of ``count`` factors that fall alike."""
        if count == 0:
            return Fall.evenly(0.0)
        if math.isinf(self.smallest):
            return Fall(count * self.largest, math.inf)
        smallest = count * self.smallest
        return Fall(smallest - (self.smallest - self.largest), smallest, count * self.spread)


@dataclass(frozen=True)
class Spans:
    """Decimal decades that potentials span, by key.

    ``decades`` lie between the largest and the smallest positive entry of a table or unary,
    ``segments`` between the longest sum through an index map and one of its terms.
    """

    forest: Forest
    decades: Mapping[str, float]
    segments: Mapping[str, float]

    @classmethod
    def of(cls, forest: Forest) -> Spans:
        """Read every potential once (free tables count as all ones)."""
        stacks = {key: stack for key, stack in forest.data.items() if stack.dtype.kind == "f"}
        maps = {edge.key for edge in forest.edges.values() if edge.kind != "table"}
        return cls(
            forest,
            {key: _decades(stack) for key, stack in stacks.items()},
            {key: math.log10(max(map(_longest, forest.data[key]))) for key in maps},
        )

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
            falls |= dict.fromkeys(results(op), self._fall(op, falls))
        return falls

    def _fall(self, op: Op, falls: Mapping[Value, Fall]) -> Fall:
        match op:
            case Evidence():
                return Fall(0.0, math.inf)
            case Unary(key=key):
                return Fall.evenly(self.decades.get(key, 0.0))
            case Message(edge=edge, source=source):
                through = self.forest.edges[edge]
                spread = self.decades.get(through.key, math.inf)
                return Fall.evenly(falls[source].largest + self._edge(through), spread)
            case Pool(edge=edge, source=source):
                return falls[source].times(self.forest.edges[edge].fanout)
            case Exclude(edge=edge, context=context, messages=messages):
                siblings = falls[messages].times(self.forest.edges[edge].fanout - 1)
                return siblings if context is None else Fall.product([falls[context], siblings])
            case Spread(source=source):
                return falls[source]
            case Combine(sources=sources):
                return Fall.product([falls[source] for source in sources])
            case Normalize(source=source):
                apart = min(falls[source].smallest, falls[source].spread)
                return Fall(0.0, apart, apart)
            case Readout(kind="edge" | "counts", block=child, sources=sources):
                ends = sum(falls[source].largest for source in sources)
                return Fall.evenly(ends + self._edge(self.forest.edges[child]))
            case Choose(block=child, below=below):
                edges = self.forest.edges
                further = self._edge(edges[child]) if child in edges else 0.0
                return Fall.evenly(falls[below].largest + further)
            case Readout() | Couple() | Local() | Gate() | Noise() | Repeat():
                return Fall(0.0, math.inf)
            case _:
                assert_never(op)

    def _edge(self, edge: Edge) -> float:
        if edge.kind != "table":
            return self.segments[edge.key]
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


def _longest(index: AnyArray) -> int:
    """Length of the longest segment of one index map."""
    return int(np.bincount(index).max())


def _decades(stack: AnyArray) -> float:
    """``log10`` of the largest over the smallest positive entry of a stack."""
    positive = stack[stack > 0]
    if positive.size == 0:
        return 0.0
    return float(np.log10(positive.max()) - np.log10(positive.min()))
