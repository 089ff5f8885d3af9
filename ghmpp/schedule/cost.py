"""What a schedule costs, known before it runs: operations, memory, and whether it fits.

Operations are counted by :mod:`ghmpp.schedule.operations`; memory is that of the values, each
freed after its last use, and of the potentials. A backend's own buffers come on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ghmpp._memory import bytes_text, physical_memory, require_bytes, too_big
from ghmpp.models.forest import Forest
from ghmpp.schedule.domain import Precision
from ghmpp.schedule.ir import Op, Schedule, Value
from ghmpp.schedule.operations import count_operations
from ghmpp.schedule.shapes import Shape, Shapes, value_shapes
from ghmpp.schedule.values import inner_values, results, sources

ITEM_BYTES: Mapping[Precision, int] = {"float32": 4, "float64": 8}
INDEX_BYTES = 8
ONE_ROW_CURE = (
    "no smaller batch helps: ask for less (one class, or the log evidence alone), or declare fewer "
    "states or variables"
)


@dataclass(frozen=True, slots=True)
class OpCost:
    """Cost of one instruction: operations and exps per batch row, bytes for the whole batch.

    ``bytes`` is the size of what the instruction writes.
    """

    flops: int
    exps: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a schedule.

    Parameters
    ----------
    batch, dtype
        What the bytes are for.
    flops, exps
        Operations, and exponentials or logarithms, per batch row.
    parameters
        Entries of all potentials, shared ones counted once.
    potential_bytes
        Memory of the potentials.
    value_bytes
        Memory of all values, if none were freed.
    peak_bytes
        Largest memory of the values alive at one time, each freed after its last use.
    peak_op
        Index of the instruction at that time (-1 for an empty schedule).
    treewidth
        Treewidth of the model: of a junction tree that of its triangulation (the largest number
        of variables in a clique minus 1); of other forests 1, or 0 without edges.
    largest_block
        Name of the block with the most entries (nodes times states); "" for an empty forest.
    rows
        Cost of every instruction, in order.
    """

    batch: int
    dtype: Precision
    flops: int
    exps: int
    parameters: int
    potential_bytes: int
    value_bytes: int
    peak_bytes: int
    peak_op: int
    treewidth: int
    largest_block: str
    rows: tuple[OpCost, ...]

    @property
    def memory_bytes(self) -> int:
        """Potentials and the values alive at the peak."""
        return self.potential_bytes + self.peak_bytes


def cost(
    schedule: Schedule,
    *,
    batch: int = 1,
    dtype: Precision | None = None,
    shapes: Shapes | None = None,
) -> Cost:
    """Operations and memory of a run, without running it; linear time.

    Requires: a legal schedule. Potentials may be without values (free tables).

    Parameters
    ----------
    schedule
        Counted in its domain; without one, as scaled linear probabilities.
    batch
        Rows of evidence, at least 0.
    dtype
        Precision of values and potentials; default that of the domain, else float64.
    shapes
        The schedule's :func:`~ghmpp.schedule.shapes.value_shapes`, if they are known already.
    """
    dtype = dtype or (schedule.domain.dtype if schedule.domain else "float64")
    shapes = value_shapes(schedule) if shapes is None else shapes
    sizes = {value: _bytes(shape, batch, dtype) for value, shape in shapes.items()}
    rows = tuple(op_cost(op, schedule, shapes, batch=batch, dtype=dtype) for op in schedule.ops)
    last = last_use(schedule)
    for position, op in enumerate(schedule.ops):  # what is inside lives as long as its instruction
        last |= dict.fromkeys(inner_values(op), position)
    written = [
        row.bytes + sum(map(sizes.__getitem__, inner_values(op)))
        for row, op in zip(rows, schedule.ops, strict=True)
    ]
    peak, peak_op = _peak(written, sizes, last)
    parameters = _parameters(schedule.forest)
    return Cost(
        batch=batch,
        dtype=dtype,
        flops=sum(row.flops for row in rows),
        exps=sum(row.exps for row in rows),
        parameters=parameters,
        potential_bytes=parameters * ITEM_BYTES[dtype],
        value_bytes=sum(sizes.values()),
        peak_bytes=peak,
        peak_op=peak_op,
        treewidth=_treewidth(schedule.forest),
        largest_block=_largest_block(schedule.forest),
        rows=rows,
    )


def op_cost(
    op: Op,
    schedule: Schedule,
    shapes: Shapes,
    *,
    batch: int = 1,
    dtype: Precision | None = None,
) -> OpCost:
    """Cost of one instruction, also of one inside a repetition (then of one round)."""
    dtype = dtype or (schedule.domain.dtype if schedule.domain else "float64")
    count = count_operations(op, shapes, schedule)
    size = sum(_bytes(shapes[value], batch, dtype) for value in results(op))
    return OpCost(count.flops, count.exps, size)


def _treewidth(forest: Forest) -> int:
    scopes = [len(variable.scope) - 1 for variable in forest.variables.values() if variable.scope]
    return max(scopes, default=1 if forest.edges else 0)


def last_use(schedule: Schedule) -> dict[Value, int]:
    """Index of the last instruction that reads each value; outputs: the number of instructions.

    A value that nobody reads is last used by its own writer.
    """
    last: dict[Value, int] = {}
    for position, op in enumerate(schedule.ops):
        last.update(dict.fromkeys(results(op), position))
        last.update(dict.fromkeys(sources(op), position))
    for value in schedule.outputs.values():
        last[value] = len(schedule.ops)
    return last


def require_memory(schedule: Schedule, *, batch: int = 1, limit_bytes: int | None = None) -> Cost:
    """The cost of a run that fits into memory; any other run is refused before it starts.

    Parameters
    ----------
    schedule
        A legal schedule.
    batch
        Rows of evidence that are run at one time.
    limit_bytes
        Largest allowed memory; default the machine's physical memory, where known.

    Raises
    ------
    ResourceError
        With the memory needed, the limit and the largest block.
    """
    needed = cost(schedule, batch=batch)
    limit = physical_memory() if limit_bytes is None else limit_bytes
    if limit is None or needed.memory_bytes <= limit:
        return needed
    smaller = batch > 1 and cost(schedule, batch=1).memory_bytes <= limit
    block = schedule.forest.blocks[needed.largest_block]
    raise too_big(
        f"schedule of '{schedule.forest.name}': a batch of {batch} needs",
        needed.memory_bytes,
        limit,
        detail=f"{bytes_text(needed.peak_bytes)} for messages at the peak, "
        f"{bytes_text(needed.potential_bytes)} for potentials",
        cure="use a smaller batch" if smaller else ONE_ROW_CURE,
        largest=f"block: '{block.name}' with {block.nodes:,} nodes of {block.states:,} states",
    )


def require_results(
    schedule: Schedule, *, batch: int, draws: int = 1, dtype: Precision = "float64"
) -> None:
    """Refuse a batch whose results do not fit into memory, however few rows run at one time.

    Parameters
    ----------
    schedule
        A legal schedule.
    batch
        Rows of evidence.
    draws
        Repetitions of the choices.
    dtype
        Precision of the results.

    Raises
    ------
    ResourceError
        With the memory needed, the limit and the largest class.
    """
    shapes = value_shapes(schedule)
    results = [shapes[value] for value in schedule.outputs.values()]
    require_bytes(
        sum(
            _bytes(shape, batch, dtype) * (draws if shape.kind == "choice" else 1)
            for shape in results
        ),
        f"schedule of {schedule.forest.name!r}: the results for a batch of {batch:,} need",
        cure="pass fewer rows at a time, or ask for less",
        largest=schedule.forest.largest,
    )


def _bytes(shape: Shape, batch: int, dtype: Precision) -> int:
    item = INDEX_BYTES if shape.kind == "choice" else ITEM_BYTES[dtype]
    return shape.entries * item * (batch if shape.batched else 1)


def _peak(
    written: Sequence[int], sizes: Mapping[Value, int], last: Mapping[Value, int]
) -> tuple[int, int]:
    """Largest number of live bytes, and the index of the instruction where it occurs."""
    freed = [0] * (len(written) + 1)
    for value, position in last.items():
        freed[position] += sizes[value]
    live, peak, peak_op = 0, 0, -1
    for position, size in enumerate(written):
        live += size
        if live > peak or peak_op < 0:
            peak, peak_op = live, position
        live -= freed[position]
    return peak, peak_op


def _parameters(forest: Forest) -> int:
    """Entries of all potentials, each key once."""
    entries: dict[str, int] = {}
    for edge in forest.edges.values():
        parent, child = forest.blocks[edge.parent].states, forest.blocks[edge.child].states
        sizes = {"table": parent * child, "child_of": parent, "parent_of": child}
        sizes["gaussian"] = child  # a, b and q where values have J, h and c
        entries[edge.key] = edge.rows * sizes[edge.kind]
    entries |= {key: int(forest.data[key].size) for key in forest.field_keys}
    for block in forest.blocks.values():
        if block.unary is not None:
            entries[block.unary] = block.unary_rows * block.states
    return sum(entries.values())


def _largest_block(forest: Forest) -> str:
    blocks = forest.blocks.values()
    return max(blocks, key=lambda block: block.nodes * block.states).name if blocks else ""
