"""Evidence: what users pass becomes one checked observation per class of variables.

Every array here is in the user's order of nodes; backends apply the order of the class.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from ghmpp.errors import EvidenceError
from ghmpp.models.forest import VariableClass
from ghmpp.models.lookup import MISSING
from ghmpp.models.observations import Observation, is_tensor, observe
from ghmpp.models.rooting import shortened


def read_evidence(
    evidence: object, variables: Mapping[str, VariableClass], *, default: str | None = None
) -> tuple[dict[str, Observation], int]:
    """Check evidence in any accepted form and gather it by class.

    Parameters
    ----------
    evidence
        One of: None or an empty dictionary; a dictionary from a class name (``"pixel"``) or a
        single node (``"pixel[3]"``) to what was observed there; a pandas DataFrame whose
        columns are such names and whose rows are the batch; a bare array for ``default``.
        What was observed is one of

        - states, by name or index (declared names win): a scalar or (batch,) for a class with
          one node; (nodes,) or (batch, nodes) for others; None, NaN or -1 where missing;
        - likelihoods >= 0, any scale: floats (batch, states) for a class with one node,
          (batch, nodes, states) for any;
        - :class:`~ghmpp.models.observations.LogLikelihoods`, of the same shapes;
        - :class:`~ghmpp.models.observations.Observed` or a pair ``(z, channel)``, z shaped as
          states;
        - an :class:`~ghmpp.models.observations.Observation` that was checked before.

        Tensors stay tensors. A batch of 1 is repeated to the batch of the others.
    variables
        The classes of the model, by name.
    default
        Class that a bare array belongs to.

    Returns
    -------
    observations, batch
        One :class:`Observation` per observed class, all of the same batch; 1 without evidence.

    Raises
    ------
    EvidenceError
        For an unknown variable or state, a wrong shape, NaN or negative likelihoods, batches
        of different sizes, or a class given twice.

    Examples
    --------
    >>> coin = VariableClass("coin", ("heads", "tails"), None, 1, ("coin",))
    >>> observations, batch = read_evidence({"coin": ["tails", None]}, {"coin": coin})
    >>> observations["coin"].array.tolist(), batch
    ([[1], [-1]], 2)
    """
    parts: dict[str, dict[int | None, Observation]] = {}
    for key, value in _entries(evidence, variables, default).items():
        variable, node = find_variable(key, variables)
        target = variable if node is None else replace(variable, name=str(key), nodes=1)
        if node in parts.setdefault(variable.name, {}):
            raise EvidenceError(f"evidence: {key!r} is given twice, by two names; keep one.")
        parts[variable.name][node] = observe(target, value)
    found = {name: _join(variables[name], nodes) for name, nodes in parts.items()}
    batch = _common_batch({name: item.array.shape[0] for name, item in found.items()})
    return {name: _repeat(item, batch) for name, item in found.items()}, batch


def _entries(
    evidence: object, variables: Mapping[str, VariableClass], default: str | None
) -> Mapping[object, object]:
    """Evidence as a dictionary from names to what was observed."""
    if evidence is None:
        return {}
    if isinstance(evidence, Mapping):
        return evidence
    if hasattr(evidence, "columns") and hasattr(evidence, "to_numpy"):
        return _columns(evidence, variables)
    if default is None:
        known = visible_names(variables)
        raise EvidenceError(
            f"evidence: a bare {type(evidence).__name__} does not say which variable it belongs "
            f"to; pass a dictionary such as {{{next(iter(known), 'name')!r}: ...}} "
            f"with names from: {shortened(known)}."
        )
    return {default: evidence}


def _columns(frame: Any, variables: Mapping[str, VariableClass]) -> dict[object, object]:
    """The columns of a data frame, one variable each."""
    names = list(frame.columns)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise EvidenceError(f"evidence: the data frame has several columns {repeated[0]!r}.")
    for name in names:
        variable, node = find_variable(name, variables)
        if node is None and variable.nodes > 1:
            raise EvidenceError(
                f"evidence: column {name!r} names a class with {variable.nodes} nodes; use one "
                f"column per node: {name}[0] to {name}[{variable.nodes - 1}]."
            )
    return {name: frame[name].to_numpy() for name in names}


def find_variable(
    key: object, variables: Mapping[str, VariableClass]
) -> tuple[VariableClass, int | None]:
    """The class that a name means, and the node (None for the whole class).

    A node of a graph that is no string, such as ``("pixel", 3)`` or ``7``, means the variable
    that was made of it, which is called ``str(node)``.
    """
    name = str(key)
    if name in variables:
        return variables[name], None
    match = re.fullmatch(r"(.+)\[(\d+)\]", name)
    if match is None or match[1] not in variables:
        known = visible_names(variables)
        close = get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise EvidenceError(
            f"evidence: no variable {key!r}; the variables are: {shortened(known)}.{hint}"
        )
    variable, node = variables[match[1]], int(match[2])
    if node >= variable.nodes:
        raise EvidenceError(
            f"evidence: no variable {key!r}; {variable.name} has {variable.nodes} nodes, "
            f"{variable.name}[0] to {variable.name}[{variable.nodes - 1}]."
        )
    return variable, None if variable.nodes == 1 else node


def visible_names(variables: Mapping[str, VariableClass]) -> list[str]:
    """Names of the classes that a user knows: all but the hidden ones."""
    return [name for name, each in variables.items() if not each.hidden]


def _join(variable: VariableClass, parts: Mapping[int | None, Observation]) -> Observation:
    """One observation of a class from observations of its nodes."""
    if None in parts:
        if len(parts) > 1:
            raise EvidenceError(
                f"{variable.name}: given both as a class and as single nodes; "
                "put all into the array of the class."
            )
        return parts[None]
    nodes = {node: item for node, item in parts.items() if node is not None}
    if any(is_tensor(item.array) for item in nodes.values()):
        raise EvidenceError(
            f"{variable.name}: tensors are given for a whole class: pass {variable.name!r} "
            f"with shape (batch, {variable.nodes}), missing nodes -1 or NaN."
        )
    named = {f"{variable.name}[{node}]": item.array.shape[0] for node, item in nodes.items()}
    batch, count = _common_batch(named), variable.nodes
    if all(item.kind == "states" for item in nodes.values()):
        states = np.full((batch, count), MISSING)
        for node, item in nodes.items():
            states[:, node] = item.array[:, 0]
        return Observation("states", states)
    single = replace(variable, nodes=1)
    array = np.zeros((batch, count, len(variable.states)))
    for node, item in nodes.items():
        array[:, node] = item.log_likelihood(single)[:, 0]
    return Observation("log_likelihood", array)


def _common_batch(sizes: Mapping[str, int]) -> int:
    """The one batch size apart from 1; refuse two."""
    different = {size: name for name, size in sizes.items() if size != 1}
    if len(different) > 1:
        listed = ", ".join(f"{name}: {size}" for size, name in different.items())
        raise EvidenceError(
            f"evidence: batches must have the same size (or 1, which is repeated), got {listed}."
        )
    return next(iter(different), 1)


def _repeat(observation: Observation, batch: int) -> Observation:
    """The observation, its one row repeated when the batch has more."""
    array: Any = observation.array
    if array.shape[0] == batch:
        return observation
    if is_tensor(array):
        return replace(observation, array=array.expand(batch, *array.shape[1:]))
    return replace(observation, array=np.repeat(array, batch, axis=0))
