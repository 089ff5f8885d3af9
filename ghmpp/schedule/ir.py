"""The instructions of a message schedule: immutable, level-batched, straight-line.

Every instruction writes one value (``out``, an integer; ``Normalize`` may write a second, its
scale). The meaning of a value is an array (batch, nodes of its block, states); a message on an
edge has one entry per *child* node, with the states of the receiver:

- ``Message(toward="root")`` reads (batch, children, child states) and writes
  (batch, children, parent states);
- ``Pool`` multiplies the messages of siblings: (batch, parents, parent states);
- ``Exclude`` gives each child the context of its parent times the messages of all siblings but
  its own: (batch, children, parent states);
- ``Message(toward="leaves")`` reads that and writes (batch, children, child states).

Everything is stated as products and sums (sum-product); with ``Schedule.semiring == "max"``
sums over states are maxima. No arrays live in instructions: potentials sit in
``Schedule.forest.data`` by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Literal, TypeAlias

from ghmpp.models.forest import Forest

Value: TypeAlias = int
Direction = Literal["root", "leaves"]
Semiring = Literal["sum", "max"]
ReadoutKind = Literal["posterior", "mean", "log_evidence", "counts", "unary_counts", "edge"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Likelihood of what was observed at the nodes of a block (paper: h^(L))."""

    block: str
    out: Value


@dataclass(frozen=True, slots=True)
class Unary:
    """The unary potential of a block, one row for all nodes or one row per node."""

    block: str
    key: str
    out: Value


@dataclass(frozen=True, slots=True)
class Message:
    """Send through the potential of an edge class: the one instruction that families replace.

    ``edge`` is the name of the child block. Toward the root: ``sum_a psi(s, a) x(a)``;
    toward the leaves: ``sum_s psi(s, a) x(s)`` (paper: f_iota).
    """

    edge: str
    toward: Direction
    source: Value
    out: Value


@dataclass(frozen=True, slots=True)
class Pool:
    """Product of the messages of siblings (paper: the sum over C(v), in logs)."""

    edge: str
    source: Value
    out: Value


@dataclass(frozen=True, slots=True)
class Spread:
    """Copy the value of each parent to its children on an edge."""

    edge: str
    source: Value
    out: Value


@dataclass(frozen=True, slots=True)
class Exclude:
    """Context of the parent times the messages of all siblings but the child's own.

    ``context`` None stands for ones. Computed by prefix and suffix products, never by division.
    """

    edge: str
    context: Value | None
    messages: Value
    out: Value


@dataclass(frozen=True, slots=True)
class Combine:
    """Product of values of one block (paper: the skip connection ``+ h``)."""

    block: str
    sources: tuple[Value, ...]
    out: Value


@dataclass(frozen=True, slots=True)
class Normalize:
    """Divide each node by its largest entry; ``scale`` (if wanted) receives that entry's log."""

    block: str
    source: Value
    out: Value
    scale: Value | None = None


@dataclass(frozen=True, slots=True)
class Choose:
    """State of every node of a block given the choice at its parent: argmax or a sample.

    ``below`` is the block's value from the collect pass; a root has ``parent`` None.
    Writes integers (batch, nodes).
    """

    block: str
    below: Value
    parent: Value | None
    how: Literal["argmax", "sample"]
    out: Value


@dataclass(frozen=True, slots=True)
class Readout:
    """A result, by ``kind``:

    ======================  ==========================================  =======================
    kind                    sources                                     result
    ======================  ==========================================  =======================
    posterior               unnormalised belief of ``block``            (batch, nodes, states)
    mean                    unnormalised belief of ``block``            (batch, nodes)
    log_evidence            root values, then the scales of collect     (batch,)
    edge                    cavity at the parent, value below           (batch, children, parent
                                                                        states, child states)
    counts                  the same two                                expected counts summed
                                                                        over batch and edges that
                                                                        share a table row:
                                                                        (rows, parent, child)
    unary_counts            unnormalised belief of ``block``            (rows, states)
    ======================  ==========================================  =======================

    For ``edge`` and ``counts``, ``block`` is the child block of the edge.
    For ``log_evidence``, ``roots`` says how many of the sources are root values.
    """

    kind: ReadoutKind
    block: str
    sources: tuple[Value, ...]
    out: Value
    roots: int = 0


Op: TypeAlias = (
    Evidence | Unary | Message | Pool | Spread | Exclude | Combine | Normalize | Choose | Readout
)


@dataclass(frozen=True, slots=True)
class Domain:
    """How numbers are kept during a run, and why (the rule of :mod:`ghmpp.schedule.domain`).

    ``kind`` "linear" keeps scaled probabilities, "log" keeps logarithms. ``guarded`` runs also
    carry a bound on what underflow may have lost and repeat rows above ``tolerance`` in logs.
    """

    kind: Literal["linear", "log"]
    dtype: Literal["float32", "float64"]
    guarded: bool
    tolerance: float
    reason: str


@dataclass(frozen=True, repr=False)
class Schedule:
    """A straight-line program over the blocks of a forest.

    Parameters
    ----------
    forest
        Structure and potentials.
    ops
        Instructions; each reads only values written before it.
    outputs
        Value by output key: ``("posterior", block)``, ``("log_evidence", "")``,
        ``("choice", block)``, ... (the kind of a :class:`Readout`, and its block).
    semiring
        "sum" (posteriors) or "max" (most probable configuration).
    domain
        Chosen by :func:`ghmpp.schedule.domain.choose_domain`; None before that pass.
    """

    forest: Forest
    ops: tuple[Op, ...]
    outputs: Mapping[tuple[str, str], Value] = field(default_factory=dict)
    semiring: Semiring = "sum"
    domain: Domain | None = None

    def __str__(self) -> str:
        from ghmpp.schedule.show import report

        return report(self)

    def __repr__(self) -> str:
        wanted = ", ".join(dict.fromkeys(kind for kind, _ in self.outputs))
        return f"Schedule of {self.forest.name!r}: {len(self.ops)} instructions for {wanted}"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def sources(op: Op) -> tuple[Value, ...]:
    """Values that an instruction reads, in order."""
    match op:
        case Evidence() | Unary():
            return ()
        case Message(source=s) | Pool(source=s) | Spread(source=s) | Normalize(source=s):
            return (s,)
        case Exclude(context=context, messages=messages):
            return (messages,) if context is None else (context, messages)
        case Combine(sources=many) | Readout(sources=many):
            return many
        case Choose(below=below, parent=parent):
            return (below,) if parent is None else (below, parent)


def results(op: Op) -> tuple[Value, ...]:
    """Values that an instruction writes."""
    match op:
        case Normalize(out=out, scale=int() as scale):
            return (out, scale)
        case _:
            return (op.out,)
