"""A model rewritten with conditional probabilities as tables, eq. (3) of arXiv:2404.18444."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ghmpp._arrays import FloatArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.declaration import Declaration
from ghmpp.models.directed import Conditional, conditionals
from ghmpp.models.forest import Forest
from ghmpp.models.index_maps import zeros_and_ones
from ghmpp.models.model import Model
from ghmpp.models.potentials import Stack

# Conditionals of tied nodes may differ by this much from rounding alone.
ROUNDING = 1e-12


def normalized(model: Model) -> Model:
    r"""The model with the same law whose tables are conditional probabilities.

    .. math:: \mu(x) = \mu(x_r) \prod_{v \ne r} \mu(x_v \mid x_{pa(v)})

    Parameters
    ----------
    model
        A complete model.

    Returns
    -------
    Model
        Rows of tables and priors of roots sum to 1, so that the log partition function is 0.
        Unaries below the roots are absorbed into the tables; under an index map from child to
        parent (``ParentOf``) they become the probabilities of the child given its parent. Tables
        that were shared by classes with different subtrees become different; entries are float64.

    Raises
    ------
    ModelError
        If the model is not complete or has no possible configuration; or if nodes of one class
        would need different conditionals that a declaration cannot express: a chain whose
        conditionals differ from step to step.

    Examples
    --------
    >>> model = Model()
    >>> root = model.root("root", 2)
    >>> leaf = root.children("leaf", 2, 2, potential=[[3, 1], [1, 1]])
    >>> normalized(model).forest().data["root->leaf"]
    array([[[0.75, 0.25],
            [0.5 , 0.5 ]]])
    """
    model.require_complete()
    forest = model.forest()
    given = conditionals(forest)
    rewritten = [_rewrite(declared, forest, given) for declared in model.declarations.values()]
    return Model.from_declarations(model.name, rewritten)


def _rewrite(
    declared: Declaration, forest: Forest, given: Mapping[str, Conditional]
) -> Declaration:
    """The class with its conditional as potential; unaries stay at roots only."""
    blocks = forest.variables[declared.name].blocks
    prior = None
    if declared.parent is None:
        prior = Stack("table", read_only(given[blocks[0]].probabilities[:, 0]))
        blocks = blocks[1:]
    if declared.source is None:
        return replace(declared, prior=prior)
    conditional = _common(declared, [given[name] for name in blocks])
    potential = declared.potential
    if conditional.kind == "parent_of" and not declared.chain:
        prior = _stack(declared, conditional.probabilities, declared.prior_rows)
    elif conditional.kind != "child_of":
        potential = _stack(declared, _dense(conditional), declared.table_rows)
    return replace(declared, potential=potential, prior=prior)


def _common(declared: Declaration, given: Sequence[Conditional]) -> Conditional:
    """The conditional that all blocks of a class have; levels of a chain must agree."""
    distinct = list({id(conditional): conditional for conditional in given}.values())
    last = distinct[-1].probabilities
    for conditional in distinct:
        here = conditional.probabilities
        if here.shape != last.shape or not np.allclose(here, last, rtol=0, atol=ROUNDING):
            raise ModelError(
                f"normalized: the nodes of {declared.name!r} share a table but need different "
                f"conditionals, since what lies below them differs; make the tables "
                f"row-stochastic, or declare a class per step."
            )
    return distinct[-1]


def _dense(conditional: Conditional) -> FloatArray:
    """Conditional of a table, or of an index map from child to parent, as tables."""
    if conditional.index is None:
        return conditional.probabilities
    states = conditional.probabilities.shape[1]
    tables = zeros_and_ones("parent_of", conditional.index, states, states)
    weighted: FloatArray = conditional.probabilities[:, None, :] * tables
    return weighted


def _stack(declared: Declaration, rows: FloatArray, allowed: tuple[int, ...]) -> Stack:
    """Rows repeated to the nearest number that a declaration can hold."""
    for count in sorted(allowed):
        if count % len(rows) == 0:
            repeats = (count // len(rows),) + (1,) * (rows.ndim - 1)
            return Stack("table", read_only(np.tile(rows, repeats)))
    raise ModelError(
        f"normalized: {declared.name!r} needs one conditional per node, which a class below a "
        f"chain cannot hold; declare a class per step."
    )
