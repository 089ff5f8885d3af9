"""The states that data tell of, for variables whose model does not say them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import ConversionError, EvidenceError
from ghmpp.models.channels import Gaussian, Localization, LogLikelihood
from ghmpp.models.lookup import MISSING
from ghmpp.models.observations import LogLikelihoods, Observation, Observed, is_tensor


def observed_states(columns: Mapping[Hashable, object]) -> list[Hashable]:
    """The different states in the columns of variables that have the same states.

    Parameters
    ----------
    columns
        By variable, what was observed: states, missing where None or NaN; anything else
        (likelihoods, measurements, None) tells nothing.

    Returns
    -------
    list
        Sorted; whole floats as integers, since a missing entry makes integers floats.

    Raises
    ------
    ConversionError
        If there are none.
    EvidenceError
        If states are not hashable, or it is not clear whether -1 is one.

    Examples
    --------
    >>> observed_states({"rain": ["no", None, "yes"], "wet": ["no", "no", "no"]})
    ['no', 'yes']
    >>> observed_states({"count": np.array([2.0, np.nan, 0.0])})
    [0, 2]
    """
    found: set[Hashable] = set()
    for name, column in columns.items():
        here = _states(name, column)
        if MISSING in here:
            raise EvidenceError(
                f"{name}: -1 may be a state, or say that an entry is missing; write NaN where it "
                f"is missing, or say the states: states={{{name!r}: ...}}, names or their number."
            )
        found |= here
    if not found:
        name = next(iter(columns))
        raise ConversionError(
            f"fit: the states of {name!r} are unknown, since neither a CPD nor the data say them; "
            f"pass states={{{name!r}: ...}}, their names or their number."
        )
    try:
        return sorted(found)  # type: ignore[type-var]  # what has no order is caught
    except TypeError:
        return sorted(found, key=lambda state: (type(state).__name__, str(state)))


def _states(name: Hashable, column: object) -> set[Hashable]:
    """The different states in one column."""
    import pandas as pd

    array = _one_dimensional(column)
    try:
        distinct = dict.fromkeys(array[~pd.isna(array)].tolist())
    except TypeError as error:
        raise EvidenceError(f"{name}: states must be hashable ({error}).") from None
    return {int(s) if isinstance(s, float) and s.is_integer() else s for s in distinct}


def _one_dimensional(column: Any) -> AnyArray:
    """Entries of a column of states, of their own types; none of what is no such column."""
    pair = isinstance(column, tuple) and len(column) == 2
    if pair and isinstance(column[1], (Gaussian, Localization, LogLikelihood)):
        column = None
    if column is None or isinstance(column, (Observed, LogLikelihoods, Observation)):
        return np.empty(0)
    if is_tensor(column):
        column = column.detach().cpu().numpy()
    if np.ma.isMaskedArray(column):
        column = column.compressed()
    # numpy would turn [1, "a"] into strings.
    kind = object if isinstance(column, (list, tuple)) else None
    array = np.asarray(column, dtype=kind)
    return array.reshape(-1) if array.ndim <= 1 else np.empty(0)
