"""Potentials given as functions of state values: their entries at all states."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from ghmpp._arrays import ObjectArray
from ghmpp.errors import ModelError
from ghmpp.models.states import StateSpace


def tabulate(
    function: Callable[..., object],
    place: str,
    parent: StateSpace,
    child: StateSpace,
    ranks: int,
) -> ObjectArray:
    """Values of ``function(parent, child)``, or of ``function(parent, child, rank)`` per rank."""
    extras: list[tuple[int, ...]] = [()]
    if _takes_rank(function):
        extras = [(rank,) for rank in range(ranks)]
    pairs = [[(s, a) for a in child.arguments] for s in parent.arguments]
    tables = [
        [[_call(function, place, (*pair, *extra)) for pair in row] for row in pairs]
        for extra in extras
    ]
    return np.array(tables if len(tables) > 1 else tables[0], dtype=object)


def tabulate_unary(function: Callable[..., object], place: str, states: StateSpace) -> ObjectArray:
    """Values of ``function(state)``: (states,)."""
    values = [_call(function, place, (state,)) for state in states.arguments]
    return np.array(values, dtype=object)


def _call(function: Callable[..., object], place: str, arguments: tuple[object, ...]) -> object:
    try:
        return function(*arguments)
    except Exception as error:
        shown = ", ".join(map(repr, arguments))
        raise ModelError(
            f"{place}: the function failed at ({shown}) with {type(error).__name__}: {error}. "
            f"It receives state values (names where states have no values), parent first."
        ) from error


def _takes_rank(function: Callable[..., object]) -> bool:
    """Whether the third positional parameter is required, or is called "rank"."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 3:
        return False
    return positional[2].default is inspect.Parameter.empty or positional[2].name == "rank"
