"""The symbols of symbolic runs: potentials, likelihoods, and what every instruction writes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NoReturn, assert_never

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.algebras import Exact
from ghmpp.errors import QueryError
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
)
from ghmpp.schedule.provenance import Phase, phases


def symbolic_data(forest: Forest) -> dict[str, ObjectArray]:
    """Tables and unary stacks by key, as sympy: formulas, else exact values, else symbols.

    Symbols are ``psi_<key>_<row>_<parent state>_<child state>`` for tables that have no values
    yet, ``psi_<key>_<row>_<state>`` for unary stacks.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for edge in forest.edges.values():
        if edge.kind == "table":
            states = forest.blocks[edge.parent].states, forest.blocks[edge.child].states
            shapes[edge.key] = (edge.rows, *states)
    for block in forest.blocks.values():
        if block.unary is not None:
            shapes[block.unary] = (block.unary_rows, block.states)
    known = {**forest.data, **forest.formulas}
    names = potential_names(forest)
    return {
        key: to_sympy(known[key]) if key in known else symbols(names[key], shape)
        for key, shape in shapes.items()
    }


def potential_names(forest: Forest) -> dict[str, str]:
    """Identifiers of potentials by key: ``psi_block_pixel``; of index maps ``index_...``."""
    kinds = {edge.key: edge.kind for edge in forest.edges.values()}
    return {
        key: ("psi_" if kinds.get(key, "table") == "table" else "index_") + word
        for key, word in identifiers(forest.keys()).items()
    }


def leaf_symbols(schedule: Schedule) -> dict[str, ObjectArray]:
    """Likelihoods ``l_<block>_<node>_<state>`` of every class that the schedule observes."""
    forest, words = schedule.forest, identifiers(schedule.forest.blocks)
    observed = {forest.blocks[op.block].variable for op in schedule.ops if isinstance(op, Evidence)}
    found: dict[str, ObjectArray] = {}
    for name in forest.variables:
        if name in observed:
            parts = [
                symbols(f"l_{words[block.name]}", (block.nodes, block.states))
                for block in forest.class_blocks(name)
            ]
            found[name] = np.concatenate(parts)[None]
    return found


def stems(schedule: Schedule) -> list[str]:
    """Letter and block in the names of what each instruction writes; no two alike."""
    words = identifiers(schedule.forest.blocks)
    count: Counter[tuple[str, str]] = Counter()
    found: list[str] = []
    for op, phase in zip(schedule.ops, phases(schedule), strict=True):
        letter, block = _letter_and_block(op, phase)
        count[letter, block] += 1
        number = count[letter, block]
        letter += str(number) if number > 1 else ""
        found.append(f"{letter}_{words[block]}" if block else letter)
    return found


def _letter_and_block(op: Op, phase: Phase) -> tuple[str, str]:
    """How an instruction is named: see :class:`ghmpp.backends.symbolic.Assignment`."""
    match op:
        case Evidence(block=block):
            return "l", block
        case Unary(block=block):
            return "w", block
        case Message(edge=edge, toward=toward):
            return "u" if toward == "root" else "v", edge
        case Pool(edge=edge):
            return "p", edge
        case Spread(edge=edge) | Exclude(edge=edge):
            return "e", edge
        case Combine(block=block):
            return "q" if phase == "collect" else "b", block
        case Readout(kind=kind, block=block):
            return kind, block
        case Normalize(block=block):
            return "n", block
        case Choose(block=block):
            return "choice", block
        case Couple() | Local() | Gate() | Noise() | Repeat():
            refuse_fields()
        case _:
            assert_never(op)


def refuse_fields() -> NoReturn:
    """Instructions on fields have no formulas here.

    Raises
    ------
    QueryError
        Saying what to do instead.
    """
    raise QueryError(
        "symbolic: iterations on fields have no formulas or printed code; print(schedule) shows "
        "them, and export(network) writes them as files."
    )


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Each name with letters, digits and underscores only, no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        word = re.sub(r"\W+", "_", name).strip("_")
        while word in taken:
            word += "_"
        taken.add(word)
        found[name] = word
    return found


def symbols(stem: str, axes: tuple[int, ...]) -> ObjectArray:
    """An array of symbols ``<stem>_<index>_<index>...``."""
    import sympy

    found = np.empty(axes, object)
    for index in np.ndindex(axes):
        found[index] = sympy.Symbol("_".join((stem, *map(str, index))))
    return found


def to_sympy(array: AnyArray) -> ObjectArray:
    """Exact numbers and expressions as sympy expressions, same shape."""
    import sympy

    convert = np.frompyfunc(sympy.sympify, 1, 1)
    return np.asarray(convert(Exact().numbers(array)), object)
