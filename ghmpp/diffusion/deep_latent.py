r"""Deep latent Gaussians: the form that diffusion samplers and Langevin encoders share.

Definition 2 of arXiv:2107.04652: ancestral sampling, one Gaussian layer after the other,

.. math:: Z_0 \sim N(0, I), \qquad Z_i \mid Z_{i-1} \sim N(G_i(Z_{i-1}), \sigma_i^2 I),

where every mean :math:`G_i` is a network. An Euler step of stochastic localization is such a
layer, with mean ``z + dt m(z, t)`` and variance dt; so is a step of gradient descent (variance 0)
or of Langevin dynamics (variance 2h) on the posterior of a latent Gaussian.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ghmpp.diffusion.denoisers import Denoiser
from ghmpp.errors import QueryError
from ghmpp.models.latent import LatentGaussian
from ghmpp.schedule.langevin import Langevin


@dataclass(frozen=True, slots=True)
class GaussianLayer:
    """One layer.

    Parameters
    ----------
    mean
        Values of the layer before, (batch, nodes), to the means of this one.
    deviation
        Standard deviation of the noise; 0 for none.
    """

    mean: Callable[[Tensor], Tensor]
    deviation: float

    def draw(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A draw given the layer before, (batch, nodes)."""
        mean = self.mean(z)
        if self.deviation == 0:
            return mean
        return mean + self.deviation * torch.empty_like(mean).normal_(generator=generator)


@dataclass(frozen=True, eq=False, repr=False)
class DeepLatentGaussian:
    """Gaussian layers, from standard normal values to what is sampled.

    Parameters
    ----------
    layers
        In the order of sampling.
    nodes
        Numbers in the first value.
    like
        A tensor with the precision and device of all values.

    Examples
    --------
    >>> double = GaussianLayer(lambda z: 2 * z, 1.0)
    >>> model = DeepLatentGaussian((double,) * 3, 2, torch.zeros(()))
    >>> model
    DeepLatentGaussian: 3 layers, 3 with noise, of 2 nodes
    >>> model.sample(5, torch.Generator().manual_seed(0)).shape
    torch.Size([5, 2])
    """

    layers: tuple[GaussianLayer, ...]
    nodes: int
    like: Tensor

    def walk(self, start: Tensor, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """The values of layer after layer, given ``start``, (batch, nodes), the value of Z_0."""
        z = start
        for layer in self.layers:
            z = layer.draw(z, generator)
            yield z

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Independent draws of the last layer, (n, nodes)."""
        z = self.like.new_empty(n, self.nodes).normal_(generator=generator)
        with torch.no_grad():
            for value in self.walk(z, generator):
                z = value
        return z

    def __repr__(self) -> str:
        noisy = sum(layer.deviation > 0 for layer in self.layers)
        return (
            f"DeepLatentGaussian: {len(self.layers)} layers, {noisy} with noise, "
            f"of {self.nodes} nodes"
        )


def sampler_layers(denoiser: Denoiser, times: Sequence[float]) -> DeepLatentGaussian:
    """The sampler "euler" as a deep latent Gaussian.

    Parameters
    ----------
    denoiser
        Of leaves in Gaussian noise.
    times
        Localization times of the steps, increasing.

    Returns
    -------
    DeepLatentGaussian
        A first layer without noise, which scales the start, then a layer for each step. With
        the same random numbers its draws are those of the sampler, bit for bit.

    Raises
    ------
    QueryError
        If the times do not increase, or are not finite.
    """
    whole = [float(time) for time in times]
    rising = all(now < later < math.inf for now, later in pairwise(whole))
    if len(whole) < 2 or whole[0] < 0 or not rising:
        raise QueryError(f"sampler_layers: times must increase from 0 or above, got {whole}.")
    layers = [GaussianLayer(lambda z: math.sqrt(whole[0]) * z, 0.0)]
    for now, later in pairwise(whole):

        def mean(z: Tensor, now: float = now, step: float = later - now) -> Tensor:
            return z + step * denoiser.mean_at(z, now)

        layers.append(GaussianLayer(mean, math.sqrt(later - now)))
    return DeepLatentGaussian(tuple(layers), denoiser.variable.nodes, denoiser.like)


def encoder_layers(
    model: LatentGaussian, x: ArrayLike, engine: Langevin | None = None
) -> DeepLatentGaussian:
    """A Langevin encoder as a deep latent Gaussian, for one observation.

    Parameters
    ----------
    model
        A latent Gaussian.
    x
        One observation, (dimension,).
    engine
        Its encoder; None = the default one.

    Returns
    -------
    DeepLatentGaussian
        A first layer that forgets the start, gradient steps without noise, and Langevin steps.

    Raises
    ------
    QueryError
        If ``x`` is no single observation.
    """
    seen = model.observation(x, "encoder_layers")
    chosen = (engine or Langevin()).resolved(model.forest())
    rate, step = cast("float", chosen.rate), cast("float", chosen.step)

    def pull(z: Tensor) -> Tensor:
        return torch.from_numpy(model.generator.gradient(z.numpy(), seen))

    descend = GaussianLayer(lambda z: z - rate * pull(z), 0.0)
    move = GaussianLayer(
        lambda z: (1 - step) * z - step / model.noise**2 * pull(z), math.sqrt(2 * step)
    )
    layers = (
        GaussianLayer(torch.zeros_like, 0.0),
        *(descend,) * (chosen.gradient_steps or 0),
        *(move,) * (chosen.steps or 0),
    )
    return DeepLatentGaussian(layers, model.dimension, torch.zeros((), dtype=torch.float64))
