"""The data of a fit: positional data and keywords become one batch of observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ghmpp.errors import EvidenceError
from ghmpp.models.evidence import read_evidence
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation


def read_data(
    model: Model, data: object, evidence: Mapping[str, object]
) -> tuple[dict[str, Observation], int]:
    """Check the data of a fit.

    Parameters
    ----------
    model
        Whose variables are observed.
    data
        A dictionary or DataFrame by names of classes or nodes; or an array of states (batch,
        nodes) of the only class of leaves; or None.
    evidence
        More, by class name.

    Returns
    -------
    observations, batch
        One observation per class that is observed, all with ``batch`` >= 1 rows.

    Raises
    ------
    EvidenceError
        If nothing is observed, there are no rows, a class is given twice, or evidence does not
        fit the model.
    """
    leaves = model.forest().leaves
    default = leaves[0] if len(leaves) == 1 else None
    if not evidence:
        observations, batch = read_evidence(data, model.variables, default=default)
    else:
        named = _by_name(model, data, default)
        twice = sorted(named.keys() & evidence.keys())
        if twice:
            raise EvidenceError(f"fit: {twice[0]!r} is given twice, in data and as a keyword.")
        observations, batch = read_evidence({**named, **evidence}, model.variables)
    if not observations:
        raise EvidenceError(
            "fit: there are no data; pass an array, a dictionary or a DataFrame, or keywords such "
            f"as {next(iter(model.variables), 'name')}=..."
        )
    if batch == 0:
        raise EvidenceError("fit: the data have no rows.")
    return observations, batch


def _by_name(model: Model, data: Any, default: str | None) -> dict[Any, object]:
    """Positional data as a dictionary, to be joined with keywords."""
    if data is None:
        return {}
    if isinstance(data, Mapping):
        return dict(data)
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        read_evidence(data, model.variables)  # columns are checked as such before they are split
        return {name: data[name].to_numpy() for name in data.columns}
    if default is None:
        read_evidence(data, model.variables)  # says that a bare array needs a name
    return {default: data}
