"""Printed numpy and torch code: one assignment per instruction, in logs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, assert_never

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
    Value,
)

WIDTH = 96
# Axis of the nodes, counted from the end, in what is read out.
NODE_AXIS = {"posterior": -2, "mean": -1, "edge": -3}


def python_code(listing: Listing, language: Literal["numpy", "torch"]) -> str:
    """The source text of a module with one function; see :class:`SymbolicProgram`."""
    return _Python(listing, language).text()


@dataclass
class _Python:
    """Writes one module."""

    listing: Listing
    language: Literal["numpy", "torch"]
    constants: dict[str, str] = field(default_factory=dict)
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def text(self) -> str:
        """The module."""
        listing, module = self.listing, {"numpy": "np", "torch": "torch"}[self.language]
        lines = [*self.inputs(), *self.potentials()]
        for run in listing.runs:
            lines += self.run(run)
        lines.append("return {")
        lines += [f'    "{answer.name}": {self.answer(answer)},' for answer in listing.answers]
        lines.append("}")
        body = textwrap.indent("\n".join(lines), "    ")
        constants = "\n".join(f"{name} = {text}" for name, text in self.constants.items())
        functions = "\n\n\n".join(needed(self.language, constants + body))
        head = f"def {listing.function}({', '.join(self.arguments())}):"
        about = textwrap.indent(f'"""{self.about()}\n"""', "    ")
        imports = "import numpy as np" if module == "np" else "import torch"
        parts = [
            f"{imports}\n\ninf = float('inf')\n{constants}",
            functions,
            f"{head}\n{about}\n{body}",
        ]
        return "\n\n\n".join(part for part in parts if part) + "\n"

    def about(self) -> str:
        """What the function takes and gives."""
        listing, variables = self.listing, self.listing.variables
        lines = [f"Exact inference in {listing.forest.name!r}, in natural logarithms.", ""]
        for name, argument in listing.inputs.items():
            shape = f"(..., {variables[name].nodes}, {len(variables[name].states)})"
            lines.append(f"{argument}: log-likelihoods of {name!r}, {shape} for nodes and states;")
            lines.append("    -inf excludes a state, 0 for all states says nothing.")
        lines += [f"{argument}: the number {name!r}." for name, argument in listing.symbols.items()]
        for each in listing.potentials.values():
            if each.argument:
                lines.append(f"{each.argument}: potential, linear, {each.shape}.")
        lines += ["", "Returns arrays by name:"]
        for answer in listing.answers:
            lines.append(f"{answer.name}: {('..., ' + str(answer.shape)[1:-1]).rstrip(', ')}")
        lines.append("Where the evidence is impossible they are 0, and the log evidence is -inf.")
        return "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")

    def arguments(self) -> list[str]:
        """Names of the arguments, in order."""
        tables = [each.argument for each in self.listing.potentials.values() if each.argument]
        return [*self.listing.inputs.values(), *self.listing.symbols.values(), *tables]

    def inputs(self) -> Iterator[str]:
        """Arguments as float64 arrays, and the shape of the batch."""
        for name in self.arguments():
            if self.language == "numpy":
                yield f"{name} = np.asarray({name}, np.float64)"
            else:
                yield f"{name} = torch.as_tensor({name}, dtype=torch.float64)"
        first = next(iter(self.listing.inputs.values()), None)
        yield "batch = ()" if first is None else f"batch = {first}.shape[:-2]"

    def potentials(self) -> Iterator[str]:
        """Potentials in logs: constants of the module, or functions of the arguments."""
        for each in self.listing.potentials.values():
            if each.logs is not None:
                self.constants[each.name] = self.array(each.logs)
            elif each.argument:
                yield f"{each.name} = log({each.argument})"
            else:
                yield self.formula(each)

    def formula(self, each: Potential) -> str:
        """A stack whose entries are formulas."""
        assert each.index is not None
        printer = Printer(self.language, self.listing.symbols)
        entries = ", ".join(map(printer.log, each.entries))
        at = self.constant(f"at_{each.name}", each.index)
        return f"{each.name} = pick([{entries}], {at})"

    def constant(self, wish: str, array: AnyArray) -> str:
        """The name of a constant of the module; equal ones are written once."""
        text = self.array(array)
        if (wish, text) not in self.known:
            name = self.known[wish, text] = self.listing.names.new(wish)
            self.constants[name] = text
        return self.known[wish, text]

    def array(self, array: AnyArray) -> str:
        """An array that is exactly this one."""
        kind = "float64" if array.dtype.kind == "f" else "int64"
        text = "\n    ".join(textwrap.wrap(str(array.tolist()), WIDTH))
        if self.language == "numpy":
            return f"np.array(\n    {text},\n    np.{kind},\n)"
        return f"torch.tensor(\n    {text},\n    dtype=torch.{kind},\n)"

    def run(self, run: Run) -> Iterator[str]:
        """One line per instruction, under its equation."""
        for op, comment in run:
            yield f"# {comment}"
            yield f"{run.names[op.out]}{self.assigned(op, run)}"
        if not run.observed:
            yield f"log_partition = {run.names[run.schedule.ops[-1].out]}"

    def assigned(self, op: Op, run: Run) -> str:
        """What follows the name of the value that an instruction writes."""
        if isinstance(op, Normalize) and op.scale is not None:
            return f", {run.names[op.scale]} = normalize({run.names[op.source]})"
        return f" = {self.right(op, run)}"

    def right(self, op: Op, run: Run) -> str:
        """The right-hand side of an instruction."""
        forest, names, batch = self.listing.forest, run.names, "batch" if run.observed else "()"
        match op:
            case Evidence():
                return self.evidence(op)
            case Unary(block=name, key=key):
                block = forest.blocks[name]
                table = self.listing.potentials[key].name
                return self.repeated(table, batch, (block.nodes, block.states))
            case Message():
                return self.message(op, names[op.source])
            case Pool(edge=edge, source=source):
                return f"{self.siblings(forest.edges[edge], names[source])}.sum(-2)"
            case Spread(edge=edge, source=source):
                return self.spread(forest.edges[edge], names[source])
            case Exclude(edge=edge, context=context, messages=messages):
                above = None if context is None else names[context]
                return self.exclude(forest.edges[edge], names[messages], above)
            case Combine(block=name, sources=()):
                block = forest.blocks[name]
                zero = "np.zeros(1)" if self.language == "numpy" else "torch.zeros(1).double()"
                return self.repeated(zero, batch, (block.nodes, block.states))
            case Combine(sources=sources):
                return " + ".join(names[source] for source in sources)
            case Normalize(source=source):
                return f"normalize({names[source]})[0]"
            case Readout():
                return self.readout(op, run)
            case Choose():
                raise QueryError("printed code: choices are not printed.")
            case Couple() | Local() | Gate() | Noise() | Repeat():
                refuse_fields()
            case _:
                assert_never(op)

    def repeated(self, array: str, batch: str, axes: tuple[int, int]) -> str:
        """An array broadcast to the shape of a value."""
        module = "np" if self.language == "numpy" else "torch"
        shape = f"(*{batch}, {axes[0]}, {axes[1]})" if batch != "()" else str(axes)
        return f"{module}.broadcast_to({array}, {shape})"

    def evidence(self, op: Evidence) -> str:
        """The rows of an argument, or of several."""
        block = self.listing.forest.blocks[op.block]
        rows = self.listing.rows(block)
        if isinstance(rows, tuple):
            argument, index = rows
            first, last = int(index[0]), int(index[-1]) + 1
            if (index == np.arange(first, last)).all() if last - first == len(index) else False:
                whole = block.nodes == self.listing.forest.variables[block.variable].nodes
                return argument if whole else f"{argument}[..., {first}:{last}, :]"
            return f"{argument}[..., {self.constant(f'rows_{argument}', index)}, :]"
        nothing = self.repeated("np.zeros(1)", "batch", (1, block.states))
        if self.language == "torch":
            nothing = self.repeated("torch.zeros(1).double()", "batch", (1, block.states))
        parts = [nothing if row is None else row[0] for row in rows]
        return parts[0] if len(parts) == 1 else f"{self.join}([{', '.join(parts)}], -2)"

    @property
    def join(self) -> str:
        return "np.concatenate" if self.language == "numpy" else "torch.cat"

    def message(self, op: Message, source: str) -> str:
        """Through a table or an index map."""
        edge, upward = self.listing.forest.edges[op.edge], op.toward == "root"
        if edge.kind == "table":
            table = self.listing.potentials[edge.key].name
            return f"send({source}, {table if upward else f'{table}.swapaxes(-1, -2)'})"
        index = self.constant(f"index_{edge.key}", self.listing.forest.data[edge.key])
        if (edge.kind == "child_of") == upward:
            return f"gather({source}, {index})"
        receiver = self.listing.forest.blocks[edge.parent if upward else edge.child]
        return f"segments({source}, {index}, {receiver.states})"

    def siblings(self, edge: Edge, source: str) -> str:
        """Values of children by parent."""
        if edge.parents is None:
            return f"by_parent({source}, {edge.fanout})"
        return f"by_slot({source}, {self.slots(edge)})"

    def slots(self, edge: Edge) -> str:
        return self.constant(f"slots_{edge.child}", self.listing.forest.slots(edge))

    def spread(self, edge: Edge, source: str) -> str:
        """Values of the parents."""
        if edge.single:
            return source
        above = self.listing.forest.parent_nodes(edge)
        return f"{source}[..., {self.constant(f'parents_{edge.child}', above)}, :]"

    def exclude(self, edge: Edge, messages: str, context: str | None) -> str:
        """Context plus messages of all other siblings."""
        told = f"others({self.siblings(edge, messages)})"
        if context is not None:
            told = f"{context}[..., :, None, :] + {told}"
        if edge.parents is None:
            return f"back({told})"
        slots = self.listing.forest.slots(edge).ravel()
        place = np.argsort(np.where(slots < 0, len(slots), slots), kind="stable")
        found = self.constant(f"places_{edge.child}", place[: int((slots >= 0).sum())])
        return f"back({told})[..., {found}, :]"

    def readout(self, op: Readout, run: Run) -> str:
        """A result of one block."""
        names, forest = run.names, self.listing.forest
        match op.kind:
            case "posterior":
                return f"shares({names[op.sources[0]]})"
            case "mean":
                variable = forest.variables[forest.blocks[op.block].variable]
                values = np.asarray(variable.values, np.float64)
                name = self.constant(f"values_{variable.name}", values)
                return f"shares({names[op.sources[0]]}) @ {name}"
            case "edge":
                above, below = (names[source] for source in op.sources)
                return f"joint({above}, {self.table(forest.edges[op.block])}, {below})"
            case "log_evidence":
                return self.mass(op.sources, op.roots, run)
            case _:
                raise QueryError(f"printed code: {op.kind} are sums over a batch; not printed.")

    def mass(self, sources: tuple[Value, ...], roots: int, run: Run) -> str:
        """Sum over nodes of the logs of root values and of scales."""
        totals = [f"logsumexp({run.names[value]}).sum(-1)" for value in sources[:roots]]
        return " + ".join([*totals, *(f"{run.names[value]}.sum(-1)" for value in sources[roots:])])

    def table(self, edge: Edge) -> str:
        """A potential in logs; of an index map, 0 and -inf."""
        if edge.kind == "table":
            return self.listing.potentials[edge.key].name
        return self.constant(f"log_{edge.key}", log_tables(self.listing.forest, edge))

    def answer(self, answer: Answer) -> str:
        """An answer in the user's order of nodes."""
        names = self.listing.runs[-1].names
        if answer.kind == "log_evidence":
            total = "log_partition" if self.listing.total is None else repr(self.listing.total)
            return f"{names[answer.parts[0].value]} - {total}"
        after = ", :" * (-1 - NODE_AXIS[answer.kind])
        found = []
        for part in answer.parts:
            rows = "" if part.rows is None else f"[..., {part.rows.tolist()}{after}]"
            found.append(names[part.value] + rows)
        axis = NODE_AXIS[answer.kind]
        whole = found[0] if len(found) == 1 else f"{self.join}([{', '.join(found)}], {axis})"
        order = np.argsort(np.concatenate([part.at for part in answer.parts]))
        if (order == np.arange(len(order))).all():
            return whole
        return f"{whole}[..., {self.constant(f'order_{answer.name}', order)}{after}]"
