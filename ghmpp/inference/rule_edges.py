"""Joint posteriors of a parent and one of its children where joint rules stand in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError
from ghmpp.models.observations import is_tensor
from ghmpp.models.rule_levels import rule_name

if TYPE_CHECKING:
    from ghmpp.inference.queries import Inference


def rule_edge(engine: Inference, evidence: object, parent: str, child: str) -> FloatArray:
    """Joint posterior of parents and children that are written by joint rules.

    A rule says the states of both, so this is the posterior of the rules, summed over those that
    agree.

    Parameters
    ----------
    engine, evidence
        As in :meth:`ghmpp.inference.queries.Inference.edge`.
    parent, child
        Names of the classes.

    Returns
    -------
    array of shape (batch, children, parent states, child states), children in the user's order

    Raises
    ------
    QueryError
        If ``child`` is not written by rules of ``parent``.
    """
    declared, rules = engine.model.declarations, engine.model.rules.get(child)
    if rules is None or declared[rule_name(child)].parent != parent:
        raise QueryError(f"edge: {parent!r} is not the parent of {child!r}.")
    states = len(declared[parent].space), len(declared[child].space)
    found: Any = engine.posteriors(evidence, classes=[rule_name(child)])[rule_name(child)]
    found = found if found.ndim == 3 else found[:, None]
    links = np.zeros((len(rules), rules.ranks, *states))
    which = np.arange(len(rules))
    for rank in range(rules.ranks):
        links[which, rank, rules.parent, rules.children[:, rank]] = 1
    flat: Any = links.reshape(len(rules), -1)
    flat = found.new_tensor(flat) if is_tensor(found) else flat.astype(found.dtype)
    joint: FloatArray = (found @ flat).reshape(len(found), -1, *states)
    order = declared[child].order
    return joint if order is None else joint[:, np.argsort(order)]
