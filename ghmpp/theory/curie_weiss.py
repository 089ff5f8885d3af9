r"""The Curie-Weiss model in noise, exactly: sums over all spins become one integral.

With :math:`\exp(\beta S^2 / 2d) \propto \int \exp(-d u^2 / 2\beta + u S)\, du` for the sum S of d
spins, spins are independent given u (Hubbard-Stratonovich), so that posterior means cost O(d) for
each point of a grid of u, at any d.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import ModelError
from ghmpp.models.entries import real_numbers

# Points for each standard deviation sqrt(beta / d) of u, and standard deviations beyond the ends.
DENSITY, MARGIN = 4, 12
# Entries of the largest array that is made at one time.
ENTRIES = 4_000_000


def curie_weiss_means(fields: ArrayLike, beta: float) -> FloatArray:
    r"""Posterior means of spins with the law :math:`\exp(\beta S^2 / 2d + \langle a, x\rangle)`.

    Parameters
    ----------
    fields
        a, (batch, d): from observations ``z = lam x + sig g``, it is ``lam z / sig^2``.
    beta
        Inverse temperature, > 0.

    Returns
    -------
    array of shape (batch, d)
        Up to rounding: the trapezoidal rule on the whole line converges faster than any power.

    Raises
    ------
    ModelError
        If the shape is wrong, a field not finite, or beta not > 0.

    Examples
    --------
    >>> curie_weiss_means([[0.3, 0.3]], 1.0).round(6)
    array([[0.40986, 0.40986]])
    """
    a = _read_fields(fields)
    d = a.shape[1]
    grid = _grid(d, beta)
    rows = max(1, ENTRIES // (len(grid) * d))
    found = np.empty(a.shape)
    for start in range(0, len(a), rows):
        total = a[start : start + rows, None, :] + grid[:, None]
        logs = _log_cosh(total).sum(-1) - d * grid**2 / (2 * beta)
        weights = np.exp(logs - logs.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        found[start : start + rows] = np.einsum("bu,bud->bd", weights, np.tanh(total))
    return found


def curie_weiss_mean_field(
    fields: ArrayLike, beta: float, *, overlap: float | None = None, steps: int = 200
) -> FloatArray:
    r"""Mean field of the same law, in O(d) for each step.

    Parameters
    ----------
    fields, beta
        As for :func:`curie_weiss_means`.
    overlap
        None: naive, ``m = tanh(A m + a)`` with couplings ``beta / d``. Else q of the constant
        Onsager correction :math:`K = (d - 1) (\beta / d)^2 (1 - q)`.
    steps
        Number of steps from m = 0.

    Returns
    -------
    array of shape (batch, d)

    Raises
    ------
    ModelError
        As :func:`curie_weiss_means`, or if ``steps`` is below 1.
    """
    a = _read_fields(fields)
    _require_beta(beta)
    if steps < 1:
        raise ModelError(f"curie_weiss: steps must be at least 1, got {steps}.")
    coupling = beta / a.shape[1]
    echo = 0.0 if overlap is None else (a.shape[1] - 1) * coupling**2 * (1 - overlap)
    m = np.zeros(a.shape)
    for _ in range(steps):
        m = np.tanh(a + coupling * (m.sum(1, keepdims=True) - m) - echo * m)
    return m


def curie_weiss_samples(d: int, beta: float, n: int, seed: int = 0) -> IntArray:
    """Independent samples of -1 and +1, (n, d): u from a fine grid, then independent spins.

    Raises
    ------
    ModelError
        If beta is not > 0, d not at least 1, or n negative.
    """
    if d < 1 or n < 0:
        raise ModelError(f"curie_weiss: need d >= 1 and n >= 0, got d={d} and n={n}.")
    rng = np.random.default_rng(seed)
    grid = _grid(d, beta)
    logs = d * (_log_cosh(grid) - grid**2 / (2 * beta))
    weights = np.exp(logs - logs.max())
    u = rng.choice(grid, n, p=weights / weights.sum())
    up = rng.random((n, d)) < (1 + np.tanh(u[:, None])) / 2
    return np.where(up, 1, -1)


def _read_fields(fields: ArrayLike) -> FloatArray:
    """Finite fields (batch, d)."""
    found = real_numbers(fields, "curie_weiss: fields")
    if found.ndim != 2 or found.shape[1] == 0 or not np.isfinite(found).all():
        raise ModelError(
            f"curie_weiss: fields must be finite and have shape (batch, d), got {fields!r:.80}."
        )
    return found


def _require_beta(beta: float) -> None:
    number = isinstance(beta, (int, float, np.number)) and not isinstance(beta, bool)
    if not number or not (np.isfinite(beta) and beta > 0):
        raise ModelError(f"curie_weiss: beta must be finite and > 0, got {beta!r}.")


def _grid(d: int, beta: float) -> FloatArray:
    """Points where the density of u is not negligible: its peaks lie in [-beta, beta]."""
    _require_beta(beta)
    spread = np.sqrt(beta / d)
    half = int(np.ceil((beta + MARGIN * spread) / spread * DENSITY))
    found: FloatArray = np.arange(-half, half + 1) * (spread / DENSITY)
    return found


def _log_cosh(x: FloatArray) -> FloatArray:
    """Without overflow, up to a constant."""
    return np.logaddexp(x, -x)
