"""Arguments of the engine's verbs: options, what is left out, and names of states."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ghmpp._arrays import AnyArray, IntArray
from ghmpp.errors import QueryError


def require_option(option: str, value: str, known: Sequence[str]) -> None:
    """Refuse a value that an option does not know, naming the known ones."""
    if value not in known:
        raise QueryError(f"Inference: {option} must be one of {', '.join(known)}, got {value!r}.")


def only(names: Sequence[str], what: str, chosen: Hashable = None) -> str:
    """The chosen name, or else the only one; where there are several, one must be chosen."""
    if chosen is not None:
        return str(chosen)
    if len(names) != 1:
        raise QueryError(f"{what}: the model has {', '.join(names) or 'none'}; pass variable=.")
    return names[0]


def state_names(states: Sequence[Hashable], indices: IntArray) -> AnyArray:
    """State names by index, None for -1; an array of objects where names differ in type."""
    plain = len({type(state) for state in states}) == 1 and not isinstance(states[0], tuple)
    if plain and (indices >= 0).all():
        return np.array(states)[indices]
    names = np.fromiter((*states, None), dtype=object, count=len(states) + 1)
    chosen: AnyArray = names[indices]
    return chosen
