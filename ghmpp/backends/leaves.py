"""Observations as the likelihoods that a reference run reads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, ObjectArray
from ghmpp.backends.algebras import Exact
from ghmpp.errors import EvidenceError
from ghmpp.models.forest import VariableClass
from ghmpp.models.observations import Observation


def log_leaves(
    observations: Mapping[str, Observation], variables: Mapping[str, VariableClass]
) -> dict[str, FloatArray]:
    """Log-likelihoods by class for a run on floats.

    Parameters
    ----------
    observations
        By class, in the user's order of nodes.
    variables
        The classes of the forest.

    Returns
    -------
    dict of float64 arrays of shape (batch, nodes, states)
        Natural logarithms, nodes in tree order; zeros where nothing was observed.
    """
    return {
        name: in_tree_order(observation.log_likelihood(variables[name]), variables[name])
        for name, observation in observations.items()
    }


def exact_leaves(
    observations: Mapping[str, Observation], variables: Mapping[str, VariableClass]
) -> dict[str, ObjectArray]:
    """Likelihoods by class for a run on exact numbers.

    Parameters
    ----------
    observations, variables
        As for :func:`log_leaves`; observed states or likelihoods.

    Returns
    -------
    dict of object arrays of shape (batch, nodes, states)
        Linear, nodes in tree order: integers 0 and 1 for states, fractions for likelihoods.

    Raises
    ------
    EvidenceError
        For log-likelihoods and continuous observations, which are not rational.

    Examples
    --------
    >>> from ghmpp.models.evidence import read_evidence
    >>> coin = VariableClass("coin", ("heads", "tails"), None, 1, ("coin",))
    >>> observations, _ = read_evidence({"coin": ["tails", None]}, {"coin": coin})
    >>> exact_leaves(observations, {"coin": coin})["coin"].tolist()
    [[[0, 1]], [[1, 1]]]
    """
    return {
        name: in_tree_order(_exact(name, observation, variables[name]), variables[name])
        for name, observation in observations.items()
    }


def in_tree_order(array: AnyArray, variable: VariableClass) -> AnyArray:
    """Axis 1 taken from the user's order of nodes to the tree's."""
    return array if variable.order is None else array[:, variable.order]


def _exact(name: str, observation: Observation, variable: VariableClass) -> ObjectArray:
    """Linear likelihoods of one class as exact numbers, in the user's order."""
    array = np.asarray(observation.array)
    if observation.kind == "states":
        seen = array[..., None]
        allowed = (seen < 0) | (seen == np.arange(len(variable.states)))
        return Exact().numbers(allowed)
    if observation.kind == "likelihood":
        return Exact().numbers(array)
    raise EvidenceError(
        f"{name}: exact arithmetic takes states or likelihoods, got {observation.kind}; "
        f"run on floats, or pass likelihoods."
    )
