"""Joint posteriors of several variables: what a clique knows about some of its variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_letters
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError
from ghmpp.models.declaration import Declaration
from ghmpp.models.observations import is_tensor

if TYPE_CHECKING:
    from ghmpp.inference.queries import Inference


def joint_posterior(engine: Inference, evidence: object, variables: Sequence[str]) -> FloatArray:
    """Joint posterior of classes with one node that are states of one hidden class together.

    Parameters
    ----------
    engine
        Inference on a junction tree; on other models only a parent and its child, or one class.
    evidence
        As in :meth:`Inference.posteriors`.
    variables
        Names of classes with one node, all different.

    Returns
    -------
    array of shape (batch, states of the first variable, states of the second, ...)

    Raises
    ------
    QueryError
        If a name is unknown, repeated or of a class with several nodes, or no clique has all.
    """
    model = engine.model
    for name in variables:
        if name not in model.variables or model.variables[name].nodes != 1:
            raise QueryError(f"joint: {name!r} is not a class with one variable.")
    if len(set(variables)) < len(variables) or not variables:
        raise QueryError(f"joint: needs different variables, got {', '.join(variables) or 'none'}.")
    if len(variables) == 1:
        return engine.posteriors(evidence, classes=variables)[variables[0]]
    holder = _smallest(model.declarations, variables)
    if holder is not None:
        found = engine.posteriors(evidence, classes=[holder.name])[holder.name]
        sizes = [len(model.declarations[name].space) for name in holder.scope]
        return _kept(found.reshape(-1, *sizes), holder.scope, variables)
    ends = [v for v in variables if model.declarations[v].source in variables]
    if len(variables) == 2 and len(ends) == 1:
        child = ends[0]
        parent = next(name for name in variables if name != child)
        found = engine.edge(evidence, parent, child)[:, 0]
        return _kept(found, (parent, child), variables)
    raise QueryError(
        f"joint: no clique has all of {', '.join(variables)}; declare them to be asked together "
        f"when the model is made: together=[{tuple(variables)!r}]."
    )


def _smallest(
    declarations: Mapping[str, Declaration], variables: Sequence[str]
) -> Declaration | None:
    """The hidden class with the fewest states whose joint states say those of all variables."""
    needed = set(variables)
    holding = [each for each in declarations.values() if needed.issubset(each.scope)]
    return min(holding, key=lambda each: len(each.space), default=None)


def _kept(array: FloatArray, scope: Sequence[str], variables: Sequence[str]) -> FloatArray:
    """Sums over the axes of all other variables, the kept ones in the order asked."""
    letter = dict(zip(scope, ascii_letters[1:], strict=False))
    whole, kept = ("".join(letter[name] for name in names) for names in (scope, variables))
    batch = ascii_letters[0]
    rule = f"{batch}{whole}->{batch}{kept}"
    if is_tensor(array):
        import torch

        found: FloatArray = torch.einsum(rule, array)  # type: ignore[assignment]  # tensors stay
        return found
    summed: FloatArray = np.einsum(rule, array)
    return summed
