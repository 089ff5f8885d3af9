"""Printed C: one function in C99, with libm only; small loops over the nodes of each level."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import assert_never

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.backends.symbolic_names import refuse_fields
from ghmpp.backends.symbolics.expressions import Printer
from ghmpp.backends.symbolics.functions import needed
from ghmpp.backends.symbolics.listing import Answer, Listing, Potential, Run, log_tables
from ghmpp.errors import QueryError
from ghmpp.models.forest import Edge
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
    Spread,
    Unary,
)
from ghmpp.schedule.shapes import Shape, value_shapes

WIDTH = 96


def c_code(listing: Listing) -> str:
    """The source text of a C file with one function; see :class:`SymbolicProgram`."""
    return _C(listing).text()


@dataclass
class _C:
    """Writes one file."""

    listing: Listing
    constants: dict[str, str] = field(default_factory=dict)
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    room: dict[str, int] = field(default_factory=dict)
    printer: Printer = field(init=False)

    def __post_init__(self) -> None:
        self.printer = Printer("C", self.listing.symbols)

    def text(self) -> str:
        """The file."""
        listing = self.listing
        outputs = {
            answer.name: listing.names.new(f"out_{answer.name}") for answer in listing.answers
        }
        lines = list(self.potentials())
        for run in listing.runs:
            lines += self.run(run)
        for answer in listing.answers:
            lines += self.answer(answer, outputs[answer.name])
        lines = [*self.workspace(), *lines, "free(work);", "return 0;"]
        used = set(re.findall(r"\w+", "\n".join(lines)))
        unused = [f"(void){name};" for name in listing.inputs.values() if name not in used]
        body = textwrap.indent("\n".join([*unused, *lines]), "    ")
        functions = "\n\n".join(needed("C", body))
        head = f"int {listing.function}({', '.join(self.arguments(outputs)) or 'void'})"
        parts = [
            f"/* {self.about(outputs)} */",
            "#include <math.h>\n#include <stdlib.h>",
            functions,
            "\n".join(self.constants.values()),
            f"{head}\n{{\n{body}\n}}",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def about(self, outputs: dict[str, str]) -> str:
        """What the function takes and gives."""
        listing, variables = self.listing, self.listing.variables
        lines = [f"Exact inference in {listing.forest.name!r}, in natural logarithms.", ""]
        for name, argument in listing.inputs.items():
            shape = f"[{variables[name].nodes}][{len(variables[name].states)}]"
            lines.append(f"{argument}: log-likelihoods of {name!r}, {shape} for nodes and states;")
            lines.append("    -INFINITY excludes a state, 0 for all states says nothing.")
        lines += [f"{argument}: the number {name!r}." for name, argument in listing.symbols.items()]
        for each in listing.potentials.values():
            if each.argument:
                lines.append(f"{each.argument}: potential, linear, {_axes(each.shape)}.")
        lines += [
            f"{outputs[each.name]}: {_axes(each.shape) or '[1]'}." for each in listing.answers
        ]
        lines.append("Where the evidence is impossible they are 0, the log evidence is -INFINITY.")
        lines.append("Returns 0, or 1 if there is not enough memory.")
        return "\n   ".join(lines).replace("*/", "* /").replace("\n   \n", "\n\n")

    def arguments(self, outputs: dict[str, str]) -> list[str]:
        """Declarations of the arguments, in order."""
        listing = self.listing
        tables = [each.argument for each in listing.potentials.values() if each.argument]
        return [
            *(f"const double *{name}" for name in listing.inputs.values()),
            *(f"double {name}" for name in listing.symbols.values()),
            *(f"const double *{name}" for name in tables),
            *(f"double *{name}" for name in outputs.values()),
        ]

    def workspace(self) -> Iterator[str]:
        """Memory for all values."""
        total, offset = sum(self.room.values()), 0
        yield f"double *work = malloc({max(total, 1)} * sizeof(double));"
        yield "if (work == NULL) return 1;"
        for name, size in self.room.items():
            yield f"double *{name} = work + {offset};"
            offset += size

    def potentials(self) -> Iterator[str]:
        """Potentials in logs: constants, or functions of the arguments."""
        for each in self.listing.potentials.values():
            if each.logs is not None:
                self.constants[each.name] = self.array(each.name, each.logs)
                continue
            self.room[each.name] = prod(each.shape)
            if each.argument:
                yield f"logs({prod(each.shape)}, {each.argument}, {each.name});"
            else:
                yield from self.formula(each)

    def formula(self, each: Potential) -> Iterator[str]:
        """A stack whose entries are formulas."""
        assert each.index is not None
        entries = ", ".join(map(self.printer.log, each.entries))
        at = self.constant(f"at_{each.name}", each.index)
        yield f"const double entries_{each.name}[] = {{{entries}}};"
        yield f"pick({each.index.size}, {at}, entries_{each.name}, {each.name});"

    def constant(self, wish: str, array: AnyArray) -> str:
        """The name of a constant; equal ones are written once."""
        text = self.array("", array)
        if (wish, text) not in self.known:
            name = self.known[wish, text] = self.listing.names.new(wish)
            self.constants[name] = self.array(name, array)
        return self.known[wish, text]

    def array(self, name: str, array: AnyArray) -> str:
        """A constant array that is exactly this one."""
        exact = array.dtype.kind == "f"
        numbers = ", ".join(map(self.printer.number if exact else str, array.ravel().tolist()))
        text = "\n".join(textwrap.wrap(numbers, WIDTH))
        kind = "double" if exact else "int"
        return (
            f"static const {kind} {name}[{array.size}] = {{\n{textwrap.indent(text, '    ')}\n}};"
        )

    def run(self, run: Run) -> Iterator[str]:
        """One statement per instruction, under its equation."""
        shapes = value_shapes(run.schedule)
        for op, comment in run:
            yield f"/* {comment} */"
            name, shape = run.names[op.out], shapes[op.out]
            if isinstance(op, Readout) and op.kind == "log_evidence":
                yield f"double {name} = {self.mass(op, run)};"
                continue
            self.room[name] = max(shape.entries, 1)
            if isinstance(op, Normalize) and op.scale is not None:
                self.room[run.names[op.scale]] = shape.nodes
            yield from self.statement(op, run, shape, name)

    def statement(self, op: Op, run: Run, shape: Shape, out: str) -> Iterator[str]:
        """The statement of one instruction."""
        forest, names = self.listing.forest, run.names
        match op:
            case Evidence():
                yield from self.evidence(op, out)
            case Unary(key=key):
                table = self.listing.potentials[key]
                size = f"[i % {prod(table.shape)}]" if prod(table.shape) < shape.entries else "[i]"
                yield _loop(shape.entries, out, table.name + size)
            case Message(source=source):
                yield self.message(op, names[source], shape.nodes, out)
            case Pool(edge=edge, source=source):
                nodes = forest.blocks[edge].nodes
                above = f"{self.above(forest.edges[edge])}, {shape.nodes}"
                yield f"pool({nodes}, {shape.states}, {above}, {names[source]}, {out});"
            case Spread(edge=edge, source=source):
                above = self.above(forest.edges[edge])
                yield f"spread({shape.nodes}, {shape.states}, {above}, {names[source]}, {out});"
            case Exclude():
                yield self.exclude(op, run, shape, out)
            case Combine(sources=sources):
                right = " + ".join(f"{names[source]}[i]" for source in sources)
                yield _loop(shape.entries, out, right or "0.0")
            case Normalize(source=source, scale=scale):
                to = f"{out}, {'NULL' if scale is None else names[scale]}"
                yield f"normalize({shape.nodes}, {shape.states}, {names[source]}, {to});"
            case Readout():
                yield self.readout(op, run, shape, out)
            case Choose():
                raise QueryError("printed code: choices are not printed.")
            case Couple() | Local() | Gate() | Noise() | Repeat():
                refuse_fields()
            case _:
                assert_never(op)

    def evidence(self, op: Evidence, out: str) -> Iterator[str]:
        """Rows of an argument, or of several."""
        block = self.listing.forest.blocks[op.block]
        rows, size = self.listing.rows(block), block.states
        if isinstance(rows, tuple):
            argument, index = rows
            first = int(index[0])
            if (index == np.arange(first, first + len(index))).all():
                yield f"take({block.nodes}, {size}, NULL, {_at(argument, first * size)}, {out});"
            else:
                at = self.constant(f"rows_{argument}", index)
                yield f"take({block.nodes}, {size}, {at}, {argument}, {out});"
            return
        for node, row in enumerate(rows):
            if row is None:
                yield _loop(size, f"({out} + {node * size})", "0.0")
            else:
                yield f"take(1, {size}, NULL, {row[0]}, {_at(out, node * size)});"

    def message(self, op: Message, source: str, nodes: int, out: str) -> str:
        """Through a table or an index map."""
        forest = self.listing.forest
        edge, upward = forest.edges[op.edge], op.toward == "root"
        parents, states = forest.blocks[edge.parent].states, forest.blocks[edge.child].states
        receivers, senders = (parents, states) if upward else (states, parents)
        sizes = f"{nodes}, {edge.rows}, {receivers}, {senders}"
        if edge.kind == "table":
            strides = f"{states}, 1" if upward else f"1, {states}"
            table = self.listing.potentials[edge.key].name
            return f"send({sizes}, {strides}, {table}, {source}, {out});"
        index = self.constant(f"index_{edge.key}", forest.data[edge.key])
        function = "gather" if (edge.kind == "child_of") == upward else "segments"
        return f"{function}({sizes}, {index}, {source}, {out});"

    def above(self, edge: Edge) -> str:
        """How the parent of a child is found."""
        if edge.parents is None:
            return f"{edge.fanout}, NULL"
        parents = self.constant(f"parents_{edge.child}", self.listing.forest.parent_nodes(edge))
        return f"{edge.fanout}, {parents}"

    def exclude(self, op: Exclude, run: Run, shape: Shape, out: str) -> str:
        """Context plus messages of all other siblings."""
        edge = self.listing.forest.edges[op.edge]
        parents = self.listing.forest.blocks[edge.parent].nodes
        running = self.listing.names.new(f"run_{out}")
        self.room[running] = parents * shape.states
        context = "NULL" if op.context is None else run.names[op.context]
        sizes = f"{shape.nodes}, {shape.states}, {self.above(edge)}, {parents}"
        return f"exclude({sizes}, {context}, {run.names[op.messages]}, {running}, {out});"

    def readout(self, op: Readout, run: Run, shape: Shape, out: str) -> str:
        """A result of one block."""
        forest, names = self.listing.forest, run.names
        block = forest.blocks[op.block]
        match op.kind:
            case "posterior":
                return f"shares({block.nodes}, {block.states}, {names[op.sources[0]]}, {out});"
            case "mean":
                variable = forest.variables[block.variable]
                values = np.asarray(variable.values, np.float64)
                name = self.constant(f"values_{variable.name}", values)
                sizes = f"{block.nodes}, {block.states}"
                return f"mean({sizes}, {name}, {names[op.sources[0]]}, {out});"
            case "edge":
                edge = forest.edges[op.block]
                above, below = (names[source] for source in op.sources)
                sizes = f"{shape.nodes}, {edge.rows}, {shape.axes[1]}, {shape.axes[2]}"
                return f"joint({sizes}, {above}, {self.table(edge)}, {below}, {out});"
            case _:
                raise QueryError(f"printed code: {op.kind} are sums over a batch; not printed.")

    def mass(self, op: Readout, run: Run) -> str:
        """Sum over nodes of the logs of root values and of scales."""
        shapes = value_shapes(run.schedule)
        terms = []
        for position, value in enumerate(op.sources):
            name, shape = run.names[value], shapes[value]
            root = position < op.roots
            sizes = f"{shape.nodes}, {shape.states}" if root else f"{shape.nodes}"
            terms.append(f"{'total' if root else 'added'}({sizes}, {name})")
        return " + ".join(terms)

    def table(self, edge: Edge) -> str:
        """A potential in logs; of an index map, 0 and -INFINITY."""
        if edge.kind == "table":
            return self.listing.potentials[edge.key].name
        return self.constant(f"log_{edge.key}", log_tables(self.listing.forest, edge))

    def answer(self, answer: Answer, out: str) -> Iterator[str]:
        """An answer in the user's order of nodes."""
        names = self.listing.runs[-1].names
        if answer.kind == "log_evidence":
            if self.listing.total is None:
                bare = self.listing.runs[0]
                total = bare.names[bare.schedule.ops[-1].out]
            else:
                total = self.printer.number(self.listing.total)
            yield f"*{out} = {names[answer.parts[0].value]} - {total};"
            return
        width = prod(answer.shape[1:])
        for part in answer.parts:
            source, nodes = names[part.value], len(part.at)
            if part.rows is not None:
                source = _at(source, int(part.rows[0]) * width)
            first = int(part.at[0])
            if (part.at == np.arange(first, first + nodes)).all():
                yield f"put({nodes}, {width}, NULL, {source}, {_at(out, first * width)});"
            else:
                at = self.constant(f"order_{answer.name}", part.at)
                yield f"put({nodes}, {width}, {at}, {source}, {out});"


def _loop(size: int, out: str, right: str) -> str:
    return f"for (long i = 0; i < {size}; i++) {out}[i] = {right};"


def _at(name: str, offset: int) -> str:
    return f"{name} + {offset}" if offset else name


def _axes(shape: tuple[int, ...]) -> str:
    return "".join(f"[{size}]" for size in shape)
