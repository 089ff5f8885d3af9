"""Exact first and second moments of state values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import QueryError
from ghmpp.inference.queries import Inference
from ghmpp.models.forest import VariableClass
from ghmpp.models.lookup import MISSING
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation

# Entries of the posteriors of one call.
ENTRIES = 2**22


def value_moments(model: Model, classes: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Means and covariances of the values of all nodes of some classes.

    Parameters
    ----------
    model
        A complete model.
    classes
        Names, each once; their states have numeric values.

    Returns
    -------
    mean, covariance
        Shapes (nodes,) and (nodes, nodes); nodes class by class, in the user's order.

    Raises
    ------
    QueryError
        If a class is unknown, or its states have no values.

    Notes
    -----
    ``E[x_v x_w]`` is the sum over a of ``P(x_v = a) a E[x_w | x_v = a]``: one row of evidence for
    each node and state.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(2, (2,), [[[0.9, 0.1], [0.1, 0.9]]], state_values=[-1, 1])
    >>> value_moments(model, ["x1"])[1].round(6)
    array([[1.  , 0.64],
           [0.64, 1.  ]])
    """
    found = [_class(model, name) for name in classes]
    engine = Inference(model, on_impossible="flag")
    alone = engine.posteriors(classes=classes)
    mean = np.concatenate([alone[v.name].reshape(v.nodes, -1) @ _values(v) for v in found])
    second = [_products(engine, v, found, alone[v.name].reshape(v.nodes, -1)) for v in found]
    covariance = np.concatenate(second) - np.outer(mean, mean)
    return mean, (covariance + covariance.T) / 2


def _products(
    engine: Inference,
    variable: VariableClass,
    others: Sequence[VariableClass],
    weights: FloatArray,
) -> FloatArray:
    """``E[x_v x_w]`` of the nodes v of a class and all nodes w, (nodes, all nodes)."""
    nodes, states = weights.shape
    classes = [each.name for each in others]
    total: FloatArray = np.zeros((nodes, sum(each.nodes for each in others)))
    step = max(1, ENTRIES // (states * sum(each.nodes * len(each.states) for each in others)))
    for start in range(0, nodes, step):
        part = np.arange(start, min(start + step, nodes))
        rows: IntArray = np.full((len(part), states, nodes), MISSING)
        rows[np.arange(len(part)), :, part] = np.arange(states)
        seen = {variable.name: Observation("states", rows.reshape(-1, nodes))}
        beliefs = engine.posteriors(seen, classes=classes)
        means = [
            beliefs[each.name].reshape(len(part), states, each.nodes, -1) @ _values(each)
            for each in others
        ]
        scaled = weights[part] * _values(variable)
        total[part] = np.einsum("va,vaw->vw", scaled, np.concatenate(means, axis=2))
    return total


def _class(model: Model, name: str) -> VariableClass:
    variable = model.variables.get(name)
    if variable is None:
        raise QueryError(f"moments: unknown class {name!r}; the model has {[*model.variables]}.")
    if variable.values is None:
        raise QueryError(
            f"moments: the states of {name!r} have no numeric values; declare values=."
        )
    return variable


def _values(variable: VariableClass) -> FloatArray:
    assert variable.values is not None  # checked at the border
    return variable.values
