"""How well spins are known at a noise level: the overlap q, and the constant Onsager correction."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError
from ghmpp.models.channels import Given, LogLikelihood

# Points of the quadrature over Gaussian noise, and rounds of the fixed-point equation.
POINTS, ROUNDS, TOLERANCE = 61, 500, 1e-12


def signal(given: Given) -> float:
    """Signal-to-noise ratio t of an observation: as good as ``t x + sqrt(t) noise``.

    Infinite for observed states, and for channels that do not say how good they are.
    """
    if given.channel is None or isinstance(given.channel, LogLikelihood):
        return math.inf
    return given.channel.coefficients()[1]


def signals(given: Iterable[Given], classes: Iterable[str], where: str) -> dict[str, float]:
    """Signal-to-noise ratio by class; 0 for those that are not observed.

    Raises
    ------
    QueryError
        If a class is unknown.
    """
    found = dict.fromkeys(classes, 0.0)
    for item in given:
        if item.variable not in found:
            raise QueryError(
                f"given: unknown class {item.variable!r}; {where} has {', '.join(found)}."
            )
        found[item.variable] = signal(item)
    return found


def overlaps(matrix: FloatArray, fields: FloatArray, ratios: FloatArray) -> FloatArray:
    r"""Mean square q of the posterior mean of each spin, in replica-symmetric theory.

    For couplings without preferred sign, what spin i hears is as good as an observation of it at
    signal-to-noise ratio :math:`s_i`, and q solves

    .. math:: s_i = t_i + \sum_j A_{ij}^2 q_j, \qquad
              q_i = E \tanh^2(b_i + s_i x + \sqrt{s_i}\, g),

    with x = ±1 of mean :math:`\tanh b_i`, and g standard normal.

    Parameters
    ----------
    matrix, fields
        Couplings (sites, sites) and fields (sites,).
    ratios
        Signal-to-noise ratios t of the observations, (sites,), >= 0; infinite for known spins.

    Returns
    -------
    array of shape (sites,), in [0, 1]
        The smallest solution: the iteration starts from q = 0.

    References
    ----------
    .. [1] A. El Alaoui, A. Montanari, M. Sellke, Sampling from the Sherrington-Kirkpatrick Gibbs
       measure via algorithmic stochastic localization, arXiv:2203.05093, for zero fields.

    Examples
    --------
    >>> overlaps(np.zeros((1, 1)), np.zeros(1), np.array([1.0])).round(4)
    array([0.5504])
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS)
    weights = weights / weights.sum()
    squares = matrix**2
    known = np.isinf(ratios)
    start = np.where(known, 0.0, ratios)
    q = known.astype(np.float64)
    share = (1 + np.tanh(fields)) / 2
    for _ in range(ROUNDS):
        s = (start + squares @ q)[:, None]
        up, down = (
            np.tanh(fields[:, None] + sign * s + np.sqrt(s) * nodes) ** 2 @ weights
            for sign in (1, -1)
        )
        new = np.where(known, 1.0, share * up + (1 - share) * down)
        moved = float(np.abs(new - q).max(initial=0.0))
        q = new
        if moved < TOLERANCE:
            break
    return q


def onsager(matrix: FloatArray, fields: FloatArray, ratios: FloatArray) -> FloatArray:
    r"""The constant Onsager correction :math:`K_i = \sum_j A_{ij}^2 (1 - q_j)`, shape (sites,).

    Arguments as for :func:`overlaps`, which is the q.
    """
    found: FloatArray = matrix**2 @ (1 - overlaps(matrix, fields, ratios))
    return found
