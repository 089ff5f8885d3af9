"""Pure functions from schedule to schedule; none changes what a schedule computes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from ghmpp.schedule.ir import (
    Carry,
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
from ghmpp.schedule.spans import FOLLOWED_OPS, NODE_DECADES, Spans
from ghmpp.schedule.values import inner_values, results, sources

# Of the range of float32, what positive entries may use where zeros take more.
ZEROS_SHARE = 0.25


def place_normalization(schedule: Schedule) -> Schedule:
    """Rescale every node once per pass, and hand the scales to the log evidence.

    Requires: a legal schedule without :class:`Normalize`.
    Ensures: whatever is sent toward the root or read as a root value has largest entry 1 (or is
    all zero), and so has whatever arrived from the parent and is sent on. Evidence alone is left
    as it is, its scale being part of it, and so are what arrives at leaves and Gaussian factors.
    The scales of the collect pass are sources of the log evidence. Results are unchanged.
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
    if schedule.forest.gaussian:  # run in logarithms
        return schedule
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


def without_unused_couplings(schedule: Schedule) -> Schedule:
    """Leave out linear maps that no instruction names, with their numbers.

    Requires: a legal schedule.
    Ensures: the same instructions on a forest with fewer couplings. Results are unchanged.
    """
    forest = schedule.forest
    maps = (op for op in flat(schedule.ops) if isinstance(op, Couple))
    named = {term.coupling for op in maps for term in op.terms}
    used = {name: found for name, found in forest.couplings.items() if name in named}
    dropped = {found.key for found in forest.couplings.values()}
    dropped |= {found.index or "" for found in forest.couplings.values()}
    dropped -= {key for found in used.values() for key in (found.key, found.index)}
    data = {key: numbers for key, numbers in forest.data.items() if key not in dropped}
    return replace(schedule, forest=replace(forest, couplings=used, data=data))


def flat(ops: Sequence[Op]) -> Iterator[Op]:
    """All instructions, those inside repetitions once."""
    waiting = list(reversed(ops))
    while waiting:
        op = waiting.pop()
        yield op
        if isinstance(op, Repeat):
            waiting.extend(reversed(op.body))


def unrolled(schedule: Schedule) -> Schedule:
    """Repetitions written out, round after round.

    Requires: a legal schedule.
    Ensures: a legal schedule without :class:`Repeat`; results are unchanged. Rounds share their
    weights as before.
    """
    if not any(isinstance(op, Repeat) for op in schedule.ops):
        return schedule
    ops: list[Op] = []
    number: dict[Value, Value] = {}
    _unroll(schedule.ops, ops, number)
    outputs = {key: number[value] for key, value in schedule.outputs.items()}
    return replace(schedule, ops=tuple(ops), outputs=outputs)


def _unroll(ops: Sequence[Op], found: list[Op], number: dict[Value, Value]) -> None:
    """Append instructions under new numbers; ``number`` says the present one of each value."""
    for op in ops:
        if not isinstance(op, Repeat):
            fresh = max((value for each in found[-1:] for value in results(each)), default=-1) + 1
            found.append(reissue(op, number.__getitem__, fresh))
            number.update((value, fresh + k) for k, value in enumerate(results(op)))
            continue
        carried = [number[each.start] for each in op.carried]
        for _ in range(op.rounds):
            number.update(zip((each.inside for each in op.carried), carried, strict=True))
            _unroll(op.body, found, number)
            carried = [number[each.after] for each in op.carried]
        number.update(zip((each.out for each in op.carried), carried, strict=True))


def reissue(op: Op, value: Callable[[Value], Value], out: Value) -> Op:
    """The instruction with what it reads mapped by ``value``, written to ``out``.

    A scale, where there is one, is written to ``out + 1``; further results of a repetition, and
    the values inside it, likewise follow ``out``.
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
        case Couple(block=block, terms=terms):
            moved = (
                term if term.source is None else replace(term, source=value(term.source))
                for term in terms
            )
            return Couple(block, tuple(moved), out)
        case Local(sources=read):
            return replace(op, sources=tuple(map(value, read)), out=out)
        case Gate(sources=(first, second)):
            return replace(op, sources=(value(first), value(second)), out=out)
        case Noise(block=block, source=source, scale=deviation):
            return Noise(block, value(source), deviation, out)
        case Repeat():
            return _reissue_repeat(op, value, out)
        case _:
            assert_never(op)


def _reissue_repeat(op: Repeat, value: Callable[[Value], Value], out: Value) -> Repeat:
    """Results from ``out`` on, then the values inside."""
    own = {inner: out + k for k, inner in enumerate((*results(op), *inner_values(op)))}

    def renamed(old: Value) -> Value:
        return own[old] if old in own else value(old)

    carried = (
        Carry(value(each.start), renamed(each.inside), renamed(each.after), renamed(each.out))
        for each in op.carried
    )
    body = (reissue(each, renamed, own[each.out]) for each in op.body)
    return Repeat(op.block, tuple(body), op.rounds, tuple(carried))


def _renumbered(schedule: Schedule) -> Schedule:
    """The schedule with values numbered 0, 1, 2, ... in the order of writing."""
    number: dict[Value, Value] = {}
    ops: list[Op] = []
    for op in schedule.ops:
        ops.append(reissue(op, number.__getitem__, len(number)))
        for value in (*results(op), *inner_values(op)):
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
        """Normalize ``value`` once; evidence or ones alone and Gaussian factors need none."""
        if value in self.normal or self.schedule.forest.is_gaussian(block):
            return
        self.normal.add(value)
        scale = self.fresh + 1 if with_scale else None
        self.ops.append(Normalize(block, self.number[value], self.fresh, scale))
        self.number[value] = self.fresh
        self.fresh += 1
        if scale is not None:
            self.scales.append(scale)
            self.fresh += 1
