"""When a root can be told from far away: the Kesten-Stigum bound of broadcasting on trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ghmpp.errors import ModelError


def kesten_stigum(table: ArrayLike, branching: float) -> float:
    r"""The Kesten-Stigum number :math:`m \lambda_2^2` of an edge table.

    Above 1 the root can be told from counts of the leaf states however deep the tree is; below
    1 counts say nothing in the limit (and for two states with a symmetric table nothing else
    does either).

    Parameters
    ----------
    table
        Weights of an edge, shape (states, states), axes (parent state, child state), linear,
        >= 0, rows with a positive sum; rows are divided by their sums.
    branching
        Children of each node, m; dimensionless.

    Returns
    -------
    float
        :math:`\lambda_2` is the second eigenvalue by modulus.

    Raises
    ------
    ModelError
        If the table is not square or no table of weights.

    References
    ----------
    .. [1] H. Kesten, B. P. Stigum, Ann. Math. Statist. 37 (1966), 1463-1481.
    .. [2] E. Mossel, Deep learning and hierarchical generative models, arXiv:1612.09057.

    Examples
    --------
    >>> round(kesten_stigum([[0.9, 0.1], [0.1, 0.9]], branching=2), 4)
    1.28
    """
    weights = np.asarray(table, dtype=np.float64)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or len(weights) < 2:
        raise ModelError(
            f"kesten_stigum: table must have shape (states, states) with at least 2 states, axes "
            f"(parent state, child state), got shape {weights.shape}."
        )
    sums = weights.sum(axis=1, keepdims=True)
    if not (np.isfinite(weights).all() and weights.min() >= 0 and sums.min() > 0):
        raise ModelError(
            "kesten_stigum: entries must be finite and >= 0, and every row needs a positive one."
        )
    moduli = np.sort(np.abs(np.linalg.eigvals(weights / sums)))
    return float(branching * moduli[-2] ** 2)


def broadcast_threshold(branching: float, states: int = 2) -> float:
    r"""The flip probability at which :func:`kesten_stigum` of a broadcast is 1.

    .. math:: \delta_c = (1 - 1/S) (1 - m^{-1/2})

    Parameters
    ----------
    branching
        Children of each node, m >= 1.
    states
        Number of states S >= 2; a flip goes to each other state alike, as in
        :func:`ghmpp.models.zoo.broadcast`.

    Raises
    ------
    ModelError
        If ``branching < 1`` or ``states < 2``.

    Examples
    --------
    >>> round(broadcast_threshold(2), 4), broadcast_threshold(4)
    (0.1464, 0.25)
    """
    if branching < 1 or states < 2:
        raise ModelError(
            f"broadcast_threshold: needs branching >= 1 and states >= 2, got branching="
            f"{branching!r}, states={states!r}."
        )
    return float((1 - 1 / states) * (1 - branching**-0.5))
