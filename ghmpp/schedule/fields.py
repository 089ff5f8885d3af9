"""Write schedules of fields: values are numbered, and repetitions are written as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest
from ghmpp.schedule.functions import Function, FunctionName
from ghmpp.schedule.ir import (
    Carry,
    Couple,
    Evidence,
    Gate,
    Local,
    Noise,
    Op,
    Readout,
    ReadoutKind,
    Repeat,
    Schedule,
    Term,
    Value,
)


@dataclass
class FieldBuilder:
    """Instructions on the blocks of a forest, one after the other.

    Every method but :meth:`schedule` adds an instruction and returns the value that it writes.

    Parameters
    ----------
    forest
        Blocks, couplings and their numbers.

    Examples
    --------
    Ten rounds of ``m = tanh(A m + a)`` for spins that are seen in noise:

    >>> import numpy as np
    >>> from ghmpp.models.forest import Block, Coupling, VariableClass
    >>> forest = Forest(
    ...     "two spins",
    ...     {"x": VariableClass("x", (-1, 1), np.array([-1.0, 1.0]), 2, ("x",))},
    ...     {"x": Block("x", "x", 0, 2, 2)},
    ...     {},
    ...     {"A": np.array([[0.0, 0.3], [0.3, 0.0]])},
    ...     couplings={"A": Coupling("A", "x", "x", "A")},
    ... )
    >>> build = FieldBuilder(forest)
    >>> a = build.local("x", "log_odds", build.evidence("x"))
    >>> def step(m):
    ...     return [build.local("x", "tanh", build.couple("x", Term(m, "A"), a))]
    >>> (m,) = build.repeat(10, [build.zero("x")], step)
    >>> logs = build.local("x", "spin_logs", build.local("x", "atanh", m))
    >>> build.schedule([build.readout("mean", "x", logs)])
    Schedule of 'two spins': 7 instructions for mean
    """

    forest: Forest
    ops: list[Op] = field(default_factory=list)
    blocks: dict[Value, str] = field(default_factory=dict)
    fresh: Value = 0
    gates: int = 0

    def evidence(self, block: str) -> Value:
        """What was observed of a block: log-likelihoods, or the numbers of a real class."""
        return self._add(Evidence(block, self._new()))

    def couple(self, block: str, *terms: Term | Value) -> Value:
        """Sum of terms; a bare value stands for itself."""
        whole = tuple(term if isinstance(term, Term) else Term(term) for term in terms)
        return self._add(Couple(block, whole, self._new()))

    def zero(self, block: str) -> Value:
        """A field of zeros."""
        return self.couple(block)

    def local(
        self,
        block: str,
        name: FunctionName,
        *sources: Value,
        parameter: float = 0.0,
        key: str | None = None,
    ) -> Value:
        """A function at every node."""
        return self._add(Local(block, Function(name, parameter), sources, self._new(), key))

    def gate(self, block: str, first: Value, second: Value) -> Value:
        """Product of two fields."""
        self.gates += 1
        return self._add(Gate(block, (first, second), self._new(), f"{block} {self.gates}"))

    def noise(self, block: str, source: Value, scale: float) -> Value:
        """A field plus Gaussian noise of this standard deviation."""
        return self._add(Noise(block, source, scale, self._new()))

    def repeat(
        self, rounds: int, start: Sequence[Value], body: Callable[..., Sequence[Value]]
    ) -> list[Value]:
        """Rounds of ``body``, which gets the carried values and returns them for the next round.

        Without rounds nothing is added, and the start values are the result.
        """
        if rounds < 1:
            return list(start)
        outer, self.ops = self.ops, []
        inside = [self._new() for _ in start]
        self.blocks.update(zip(inside, (self.blocks[value] for value in start), strict=True))
        after = body(*inside)
        written, self.ops = tuple(self.ops), outer
        out = [self._new() for _ in start]
        carried = tuple(Carry(*values) for values in zip(start, inside, after, out, strict=True))
        first = self.blocks[start[0]]
        self.ops.append(Repeat(first, written, rounds, carried))
        self.blocks.update(zip(out, (self.blocks[value] for value in start), strict=True))
        return out

    def readout(self, kind: ReadoutKind, block: str, source: Value) -> Value:
        """A result, which the schedule gives when it is passed to :meth:`schedule`."""
        return self._add(Readout(kind, block, (source,), self._new()))

    def schedule(self, outputs: Sequence[Value]) -> Schedule:
        """The schedule of what was written, with these readouts as outputs."""
        written = {op.out: op for op in self.ops if isinstance(op, Readout)}
        keys: dict[tuple[str, str], Value] = {
            (written[out].kind, written[out].block): out for out in outputs
        }
        return Schedule(self.forest, tuple(self.ops), keys)

    def _new(self) -> Value:
        self.fresh += 1
        return self.fresh - 1

    def _add(self, op: Couple | Evidence | Gate | Local | Noise | Readout) -> Value:
        self.ops.append(op)
        self.blocks[op.out] = op.block
        return op.out


def require_count(engine: str, name: str, count: object, *, least: int = 1) -> None:
    """Refuse an option of an engine that is no whole number from ``least`` on.

    Raises
    ------
    QueryError
        With the name and the value.
    """
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
        raise QueryError(f"{engine}: {name} must be a whole number >= {least}, got {count!r}.")
