"""One equation per instruction, in natural logarithms, for any node or for a given one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from ghmpp.backends.symbolic_names import potential_names, refuse_fields
from ghmpp.backends.symbolics.letters import Letters, letters
from ghmpp.backends.symbolics.styles import Latex, Place, Style, Text, added
from ghmpp.models.forest import Forest
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
from ghmpp.schedule.provenance import Provenance, phases, provenance
from ghmpp.schedule.shapes import Shape, value_shapes

ANY = Place()


@dataclass(frozen=True, slots=True)
class Equation:
    """What one instruction assigns to every node, in natural logarithms.

    Parameters
    ----------
    name
        What is assigned, such as ``u_pixel``: entry ``u_pixel[v, s]`` is node v, state s. Names
        are those of :class:`~ghmpp.backends.symbolic.Assignment`.
    symbol
        The paper's symbol.
    op
        The instruction.
    origin
        Message, equation of the paper, level and module.
    nodes
        How many nodes it is assigned for; 1 for the log evidence.
    """

    name: str
    symbol: str
    op: Op
    origin: Provenance
    nodes: int
    _writer: Writer

    @property
    def text(self) -> str:
        """The equation for any node ``v``, states ``s`` and ``a``."""
        return self._writer.text(self.op, ANY)

    @property
    def formula(self) -> str:
        """The right-hand side of :attr:`text`."""
        return self.text.split(" = ", 1)[1]

    @property
    def latex(self) -> str:
        """The equation in LaTeX (math mode) with the paper's symbols, for any node."""
        return self._writer.tex(self.op, ANY)

    def at(self, node: int) -> str:
        """The equation of one node (tree order in its block), neighbours named by number."""
        return self._writer.text(self.op, self._writer.place(self.op, node))

    def latex_at(self, node: int) -> str:
        """As :meth:`at`, in LaTeX."""
        return self._writer.tex(self.op, self._writer.place(self.op, node))

    def __str__(self) -> str:
        return self.text


def equations(schedule: Schedule) -> tuple[Equation, ...]:
    """The equations of a legal schedule, in its order.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])
    >>> program = gh.compile(model, gh.posterior("x0"), given="x1")
    >>> for equation in equations(program.schedule):
    ...     print(equation)
    l_x1[v, s] = log p(observation v | s)
    u_x1[v, s] = logsumexp_a(log psi_x0_x1[0, s, a] + l_x1[v, a])
    p_x1[v, s] = sum over children of v: u_x1[v', s]
    posterior_x0[v] = softmax(p_x1[v])
    >>> print(equations(program.schedule)[1].at(1))
    u_x1_1[s] = logsumexp_a(log psi_x0_x1[0, s, a] + l_x1_1[a])
    """
    named, shapes = letters(schedule), value_shapes(schedule)
    writer = Writer(schedule.forest, named, Text(named.names, potential_names(schedule.forest)))
    return tuple(
        Equation(
            named.names[op.out],
            named.symbols[op.out],
            op,
            provenance(op, schedule.forest, phase=phase),
            _nodes(shapes[op.out]),
            writer,
        )
        for op, phase in zip(schedule.ops, phases(schedule), strict=True)
    )


def _nodes(shape: Shape) -> int:
    return shape.nodes if shape.batched else 1


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes equations of one schedule."""

    forest: Forest
    letters: Letters
    plain: Text

    def text(self, op: Op, place: Place) -> str:
        """An equation as text."""
        return " = ".join(self.sides(op, place, self.plain))

    def tex(self, op: Op, place: Place) -> str:
        """An equation in LaTeX."""
        return " = ".join(self.sides(op, place, Latex(self.letters)))

    def place(self, op: Op, node: int) -> Place:
        """A node of the block that an instruction writes, and its neighbours."""
        match op:
            case Pool():
                row = self.forest.slots(self.forest.edges[op.edge])[node]
                return Place(str(node), "", node, tuple(map(int, row[row >= 0])))
            case Spread() | Exclude():
                above = self.forest.parent_nodes(self.forest.edges[op.edge])
                others = np.flatnonzero(above == above[node])
                siblings = tuple(int(k) for k in others if k != node)
                return Place(str(node), str(above[node]), node, siblings)
            case Readout(kind="log_evidence"):
                return ANY
            case _:
                return Place(str(node), "", node)

    def sides(self, op: Op, place: Place, style: Style) -> Iterator[str]:
        """Left-hand and right-hand side of an equation."""
        match op:
            case Readout():
                states: tuple[str, ...] = ()
            case Message(toward="leaves"):
                states = ("a",)
            case _:
                states = ("s",)
        node = "" if isinstance(op, Readout) and op.kind == "log_evidence" else place.node
        yield style.value(op.out, node, *states)
        yield self.right(op, place, style)

    def right(self, op: Op, place: Place, style: Style) -> str:
        """The right-hand side: the definition of each instruction, in logs."""
        blocks, node = self.forest.blocks, place.node
        match op:
            case Evidence():
                return style.likelihood(node)
            case Unary(block=block):
                return style.log(style.unary(blocks[block], place, "s"))
            case Message():
                return self.message(op, place, style)
            case Pool(source=source):
                return self.summed("children", node, source, place, style)
            case Spread(source=source):
                return style.value(source, place.parent, "s")
            case Exclude(context=context, messages=messages):
                told = [] if context is None else [style.value(context, place.parent, "s")]
                if place.number is None or place.nodes:
                    told.append(self.summed("siblings", node, messages, place, style))
                return added(told)
            case Combine(sources=many):
                return added([style.value(source, node, "s") for source in many])
            case Normalize(source=source):
                entry = style.value(source, node, "s")
                return f"{entry} - {style.largest(entry)}"
            case Choose(below=below):
                return style.largest(style.value(below, node, "s"))
            case Readout():
                return self.readout(op, place, style)
            case Couple() | Local() | Gate() | Noise() | Repeat():
                refuse_fields()
            case _:
                assert_never(op)

    def message(self, op: Message, place: Place, style: Style) -> str:
        """Through a table, or through an index map: a look-up one way, a sum the other."""
        edge = self.forest.edges[op.edge]
        sent, received = ("a", "s") if op.toward == "root" else ("s", "a")
        body = style.value(op.source, place.node, sent)
        if edge.kind == "table":
            return style.through(sent, style.table(edge, place), body)
        if (edge.kind == "child_of") == (op.toward == "root"):
            return style.value(op.source, place.node, style.index(edge, place, received))
        return style.segment(sent, (style.index(edge, place, sent), received), body)

    def summed(self, which: str, node: str, source: Value, place: Place, style: Style) -> str:
        """Sum of messages over children or siblings."""
        if place.number is None:
            return style.over(which, node, style.value(source, "v'", "s"))
        return added([style.value(source, str(k), "s") for k in place.nodes])

    def readout(self, op: Readout, place: Place, style: Style) -> str:
        """Results, from beliefs in logs."""
        node = place.node
        match op.kind:
            case "posterior":
                return style.softmax(style.value(op.sources[0], node))
            case "mean":
                return style.mean(style.softmax(style.value(op.sources[0], node)))
            case "log_evidence":
                roots = [style.total(style.value(v, "v", "s")) for v in op.sources[: op.roots]]
                scales = [style.value(value, "v") for value in op.sources[op.roots :]]
                return added([style.over("nodes", "", each) for each in roots + scales])
            case "edge" | "counts":
                above, below = op.sources
                edge = self.forest.edges[op.block]
                joint = [style.value(above, node, "s"), style.value(below, node, "a")]
                if edge.kind == "table":
                    joint.insert(1, style.log(style.table(edge, place)))
                return style.softmax(added(joint))
            case "unary_counts":
                return style.over("nodes", "", style.softmax(style.value(op.sources[0], "v")))
            case "variance" | "draw" | "code":
                refuse_fields()
            case _:
                assert_never(op.kind)
