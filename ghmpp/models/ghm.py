"""The regular model of the paper, from arrays: layers x0 (root) to xL (leaves)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from ghmpp.errors import ModelError
from ghmpp.models.model import Model
from ghmpp.models.potentials import PotentialLike, PriorLike
from ghmpp.models.rules import RulesLike, is_joint
from ghmpp.models.states import StatesLike, read_states

LayerValues: TypeAlias = ArrayLike | Sequence[ArrayLike | None] | Mapping[int, ArrayLike]


def GHM(
    states: int | Sequence[StatesLike],
    branching: Sequence[int],
    tables: Sequence[PotentialLike | RulesLike | None] | None = None,
    *,
    prior: PriorLike | None = None,
    state_values: LayerValues | None = None,
    name: str = "ghm",
    order: ArrayLike | None = None,
) -> Model:
    r"""The generative hierarchical model of arXiv:2404.18444, eq. (GHM) and (1).

    .. math:: \mu(x) \propto \pi(x^{(0)}) \prod_{\ell=1}^{L} \prod_{v}
              \prod_{\iota=1}^{m_\ell} \psi^{(\ell)}_\iota(x^{(\ell-1)}_v, x^{(\ell)}_{v\iota})

    Parameters
    ----------
    states
        States of the layers 0 (root) to L (leaves): numbers of states or state names, L + 1 of
        them; or one number for all layers.
    branching
        Children per node ``m_1 .. m_L``, each at least 1.
    tables
        Potential of each level 1 to L: shape (m, parent states, child states), one table per child
        rank, or (parent states, child states), shared; or a joint table with m + 1 axes (parent
        states, child states, ..., child states), a list of production rules or a record
        :class:`~ghmpp.models.rules.Rules`; or anything else that
        :meth:`~ghmpp.models.variable.Variable.children` takes; None = free. Linear, entries >= 0.
        An array that could be both, of shape (2, 2, 2), is a table per rank; ``Rules.from_table``
        says that it is joint.
    prior
        Weights of the root, shape (root states,), linear; None = uniform.
    state_values
        Numeric values of the leaf states, shape (leaf states,); or a list with values (or None)
        for each of the L + 1 layers; or a dict from layer index to values.
    name
        Name of the model.
    order
        ``order[k]`` is the user's position of leaf k, shape (leaves,); None = tree order.

    Returns
    -------
    Model
        With the classes ``x0`` .. ``xL``.

    Raises
    ------
    ModelError
        If lengths do not agree, or a layer is wrong.

    Examples
    --------
    >>> model = GHM(states=(2, 2, 3), branching=(2, 4), prior=[0.5, 0.5])
    >>> model.variables["x2"].nodes
    8
    """
    levels = _length("branching", branching, "(m1, ..., mL)")
    spaces = _read_layers(states, levels)
    if tables is not None and _length("tables", tables, "(level 1, ..., level L)") != levels:
        raise ModelError(
            f"GHM: tables must have one entry per level, {levels} for branching={branching!r}, "
            f"got {len(tables)}."
        )
    values = _read_values(state_values, levels)
    model = Model(name)
    layer = model.root("x0", spaces[0], prior=prior, values=values.get(0))
    for level in range(1, levels + 1):
        given = None if tables is None else tables[level - 1]
        above = len(model.declarations[layer.name].space)
        space = read_states(spaces[level], values.get(level), f"variable 'x{level}'")
        _check_axes(given, above, len(space), branching[level - 1], level)
        joint = is_joint(given, above, len(space), branching[level - 1])
        layer = layer.children(
            f"x{level}",
            branching[level - 1],
            spaces[level],
            potential=None if joint else cast(PotentialLike | None, given),
            rules=cast(RulesLike, given) if joint else None,
            values=values.get(level),
            order=order if level == levels else None,
        )
    return model


def _check_axes(given: object, parents: int, states: int, ranks: int, level: int) -> None:
    """Refuse an array that has the axes of a joint table and the shape of none."""
    if not isinstance(given, np.ndarray) or given.ndim != ranks + 1 or ranks == 1:
        return
    joint = (parents, *[states] * ranks)
    if given.shape != joint and given.shape[1:] != (parents, states):
        raise ModelError(
            f"GHM: tables of level {level}: expected shape {(parents, states)}, a table for all "
            f"children, {(ranks, parents, states)}, one for each, or {joint}, a joint table "
            f"(parent states, states of child 1, ...); got {given.shape}."
        )


def _length(what: str, given: object, form: str) -> int:
    """Number of entries of a sequence that must not be empty."""
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)):
        raise ModelError(f"GHM: {what} must be a sequence {form}, got {given!r}.")
    if len(given) == 0:
        raise ModelError(f"GHM: {what} is empty; a model has at least one level below the root.")
    return len(given)


def _read_layers(states: int | Sequence[StatesLike], levels: int) -> Sequence[StatesLike]:
    if isinstance(states, int):
        return [states] * (levels + 1)
    found = _length("states", states, "(S0, ..., SL)")
    if found != levels + 1:
        raise ModelError(
            f"GHM: states must have {levels + 1} entries (root to leaves) for {levels} levels of "
            f"branching, got {found}."
        )
    return states


def _read_values(state_values: LayerValues | None, levels: int) -> dict[int, ArrayLike | None]:
    """Values by layer."""
    if state_values is None:
        return {}
    if isinstance(state_values, Mapping):
        unknown = [layer for layer in state_values if layer not in range(levels + 1)]
        if unknown:
            raise ModelError(f"GHM: state_values names layer {unknown[0]!r}, not in 0..{levels}.")
        return dict(state_values)
    if not isinstance(state_values, (list, tuple)) or all(map(np.isscalar, state_values)):
        return {levels: cast(ArrayLike, state_values)}
    if len(state_values) != levels + 1:
        raise ModelError(
            f"GHM: state_values by layer needs {levels + 1} entries, got {len(state_values)}."
        )
    return dict(enumerate(state_values))
