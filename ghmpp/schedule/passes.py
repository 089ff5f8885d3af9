"""Pure functions from schedule to schedule; none changes what a schedule computes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import assert_never

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
    results,
    sources,
)
from ghmpp.schedule.spans import FOLLOWED_OPS, NODE_DECADES, Spans

# Of the range of float32, what positive entries may use where zeros take more.
ZEROS_SHARE = 0.25


def place_normalization(schedule: Schedule) -> Schedule:
    """Rescale every node once per pass, and hand the scales to the log evidence.

    Requires: a legal schedule without :class:`Normalize`.
    Ensures: whatever is sent toward the root or read as a root value has largest entry 1 (or is
    all zero), and so has whatever arrived from the parent and is sent on. Evidence alone is left
    as it is, its scale being part of it, and so is what arrives at leaves. The scales of the
    collect pass are sources of the log evidence. Results are unchanged.
    """
    return _Normalization(schedule).run()


def relax_normalization(schedule: Schedule) -> Schedule:
    """Drop rescales that even float32 can do without, largest blocks first.

    Requires: a legal, pruned schedule. Rescales whose scale is read (for the log evidence) stay,
    and so do all where a table has no values yet, or beyond ``FOLLOWED_OPS`` instructions. But
    those of values that are summed through an index map go first, with or without scale: such
    values are large, and what they are summed up to is rescaled itself. With index maps fewer of
    the others go, since no table bounds what zeros leave over.
    Ensures: a legal schedule in which no value can fall further below 1 than float32 allows; if
    one could before, nothing is dropped. Results are unchanged.
    """
    spans, limit = Spans.of(schedule.forest), NODE_DECADES["float32"]
    free = any(key not in schedule.forest.data for key in schedule.forest.keys())
    if free or len(schedule.ops) > FOLLOWED_OPS or spans.node_decades(schedule) > limit:
        return schedule
    blocks, edges = schedule.forest.blocks, schedule.forest.edges
    summed = {name for name, edge in edges.items() if edge.kind == "parent_of" and edge.single}
    mapped = any(edge.kind != "table" for edge in edges.values())
    rescales = [op for op in schedule.ops if isinstance(op, Normalize)]
    rescales = [op for op in rescales if op.block in summed or op.scale is None]
    rescales.sort(key=lambda op: -blocks[op.block].nodes * blocks[op.block].states)
    dropped: frozenset[Value] = frozenset()
    for op in sorted(rescales, key=lambda op: op.block not in summed):
        trial = dropped | {op.out}
        allowed = limit * ZEROS_SHARE if mapped and op.block not in summed else limit
        if spans.peak_decades(_without(schedule, trial)) <= allowed:
            dropped = trial
    return _renumbered(_without(schedule, dropped))


def _without(schedule: Schedule, rescales: frozenset[Value]) -> Schedule:
    """The schedule without some rescales, which pass their source on; their scales go too."""
    stands_for: dict[Value, Value] = {}
    scales: set[Value | None] = set()
    ops: list[Op] = []
    for op in schedule.ops:
        if isinstance(op, Normalize) and op.out in rescales:
            stands_for[op.out] = stands_for.get(op.source, op.source)
            scales.add(op.scale)
            continue
        if isinstance(op, Readout) and not scales.isdisjoint(op.sources):
            op = replace(op, sources=tuple(value for value in op.sources if value not in scales))
        ops.append(reissue(op, lambda value: stands_for.get(value, value), op.out))
    outputs = {key: stands_for.get(value, value) for key, value in schedule.outputs.items()}
    return replace(schedule, ops=tuple(ops), outputs=outputs)


def prune(schedule: Schedule, keep: Collection[tuple[str, str]] | None = None) -> Schedule:
    """Drop instructions that no kept output needs, and scales that nobody reads.

    Requires: a legal schedule; ``keep`` is a subset of its outputs (None: all of them).
    Ensures: a legal schedule with exactly these outputs, values renumbered in order. Keeping
    only the root's posterior of a U-Net leaves the ConvNet.
    """
    outputs = {key: value for key, value in schedule.outputs.items() if keep is None or key in keep}
    live = set(outputs.values())
    kept: list[Op] = []
    for op in reversed(schedule.ops):
        if live.isdisjoint(results(op)):
            continue
        if isinstance(op, Normalize) and op.scale not in live:
            op = replace(op, scale=None)
        live.update(sources(op))
        kept.append(op)
    return _renumbered(replace(schedule, ops=tuple(reversed(kept)), outputs=outputs))


def reissue(op: Op, value: Callable[[Value], Value], out: Value) -> Op:
    """The instruction with what it reads mapped by ``value``, written to ``out``.

    A scale, where there is one, is written to ``out + 1``.
    """
    match op:
        case Evidence(block=block):
            return Evidence(block, out)
        case Unary(block=block, key=key):
            return Unary(block, key, out)
        case Message(edge=edge, toward=toward, source=source):
            return Message(edge, toward, value(source), out)
        case Pool(edge=edge, source=source):
            return Pool(edge, value(source), out)
        case Spread(edge=edge, source=source):
            return Spread(edge, value(source), out)
        case Exclude(edge=edge, context=context, messages=messages):
            above = None if context is None else value(context)
            return Exclude(edge, above, value(messages), out)
        case Combine(block=block, sources=read):
            return Combine(block, tuple(map(value, read)), out)
        case Normalize(block=block, source=source, scale=scale):
            return Normalize(block, value(source), out, None if scale is None else out + 1)
        case Choose(block=block, below=below, parent=parent, how=how):
            chosen = None if parent is None else value(parent)
            return Choose(block, value(below), chosen, how, out)
        case Readout(kind=kind, block=block, sources=read, roots=roots):
            return Readout(kind, block, tuple(map(value, read)), out, roots)
        case _:
            assert_never(op)


def _renumbered(schedule: Schedule) -> Schedule:
    """The schedule with values numbered 0, 1, 2, ... in the order of writing."""
    number: dict[Value, Value] = {}
    ops: list[Op] = []
    for op in schedule.ops:
        ops.append(reissue(op, number.__getitem__, len(number)))
        for value in results(op):
            number[value] = len(number)
    outputs = {key: number[value] for key, value in schedule.outputs.items()}
    return replace(schedule, ops=tuple(ops), outputs=outputs)


@dataclass
class _Normalization:
    """Working state of :func:`place_normalization`; values are numbered anew on the way."""

    schedule: Schedule
    ops: list[Op] = field(default_factory=list)
    number: dict[Value, Value] = field(default_factory=dict)
    normal: set[Value] = field(default_factory=set)
    scales: list[Value] = field(default_factory=list)
    fresh: Value = 0

    def run(self) -> Schedule:
        """Walk the schedule once, inserting and renaming."""
        for op in self.schedule.ops:
            self.place_before(op)
            self.append(op)
            match op:
                case Message(edge=edge, toward="leaves") if self.schedule.forest.children[edge]:
                    self.normalize(edge, op.out, with_scale=False)
                case Evidence() | Combine(sources=()):
                    self.normal.add(op.out)
                case _:
                    pass
        outputs = {key: self.number[value] for key, value in self.schedule.outputs.items()}
        return replace(self.schedule, ops=tuple(self.ops), outputs=outputs)

    def append(self, op: Op) -> None:
        """The instruction under its new number; the log evidence also reads the scales."""
        new = reissue(op, self.number.__getitem__, self.fresh)
        if isinstance(new, Readout) and new.kind == "log_evidence":
            new = replace(new, sources=(*new.sources, *self.scales))
        self.number[op.out] = self.fresh
        self.fresh += 1
        self.ops.append(new)

    def place_before(self, op: Op) -> None:
        """Normalize a block's collected value before its first use by another block."""
        match op:
            case Message(edge=edge, toward="root", source=source):
                self.normalize(edge, source, with_scale=True)
            case Readout(kind="log_evidence"):
                for root, source in zip(self.schedule.forest.roots, op.sources, strict=True):
                    self.normalize(root, source, with_scale=True)
            case _:
                pass

    def normalize(self, block: str, value: Value, *, with_scale: bool) -> None:
        """Normalize ``value`` once; what is evidence or ones alone needs none."""
        if value in self.normal:
            return
        self.normal.add(value)
        scale = self.fresh + 1 if with_scale else None
        self.ops.append(Normalize(block, self.number[value], self.fresh, scale))
        self.number[value] = self.fresh
        self.fresh += 1
        if scale is not None:
            self.scales.append(scale)
            self.fresh += 1
