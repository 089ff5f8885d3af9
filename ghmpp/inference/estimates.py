"""Means over random draws, with their standard errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray

# Standard errors on either side that hold 95 % of a normal distribution.
DEVIATES = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean.

    Parameters
    ----------
    value
        The mean.
    error
        Its standard error; 0 where nothing was drawn.

    Examples
    --------
    >>> low, high = Estimate(0.25, 0.01).interval
    >>> round(low, 4), round(high, 4)
    (0.2304, 0.2696)
    """

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval, of the normal distribution."""
        reach = DEVIATES * self.error
        return self.value - reach, self.value + reach

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"{self.value:.4g}" + (f" +- {self.error:.2g}" if self.error else "")


def mean_of(draws: FloatArray) -> Estimate:
    """The mean of independent draws, (n,) with n >= 2; infinite if one of them is.

    Examples
    --------
    >>> mean_of(np.array([1.0, 2.0, 3.0]))
    2 +- 0.58
    """
    if not np.isfinite(draws).all():
        return Estimate(math.inf, 0.0)
    return Estimate(float(draws.mean()), float(draws.std(ddof=1) / math.sqrt(len(draws))))
