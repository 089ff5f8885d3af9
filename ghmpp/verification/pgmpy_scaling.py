"""Factors of a pgmpy network in a range where its linear arithmetic is exact to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ghmpp.errors import ResourceError

LOG_MASS = 300.0
LARGEST_SPAN = 500.0


def scale(network: Any, log_partition: float) -> float:
    """Scale all factors to one maximum, in place.

    The total mass becomes e^300 where products stay in range: no sum overflows, and beliefs are
    not small, which matters because pgmpy takes those that differ by less than 1e-8 for calibrated.

    Parameters
    ----------
    network
        A Markov network of pgmpy.
    log_partition
        Log of its total mass; only the range depends on it, never the result.

    Returns
    -------
    float
        Sum of the logs of what was divided out.
    """
    factors = network.get_factors()
    logs = [float(np.log(factor.values.max())) for factor in factors]
    total = min(LOG_MASS - log_partition + sum(logs), 2 * LOG_MASS)
    for factor, log in zip(factors, logs, strict=True):
        factor.values = factor.values * np.exp(total / len(factors) - log)
    return sum(logs) - total


def require_span(network: Any) -> None:
    """Refuse factors whose products may underflow, which a division of beliefs does not forgive.

    Raises
    ------
    ResourceError
        With the ratio between the largest and the smallest positive product.
    """
    span = 0.0
    for factor in network.get_factors():
        positive = factor.values[factor.values > 0]
        span += float(np.log(positive.max()) - np.log(positive.min()))
    if span > LARGEST_SPAN:
        raise ResourceError(
            f"pgmpy: products of the potentials span e^{span:,.0f}, too much for its division of "
            f"beliefs."
        )
