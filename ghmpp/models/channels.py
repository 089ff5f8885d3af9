r"""Channels: how a continuous observation z came from the numeric value x of a state.

A channel only makes log-likelihoods, so one compiled network serves every noise level. The two
quadratic channels also say how: ``log p(z | x = v) = gain v z - curvature v^2 / 2 + rest(z)``,
where the rest does not depend on the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class Gaussian:
    r"""Gaussian noise: ``z = scale x + sigma noise`` with standard normal noise.

    .. math:: \log p(z \mid x) = -\frac{(z - \mathrm{scale}\, x)^2}{2\sigma^2}
              - \log(\sigma \sqrt{2\pi})

    Parameters
    ----------
    sigma
        Standard deviation of the noise, in the units of z; finite and > 0.
    scale
        Factor alpha between state value and observation; finite.

    Raises
    ------
    EvidenceError
        If ``sigma`` is not finite and positive, or ``scale`` is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> channel = Gaussian(sigma=1.0)
    >>> z = np.array([0.0, 2.0])
    >>> channel.log_likelihood(np.array([0.0, 1.0]), z).round(3)
    array([[-0.919, -1.419],
           [-2.919, -1.419]])
    """

    sigma: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        _require("Gaussian", "sigma", self.sigma, positive=True)
        _require("Gaussian", "scale", self.scale)

    def coefficients(self) -> tuple[float, float]:
        """Gain ``scale / sigma^2`` and curvature ``scale^2 / sigma^2``."""
        gain = self.scale / self.sigma / self.sigma
        return gain, gain * self.scale

    def rest(self, z: FloatArray) -> FloatArray:
        """Part of the log density without the state: shape (...) as z."""
        standard = np.asarray(z, dtype=np.float64) / self.sigma
        return -0.5 * standard**2 - math.log(self.sigma) - 0.5 * math.log(2 * math.pi)

    def log_likelihood(self, values: FloatArray, z: FloatArray) -> FloatArray:
        """Log density of each observation under each state.

        Parameters
        ----------
        values
            State values, shape (states,).
        z
            Observations, any shape (...).

        Returns
        -------
        array of shape (..., states)
            Natural log of the density; NaN where z is NaN.
        """
        z = np.asarray(z, dtype=np.float64)[..., None]
        return self.rest(z - self.scale * np.asarray(values, dtype=np.float64))

    def sample(self, x: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Observations of the values x, shape (...) as x."""
        x = np.asarray(x, dtype=np.float64)
        return self.scale * x + self.sigma * rng.standard_normal(x.shape)

    def with_parameters(self, **parameters: float) -> Gaussian:
        """The channel with other values of ``sigma`` or ``scale``."""
        _require_known(self, parameters)
        return replace(self, **parameters)


@dataclass(frozen=True, slots=True)
class Localization:
    r"""Stochastic localization: ``z = t x + sqrt(t) noise`` at time t.

    Densities are relative to N(0, t), so that time 0 (no information) is allowed:

    .. math:: \log \frac{p(z \mid x)}{N(z; 0, t)} = x z - t\, x^2 / 2

    Parameters
    ----------
    time
        Time t, dimensionless; finite and >= 0.

    Raises
    ------
    EvidenceError
        If ``time`` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> Localization(time=2.0).log_likelihood(np.array([-1.0, 1.0]), np.array([0.5]))
    array([[-1.5, -0.5]])
    """

    time: float

    def __post_init__(self) -> None:
        _require("Localization", "time", self.time)
        if self.time < 0:
            raise EvidenceError(f"Localization: time must be >= 0, got {self.time}.")

    def coefficients(self) -> tuple[float, float]:
        """Gain 1 and curvature t."""
        return 1.0, self.time

    def rest(self, z: FloatArray) -> FloatArray:
        """Zeros, shape (...) as z: the part without the state is the reference density."""
        return np.zeros_like(np.asarray(z, dtype=np.float64))

    def log_likelihood(self, values: FloatArray, z: FloatArray) -> FloatArray:
        """Log density relative to N(0, t) of each observation under each state.

        Parameters
        ----------
        values
            State values, shape (states,).
        z
            Observations, any shape (...).

        Returns
        -------
        array of shape (..., states)
            Natural log; NaN where z is NaN.
        """
        values = np.asarray(values, dtype=np.float64)
        z = np.asarray(z, dtype=np.float64)[..., None]
        return z * values - 0.5 * self.time * values**2

    def sample(self, x: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Observations of the values x, shape (...) as x."""
        x = np.asarray(x, dtype=np.float64)
        return self.time * x + math.sqrt(self.time) * rng.standard_normal(x.shape)

    def with_parameters(self, **parameters: float) -> Localization:
        """The channel at another ``time``."""
        _require_known(self, parameters)
        return replace(self, **parameters)


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    """A channel given by its log-likelihood function.

    Parameters
    ----------
    function
        ``function(values, z)`` with values of shape (states,) and z of any shape (...); returns
        shape (..., states), natural logs, -inf allowed.

    Examples
    --------
    >>> import numpy as np
    >>> laplace = LogLikelihood(lambda values, z: -abs(z[..., None] - values))
    >>> laplace.log_likelihood(np.array([0.0, 1.0]), np.array([3.0]))
    array([[-3., -2.]])
    """

    function: Callable[[FloatArray, FloatArray], FloatArray]

    def log_likelihood(self, values: FloatArray, z: FloatArray) -> FloatArray:
        """Log-likelihood of each observation under each state, shape (..., states).

        Raises
        ------
        EvidenceError
            If the function returns another shape.
        """
        values = np.asarray(values, dtype=np.float64)
        z = np.asarray(z, dtype=np.float64)
        result = np.asarray(self.function(values, z), dtype=np.float64)
        expected = (*z.shape, *values.shape)
        if result.shape != expected:
            raise EvidenceError(
                f"LogLikelihood: the function must return shape {expected} (observations, "
                f"states), got {result.shape}; use z[..., None] against values."
            )
        return result

    def with_parameters(self, **parameters: float) -> LogLikelihood:
        """The channel itself; it has no parameters to change."""
        _require_known(self, parameters)
        return self


Channel: TypeAlias = Gaussian | Localization | LogLikelihood


@dataclass(frozen=True, slots=True)
class Given:
    """What a compiled program is given: a class of variables, observed through a channel.

    ``channel`` None stands for observed states.
    """

    variable: str
    channel: Channel | None = None


def read_given(given: object) -> tuple[Given, ...]:
    """What is given, one or several; a name stands for observed states, or numbers.

    Examples
    --------
    >>> read_given("x")
    (Given(variable='x', channel=None),)
    """
    several = isinstance(given, Iterable) and not isinstance(given, str)
    listed = tuple(given) if several else (given,)  # type: ignore[arg-type]  # told apart above
    return tuple(item if isinstance(item, Given) else Given(str(item)) for item in listed)


def noisy(variable: Hashable, *, sigma: float, scale: float = 1.0) -> Given:
    """The class ``variable`` observed with Gaussian noise, as given to ``compile``.

    Parameters
    ----------
    variable
        Name of the class.
    sigma, scale
        As in :class:`Gaussian`.

    Raises
    ------
    EvidenceError
        If ``sigma`` or ``scale`` is out of range.

    Examples
    --------
    >>> noisy("pixel", sigma=2.0)
    Given(variable='pixel', channel=Gaussian(sigma=2.0, scale=1.0))
    """
    return Given(str(variable), Gaussian(sigma, scale))


def localized(variable: Hashable, *, time: float) -> Given:
    """The class ``variable`` observed by stochastic localization at ``time``.

    Parameters
    ----------
    variable
        Name of the class.
    time
        As in :class:`Localization`.

    Raises
    ------
    EvidenceError
        If ``time`` is negative or not finite.

    Examples
    --------
    >>> localized("pixel", time=0.0)
    Given(variable='pixel', channel=Localization(time=0.0))
    """
    return Given(str(variable), Localization(time))


def _require(channel: str, name: str, value: float, *, positive: bool = False) -> None:
    """Refuse a parameter that is not a finite number, or not positive where it must be."""
    try:
        good = math.isfinite(value) and (value > 0 or not positive)
    except TypeError:
        good = False
    if not good:
        kind = "finite and > 0" if positive else "a finite number"
        raise EvidenceError(f"{channel}: {name} must be {kind}, got {value!r}.")


def _require_known(channel: Channel, parameters: dict[str, float]) -> None:
    """Refuse parameters that the channel does not have."""
    known = [] if isinstance(channel, LogLikelihood) else [item.name for item in fields(channel)]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise EvidenceError(
            f"{type(channel).__name__}: no parameter {unknown[0]!r}; "
            f"its parameters are: {', '.join(known) or 'none'}."
        )
