"""Operations of each instruction, per batch row.

Counted is the meaning, not a backend's tricks: an addition, multiplication, division or
comparison is one operation; an exponential or logarithm is one exp.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from ghmpp.models.forest import Edge, Forest
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
)
from ghmpp.schedule.shapes import Shape, Shapes


class Operations(NamedTuple):
    """Operations, and exponentials or logarithms, of one instruction for one batch row."""

    flops: int
    exps: int


def count_operations(op: Op, shapes: Shapes, schedule: Schedule) -> Operations:
    """Operations of one instruction in the schedule's domain (without one: linear).

    Parameters
    ----------
    op
        An instruction of ``schedule``.
    shapes
        Its :func:`~ghmpp.schedule.shapes.value_shapes`.
    schedule
        A legal schedule.
    """
    log = schedule.domain is not None and schedule.domain.kind == "log"
    out = shapes[op.out]
    match op:
        case Evidence():
            return Operations(0, 0 if log else out.entries)
        case Unary() | Spread():
            return Operations(0, 0)
        case Message(edge=child):
            return _message(op, schedule.forest.edges[child], out, schedule, log=log)
        case Pool(edge=child):
            return Operations((schedule.forest.edges[child].fanout - 1) * out.entries, 0)
        case Exclude(edge=child, context=context):
            fanout = schedule.forest.edges[child].fanout
            return Operations(_exclude(fanout, context is not None, out), 0)
        case Combine(sources=many):
            return Operations(max(0, len(many) - 1) * out.entries, 0)
        case Normalize(scale=scale):
            logs = out.nodes if scale is not None and not log else 0
            return Operations(2 * out.entries - out.nodes, logs)
        case Choose(below=below, how=how):
            entries = shapes[below].entries
            sampled = how == "sample"
            return Operations((3 if sampled else 2) * entries, entries if sampled and log else 0)
        case Readout():
            return _readout(op, out, shapes, log=log)
        case Couple(terms=terms):
            return Operations(sum(_term(term, out, schedule.forest) for term in terms), 0)
        case Local():
            return Operations(out.entries, out.entries)
        case Gate() | Noise():
            return Operations(out.entries * (2 if isinstance(op, Noise) else 1), 0)
        case Repeat(body=body, rounds=rounds):
            inside = [count_operations(each, shapes, schedule) for each in body]
            flops, exps = (sum(counts) for counts in zip(*inside, strict=True))
            return Operations(rounds * flops, rounds * exps)
        case _:
            assert_never(op)


def _term(term: Term, out: Shape, forest: Forest) -> int:
    """Products and sums of one summand."""
    coupling = forest.couplings.get(term.coupling or "")
    if coupling is None:
        return (1 + (term.scale != 1)) * out.entries
    match coupling.kind:
        case "constant":
            return out.entries
        case "diagonal":
            return 2 * out.entries
        case "dense" | "sparse":
            return 2 * int(forest.data[coupling.key].size)


def _message(op: Message, edge: Edge, out: Shape, schedule: Schedule, *, log: bool) -> Operations:
    """Per child S_parent * S_child products and sums; for an index map a gather or a sum.

    In logs, a sum over states is a log-sum-exp with one shift per output.
    """
    parent, child = (schedule.forest.blocks[name].states for name in (edge.parent, edge.child))
    gathers = {"child_of": "root", "parent_of": "leaves"}.get(edge.kind) == op.toward
    if gathers:
        return Operations(0, 0)
    if edge.kind == "gaussian":  # some twenty per component, and one logarithm
        return Operations(20 * out.nodes * child // 3, out.nodes * child // 3)
    terms = {"table": parent * child, "child_of": parent, "parent_of": child}[edge.kind]
    products = terms if edge.kind == "table" else 0
    if not log or schedule.semiring == "max":
        return Operations(out.nodes * (products + terms), 0)
    return Operations(out.nodes * (products + 3 * terms), out.nodes * (terms + out.states))


def _exclude(fanout: int, has_context: bool, out: Shape) -> int:
    """Prefix products, suffix products, and their products, without those with nothing."""
    products = 3 * fanout - 4 if has_context else 3 * fanout - 6
    return max(0, products) * (out.entries // fanout)


def _readout(op: Readout, out: Shape, shapes: Shapes, *, log: bool) -> Operations:
    """Normalise, weigh or sum; in logs with one exponential per entry."""
    first = shapes[op.sources[0]] if op.sources else out
    match op.kind:
        case "posterior" | "unary_counts":
            return Operations((3 if log else 2) * first.entries, first.entries if log else 0)
        case "mean" | "variance":
            return Operations((5 if log else 4) * first.entries, first.entries if log else 0)
        case "log_evidence":
            read = [shapes[value] for value in op.sources]
            roots = sum(shape.entries for shape in read[: op.roots])
            logs = sum(shape.nodes for shape in read[: op.roots])
            scales = sum(shape.entries for shape in read[op.roots :])
            return Operations((3 if log else 1) * roots + scales, logs + (roots if log else 0))
        case "draw" | "code":
            return Operations(0, 0)
        case "edge" | "counts":
            entries = first.nodes * out.states
            return Operations(4 * entries, entries if log else 0)
        case _:
            assert_never(op.kind)
