"""How much each summand contributes to the change of a log-sum: averages along a path."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ghmpp._arrays import BoolArray, FloatArray
from ghmpp.errors import EvidenceError

# Points of each panel of the path, and how far logarithms may move apart in one, in nats: the
# average then has its last digits, since its nearest pole is pi / PANEL panels away.
POINTS = 20
PANEL = 6.0
FARTHEST = 12_000.0


def shares_of_change(
    table: FloatArray, before: FloatArray, after: FloatArray, weight: FloatArray, lost: FloatArray
) -> tuple[FloatArray, FloatArray]:
    r"""Carry relevance back through ``q(s) = log sum_a psi(s, a) exp h(a)``.

    On the way from ``h0`` to ``h``, at first the states that ``h`` rules out are lost, each with
    what it had in the sum; then the others change along a straight line, so that

    .. math:: q(s) - q_0(s) = \log\frac{\sum_{a: h(a) > -\infty} \psi(s, a) e^{h_0(a)}}
        {\sum_a \psi(s, a) e^{h_0(a)}} + \sum_a W_{sa} (h(a) - h_0(a)), \quad
        W_{sa} = \int_0^1 \frac{\psi(s, a) e^{h_t(a)}}{\sum_b \psi(s, b) e^{h_t(b)}} dt

    with 20 Gauss-Legendre points for every 6 nats.

    Parameters
    ----------
    table
        Log psi, shape (batch or 1, nodes, receiver's states, sender's states).
    before, after
        h0 and h, shapes (1, nodes, sender's states) and (batch, nodes, sender's states).
    weight
        Weights of the changes of q(s), (batch, nodes, receiver's states); 0 where h rules s out.
    lost
        Relevance of the receiver's states that h rules out, same shape.

    Returns
    -------
    weight, lost
        The same for the sender: weights of the changes of h(a), and relevance of the states that
        h rules out. Weights of a node have the same sum as before, so that constants in messages
        change nothing; what states have lost and the weighted changes have the same total.

    Raises
    ------
    EvidenceError
        If log-values move apart by more than can be followed.
    """
    alive = after > -np.inf
    ruled_out = ~alive & (before > -np.inf)
    reach = table + before[:, :, None]
    kept, gone = _log_sum(reach, alive), _log_sum(reach, ruled_out)
    # log of what is kept over the whole, without loss of digits
    with np.errstate(invalid="ignore"):
        fall = np.where(kept > -np.inf, -np.logaddexp(0.0, gone - kept), 0.0)
        share = np.where(ruled_out[:, :, None], np.exp(reach - gone[..., None]), 0.0)
    share[~np.isfinite(share)] = 0.0
    taken = weight * np.nan_to_num(fall, neginf=0.0) + lost
    return _averages(table, before, after, alive, weight), np.einsum("bns,bnsa->bna", taken, share)


def _averages(
    table: FloatArray,
    before: FloatArray,
    after: FloatArray,
    alive: BoolArray,
    weight: FloatArray,
) -> FloatArray:
    """Weights times the path average of the derivative of q in h."""
    with np.errstate(invalid="ignore"):
        change = np.where(alive, after - before, 0.0)
        start = np.where(alive, before, -np.inf)
    span = float(_span(change, alive).max(initial=0.0))
    if span > FARTHEST:
        raise EvidenceError(
            f"relevance: evidence moves log-values of a node apart by {span:,.0f} nats, more than "
            f"{FARTHEST:,.0f}; give states in place of such sharp likelihoods."
        )
    total = np.zeros_like(after)
    for time, step in _points(max(1, math.ceil(span / PANEL))):
        logs = table + (start + time * change)[:, :, None]
        largest = logs.max(axis=-1, keepdims=True)
        parts = np.exp(logs - np.where(largest == -np.inf, 0.0, largest))
        sums = parts.sum(axis=-1)
        total += step * np.einsum("bns,bnsa->bna", weight / np.where(sums == 0, 1.0, sums), parts)
    return total


def _span(change: FloatArray, alive: BoolArray) -> FloatArray:
    """Largest less smallest change of the states that stay."""
    highest = np.where(alive, change, -np.inf).max(axis=-1)
    lowest = np.where(alive, change, np.inf).min(axis=-1)
    spans: FloatArray = np.where(alive.any(axis=-1), highest - lowest, 0.0)
    return spans


@cache
def _rule() -> tuple[FloatArray, FloatArray]:
    """Points and weights on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    return (points + 1) / 2, weights / 2


def _points(panels: int) -> list[tuple[float, float]]:
    """Points and weights of the composite rule on [0, 1]."""
    points, weights = _rule()
    return [
        (float(panel + point) / panels, float(weight) / panels)
        for panel in range(panels)
        for point, weight in zip(points, weights, strict=True)
    ]


def _log_sum(logs: FloatArray, chosen: BoolArray) -> FloatArray:
    """Log of the sum of exponentials over the chosen states; -inf of none."""
    picked = np.where(chosen[:, :, None], logs, -np.inf)
    largest = picked.max(axis=-1, initial=-np.inf)
    finite = np.where(largest == -np.inf, 0.0, largest)
    with np.errstate(divide="ignore"):
        sums: FloatArray = finite + np.log(np.exp(picked - finite[..., None]).sum(axis=-1))
    return sums
