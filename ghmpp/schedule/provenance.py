"""Where each instruction comes from: its message, its equation in the paper, its level, its module.

Equation names are those of [1]_: (MP-CLS) and (MP-DNS) are the message passing forms, in logs, of
the belief propagation (BP-CLS) and (BP-DNS), in probabilities. The same instruction stands for
either; the run's domain decides.

References
----------
.. [1] S. Mei, U-Nets as Belief Propagation, arXiv:2404.18444, equations (5), (MP-CLS), (MP-DNS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Couple,
    Direction,
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
    ReadoutKind,
    Repeat,
    Schedule,
    Spread,
    Unary,
    Value,
)
from ghmpp.schedule.values import results, sources

Phase = Literal["collect", "distribute", "readout"]
Cited: TypeAlias = tuple[str | None, str]

BOTH = "(MP-CLS), (MP-DNS)"
DENOISE = "(MP-DNS)"

_READOUTS: dict[ReadoutKind, Cited] = {
    "posterior": (DENOISE, "softmax(b_v)"),
    "mean": (DENOISE, "m(z)_v = sum_s x_s softmax(b_v)_s"),
    "variance": (None, "sum_s (x_s - m(z)_v)^2 softmax(b_v)_s"),
    "log_evidence": (None, "log Z = log sum_s exp(h_r(s)) + scales"),
    "edge": (None, "p(s, a) ~ psi(s, a) exp(u_v(s) - q_v(s) + h_v(a))"),
    "counts": (None, "sum over batch and tied edges of p(s, a)"),
    "unary_counts": (None, "sum over batch and tied nodes of p(s)"),
    "draw": (None, "z after the last step"),
    "code": (None, "x after the last step"),
}


# What happens to exp(-J x^2 / 2 + h x) along x_v = a x_pa(v) + b + N(0, q).
_GAUSSIAN: dict[Direction, str] = {
    "root": "J' = a^2 J / (1 + q J), h' = a (h - b J) / (1 + q J)",
    "leaves": "J' = J / (a^2 + q J), h' = (a h + b J) / (a^2 + q J)",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """What an instruction is, for people and for names in emitted networks.

    Parameters
    ----------
    name
        The message, ``"pixel -> block"``, with a child's rank ``"pixel -> block[2]"``; for
        instructions inside a block, the block's name.
    phase
        "collect" (toward the roots, the encoder), "distribute" (toward the leaves, the decoder)
        or "readout".
    equation
        Name of the paper's equation, such as ``"(MP-DNS)"``; None where the paper has none.
    formula
        The term of that equation, in logs, with the paper's letters.
    level
        Depth of the block (for messages: of the child block) below its root.
    module
        Submodule of the emitted network, ``"collect.pixel"``; None for instructions that have
        no parameters of their own.
    """

    name: str
    phase: Phase
    equation: str | None
    formula: str
    level: int
    module: str | None


def provenance(
    op: Op, forest: Forest, *, phase: Phase | None = None, rank: int | None = None
) -> Provenance:
    """Origin of one instruction.

    Parameters
    ----------
    op
        An instruction of a schedule over ``forest``.
    forest
        The forest that names blocks and edges.
    phase
        Phase of a Combine or Normalize, which occur in both passes: see :func:`phases`;
        default "collect". Other instructions know their own.
    rank
        Child rank (0 .. fanout - 1) to name, for instructions on an edge.
    """
    match op:
        case Message() | Pool() | Spread() | Exclude():
            edge = forest.edges[op.edge]
            toward = _direction(op)
            name = message_name(edge, toward, rank=rank)
            module = module_name(edge, toward, forest) if isinstance(op, Message) else None
            level = forest.levels[op.edge]
        case Couple() | Local() | Repeat():
            name, module, level = _field_name(op, forest), None, 0
        case _:
            name, module = op.block or "all roots", None
            level = forest.levels.get(op.block, 0)
    phase = _phase(op) or phase or "collect"
    equation, formula = _cited(op, phase, forest)
    return Provenance(name, phase, equation, formula, level, module)


def _field_name(op: Couple | Local | Repeat, forest: Forest) -> str:
    """The couplings of an affine map, ``"x -> theta"``; the function, ``"tanh of x"``; rounds."""
    match op:
        case Couple(terms=terms):
            found = []
            for term in terms:
                coupling = forest.couplings.get(term.coupling or "")
                if coupling is not None and coupling.kind != "constant":
                    ends = (coupling.source, coupling.target)
                    found.append(" -> ".join(ends[::-1] if term.transposed else ends))
            return " + ".join(dict.fromkeys(found)) or op.block
        case Local(function=function, block=block):
            return f"{function.name.replace('_', ' ')} of {block}"
        case Repeat(rounds=rounds):
            return f"{rounds:,} rounds"


def message_name(edge: Edge, toward: Direction, *, rank: int | None = None) -> str:
    """Name of the messages on an edge: ``"pixel -> block"``, or of one rank's ``"... block[2]"``.

    Examples
    --------
    >>> edge = Edge("block", "pixel", fanout=4, key="block->pixel")
    >>> message_name(edge, "root", rank=2), message_name(edge, "leaves")
    ('pixel -> block[2]', 'block -> pixel')
    """
    parent = edge.parent if rank is None else f"{edge.parent}[{rank}]"
    return f"{edge.child} -> {parent}" if toward == "root" else f"{parent} -> {edge.child}"


def module_name(edge: Edge, toward: Direction, forest: Forest) -> str:
    """Submodule that holds a message's rule; one per variable class, shared along a chain."""
    variable = forest.blocks[edge.child].variable
    return f"collect.{variable}" if toward == "root" else f"distribute.{variable}"


def phases(schedule: Schedule) -> tuple[Phase, ...]:
    """Phase of every instruction: "distribute" is whatever depends on a value sent to the leaves.

    Linear time. Requires: a legal schedule.
    """
    found: list[Phase] = []
    from_above: set[Value] = set()
    for op in schedule.ops:
        phase = _phase(op)
        if phase is None:
            phase = "collect" if from_above.isdisjoint(sources(op)) else "distribute"
        if phase == "distribute":
            from_above.update(results(op))
        found.append(phase)
    return tuple(found)


def _direction(op: Message | Pool | Spread | Exclude) -> Direction:
    match op:
        case Message(toward=toward):
            return toward
        case Pool():
            return "root"
        case Spread() | Exclude():
            return "leaves"
        case _:
            assert_never(op)


def _phase(op: Op) -> Phase | None:
    """The phase that an instruction has by itself; None if it depends on where it stands."""
    match op:
        case Evidence() | Unary() | Pool() | Message(toward="root"):
            return "collect"
        case Couple() | Local() | Gate() | Noise() | Repeat():
            return "collect"
        case Spread() | Exclude() | Choose() | Message():
            return "distribute"
        case Readout():
            return "readout"
        case Combine() | Normalize():
            return None
        case _:
            assert_never(op)


def _cited(op: Op, phase: Phase, forest: Forest) -> Cited:
    """Equation name and formula of an instruction."""
    match op:
        case Evidence():
            return DENOISE, "h_v = log p(z_v | x_v)"
        case Unary():
            return None, "h_v + log prior(x_v)"
        case Message(edge=edge, toward=toward) if forest.is_gaussian(edge):
            return None, _GAUSSIAN[toward]
        case Message(toward="root"):
            return BOTH, "q_v = f_down(h_v) = log sum_a psi(s, a) exp(h_v(a))"
        case Message():
            return DENOISE, "f_up(u_v - q_v) = log sum_s psi(s, a) exp(u_v(s) - q_v(s))"
        case Pool():
            return BOTH, "h_v = sum of q_v' over the children v'"
        case Spread():
            return DENOISE, "u_v = b_pa(v)"
        case Exclude():
            return DENOISE, "u_v - q_v"
        case Combine() if phase == "collect":
            return BOTH, "h_v: evidence, prior and pooled messages added"
        case Combine():
            return DENOISE, "b_v = f_up(u_v - q_v) + h_v"
        case Normalize():
            return "(5)", "normalize(h)_s = h_s - max h"
        case Choose(how="argmax"):
            return None, "argmax_a psi(s, a) exp(h_v(a)), s the parent's state"
        case Choose():
            return None, "a ~ psi(s, a) exp(h_v(a)), s the parent's state"
        case Readout(kind="posterior", block=block) if block not in forest.edges:
            return BOTH, "softmax(h_r)"
        case Readout(kind=kind):
            return _READOUTS[kind]
        case Couple():
            return None, "sum of A x + b"
        case Local(function=function):
            return None, f"{function.name}(x)"
        case Gate():
            return None, "u v"
        case Noise(scale=scale):
            return None, f"x + {scale:g} g, g ~ N(0, 1)"
        case Repeat():
            return None, "repeat"
        case _:
            assert_never(op)
