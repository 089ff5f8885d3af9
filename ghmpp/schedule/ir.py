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

Five instructions work on *fields*, which hold one real number per node, (batch, nodes, 1), and
are added rather than multiplied: ``Couple`` (affine maps between the nodes of blocks), ``Local``
(a function at each node), ``Gate`` (products), ``Noise`` (Gaussian noise) and ``Repeat`` (a
sequence of instructions, again and again). Iterations such as mean field, gradient descent,
Langevin steps and thresholding are schedules of these. A ``Local`` leads from likelihoods to
fields, and another one back, so that evidence and read-outs are the same for all schedules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Literal, TypeAlias

from ghmpp.models.forest import Forest
from ghmpp.schedule.functions import Function

Value: TypeAlias = int
Direction = Literal["root", "leaves"]
Semiring = Literal["sum", "max"]
ReadoutKind = Literal[
    "posterior",
    "mean",
    "variance",
    "log_evidence",
    "counts",
    "unary_counts",
    "edge",
    "draw",
    "code",
]


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
    mean, variance          unnormalised belief of ``block``            (batch, nodes)
    log_evidence            root values, then the scales of collect     (batch,)
    edge                    cavity at the parent, value below           (batch, children, parent
                                                                        states, child states)
    counts                  the same two                                expected counts summed
                                                                        over batch and edges that
                                                                        share a table row:
                                                                        (rows, parent, child)
    unary_counts            unnormalised belief of ``block``            (rows, states)
    draw, code              a field of ``block``                        (batch, nodes)
    ======================  ==========================================  =======================

    For ``edge`` and ``counts``, ``block`` is the child block of the edge. ``mean`` also reads a
    field of a class of real numbers, as it is; ``draw`` is one random sample of such a class, and
    ``code`` its most probable or sparsest value.
    For ``log_evidence``, ``roots`` says how many of the sources are root values.
    """

    kind: ReadoutKind
    block: str
    sources: tuple[Value, ...]
    out: Value
    roots: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of :class:`Couple`: ``scale * A x``.

    ``coupling`` names the linear map A in ``Forest.couplings`` (None: the identity), applied
    the other way round if ``transposed``. Without ``source`` the coupling is a constant field.
    """

    source: Value | None
    coupling: str | None = None
    transposed: bool = False
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Couple:
    """Affine map of fields: the sum of its terms, a field of ``block``."""

    block: str
    terms: tuple[Term, ...]
    out: Value


@dataclass(frozen=True, slots=True)
class Local:
    """A function of what each node of ``block`` has, node by node.

    ``function`` is one of :mod:`ghmpp.schedule.functions`, with its parameters. ``key`` names an
    array of numbers per node in ``Forest.data`` for the functions that need one.
    """

    block: str
    function: Function
    sources: tuple[Value, ...]
    out: Value
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """Product of two fields of ``block``, node by node; ``name`` is that of its layer."""

    block: str
    sources: tuple[Value, Value]
    out: Value
    name: str


@dataclass(frozen=True, slots=True)
class Noise:
    """A field plus ``scale`` times independent standard normal numbers."""

    block: str
    source: Value
    scale: float
    out: Value


@dataclass(frozen=True, slots=True)
class Carry:
    """What :class:`Repeat` hands from one round to the next.

    ``start`` is the value before the first round, ``inside`` its name in the body, ``after``
    what the body has written for the next round, and ``out`` the value after the last.
    """

    start: Value
    inside: Value
    after: Value
    out: Value


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run ``body`` for a number of ``rounds``, at least one; every round has the same weights.

    The body reads values written before the repetition, what is carried, and its own values,
    which exist only inside; all values are numbered together. Results are the ``out`` of what is
    carried, in order; ``out`` is the first, a field of ``block``.
    """

    block: str
    body: tuple[Op, ...]
    rounds: int
    carried: tuple[Carry, ...]

    @property
    def out(self) -> Value:
        """The first result."""
        return self.carried[0].out


Op: TypeAlias = (
    Evidence
    | Unary
    | Message
    | Pool
    | Spread
    | Exclude
    | Combine
    | Normalize
    | Choose
    | Readout
    | Couple
    | Local
    | Gate
    | Noise
    | Repeat
)
FieldOp: TypeAlias = Couple | Local | Gate | Noise | Repeat


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

    @property
    def has_fields(self) -> bool:
        """Whether some instruction works on fields."""
        return any(isinstance(op, FieldOp) for op in self.ops)

    def __str__(self) -> str:
        from ghmpp.schedule.show import report

        return report(self)

    def __repr__(self) -> str:
        wanted = ", ".join(dict.fromkeys(kind for kind, _ in self.outputs))
        return f"Schedule of {self.forest.name!r}: {len(self.ops)} instructions for {wanted}"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
