r"""Processes: how Gaussian noise is added to state values, and the maps between their times.

Every process shows ``z = alpha x + sigma noise`` with two numbers that depend on its time t. What
z tells of x depends on ``tau = (alpha / sigma)^2`` alone, the time of stochastic localization, at
which the same observation is ``alpha z / sigma^2``. So one denoiser, and one compiled network,
serves all processes at all times (arXiv:2404.18444, section 4).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ghmpp.errors import QueryError
from ghmpp.models.channels import Channel, Gaussian, Localization
from ghmpp.models.observations import Observed


class Process(ABC):
    """Gaussian noise whose strength depends on a time; the module has the common coordinates."""

    @abstractmethod
    def coefficients(self, t: float) -> tuple[float, float]:
        """The factors alpha of the value and sigma of the noise at time t.

        Raises
        ------
        QueryError
            If the time is negative or NaN.
        """

    @abstractmethod
    def time(self, tau: float) -> float:
        """The time of this process at localization time ``tau >= 0``."""

    def localization_time(self, t: float) -> float:
        """The localization time ``tau = (alpha / sigma)^2`` at time t; inf without noise."""
        alpha, sigma = self.coefficients(t)
        return math.inf if sigma == 0 else (alpha / sigma) ** 2

    def channel(self, t: float) -> Channel:
        """The channel through which values are seen at time t, for ``Observed`` and networks.

        Raises
        ------
        QueryError
            If there is no noise at time t, or a time is negative.
        """
        alpha, sigma = self.coefficients(t)
        return Gaussian(self._noise_level(t, sigma), alpha)

    def evidence(self, z: Tensor, t: float) -> Observed:
        """What was seen at time t, (batch, nodes), as evidence for exact inference.

        Raises
        ------
        QueryError
            As :meth:`channel`.
        """
        return Observed(z, self.channel(t))

    def noise(self, x: Tensor, t: float, generator: torch.Generator) -> Tensor:
        """Values x with the noise of time t, shape (...) as x.

        Raises
        ------
        QueryError
            If the time is negative, or its noise is infinite.
        """
        alpha, sigma = self.coefficients(t)
        if not math.isfinite(sigma):
            raise QueryError(f"{self}: the noise at time {t} is infinite; take an earlier time.")
        drawn = torch.empty_like(x).normal_(generator=generator)
        return alpha * x + sigma * drawn

    def to_localization(self, z: Tensor, t: float) -> Tensor:
        """The same observation as stochastic localization shows it, ``alpha z / sigma^2``.

        Raises
        ------
        QueryError
            If there is no noise at time t, or a time is negative.
        """
        alpha, sigma = self.coefficients(t)
        return z * (alpha / self._noise_level(t, sigma) ** 2)

    def from_localization(self, z: Tensor, t: float) -> Tensor:
        """The observation at time t of this process, from that of stochastic localization.

        Raises
        ------
        QueryError
            If nothing is seen of the values at time t, or a time is negative.
        """
        alpha, sigma = self.coefficients(t)
        if alpha == 0 or not math.isfinite(sigma):
            raise QueryError(f"{self}: nothing is seen of the values at time {t}.")
        return z * (sigma**2 / alpha)

    def score(self, mean: Tensor, z: Tensor, t: float) -> Tensor:
        r"""Gradient of the log density of z, from the posterior mean (Tweedie).

        .. math:: \nabla \log p_t(z) = (\alpha\, E[x \mid z] - z) / \sigma^2

        Parameters
        ----------
        mean, z
            Posterior means of the values, and what was observed; same shape.
        t
            Time of this process, with noise.

        Raises
        ------
        QueryError
            If there is no noise at time t, or a time is negative.
        """
        alpha, sigma = self.coefficients(t)
        return (alpha * mean - z) / self._noise_level(t, sigma) ** 2

    def mean_from_score(self, score: Tensor, z: Tensor, t: float) -> Tensor:
        """The posterior mean of the values, from the score: the inverse of :meth:`score`."""
        alpha, sigma = self.coefficients(t)
        return (z + sigma**2 * score) / alpha

    def mean_from_noise(self, noise: Tensor, z: Tensor, t: float) -> Tensor:
        """Posterior means of the values, from those of the noise: ``(z - sigma noise) / alpha``."""
        alpha, sigma = self.coefficients(t)
        return (z - sigma * noise) / alpha

    def _noise_level(self, t: float, sigma: float) -> float:
        """Sigma, which must be positive."""
        if sigma == 0:
            raise QueryError(f"{self}: there is no noise at time {t}; take another time.")
        return sigma


@dataclass(frozen=True, slots=True)
class StochasticLocalization(Process):
    """``z = t x + sqrt(t) noise``: time starts at 0, where nothing is known, and goes up.

    Examples
    --------
    >>> StochasticLocalization().coefficients(4.0)
    (4.0, 2.0)
    """

    def coefficients(self, t: float) -> tuple[float, float]:
        """``t`` and ``sqrt(t)``."""
        require_time(self, t)
        return t, math.sqrt(t)

    def time(self, tau: float) -> float:
        """The localization time itself."""
        return tau

    def localization_time(self, t: float) -> float:
        """The time itself."""
        require_time(self, t)
        return t

    def channel(self, t: float) -> Channel:
        """The channel :class:`ghmpp.Localization`, which time 0 has, too."""
        require_time(self, t)
        return Localization(t)

    def to_localization(self, z: Tensor, t: float) -> Tensor:
        """The observation itself."""
        require_time(self, t)
        return z

    def from_localization(self, z: Tensor, t: float) -> Tensor:
        """The observation itself."""
        require_time(self, t)
        return z


@dataclass(frozen=True, slots=True)
class VariancePreserving(Process):
    """``z = exp(-t) x + sqrt(1 - exp(-2 t)) noise`` (DDPM): from data at 0 to noise at infinity.

    Examples
    --------
    >>> process = VariancePreserving()
    >>> round(process.localization_time(process.time(3.0)), 12)
    3.0
    """

    def coefficients(self, t: float) -> tuple[float, float]:
        """``exp(-t)`` and ``sqrt(1 - exp(-2 t))``."""
        require_time(self, t, infinite=True)
        return math.exp(-t), math.sqrt(-math.expm1(-2 * t))

    def time(self, tau: float) -> float:
        """``log(1 + 1 / tau) / 2``; infinite at 0."""
        return math.inf if tau == 0 else 0.5 * math.log1p(1 / tau)


@dataclass(frozen=True, slots=True)
class VarianceExploding(Process):
    """``z = x + t noise``: time is the standard deviation of the noise.

    Examples
    --------
    >>> VarianceExploding().localization_time(0.5)
    4.0
    """

    def coefficients(self, t: float) -> tuple[float, float]:
        """1 and ``t``."""
        require_time(self, t, infinite=True)
        return 1.0, t

    def time(self, tau: float) -> float:
        """``1 / sqrt(tau)``; infinite at 0."""
        return math.inf if tau == 0 else 1 / math.sqrt(tau)


def require_time(process: object, t: float, *, infinite: bool = False) -> None:
    """Refuse negative times and NaN, and infinite ones where they mean nothing.

    Raises
    ------
    QueryError
        Naming the process and the time.
    """
    if not (t >= 0 and (infinite or t < math.inf)):
        least = ">= 0" if infinite else ">= 0 and finite"
        raise QueryError(f"{process}: times must be {least}, got {t!r}.")
