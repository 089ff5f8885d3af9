"""The states of a variable: names, and numeric values where they have any."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.forest import StateNames

StatesLike: TypeAlias = int | Iterable[Hashable]


@dataclass(frozen=True, slots=True, eq=False)
class StateSpace:
    """Names of the states, and their numeric values, shape (states,), or None."""

    names: StateNames
    values: FloatArray | None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def arguments(self) -> Sequence[object]:
        """What a potential function receives for each state: its value, or else its name."""
        if self.values is None:
            return self.names
        return tuple(int(v) if v.is_integer() else v for v in self.values.tolist())

    def listed(self) -> str:
        """The first names, for messages."""
        shown = ", ".join(repr(name) for name in self.names[:10])
        return shown if len(self.names) <= 10 else f"{shown}, ... ({len(self.names)} in all)"


def read_states(states: StatesLike, values: ArrayLike | None, place: str) -> StateSpace:
    """Check declared states.

    Parameters
    ----------
    states
        A number of states (names 0, 1, ... without values), a sequence of numbers (names and
        values), or a sequence of other hashables (names).
    values
        Numeric state values, shape (states,), dimensionless; None = as ``states`` says.
    place
        Where they were declared, for messages.

    Raises
    ------
    ModelError
        If there is no state, a name is repeated or not hashable, or a value is not finite.

    Examples
    --------
    >>> read_states(range(3), None, "pixel").values
    array([0., 1., 2.])
    >>> read_states(3, None, "digit").values is None
    True
    """
    numeric = False
    if isinstance(states, (int, np.integer)) and not isinstance(states, bool):
        names: StateNames = range(int(states))
    elif isinstance(states, Iterable):
        names = tuple(s.item() if isinstance(s, np.generic) else s for s in states)
        numeric = all(isinstance(s, Real) and not isinstance(s, bool) for s in names)
    else:
        raise ModelError(
            f"{place}: states must be a number of states or a sequence of states, got {states!r}."
        )
    _check_names(names, place)
    if values is None and numeric:
        values = np.array(names, dtype=np.float64)
    return StateSpace(names, None if values is None else _read_values(values, len(names), place))


def _check_names(names: StateNames, place: str) -> None:
    if not names:
        raise ModelError(f"{place}: needs at least one state.")
    if isinstance(names, range):
        return
    try:
        distinct = set(names)
    except TypeError as error:
        raise ModelError(f"{place}: state names must be hashable ({error}).") from None
    if len(distinct) < len(names):
        repeated = next(name for i, name in enumerate(names) if name in names[:i])
        raise ModelError(f"{place}: state {repeated!r} is listed twice; state names must differ.")


def _read_values(values: ArrayLike, states: int, place: str) -> FloatArray:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{place}: state values must be real numbers ({error}).") from None
    if array.shape != (states,):
        raise ModelError(
            f"{place}: state values must have shape ({states},), got shape {array.shape}."
        )
    if not np.isfinite(array).all():
        raise ModelError(f"{place}: state values must be finite, got {array}.")
    return read_only(array)
