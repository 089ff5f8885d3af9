"""A schedule cut into encoder, bottleneck and decoder, with repeated levels found.

Reports and diagrams start from this outline, so that a chain of 100,000 steps shows as one step
and a count. Everything here takes linear time.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ghmpp.models.forest import Forest
from ghmpp.schedule.ir import Choose, Exclude, Message, Op, Pool, Readout, Schedule, Spread, Value
from ghmpp.schedule.provenance import message_name
from ghmpp.schedule.shapes import Shape, Shapes
from ghmpp.schedule.values import results, sources

Section = Literal["encoder", "bottleneck", "decoder"]

LEAST_REPEATS = 4
LONGEST_PERIOD = 64
CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class Span:
    """``repeats`` runs of ``period`` instructions each, equal up to the index of their blocks.

    Instructions without repetition form one run (``repeats`` 1).
    """

    start: int
    period: int
    repeats: int

    @property
    def stop(self) -> int:
        """Index after the last instruction."""
        return self.start + self.period * self.repeats

    @property
    def shown(self) -> range:
        """Instructions of the first run."""
        return range(self.start, self.start + self.period)

    @property
    def hidden(self) -> range:
        """Instructions of all later runs."""
        return range(self.start + self.period, self.stop)


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a schedule, as spans that cover it in order."""

    section: Section
    spans: tuple[Span, ...]


def outline(schedule: Schedule) -> tuple[Part, ...]:
    """The non-empty sections of a schedule; together their spans cover every instruction once.

    Requires: a legal schedule.
    """
    patterns = _patterns(schedule)
    return tuple(
        Part(section, tuple(_spans(patterns, start, stop)))
        for section, start, stop in _sections(schedule)
        if start < stop
    )


def place(op: Op) -> str:
    """The block that an instruction is about; for those on an edge, the child block."""
    match op:
        case Message() | Pool() | Spread() | Exclude():
            return op.edge
        case _:
            return op.block


def skips(schedule: Schedule, shapes: Shapes) -> dict[int, tuple[Value, ...]]:
    """Values of the encoder that instructions of the decoder read, by index of the reader.

    These are the skip connections. What sits at a root is the bottleneck itself and no skip; nor
    are scales, which only the log evidence reads.
    """
    sections = {section: range(start, stop) for section, start, stop in _sections(schedule)}
    encoded = {
        value
        for index in sections["encoder"]
        for value in results(schedule.ops[index])
        if shapes[value].kind in ("node", "message")
        and shapes[value].block in schedule.forest.edges
    }
    reads = ((index, sources(schedule.ops[index])) for index in sections["decoder"])
    found = ((index, tuple(v for v in read if v in encoded)) for index, read in reads)
    return {index: values for index, values in found if values}


def carried(shape: Shape, forest: Forest) -> str:
    """What a skip connection carries: the messages on an edge, or a block's own value."""
    if shape.kind == "message":
        return message_name(forest.edges[shape.block], "root")
    return shape.block


def hidden_blocks(schedule: Schedule, span: Span) -> str:
    """The blocks of the later runs of a repetition, such as ``"z[97] to z[1]"``."""
    hidden = span.hidden
    first, last = schedule.ops[hidden.start], schedule.ops[hidden.stop - span.period]
    return f"{place(first)} to {place(last)}"


def _sections(schedule: Schedule) -> tuple[tuple[Section, int, int], ...]:
    """Encoder up to the last message toward a root; decoder from the first step away from it."""
    ops, forest = schedule.ops, schedule.forest
    toward = (index for index in reversed(range(len(ops))) if _collects(ops[index]))
    turn = next(toward, -1) + 1
    away = (index for index in range(turn, len(ops)) if _leaves(ops[index], forest))
    rise = next(away, len(ops))
    return ("encoder", 0, turn), ("bottleneck", turn, rise), ("decoder", rise, len(ops))


def _collects(op: Op) -> bool:
    return isinstance(op, Pool) or (isinstance(op, Message) and op.toward == "root")


def _leaves(op: Op, forest: Forest) -> bool:
    """Whether an instruction after the bottleneck belongs to the way back to the leaves."""
    match op:
        case Message() | Spread() | Exclude():
            return True
        case Choose() | Readout():
            return op.block in forest.edges
        case _:
            return False


Pattern: TypeAlias = tuple[Hashable, ...]


def _patterns(schedule: Schedule) -> list[int]:
    """A number per instruction, equal for instructions that differ in block index only."""
    numbers: dict[Pattern, int] = {}
    written_by: dict[Value, Pattern] = {}
    found: list[int] = []
    for op in schedule.ops:
        own = _pattern(op, schedule.forest)
        read = () if _is_total(op) else tuple(written_by[value] for value in sources(op))
        found.append(numbers.setdefault((own, read), len(numbers)))
        for value in results(op):
            written_by[value] = own
    return found


def _is_total(op: Op) -> bool:
    return isinstance(op, Readout) and op.kind == "log_evidence"


def _pattern(op: Op, forest: Forest) -> Pattern:
    """An instruction without its values and block index."""
    name = place(op)
    if name not in forest.blocks:
        return (type(op).__name__, name)
    block, edge = forest.blocks[name], forest.edges.get(name)
    key = edge.key if edge else block.unary
    common = (type(op).__name__, block.variable, block.nodes, key)
    match op:
        case Message(toward=toward):
            return (*common, toward)
        case Choose(how=how):
            return (*common, how)
        case Readout(kind=kind):
            return (*common, kind)
        case _:
            return (*common, len(results(op)))


def _spans(patterns: Sequence[int], start: int, stop: int) -> Iterator[Span]:
    """Cut instructions ``start .. stop - 1`` into plain runs and repetitions, greedily."""
    later = _next_equal(patterns, start, stop)
    plain = position = start
    while position < stop:
        span = _repetition(patterns, later, position, stop)
        if span is None:
            position += 1
            continue
        if plain < position:
            yield Span(plain, position - plain, 1)
        yield span
        plain = position = span.stop
    if plain < stop:
        yield Span(plain, stop - plain, 1)


def _next_equal(patterns: Sequence[int], start: int, stop: int) -> dict[int, int]:
    """Index of the next instruction with the same pattern, where there is one."""
    last: dict[int, int] = {}
    later: dict[int, int] = {}
    for index in range(start, stop):
        if patterns[index] in last:
            later[last[patterns[index]]] = index
        last[patterns[index]] = index
    return later


def _repetition(
    patterns: Sequence[int], later: dict[int, int], start: int, stop: int
) -> Span | None:
    """The repetition that begins at ``start``, with one of the few next possible periods."""
    following = start
    for _ in range(CANDIDATES):
        following = later.get(following, stop)
        period = following - start
        if following == stop or period > LONGEST_PERIOD:
            return None
        end = following
        while end < stop and patterns[end] == patterns[end - period]:
            end += 1
        repeats = (end - start) // period
        if repeats >= LEAST_REPEATS:
            return Span(start, period, repeats)
    return None
