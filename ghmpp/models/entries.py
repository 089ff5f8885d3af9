"""Numbers given by a user as arrays of entries, and the checks on them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, ObjectArray
from ghmpp.errors import ModelError
from ghmpp.models.expressions import exact_entries, is_expression, to_float

LARGEST_EXACT_INTEGER = 2**53


def check_weights(entries: FloatArray, place: str) -> None:
    """Refuse entries that are not finite and >= 0, and tables of zeros only."""
    if not np.isfinite(entries).all():
        found = entries[~np.isfinite(entries)][0]
        raise ModelError(f"{place}: entries must be finite, found {found}.")
    if (entries < 0).any():
        where = tuple(int(i) for i in np.argwhere(entries < 0)[0])
        raise ModelError(
            f"{place}: entries must be >= 0 (linear weights, not logarithms), "
            f"found {entries[where]} at {where}."
        )
    dead = ~entries.reshape(len(entries), -1).any(axis=1)
    if dead.any():
        raise ModelError(
            f"{place}: row {int(np.argmax(dead))} has only zeros, so no configuration is possible; "
            f"give at least one positive entry."
        )


def check_exact_weights(entries: ObjectArray, place: str) -> None:
    """As :func:`check_weights`; also for positive fractions below the range of float64.

    Expressions whose sign depends on symbols pass; they are checked when the symbols have values.
    """
    numbers = [_signed(entry, place) for entry in entries.flat]
    check_weights(np.array(numbers).reshape(entries.shape), place)


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
