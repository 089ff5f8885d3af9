"""Shape of every value of a schedule, found by checking each instruction against what it reads.

A value belongs to the nodes of a block, or sits on an edge with one row per child node. Cost
table, printed report, pictures and the legality check all start from these shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias, assert_never

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
    Term,
    Unary,
    Value,
)
from ghmpp.schedule.legality import Illegal, expect, refuse
from ghmpp.schedule.values import results, sources

ShapeKind = Literal["node", "message", "cavity", "scale", "choice", "result", "field"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value is and how large it is.

    Parameters
    ----------
    kind
        "node": one row of states per node of ``block``; "message": what the children on the edge
        of child block ``block`` send to their parents; "cavity": what their parents send to them;
        "scale": one log per node; "choice": one state per node; "result": a readout; "field":
        one real number per node.
    block
        Block (for messages and cavities: child block) that the value belongs to.
    axes
        Sizes after the batch axis: (nodes, states), (nodes,), or () for one number per row.
    batched
        Whether the value has a batch axis in front; expected counts have none.
    """

    kind: ShapeKind
    block: str
    axes: tuple[int, ...]
    batched: bool = True

    @property
    def nodes(self) -> int:
        """Size of the first axis after the batch (1 if there is none)."""
        return self.axes[0] if self.axes else 1

    @property
    def states(self) -> int:
        """Entries per node."""
        return prod(self.axes[1:])

    @property
    def entries(self) -> int:
        """Entries per batch row (or in total, for values without batch axis)."""
        return prod(self.axes)


Shapes: TypeAlias = Mapping[Value, Shape]


def value_shapes(schedule: Schedule) -> dict[Value, Shape]:
    """Shape of every value, in the order of writing; linear time.

    Raises
    ------
    ScheduleError
        If an instruction reads what is not there, or does not fit what it reads.
    """
    shapes: dict[Value, Shape] = {}
    for position, op in enumerate(schedule.ops):
        try:
            _write(op, shapes, schedule)
        except Illegal as broken:
            refuse(schedule, str(broken), position)
    return shapes


def _write(op: Op, shapes: dict[Value, Shape], schedule: Schedule) -> None:
    """Add the shapes of what an instruction writes; of a repetition also those of its body."""
    if isinstance(op, Repeat):
        _write_body(op, shapes, schedule)
    written = _written_shapes(op, shapes, schedule)
    for value, shape in zip(results(op), written, strict=True):
        expect(value not in shapes, f"value {value} is written a second time")
        shapes[value] = shape


def _write_body(op: Repeat, shapes: dict[Value, Shape], schedule: Schedule) -> None:
    """Shapes inside a repetition; what is carried must keep its shape."""
    expect(op.rounds >= 1, f"{op.rounds} rounds")
    for carry in op.carried:
        expect(carry.start in shapes, f"value {carry.start} is read before it is written")
        shapes[carry.inside] = shapes[carry.start]
    for each in op.body:
        _write(each, shapes, schedule)
    for carry in op.carried:
        kept = shapes.get(carry.after) == shapes[carry.start]
        expect(kept, f"value {carry.after} must be like {carry.start}, which it replaces")


def _written_shapes(op: Op, shapes: Shapes, schedule: Schedule) -> tuple[Shape, ...]:
    """Shapes of the values that one instruction writes, after checking what it reads."""
    forest = schedule.forest
    for value in sources(op):
        if value not in shapes:
            raise Illegal(f"value {value} is read before it is written")
    match op:
        case Evidence(block=name):
            block = block_of(forest, name)
            return (_field(block) if forest.is_field(name) else _node(block),)
        case Unary(block=name, key=key):
            if block_of(forest, name).unary != key:
                raise Illegal(f"'{key}' is not the unary of '{name}'")
            return (_node(forest.blocks[name]),)
        case Message(edge=child, toward="root", source=source):
            edge = _edge(forest, child)
            _expect_node(shapes[source], child, forest)
            return (_on_edge("message", edge, forest),)
        case Message(edge=child, source=source):
            _expect_cavity(shapes[source], _edge(forest, child), forest)
            return (_node(forest.blocks[child]),)
        case Pool(edge=child, source=source):
            edge = _edge(forest, child)
            _expect_message(shapes[source], edge)
            return (_node(forest.blocks[edge.parent]),)
        case Spread(edge=child, source=source):
            edge = _edge(forest, child)
            _expect_node(shapes[source], edge.parent, forest)
            return (_on_edge("cavity", edge, forest),)
        case Exclude(edge=child, context=context, messages=messages):
            edge = _edge(forest, child)
            _expect_message(shapes[messages], edge)
            if context is not None:
                _expect_node(shapes[context], edge.parent, forest)
            return (_on_edge("cavity", edge, forest),)
        case Combine(block=name, sources=many):
            for value in many:
                _expect_node(shapes[value], name, forest)
            return (_node(block_of(forest, name)),)
        case Normalize(block=name, source=source, scale=scale):
            shape = shapes[source]
            if not (shape.kind in ("message", "cavity") and shape.block == name):
                _expect_node(shape, name, forest)
            scales = () if scale is None else (Shape("scale", name, (shape.nodes,)),)
            return (shape, *scales)
        case Choose():
            return (_choice(op, shapes, schedule),)
        case Readout():
            return (_result(op, shapes, forest),)
        case Couple(block=name, terms=terms):
            for term in terms:
                _expect_term(term, name, shapes, forest)
            return (_field(block_of(forest, name)),)
        case Local():
            return (_local(op, shapes, forest),)
        case Gate(block=name, sources=both):
            for value in both:
                _expect_field(shapes[value], name)
            return (_field(block_of(forest, name)),)
        case Noise(block=name, source=source):
            _expect_field(shapes[source], name)
            return (shapes[source],)
        case Repeat(carried=carried):
            return tuple(shapes[carry.start] for carry in carried)
        case _:
            assert_never(op)


def _expect_term(term: Term, block: str, shapes: Shapes, forest: Forest) -> None:
    """A field of the block, or a field of the other end of a coupling that leads here."""
    if term.coupling is None:
        expect(term.source is not None, "a term reads neither a value nor a coupling")
        _expect_field(shapes[term.source or 0], block)
        return
    expect(term.coupling in forest.couplings, f"unknown coupling '{term.coupling}'")
    coupling = forest.couplings[term.coupling]
    here, there = coupling.target, coupling.source
    if term.transposed:
        here, there = there, here
    expect(here == block, f"coupling '{term.coupling}' leads to '{here}', not to '{block}'")
    constant = coupling.kind == "constant"
    expect(constant == (term.source is None), f"coupling '{term.coupling}' is {coupling.kind}")
    if term.source is not None:
        _expect_field(shapes[term.source], there)


def _local(op: Local, shapes: Shapes, forest: Forest) -> Shape:
    """Likelihoods become fields and back at the border; between them all is fields."""
    block, name = block_of(forest, op.block), op.function.name
    of_prior = name in ("prior_mean", "prior_variance")
    expect(len(op.sources) == 1 + of_prior, f"{name} reads {1 + of_prior} value(s)")
    expect(of_prior == (op.key is not None), f"{name}: a key is for functions of a prior")
    for value in op.sources:
        if name == "log_odds":
            _expect_node(shapes[value], op.block, forest)
        else:
            _expect_field(shapes[value], op.block)
    if name in ("log_odds", "spin_logs"):
        expect(block.states == 2, f"{name} needs two states, '{op.block}' has {block.states}")
    return _node(block) if name == "spin_logs" else _field(block)


def _expect_field(shape: Shape, block: str) -> None:
    if shape.kind != "field" or shape.block != block:
        raise Illegal(f"expected a field of '{block}', got {_said(shape)}")


def _choice(op: Choose, shapes: Shapes, schedule: Schedule) -> Shape:
    """Shape of the chosen states; the parent must be the choice of the parent block."""
    forest = schedule.forest
    block = block_of(forest, op.block)
    _expect_node(shapes[op.below], op.block, forest)
    needed = {"argmax": "max", "sample": "sum"}[op.how]
    expect(schedule.semiring == needed, f"how='{op.how}' needs semiring='{needed}'")
    if op.parent is None:
        expect(op.block not in forest.edges, f"'{op.block}' is no root: it needs a parent")
    else:
        found, wanted = shapes[op.parent], _edge(forest, op.block).parent
        fits = found.kind == "choice" and found.block == wanted
        expect(fits, f"parent: expected the choice of '{wanted}', got {_said(found)}")
    return Shape("choice", op.block, (block.nodes,))


def _result(op: Readout, shapes: Shapes, forest: Forest) -> Shape:
    """Shape of a readout, after checking its sources."""
    found = [shapes[value] for value in op.sources]
    match op.kind:
        case "posterior" | "mean" | "variance" | "unary_counts":
            block = block_of(forest, op.block)
            expect(len(found) == 1, f"{op.kind} reads one belief, got {len(found)} sources")
            if op.kind == "mean" and found[0].kind == "field":
                _expect_field(found[0], op.block)
            else:
                _expect_node(found[0], op.block, forest)
            if op.kind in ("mean", "variance"):
                return Shape("result", op.block, (block.nodes,))
            rows = block.nodes if op.kind == "posterior" else block.unary_rows
            return Shape("result", op.block, (rows, block.states), batched=op.kind == "posterior")
        case "draw" | "code":
            expect(len(found) == 1, f"{op.kind} reads one field, got {len(found)} sources")
            _expect_field(found[0], op.block)
            return Shape("result", op.block, (found[0].nodes,))
        case "log_evidence":
            _check_root_values(op, found, forest)
            return Shape("result", op.block, ())
        case "edge" | "counts":
            edge = _edge(forest, op.block)
            expect(len(found) == 2, f"{op.kind} reads cavity and value below, got {len(found)}")
            _expect_cavity(found[0], edge, forest)
            _expect_node(found[1], op.block, forest)
            parent, child = forest.blocks[edge.parent], forest.blocks[edge.child]
            rows = child.nodes if op.kind == "edge" else edge.rows
            axes = (rows, parent.states, child.states)
            return Shape("result", op.block, axes, batched=op.kind == "edge")
        case _:
            assert_never(op.kind)


def _check_root_values(op: Readout, found: list[Shape], forest: Forest) -> None:
    """The first sources of a log evidence are the root values, one per root; then scales."""
    roots = forest.roots
    expect(op.roots == len(roots), f"roots={op.roots}, but the forest has {len(roots)}")
    expect(len(found) >= op.roots, f"needs {op.roots} root values, got {len(found)} sources")
    for shape, root in zip(found, roots, strict=False):
        _expect_node(shape, root, forest)
    for shape in found[op.roots :]:
        expect(shape.kind == "scale", f"expected a scale after the roots, got {_said(shape)}")


def block_of(forest: Forest, name: str) -> Block:
    """The block of this name, which must exist."""
    if name not in forest.blocks:
        raise Illegal(f"unknown block '{name}'")
    return forest.blocks[name]


def _edge(forest: Forest, child: str) -> Edge:
    """The edge to this child block, which must exist."""
    if child not in forest.edges:
        raise Illegal(f"'{child}' is no edge: it has no parent block")
    return forest.edges[child]


def _node(block: Block) -> Shape:
    return Shape("node", block.name, (block.nodes, block.states))


def _field(block: Block) -> Shape:
    return Shape("field", block.name, (block.nodes, 1))


def _on_edge(kind: Literal["message", "cavity"], edge: Edge, forest: Forest) -> Shape:
    """Messages and cavities have one row per child, with the states of the parent."""
    nodes, states = forest.blocks[edge.child].nodes, forest.blocks[edge.parent].states
    return Shape(kind, edge.child, (nodes, states))


def _expect_node(shape: Shape, block: str, forest: Forest) -> None:
    """A value of ``block``; the message of an only child is one of its parent."""
    if shape.kind == "message":
        edge = forest.edges[shape.block]
        fits = edge.single and edge.parent == block
    else:
        fits = shape.kind == "node" and shape.block == block
    if not fits:
        raise Illegal(f"expected a value of block '{block}', got {_said(shape)}")


def _expect_message(shape: Shape, edge: Edge) -> None:
    """What the children on ``edge`` send to their parents."""
    if shape.kind != "message" or shape.block != edge.child:
        raise Illegal(f"expected the messages of '{edge.child}', got {_said(shape)}")


def _expect_cavity(shape: Shape, edge: Edge, forest: Forest) -> None:
    """What the parents tell the children; with one child each, a value of the parent block."""
    if edge.single and shape.kind == "node":
        _expect_node(shape, edge.parent, forest)
    elif shape.kind != "cavity" or shape.block != edge.child:
        raise Illegal(f"expected what parents tell '{edge.child}', got {_said(shape)}")


def _said(shape: Shape) -> str:
    return f"a {shape.kind} of '{shape.block}' with axes {shape.axes}"
