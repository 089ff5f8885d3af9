"""The printed schedule: what it computes, one row per instruction, and what it costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ghmpp._memory import bytes_text
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.rooting import shortened
from ghmpp.schedule.cost import Cost, OpCost, cost, op_cost
from ghmpp.schedule.ir import Evidence, Op, Readout, Repeat, Schedule, Value
from ghmpp.schedule.outline import Part, Section, Span, carried, hidden_blocks, outline, skips
from ghmpp.schedule.provenance import provenance
from ghmpp.schedule.shapes import Shape, Shapes, value_shapes
from ghmpp.schedule.values import results, sources

TITLES: dict[Section, str] = {
    "encoder": "ENCODER (collect, leaves to root)",
    "bottleneck": "BOTTLENECK (root)",
    "decoder": "DECODER (distribute, root to leaves)",
}
COLUMNS = ("op", "instruction", "message", "reads", "writes", "shape", "FLOPs", "bytes", "")
RIGHT_ALIGNED = frozenset({"op", "FLOPs", "bytes"})
MOST_NAMES = 6

Cells = tuple[str, ...]


def report(schedule: Schedule) -> str:
    """The schedule as text: ``print(schedule)``.

    Wanted results, model (classes, nodes x states) and domain; a table with one row per
    instruction (its message, the values ``v0, v1, ...`` that it reads and writes, the shape with
    batch B, its operations and the bytes that it writes for one sample) in three sections, with
    skip connections named; totals. Levels that repeat, as in a chain, are shown once, with a
    count. Linear time.

    Requires: a legal schedule.
    """
    table = _Table(schedule)
    lines = [*_header(schedule), "", *table.lines(), "", *_totals(schedule, table.cost)]
    return "\n".join(line.rstrip() for line in lines)


def shape_text(shape: Shape) -> str:
    """A shape with its batch axis, such as ``"(B, 64, 17)"``.

    Examples
    --------
    >>> shape_text(Shape("node", "pixel", (64, 17)))
    '(B, 64, 17)'
    """
    axes = [f"{size:,}" for size in shape.axes]
    return "(" + ", ".join(["B", *axes] if shape.batched else axes) + ")"


def outputs_text(schedule: Schedule) -> str:
    """The wanted results, such as ``"mean of pixel, log evidence"``; chains by class."""
    blocks = schedule.forest.blocks
    counts: dict[str, dict[str, int]] = {}
    for kind, name in schedule.outputs:
        variables = counts.setdefault(kind, {})
        if name in blocks:
            variable = blocks[name].variable
            variables[variable] = variables.get(variable, 0) + 1
    said = []
    for kind, variables in counts.items():
        names = [v if n == 1 else f"{v} ({n:,} blocks)" for v, n in variables.items()]
        of = f" of {_few(names, last=' and ')}" if names else ""
        said.append(kind.replace("_", " ") + of)
    return _few(said) or "nothing"


def subject(op: Op, forest: Forest) -> str:
    """What an instruction is about: its message, its block, or the result that it reads out."""
    if isinstance(op, Readout):
        return op.kind.replace("_", " ") + (f" of {op.block}" if op.block else "")
    return provenance(op, forest).name


def given_text(schedule: Schedule) -> str:
    """The classes that carry evidence, such as ``"pixel"``."""
    blocks = schedule.forest.blocks
    observed = (op.block for op in schedule.ops if isinstance(op, Evidence))
    return _few(dict.fromkeys(blocks[name].variable for name in observed)) or "nothing"


class _Table:
    """The rows of a schedule, folded, with columns as wide as what is shown."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.shapes: Shapes = value_shapes(schedule)
        self.cost = cost(schedule, shapes=self.shapes)
        self.skips = skips(schedule, self.shapes)
        self.parts = outline(schedule)

    def lines(self) -> Iterator[str]:
        """Header, then each section under its title."""
        spans = [span for part in self.parts for span in part.spans]
        rows = {index: [*self.rows(index)] for span in spans for index in span.shown}
        cells = (row for each in rows.values() for row in each)
        widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]
        yield _aligned(COLUMNS, widths)
        for part in self.parts:
            messages = bool(self.schedule.forest.edges)
            yield TITLES[part.section] if messages else "LAYERS"
            yield from self.part_lines(part, rows, widths)

    def part_lines(
        self, part: Part, rows: dict[int, list[Cells]], widths: Sequence[int]
    ) -> Iterator[str]:
        """Rows of one section; a fold after each run that repeats."""
        for span in part.spans:
            for index in span.shown:
                for cells in rows[index]:
                    yield _aligned(cells, widths)
            if span.repeats > 1:
                yield " " * widths[0] + "  " + self.fold(span)

    def rows(self, index: int) -> Iterator[Cells]:
        """The row of an instruction; the body of a repetition follows, with its cost per round."""
        op = self.schedule.ops[index]
        skipped = ", ".join(self.skip_text(value) for value in self.skips.get(index, ()))
        yield self.cells(str(index), op, self.cost.rows[index], skipped)
        yield from self.body(op)

    def body(self, op: Op, indent: str = "  ") -> Iterator[Cells]:
        """Rows of what is inside an instruction."""
        for each in op.body if isinstance(op, Repeat) else ():
            row = op_cost(each, self.schedule, self.shapes)
            number, instruction, *rest = self.cells("", each, row, "")
            yield (number, indent + instruction, *rest)
            yield from self.body(each, indent + "  ")

    def cells(self, number: str, op: Op, row: OpCost, note: str) -> Cells:
        """One row of the table."""
        return (
            number,
            type(op).__name__,
            subject(op, self.schedule.forest),
            _values(sources(op)) or "-",
            _values(results(op)),
            shape_text(self.shapes[op.out]),
            f"{row.flops:,}",
            bytes_text(row.bytes),
            note,
        )

    def skip_text(self, value: Value) -> str:
        """Which part of the encoder a value comes from."""
        return f"skip v{value}: {carried(self.shapes[value], self.schedule.forest)}"

    def fold(self, span: Span) -> str:
        """What the hidden runs of a span are, and what they cost together."""
        hidden, blocks = span.hidden, hidden_blocks(self.schedule, span)
        flops = sum(self.cost.rows[index].flops for index in hidden)
        size = sum(self.cost.rows[index].bytes for index in hidden)
        return (
            f"... the same {span.period} for {blocks}, {span.repeats - 1:,} times more "
            f"(ops {hidden.start} to {hidden.stop - 1}): {flops:,} FLOPs, {bytes_text(size)}"
        )


def _header(schedule: Schedule) -> Iterator[str]:
    """What is computed, from what, on which model, in which domain."""
    forest, domain = schedule.forest, schedule.domain
    rule = {"sum": "sum-product", "max": "max-product"}[schedule.semiring]
    yield f"{forest.name}: {outputs_text(schedule)} given {given_text(schedule)} ({rule})"
    yield f"model      {_few([_class_text(variable) for variable in forest.visible.values()])}"
    chosen = f"{domain.kind} {domain.dtype}: {domain.reason}" if domain else "not chosen yet"
    yield f"domain     {chosen}"


def _class_text(variable: VariableClass) -> str:
    sort = "real" if variable.real else f"x {len(variable.states):,}"
    return f"{variable.name} {variable.nodes:,} {sort}"


def _totals(schedule: Schedule, total: Cost) -> Iterator[str]:
    """Operations, memory and structure of the whole schedule."""
    exps = f" and {total.exps:,} exps" if total.exps else ""
    yield f"total      {len(schedule.ops):,} instructions, {total.flops:,} FLOPs{exps} per sample"
    yield (
        f"memory     {bytes_text(total.peak_bytes)} per sample at the peak (op {total.peak_op}), "
        f"{bytes_text(total.value_bytes)} if every value is kept"
    )
    potentials = bytes_text(total.potential_bytes)
    yield f"potentials {total.parameters:,} parameters, {potentials} in {total.dtype}"
    block = schedule.forest.blocks.get(total.largest_block)
    if block is not None:
        size = f"{block.nodes:,} x {block.states:,} (nodes x states)"
        scope = schedule.forest.variables[block.variable].scope
        named = f"{block.name} ({shortened(scope)})" if scope else block.name
        if schedule.has_fields:  # couplings are no edges, and may form any graph
            yield f"blocks     {len(schedule.forest.blocks):,}; largest {named}, {size}"
        else:
            yield f"treewidth  {total.treewidth}; largest block {named}, {size}"


def _values(values: Sequence[Value]) -> str:
    return _few([f"v{value}" for value in values])


def _few(names: Collection[str], *, last: str = ", ") -> str:
    """Names joined by commas, the later ones of many counted only."""
    shown = list(names)
    if len(shown) > MOST_NAMES:
        shown = [*shown[: MOST_NAMES - 1], f"{len(shown) - MOST_NAMES + 1:,} more"]
    return last.join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _aligned(cells: Cells, widths: Sequence[int]) -> str:
    return "  ".join(
        cell.rjust(width) if column in RIGHT_ALIGNED else cell.ljust(width)
        for cell, width, column in zip(cells, widths, COLUMNS, strict=True)
    )
