"""What makes a schedule legal, as code: run after every pass in tests.

Every value is written once, before it is read; every block, edge and potential exists; every
instruction reads values that live where it needs them; outputs are what their keys say.
"""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.models.forest import Block, Coupling, Edge, Forest
from ghmpp.schedule.ir import Choose, Normalize, Readout, Schedule, Value
from ghmpp.schedule.legality import Illegal, expect, refuse
from ghmpp.schedule.shapes import Shapes, block_of, value_shapes
from ghmpp.schedule.values import inner_values, sources


def check_schedule(schedule: Schedule) -> None:
    """Accept a legal schedule, refuse any other.

    Ensures: every value that is read was written before, and once; blocks, edges, keys and
    potential shapes agree with the forest; every instruction fits the values that it reads;
    outputs exist and are what their key says; the log evidence reads every root once and the
    scale of every Normalize that its root values went through.

    Raises
    ------
    ScheduleError
        Naming the rule, the instruction and the schedule around it. It is a bug in ghmpp.
    """
    shapes = value_shapes(schedule)
    _check_scopes(schedule)
    _check_potentials(schedule)
    _check_outputs(schedule, shapes)
    _check_log_evidence(schedule)


def _check_scopes(schedule: Schedule) -> None:
    """What exists inside a repetition is not read outside."""
    hidden: dict[Value, int] = {}
    for position, op in enumerate(schedule.ops):
        found = hidden.keys() & set(sources(op))
        if found:
            value = min(found)
            fact = f"value {value} exists only inside op {hidden[value]}"
            refuse(schedule, fact, position)
        hidden |= dict.fromkeys(inner_values(op), position)


def _check_potentials(schedule: Schedule) -> None:
    """Stacks that have values have the sizes that blocks and edges promise."""
    forest = schedule.forest
    try:
        for edge in forest.edges.values():
            parent, child = block_of(forest, edge.parent), block_of(forest, edge.child)
            _check_parents(forest, edge, parent, child)
            sizes = {
                "table": (edge.rows, parent.states, child.states),
                "child_of": (edge.rows, parent.states),
                "parent_of": (edge.rows, child.states),
                "gaussian": (edge.rows, child.states // 3, 3),
            }
            _expect_sizes(forest.data.get(edge.key), sizes[edge.kind], edge.key)
        for block in forest.blocks.values():
            if block.unary is not None:
                sizes_wanted = (block.unary_rows, block.states)
                _expect_sizes(forest.data.get(block.unary), sizes_wanted, block.unary)
        for coupling in forest.couplings.values():
            _check_coupling(forest, coupling)
    except Illegal as broken:
        refuse(schedule, str(broken), None)


def _check_coupling(forest: Forest, coupling: Coupling) -> None:
    """Both ends are roots, and the numbers have the sizes that they promise."""
    for name in (coupling.source, coupling.target):
        expect(name in forest.roots, f"coupling '{coupling.name}': '{name}' is no root block")
    source, target = (forest.blocks[name].nodes for name in (coupling.source, coupling.target))
    found = forest.data.get(coupling.key)
    entries = 0 if found is None else len(found)
    wanted = {
        "dense": (target, source),
        "diagonal": (target,),
        "constant": (target,),
        "sparse": (entries,),
    }[coupling.kind]
    _expect_sizes(found, wanted, coupling.key)
    if coupling.kind == "diagonal":
        expect(source == target, f"coupling '{coupling.name}': diagonal, but of unequal ends")
    if coupling.kind == "sparse":
        index = forest.data[coupling.index or ""]
        _expect_sizes(index, (2, entries), coupling.index or "")
        inside = (index >= 0).all() and (index < [[target], [source]]).all()
        expect(bool(inside), f"coupling '{coupling.name}': a position is outside")


def _check_parents(forest: Forest, edge: Edge, parent: Block, child: Block) -> None:
    """Every child has a parent, and the number of rows says which row is whose."""
    name = edge.child
    if edge.parents is None:
        expect(child.nodes == parent.nodes * edge.fanout, f"fanout of edge '{name}'")
        expect(edge.rows in (1, edge.fanout, child.nodes), f"rows of edge '{name}'")
        return
    above = forest.parent_nodes(edge)
    expect(above.shape == (child.nodes,), f"parents of edge '{name}'")
    expect(bool((above >= 0).all() and (above < parent.nodes).all()), f"parents of edge '{name}'")
    expect(int(np.bincount(above).max()) == edge.fanout, f"fanout of edge '{name}'")
    expect(edge.rows in (1, child.nodes), f"rows of edge '{name}'")


def _expect_sizes(stack: AnyArray | None, wanted: tuple[int, ...], key: str) -> None:
    found = wanted if stack is None else np.shape(stack)
    expect(found == wanted, f"potential '{key}' must have shape {wanted}, got {found}")


def _check_outputs(schedule: Schedule, shapes: Shapes) -> None:
    """Every output was written by the instruction that its key names."""
    writers = {op.out: op for op in schedule.ops if isinstance(op, Readout | Choose)}
    for (kind, block), value in schedule.outputs.items():
        writer = writers.get(value)
        said = "choice" if isinstance(writer, Choose) else writer and writer.kind
        if writer is None or (said, writer.block) != (kind, block):
            found = f"the {said} of '{writer.block}'" if writer else "no result"
            never = "" if value in shapes else " and is never written"
            fact = f"output ({kind!r}, {block!r}): value {value} is {found}{never}"
            refuse(schedule, fact, None)


def _check_log_evidence(schedule: Schedule) -> None:
    """A log evidence reads the scales of exactly those Normalize that its roots went through."""
    for position, op in enumerate(schedule.ops):
        if not (isinstance(op, Readout) and op.kind == "log_evidence"):
            continue
        needed: set[Value | None] = set()
        cone = set(op.sources[: op.roots])
        for earlier in reversed(schedule.ops[:position]):
            if earlier.out in cone:
                cone.update(sources(earlier))
                if isinstance(earlier, Normalize):
                    needed.add(earlier.scale)
        scales = op.sources[op.roots :]
        if None in needed:
            refuse(schedule, "a Normalize below the roots has no scale", position)
        if needed != set(scales) or len(scales) != len(needed):
            refuse(schedule, "its scales are not those of the Normalize below its roots", position)
