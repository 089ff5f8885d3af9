r"""Exact distances between exp or log and their chords, for one segment.

Nothing here is an estimate: each gap is attained at the point where the curve has the slope of
its chord. Curvature gives the leading term, length squared over 8.
"""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import FloatArray

_TERMS = 14
_NEWTON_STEPS = 12
_ROUNDING = 1 + 1e-12


def slope_excess(length: FloatArray) -> FloatArray:
    """``(e^length - 1) / length - 1``: how much steeper than 1 the chord of exp from 0 is.

    Parameters
    ----------
    length
        Length of the segment, dimensionless, >= 0; any shape.
    """
    series = np.zeros_like(length)
    for k in range(_TERMS, 1, -1):  # sum of length^(k-1) / k!, by Horner
        series = (series + 1) * length / k
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(length < 0.5, series, np.expm1(length) / length - 1)


def exp_gap(length: FloatArray) -> FloatArray:
    r"""Largest distance of the chord of exp above exp on [0, length].

    .. math:: \max_{0 \le x \le \eta} 1 + s x - e^x = 1 - s + s \log s,
              \qquad s = (e^\eta - 1) / \eta

    Parameters
    ----------
    length
        Length eta, dimensionless, >= 0; any shape. On a segment that starts at u, multiply by
        ``exp(u)``.

    Examples
    --------
    >>> float(exp_gap(np.array(0.1)).round(6))  # about 0.1**2 / 8
    0.001314
    """
    excess = slope_excess(np.asarray(length, dtype=np.float64))
    return (1 + excess) * _relative_entropy(excess)


def _relative_entropy(excess: FloatArray) -> FloatArray:
    """``log s - 1 + 1 / s`` for the slope ``s = 1 + excess``, without cancellation."""
    ratio = excess / (1 + excess)
    # log s = -log(1 - ratio), so the difference is sum of ratio^k / k from k = 2.
    series = np.zeros_like(ratio)
    for k in range(3 * _TERMS, 1, -1):
        series = series * ratio + 1 / k
    with np.errstate(invalid="ignore"):
        return np.where(ratio < 0.3, series * ratio**2, np.log1p(excess) - ratio)


def log_gap(log_ratio: float) -> float:
    r"""Largest distance of log above its chord on [1, r], for ``log_ratio = log r``.

    .. math:: g(r) = \log\frac{r - 1}{\log r} - 1 + \frac{\log r}{r - 1} \le \frac{(\log r)^2}{8}

    Any segment [t, r t] has the same gap.

    Parameters
    ----------
    log_ratio
        log r, dimensionless, >= 0.

    Examples
    --------
    >>> round(log_gap(0.1), 9)
    0.001249826
    """
    x = log_ratio
    if x < 0.05:  # the alternating series of log(sinh(x/2) / (x/2)) + (x/2) coth(x/2) - 1
        return x**2 / 8 - x**4 / 576 + x**6 / 25920
    if x > 700:
        return float(x - np.log(x) - 1)
    steep = float(np.expm1(x) / x)
    return float(np.log(steep) - 1 + 1 / steep)


def exp_excess(length: FloatArray, weight: FloatArray) -> FloatArray:
    r"""Smallest ``log(1 + kappa)`` for which the chord of exp on [0, length] stays below.

    .. math:: p(x) - e^x \le \kappa\, (w + e^x) \quad \text{for all } 0 \le x \le \eta

    The maximiser has :math:`e^x = s / (1 + \kappa)`; inserting it leaves :math:`w \kappa + s
    \log(1 + \kappa) = 1 - s + s \log s`, a convex equation in :math:`\log(1 + \kappa)`. Newton's
    method from above gives upper bounds at every step.

    Parameters
    ----------
    length
        Length eta of the segment, >= 0, shape (...).
    weight
        w >= 0, shape (...): 1 / (rho e^u) on a segment that starts at u; 0 for relative error.

    Returns
    -------
    array of shape (...)
        log(1 + kappa), rounded up.
    """
    slope, gap = 1 + slope_excess(length), exp_gap(length)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        bound = np.minimum(gap / slope, np.log1p(np.where(weight > 0, gap / weight, np.inf)))
        for _ in range(_NEWTON_STEPS):
            above = weight * np.expm1(bound) + slope * bound - gap
            step = above / (weight * np.exp(bound) + slope)
            bound = bound - np.where(np.isfinite(step), np.maximum(step, 0), 0)
    return bound * _ROUNDING
