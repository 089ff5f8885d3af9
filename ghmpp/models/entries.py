"""Numbers given by a user as arrays of entries, and the checks on them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, ObjectArray
from ghmpp.errors import ModelError
from ghmpp.models.expressions import exact_entries, is_expression, to_float

LARGEST_EXACT_INTEGER = 2**53


def check_weights(
    entries: FloatArray, place: str, axes: Sequence[str] = (), *, given: AnyArray | None = None
) -> None:
    """Refuse entries that are not finite and >= 0, and tables of zeros only.

    Parameters
    ----------
    entries
        Linear weights, one table along the first axis after another.
    place
        Where they were declared, for messages.
    axes
        What the axes are, for messages.
    given
        The entries as the user gave them, where these are others.
    """
    wrong = ~(np.isfinite(entries) & (entries >= 0))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        needed = "finite"
        if np.isfinite(entries[at]):
            needed = ">= 0 (linear weights, not logarithms)"
        found = (entries if given is None else given)[at]
        raise ModelError(
            f"{place}: entries must be {needed}, found {found} at "
            f"{_position(at, entries.shape, axes)}."
        )
    dead = ~entries.reshape(len(entries), -1).any(axis=1)
    if dead.any():
        which = f" {axes[0] if axes else 'row'} {int(np.argmax(dead))}" if len(entries) > 1 else ""
        raise ModelError(
            f"{place}:{which} has only zeros, so no configuration is possible; "
            f"give at least one positive entry."
        )


def _position(at: tuple[int, ...], shape: tuple[int, ...], axes: Sequence[str]) -> str:
    """An index in words; a single table along the first axis needs none."""
    if not axes:
        return str(at)
    named = [f"{axis} {index}" for axis, index in zip(axes, at, strict=True)]
    return ", ".join(named[1:] if shape[0] == 1 else named)


def check_exact_weights(entries: ObjectArray, place: str, axes: Sequence[str] = ()) -> None:
    """As :func:`check_weights`; also for positive fractions below the range of float64.

    Expressions whose sign depends on symbols pass; they are checked when the symbols have values.
    """
    numbers = [_signed(entry, place) for entry in entries.flat]
    check_weights(np.array(numbers).reshape(entries.shape), place, axes, given=entries)


def _signed(entry: object, place: str) -> float:
    """A float with the sign of the entry, its value where possible."""
    if is_expression(entry) and entry.free_symbols:
        return -1.0 if entry.is_negative else 1.0
    number = float(to_float(np.array([entry]), place)[0])
    if number == 0 and isinstance(entry, Fraction) and entry != 0:
        return float(np.nextafter(0, 1 if entry > 0 else -1))
    return number


def read_array(raw: object, place: str) -> AnyArray:
    """Numbers as float64; fractions, large integers and expressions as exact objects."""
    try:
        array = np.array(raw)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{place}: the entries do not form an array: {error}.") from None
    if array.dtype == object or array.dtype.kind in "iu":
        exact = not all(map(_is_float64, array.flat))
        return exact_entries(array, place) if exact else array.astype(np.float64)
    if array.dtype.kind in "bf":
        return array.astype(np.float64)
    raise ModelError(
        f"{place}: entries must be real numbers or sympy expressions, got dtype {array.dtype}."
    )


def _is_float64(value: object) -> bool:
    """Whether float64 holds the number exactly."""
    if isinstance(value, (int, np.integer)):
        return abs(int(value)) <= LARGEST_EXACT_INTEGER
    return isinstance(value, (float, np.floating))


def real_numbers(given: object, place: str) -> FloatArray:
    """A copy as float64.

    Raises
    ------
    ModelError
        If these are no real numbers, or rows of different lengths.
    """
    try:
        found = np.array(given)
        if np.iscomplexobj(found):
            raise TypeError
        return found.astype(np.float64)
    except (TypeError, ValueError):
        raise ModelError(f"{place} must be an array of numbers, got {given!r:.80}.") from None
