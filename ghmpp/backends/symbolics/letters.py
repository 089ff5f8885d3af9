r"""The names of values: what they are called in code, and the paper's symbols for them.

Symbols are those of (MP-CLS) and (MP-DNS) in [1]_: ``q`` is a message toward the root, ``h`` what
a node knows from below, ``u`` the belief of the parent, ``b`` the belief, all in logs; ``nu`` are
messages and marginals as probabilities.

References
----------
.. [1] S. Mei, U-Nets as Belief Propagation, arXiv:2404.18444.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from ghmpp.backends.symbolic_names import refuse_fields, stems
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
    ReadoutKind,
    Repeat,
    Schedule,
    Spread,
    Unary,
    Value,
)
from ghmpp.schedule.provenance import Phase, phases

SPECIAL = str.maketrans(
    {char: f"\\{char}" for char in "_#&$%{} "}
    | {"^": r"\wedge ", "~": r"\sim ", "\\": r"\backslash "}
)

# Text and LaTeX; $v is the node and $c the class.
Symbol = tuple[str, str]
BELOW: Symbol = ("h_v", r"h_{\downarrow,$v}^{$c}")
CAVITY: Symbol = ("u_v - q_v", r"(u_{\uparrow,$v} - q_{\downarrow,$v})^{$c}")
READ: Mapping[ReadoutKind, Symbol] = {
    "posterior": ("nu_v", r"\nu_{$v}^{$c}"),
    "mean": ("m(z)_v", r"m(z)_{$v}^{$c}"),
    "variance": ("V(z)_v", r"V(z)_{$v}^{$c}"),
    "log_evidence": ("log Z", r"\log Z"),
    "edge": ("nu_v,pa(v)", r"\nu_{\mathrm{pa}($v),$v}^{$c}"),
    "counts": ("n", r"n^{$c}"),
    "unary_counts": ("n", r"n^{$c}"),
}


@dataclass(frozen=True, slots=True)
class Letters:
    """What the values of a schedule are called.

    Parameters
    ----------
    names
        Identifiers as in :class:`~ghmpp.backends.symbolic.Assignment`, without node and state;
        scales start with ``c``.
    symbols
        The paper's symbol, as text.
    latex
        The same in LaTeX, with ``$v`` for the node.
    """

    names: Mapping[Value, str]
    symbols: Mapping[Value, str]
    latex: Mapping[Value, str]


def letters(schedule: Schedule) -> Letters:
    """Names and symbols of all values of a legal schedule; no two names are alike."""
    below = _below(schedule)
    names: dict[Value, str] = {}
    symbols: dict[Value, str] = {}
    latex: dict[Value, str] = {}
    count: Counter[str] = Counter()
    for op, phase, stem in zip(schedule.ops, phases(schedule), stems(schedule), strict=True):
        if isinstance(op, Normalize):
            plain, tex = symbols[op.source], _tilde(latex[op.source])
            if op.scale is not None:
                names[op.scale] = f"c{stem[1:]}"
                symbols[op.scale] = f"max {plain}"
                latex[op.scale] = rf"\max {latex[op.source]}"
        else:
            plain, tex = _symbol(op, phase, schedule.forest, op.out in below)
            tex = tex.replace("$c", latex_name(_owner(op, schedule.forest, op.out in below)))
            count[tex] += 1
            if count[tex] > 1:
                tex = rf"{{{tex}}}^{{({count[tex]})}}"
        names[op.out], symbols[op.out], latex[op.out] = stem, plain, tex
    return Letters(names, symbols, latex)


def latex_name(name: str) -> str:
    r"""A user's name in upright letters.

    Examples
    --------
    >>> print(latex_name("block->pixel_2"))
    \mathrm{block \to pixel\_2}
    """
    text = r" \to ".join(part.strip().translate(SPECIAL) for part in name.split("->"))
    return rf"\mathrm{{{text}}}"


def _tilde(latex: str) -> str:
    """A symbol that is normalised: with a tilde on its letter."""
    return re.sub(r"^((?:\\log )?)([a-z]|\\[a-z]+)(?=_)|^(.+)$", _with_tilde, latex)


def _with_tilde(found: re.Match[str]) -> str:
    before, letter, whole = found.groups()
    return rf"\tilde{{{whole}}}" if whole else rf"{before}\tilde{{{letter}}}"


def _below(schedule: Schedule) -> set[Value]:
    """Values that hold all that is known from below their node."""
    found: set[Value] = set()
    for op in reversed(schedule.ops):
        match op:
            case Message(toward="root", source=source):
                found.add(source)
            case Readout(kind="log_evidence", sources=many, roots=roots):
                found.update(many[:roots])
            case Readout(kind="edge" | "counts", sources=(_, below)):
                found.add(below)
            case Readout(sources=(belief,)) if op.block not in schedule.forest.edges:
                found.add(belief)
            case Normalize(out=out, source=source) if out in found:
                found.add(source)
    return found


def _owner(op: Op, forest: Forest, below: bool) -> str:
    """Whose value it is: a block, or a block's part of what its parent knows."""
    if isinstance(op, Pool):
        parent = forest.edges[op.edge].parent
        return parent if below else f"{op.edge} -> {parent}"
    return op.edge if isinstance(op, Message | Spread | Exclude) else op.block


def _symbol(op: Op, phase: Phase, forest: Forest, below: bool) -> Symbol:
    """The paper's symbol for what an instruction writes."""
    match op:
        case Evidence():
            return BELOW if below else ("log p(z_v | x_v)", r"\ell_{$v}^{$c}")
        case Unary():
            return BELOW if below else ("log prior", r"w_{$v}^{$c}")
        case Message(toward="root"):
            return "q_v", r"q_{\downarrow,$v}^{$c}"
        case Message():
            return "log nu_up,v", r"\log \nu_{\uparrow,$v}^{$c}"
        case Spread(edge=edge):
            return (
                CAVITY if forest.edges[edge].kind == "table" else ("u_v", r"u_{\uparrow,$v}^{$c}")
            )
        case Exclude():
            return CAVITY
        case Pool():
            return BELOW
        case Combine() if phase == "collect":
            return BELOW
        case Combine():
            return "b_v", r"b_{\uparrow,$v}^{$c}"
        case Readout(kind=kind):
            return READ[kind]
        case Normalize() | Choose():
            return BELOW
        case Couple() | Local() | Gate() | Noise() | Repeat():
            refuse_fields()
        case _:
            assert_never(op)
