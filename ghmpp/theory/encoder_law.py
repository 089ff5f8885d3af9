"""The law of a Langevin encoder, computed without sampling, against the true posterior."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError
from ghmpp.models.latent import LatentGaussian
from ghmpp.schedule.langevin import Langevin

# Grids have points at this share of the noise of a step, which integrates Gaussians to 1e-9.
SPACING = 0.75
MOST_POINTS = 4000
# Points are left out where the posterior is below exp(-40) of its peak.
DEPTH = 40.0


@dataclass(frozen=True, eq=False)
class NormalLaw:
    """The law of z for a linear generator: normal, as is the posterior.

    Parameters
    ----------
    engine
        The encoder, with all its numbers.
    mean, covariance
        Of the encoder: (dimension,) and (dimension, dimension).
    posterior_mean, posterior_covariance
        Of the posterior, in closed form.
    """

    engine: Langevin
    mean: FloatArray = field(repr=False)
    covariance: FloatArray = field(repr=False)
    posterior_mean: FloatArray = field(repr=False)
    posterior_covariance: FloatArray = field(repr=False)

    @cached_property
    def divergence(self) -> float:
        """Kullback-Leibler divergence of the encoder from the posterior, in nats."""
        precision = np.linalg.inv(self.posterior_covariance)
        apart = self.mean - self.posterior_mean
        ratio = precision @ self.covariance
        sign, log_determinant = np.linalg.slogdet(ratio)
        if sign <= 0:
            return math.inf
        found = np.trace(ratio) - len(apart) - log_determinant + apart @ precision @ apart
        return float(found) / 2


@dataclass(frozen=True, eq=False)
class LineLaw:
    """The law of z in one dimension, on a grid.

    Parameters
    ----------
    engine
        The encoder, with all its numbers.
    z
        Equispaced points, (points,).
    density, posterior
        Densities of the encoder and of the posterior there, (points,).
    """

    engine: Langevin
    z: FloatArray = field(repr=False)
    density: FloatArray = field(repr=False)
    posterior: FloatArray = field(repr=False)

    @cached_property
    def total_variation(self) -> float:
        """Total variation distance of the encoder to the posterior, in [0, 1]."""
        return self._distance(self.density)

    @cached_property
    def best_normal(self) -> tuple[float, float, float]:
        """The normal law that is closest to the posterior: mean, deviation, total variation."""
        from scipy.optimize import minimize

        weights = self.posterior / self.posterior.sum()
        mean = float(weights @ self.z)
        deviation = math.sqrt(float(weights @ (self.z - mean) ** 2))

        def distance(parameters: FloatArray) -> float:
            return self._distance(_normal(self.z, parameters[0], math.exp(parameters[1])))

        start = np.array([mean, math.log(deviation)])
        found = minimize(distance, start, method="Nelder-Mead", tol=1e-7)
        return float(found.x[0]), math.exp(float(found.x[1])), float(found.fun)

    def _distance(self, density: FloatArray) -> float:
        return float(np.abs(density - self.posterior).sum() * (self.z[1] - self.z[0]) / 2)


def encoder_law(
    model: LatentGaussian, x: ArrayLike, engine: Langevin | None = None
) -> NormalLaw | LineLaw:
    r"""Law of what a Langevin encoder draws at one observation, without any sampling.

    Of a linear generator ``J z + c`` all layers are linear: with :math:`A = I - h (I + J^\top J /
    \beta^2)` a Langevin step takes a mean :math:`\mu` to :math:`A \mu + h J^\top (x - c) /
    \beta^2` and a covariance C to :math:`A C A^\top + 2 h I`. In one dimension the density goes
    through the transition kernel of each step, on a grid.

    Parameters
    ----------
    model
        A linear generator, or one of dimension 1.
    x
        One observation, (dimension,).
    engine
        The encoder; None = the default one of the model.

    Raises
    ------
    QueryError
        If the law has neither form, ``x`` has another shape, the steps diverge, or a grid would
        need too many points because the steps are very small.

    Examples
    --------
    >>> model = LatentGaussian([([[2.0]], [0.0])], noise=0.5)
    >>> encoder_law(model, [1.0]).divergence < 1e-3
    True
    """
    seen = model.observation(x, "encoder_law")
    chosen = (engine or Langevin()).resolved(model.forest())
    if model.generator.linear:
        return _normal_law(model, seen, chosen)
    if model.dimension == 1:
        return _line_law(model, seen, chosen)
    raise QueryError(
        "encoder_law: the law is known in closed form for linear generators and on a grid in one "
        f"dimension; this generator is nonlinear in {model.dimension}. Draw samples instead."
    )


def _normal_law(model: LatentGaussian, x: FloatArray, engine: Langevin) -> NormalLaw:
    origin, identity = np.zeros(model.dimension), np.eye(model.dimension)
    jacobian = model.generator.jacobian(origin)
    square = jacobian.T @ jacobian
    pull = jacobian.T @ (x - model.generator(origin))
    rate, step = _sizes(engine)
    precision = identity + square / model.noise**2
    mean, covariance = origin, np.zeros_like(identity)
    for _ in range(engine.gradient_steps or 0):
        mean = mean + rate * (pull - square @ mean)
    shrink = identity - step * precision
    for _ in range(engine.steps or 0):
        mean = shrink @ mean + step / model.noise**2 * pull
        covariance = shrink @ covariance @ shrink.T + 2 * step * identity
    posterior = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return NormalLaw(engine, mean, covariance, posterior @ pull / model.noise**2, posterior)


def _line_law(model: LatentGaussian, x: FloatArray, engine: Langevin) -> LineLaw:
    rate, step = _sizes(engine)
    deviation = math.sqrt(2 * step)

    def after(z: FloatArray) -> FloatArray:
        """Mean of a Langevin step from each of many points."""
        slope = model.generator.gradient(z[:, None], x)[:, 0]
        return z - step * (z + slope / model.noise**2)

    start = np.zeros((1, 1))
    for _ in range(engine.gradient_steps or 0):
        start = start - rate * model.generator.gradient(start, x)
    if not engine.steps:
        raise QueryError("encoder_law: without Langevin steps the encoder is a point.")
    first = float(after(start[:, 0])[0])
    # Where G(z) = x: the posterior lies between there and 0.
    far = float(np.abs(x - model.generator(np.zeros(1)))[0]) / model.invertibility.smallest
    z = _grid(lambda z: model.energy(z[:, None], x), far, first, deviation)
    energy = model.energy(z[:, None], x)
    posterior = np.exp(energy.min() - energy)
    width = z[1] - z[0]
    density = _normal(z, first, deviation)
    kernel = width * _normal(z[:, None], after(z)[None, :], deviation)
    for _ in range(engine.steps - 1):
        density = kernel @ density
    if not abs(density.sum() * width - 1) < 1e-6:
        raise QueryError(
            f"encoder_law: the steps of size {step:g} leave the range of the posterior: the "
            "generator is steeper there than at its samples. Use a smaller step."
        )
    return LineLaw(engine, z, density, posterior / (posterior.sum() * width))


def _grid(
    energy: Callable[[FloatArray], FloatArray], far: float, start: float, deviation: float
) -> FloatArray:
    """Points that cover the posterior, within ``far`` and a margin of 0, and the first step."""
    coarse = np.linspace(-far - 12.0, far + 12.0, 20_001)
    high = energy(coarse)
    kept = coarse[high < high.min() + DEPTH]
    low, top = min(kept[0], start) - 8 * deviation, max(kept[-1], start) + 8 * deviation
    points = math.ceil((top - low) / (SPACING * deviation)) + 1
    if points > MOST_POINTS:
        raise QueryError(
            f"encoder_law: steps this small need a grid of {points:,} points, more than "
            f"{MOST_POINTS:,}; use a larger step."
        )
    return np.linspace(low, top, max(points, 401))


def _normal(z: FloatArray, mean: FloatArray | float, deviation: float) -> FloatArray:
    """Normal density."""
    density: FloatArray = np.exp(-(((z - mean) / deviation) ** 2) / 2)
    return density / (deviation * math.sqrt(2 * math.pi))


def _sizes(engine: Langevin) -> tuple[float, float]:
    """Rate and step of a resolved engine."""
    return cast("float", engine.rate), cast("float", engine.step)
