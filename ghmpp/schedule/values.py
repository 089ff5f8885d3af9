"""Which values an instruction reads and writes."""

from __future__ import annotations

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


def sources(op: Op) -> tuple[Value, ...]:
    """Values that an instruction reads, in order."""
    match op:
        case Evidence() | Unary():
            return ()
        case Message(source=s) | Pool(source=s) | Spread(source=s) | Normalize(source=s):
            return (s,)
        case Exclude(context=context, messages=messages):
            return (messages,) if context is None else (context, messages)
        case Combine(sources=many) | Readout(sources=many) | Local(sources=many):
            return many
        case Couple(terms=terms):
            return tuple(term.source for term in terms if term.source is not None)
        case Gate(sources=both):
            return both
        case Noise(source=s):
            return (s,)
        case Repeat():
            return _read_by_repeat(op)
        case Choose(below=below, parent=parent):
            return (below,) if parent is None else (below, parent)


def results(op: Op) -> tuple[Value, ...]:
    """Values that an instruction writes."""
    match op:
        case Normalize(out=out, scale=int() as scale):
            return (out, scale)
        case Repeat(carried=carried):
            return tuple(carry.out for carry in carried)
        case _:
            return (op.out,)


def inner_values(op: Op) -> tuple[Value, ...]:
    """Values that exist only inside an instruction: those of the body of a repetition."""
    if not isinstance(op, Repeat):
        return ()
    written = (value for each in op.body for value in (*results(each), *inner_values(each)))
    return (*(carry.inside for carry in op.carried), *written)


def _read_by_repeat(op: Repeat) -> tuple[Value, ...]:
    """What the carried values start from, and what the body reads from outside."""
    own = set(inner_values(op))
    outside = (value for each in op.body for value in sources(each) if value not in own)
    return tuple(dict.fromkeys((*(carry.start for carry in op.carried), *outside)))
