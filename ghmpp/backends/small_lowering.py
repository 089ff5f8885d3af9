"""From a schedule to a plan for single rows: folding, tabulating, and a list of numpy calls.

Plans are made for forests of single nodes whose numbers span so few decades that nothing can
underflow: then no rescale is needed, and a zero is a true zero.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from operator import itemgetter

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.backends.small import Kernel, LookUp, Slot, SmallPlan, Step
from ghmpp.errors import ScheduleError
from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.schedule.ir import (
    Combine,
    Evidence,
    Message,
    Op,
    Readout,
    Schedule,
    Spread,
    Unary,
    Value,
)
from ghmpp.schedule.spans import EDGE_DECADES, Spans

# Numbers in one table of what few observations decide.
TABLE_SIZE = 4096
# Sizes beyond which a batch on the fast backend is the better form: of a block, of an observed one.
BLOCK_STATES = 2**18
HARD_STATES = 256
# Entries of a segment sum that is run as a product with zeros and ones.
DENSE_SIZE = 4096


def lower(schedule: Schedule, hard: Sequence[str], soft: Sequence[str] = ()) -> SmallPlan | None:
    """The schedule as a plan for single rows, or None where it is not made for that.

    Requires: a legal, pruned sum schedule without :class:`~ghmpp.schedule.ir.Normalize`, whose
    outputs are posteriors and the log evidence, and whose observed classes are ``hard`` (their
    state will be known) and ``soft`` (they will have a likelihood).

    Returns
    -------
    SmallPlan or None
        None if a block has several nodes or too many states, or if numbers might underflow.
    """
    forest = schedule.forest
    decades = EDGE_DECADES["float64"] - _decades(forest)
    limits = {name: HARD_STATES if name in hard else BLOCK_STATES for name in forest.variables}
    blocks = forest.blocks.values()
    fits = all(block.nodes == 1 and block.states <= limits[block.variable] for block in blocks)
    if not fits or decades < 0:
        return None
    lowering = _Lowering(forest, tuple(hard), tuple(soft))
    for op in schedule.ops:
        lowering.add(op)
    read = {op.out: op for op in schedule.ops if isinstance(op, Readout)}
    beliefs = {name: read[value].sources[0] for (_, name), value in schedule.outputs.items()}
    totals = [lowering.total(value) for value in read[schedule.outputs[LOG_EVIDENCE]].sources]
    beliefs.pop(LOG_EVIDENCE[1])
    lowering.emit({*beliefs.values(), *totals})
    return SmallPlan(
        lowering.hard,
        lowering.soft,
        decades,
        tuple(lowering.slots),
        tuple(lowering.look_ups),
        tuple(lowering.steps),
        {name: lowering.slot(value) for name, value in beliefs.items()},
        tuple(map(lowering.slot, totals)),
        _log_scale(forest),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Tabulated:
    """A value for all states of some hard classes: positions, increasing, and their table."""

    classes: tuple[int, ...]
    table: FloatArray

    def times(self, other: _Tabulated) -> _Tabulated | None:
        """The product, or None if its table would be large."""
        union = tuple(sorted({*self.classes, *other.classes}))
        first, second = self.spread(union), other.spread(union)
        shape = np.broadcast_shapes(first.shape, second.shape)
        if union and math.prod(shape) > TABLE_SIZE:
            return None
        return _Tabulated(union, first * second)

    def spread(self, classes: tuple[int, ...]) -> FloatArray:
        """The table with axes for more classes, of length 1."""
        sizes = dict(zip(self.classes, self.table.shape, strict=False))
        return self.table.reshape(*(sizes.get(k, 1) for k in classes), self.table.shape[-1])


@dataclass
class _Lowering:
    """Of every value either its table, or how to compute it; and what is in the slots so far.

    A recipe is a function of one value, or the product of two.
    """

    forest: Forest
    hard: tuple[str, ...]
    soft: tuple[str, ...]
    known: dict[Value, _Tabulated] = field(default_factory=dict)
    recipes: dict[Value, tuple[Kernel | None, tuple[Value, ...]]] = field(default_factory=dict)
    filled: dict[Value, Slot] = field(default_factory=dict)
    slots: list[FloatArray] = field(default_factory=list)
    look_ups: list[LookUp] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    fresh: Iterator[Value] = field(default_factory=lambda: count(-1, -1))

    def __post_init__(self) -> None:
        self.slots.extend(np.empty(0) for _ in self.soft)

    def add(self, op: Op) -> None:
        """Tabulate what an instruction writes, or keep how it is computed."""
        match op:
            case Evidence(block=block) if self.forest.blocks[block].variable in self.soft:
                self.filled[op.out] = self.soft.index(self.forest.blocks[block].variable)
            case Evidence(block=block):
                position = self.hard.index(self.forest.blocks[block].variable)
                every_state = np.eye(self.forest.blocks[block].states)
                self.known[op.out] = _Tabulated((position,), every_state)
            case Unary(key=key):
                self.known[op.out] = _Tabulated((), _scaled(self.forest.data[key]))
            case Message(edge=edge, toward=toward, source=source):
                kernel = _message(self.forest, self.forest.edges[edge], toward == "root")
                self.apply(op.out, kernel, source)
            case Spread(source=source):
                self.apply(op.out, _same, source)
            case Combine(block=block, sources=()):
                self.known[op.out] = _Tabulated((), np.ones(self.forest.blocks[block].states))
            case Combine(sources=factors):
                self.multiply(op.out, factors)
            case Readout():
                pass
            case _:
                raise ScheduleError(f"a bug in ghmpp: no small plan can run {op}.")

    def total(self, value: Value) -> Value:
        """The sum of a value, as another value."""
        out = next(self.fresh)
        self.apply(out, _total, value)
        return out

    def apply(self, out: Value, kernel: Kernel, source: Value) -> None:
        """A function of one value."""
        if source in self.known:
            result = _Tabulated(self.known[source].classes, kernel(self.known[source].table))
            if not result.classes or result.table.size <= TABLE_SIZE:
                self.known[out] = result
                return
        self.recipes[out] = kernel, (source,)

    def multiply(self, out: Value, factors: Sequence[Value]) -> None:
        """A product; tables are multiplied at once where the result is small."""
        left: list[Value] = []
        for value in sorted(factors, key=lambda each: each not in self.known):
            product = None
            if left and value in self.known:
                product = self.known[left[-1]].times(self.known[value])
            if product is None:
                left.append(value)
            else:
                left[-1] = next(self.fresh)
                self.known[left[-1]] = product
        result = left[0]
        for value in left[1:]:
            both, result = (result, value), next(self.fresh)
            self.recipes[result] = None, both
        self.apply(out, _same, result)

    def emit(self, wanted: Collection[Value]) -> None:
        """Look-ups and steps for some values."""
        needed = set(wanted)
        for value, (_, read) in reversed(self.recipes.items()):
            needed.update(read if value in needed else ())
        for value, (kernel, read) in self.recipes.items():
            if value in needed and kernel is _same:
                self.filled[value] = self.slot(read[0])
            elif value in needed:
                slots = [self.slot(each) for each in read]
                self.steps.append(Step(self.room(value), slots[0], kernel, slots[-1]))
        for value in needed:
            self.slot(value)

    def slot(self, value: Value) -> Slot:
        """Where a value stands."""
        if value not in self.filled:
            known, slot = self.known[value], self.room(value)
            if known.classes:
                self.look_ups.append(LookUp(slot, known.table, itemgetter(*known.classes)))
            else:
                self.slots[slot] = known.table
        return self.filled[value]

    def room(self, value: Value) -> Slot:
        """A new slot for a value."""
        self.filled[value] = len(self.slots)
        self.slots.append(np.empty(0))
        return self.filled[value]


def _message(forest: Forest, edge: Edge, upward: bool) -> Kernel:
    """Through the potential of an edge: a product, a gather or a segment sum."""
    potential = forest.data[edge.key]
    if edge.kind == "table":
        table = _scaled(potential)
        return partial(_through, np.ascontiguousarray(table.T if upward else table))
    index = potential.reshape(-1)
    if (edge.kind == "child_of") == upward:
        return partial(_gathered, index)
    receiver = forest.blocks[edge.parent if upward else edge.child]
    if receiver.states * len(index) <= DENSE_SIZE:
        return partial(_through, np.eye(receiver.states)[index])
    return partial(_segment_sum, index, receiver.states)


def _through(table: FloatArray, x: FloatArray) -> FloatArray:
    """(..., sender) times (sender, receiver)."""
    sent: FloatArray = np.dot(x, table)
    return sent


def _gathered(index: IntArray, x: FloatArray) -> FloatArray:
    return x.take(index, -1)


def _segment_sum(index: IntArray, states: int, x: FloatArray) -> FloatArray:
    sums = [np.bincount(index, row, states) for row in x.reshape(-1, len(index))]
    return np.array(sums, dtype=np.float64).reshape(*x.shape[:-1], states)


def _same(x: FloatArray) -> FloatArray:
    return x


def _total(x: FloatArray) -> FloatArray:
    total: FloatArray = x.sum(-1, keepdims=True)
    return total


def _scaled(stack: AnyArray) -> FloatArray:
    """The only row of a stack, with largest entry 1."""
    row: FloatArray = stack[0] / stack[0].max()
    return row


def _log_scale(forest: Forest) -> float:
    """Log of what :func:`_scaled` divides out, each potential as often as it is used."""
    unaries = [block.unary for block in forest.blocks.values() if block.unary is not None]
    tables = [edge.key for edge in forest.edges.values() if edge.kind == "table"]
    return sum(math.log(forest.data[key].max()) for key in unaries + tables)


def _decades(forest: Forest) -> float:
    """Decades between 1 and the smallest positive number that a run can meet."""
    spans, blocks = Spans.of(forest).decades, forest.blocks.values()
    unaries = sum(spans.get(block.unary or "", 0.0) for block in blocks)
    sizes = {block.name: math.log10(block.states) for block in blocks}
    edges = (
        spans.get(edge.key, 0.0) + max(sizes[edge.parent], sizes[edge.child])
        for edge in forest.edges.values()
    )
    return unaries + sum(edges)
