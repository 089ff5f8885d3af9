"""From the states in evidence, names or indices, to state indices.

A declared name wins over an index. Where names are numbers, a number is always read as a name,
so that ``-1`` is a spin of an Ising model and not a missing value; NaN and None are always
missing, and so is -1 where it is no name.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from numbers import Number, Real
from typing import Any

import numpy as np

from ghmpp._arrays import AnyArray, IntArray
from ghmpp.errors import EvidenceError
from ghmpp.models.forest import VariableClass

MISSING = -1
_UNKNOWN = -2


def state_array(variable: VariableClass, value: object) -> AnyArray:
    """Evidence on states as an array.

    Parameters
    ----------
    variable
        The class whose states are meant.
    value
        A state, nested lists of states, an array, or a masked array (masked = missing).

    Returns
    -------
    array
        Names or indices with their own types; a tuple that is a declared name is one entry.

    Raises
    ------
    EvidenceError
        If nested lists have different lengths.
    """
    if _is_state(variable, value):
        return _objects([value]).reshape(())
    if np.ma.isMaskedArray(value):
        entries = np.ma.getdata(value).astype(object)
        entries[np.ma.getmaskarray(value)] = None
        return entries
    try:
        if isinstance(value, (list, tuple)) and any(isinstance(s, tuple) for s in variable.states):
            return _nested(variable, value)
        array: AnyArray = np.asarray(value)
        if array.dtype.kind in "SU" and isinstance(value, (list, tuple)):
            array = np.asarray(value, dtype=object)  # numpy would turn [1, "a"] into strings
    except ValueError as error:
        raise EvidenceError(f"{variable.name}: rows of different lengths; {error}.") from None
    return array


def state_indices(variable: VariableClass, array: AnyArray) -> IntArray:
    """Indices of states given by name or by index.

    Parameters
    ----------
    variable
        The class whose states are meant.
    array
        Names or indices, any shape; NaN, None (and -1 where it is no name) are missing.

    Returns
    -------
    array of signed integers of the same shape
        Entries 0 .. states - 1, or -1 where missing. Integers stay as narrow as they were given
        (a byte for each of many pixels); those that are signed indices already are not copied.

    Raises
    ------
    EvidenceError
        If an entry is neither a name nor an index; the message lists the states.
    """
    if _names_are_indices(variable) and array.dtype.kind in "biu":
        wrong = array[(array < MISSING) | (array >= len(variable.states))]
        if wrong.size:
            raise _unknown_state(variable, wrong[0].item())
        return array.astype(_signed(array.dtype), order="C", copy=False)
    lookup = {name: index for index, name in enumerate(variable.states)}
    if array.dtype.kind == "O":
        found = [_index(variable, lookup, value) for value in array.ravel().tolist()]
        return np.array(found, dtype=np.int64).reshape(array.shape)
    distinct, inverse = np.unique(array, return_inverse=True)
    found = [_index(variable, lookup, value) for value in distinct.tolist()]
    dtype = np.dtype(np.int64)
    if array.dtype.kind in "biu":
        dtype = np.promote_types(_signed(array.dtype), np.min_scalar_type(-len(lookup)))
    return np.array(found, dtype=dtype)[inverse].reshape(array.shape)


def _signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The narrowest signed integers that hold all integers of a type, up to int64."""
    return np.promote_types(dtype, np.int8) if dtype.itemsize < 8 else np.dtype(np.int64)


def tensor_indices(variable: VariableClass, tensor: Any) -> Any:
    """As :func:`state_indices`, for a torch tensor."""
    if not tensor.is_floating_point() and not tensor.dtype.is_signed:
        tensor = tensor.short() if tensor.element_size() == 1 else tensor.long()
    if _names_are_indices(variable) and not tensor.is_floating_point():
        largest = min(len(variable.states) - 1, 2 ** (8 * tensor.element_size() - 1) - 1)
        result, wrong = tensor, (tensor < MISSING) | (tensor > largest)
    else:
        result = (tensor == tensor).long().fill_(_UNKNOWN)
        result.masked_fill_((tensor != tensor) | (tensor == MISSING), MISSING)
        names = variable.states if _has_numbers(variable) else range(len(variable.states))
        for index, name in enumerate(names):
            if isinstance(name, Real):
                result.masked_fill_(tensor == float(name), index)
        wrong = result == _UNKNOWN
    if wrong.any():
        raise _unknown_state(variable, tensor[wrong][0].item())
    return result


def _index(variable: VariableClass, lookup: Mapping[Hashable, int], value: object) -> int:
    """Index of one entry, -1 where missing."""
    if isinstance(value, Hashable) and value in lookup:
        return lookup[value]
    if value is None or type(value).__name__ == "NAType":  # the missing value of pandas
        return MISSING
    if isinstance(value, bool | np.bool_) and not _names_are_indices(variable):
        raise _unknown_state(variable, value)  # True is no position, least of all of "FALSE"
    number = float(value) if isinstance(value, Real) else math.inf
    if math.isnan(number) or number == MISSING:
        return MISSING
    if not _has_numbers(variable) and number in range(len(variable.states)):
        return int(number)
    raise _unknown_state(variable, value)


def _names_are_indices(variable: VariableClass) -> bool:
    """Whether state i is simply called i."""
    counted = range(len(variable.states))
    return variable.states == (counted if isinstance(variable.states, range) else tuple(counted))


def _has_numbers(variable: VariableClass) -> bool:
    """Whether some names are numbers, so that a number cannot be an index.

    A text that reads as a number counts, unless it is the number of its own place.
    """
    if isinstance(variable.states, range):
        return True
    return any(
        isinstance(name, Number) or (isinstance(name, str) and _reads_otherwise(name, place))
        for place, name in enumerate(variable.states)
    )


def _reads_otherwise(name: str, place: int) -> bool:
    """Whether a text reads as a number other than ``place``."""
    try:
        return float(name) != place and math.isfinite(float(name))
    except ValueError:
        return False


def _is_state(variable: VariableClass, value: object) -> bool:
    """Whether a value is the declared name of a state."""
    return isinstance(value, Hashable) and value in variable.states


def _unknown_state(variable: VariableClass, value: object) -> EvidenceError:
    """The error that names the allowed states."""
    names = variable.states
    few = names if len(names) <= 12 else (*names[:6], *names[-2:])
    shown = [repr(name) for name in few]
    known = ", ".join(shown if len(names) <= 12 else [*shown[:6], "...", *shown[6:]])
    hint = "" if _has_numbers(variable) else f" (or an index 0 to {len(names) - 1})"
    if isinstance(value, float):
        hint += (
            "; likelihoods have one column per state, shape (batch, nodes, states); "
            "a continuous observation needs a channel: Observed(values, Gaussian(sigma=...))"
        )
    return EvidenceError(
        f"{variable.name}: {value!r} is not a state; the states are {known}{hint}. "
        "None or NaN stands for a missing value."
    )


def _nested(variable: VariableClass, value: Iterable[object]) -> AnyArray:
    """Nested lists whose entries may be tuples, as an array of objects."""
    items = [
        _nested(variable, item)
        if isinstance(item, (list, tuple)) and not _is_state(variable, item)
        else item
        for item in value
    ]
    if items and all(isinstance(item, np.ndarray) for item in items):
        return np.stack([np.asarray(item) for item in items])
    return _objects(items)


def _objects(items: list[object]) -> AnyArray:
    """A one-dimensional array of objects, which numpy must not look into."""
    array = np.empty(len(items), dtype=object)
    for position, item in enumerate(items):  # a slice would unpack tuples
        array[position] = item
    return array
