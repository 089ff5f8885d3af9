r"""Samplers for Gaussian noise: from nothing known to values, by asking a denoiser.

All walk along the localization time t, on one of two equations that need the denoiser m alone:

.. math:: dz = m(z, t)\, dt + dB, \quad z(0) = 0
   \qquad\text{or}\qquad
   \frac{dw}{ds} = m(s w, s^2), \quad w(0) \sim N(0, I)

The first is stochastic localization (arXiv:2404.18444, section 4). The second is the
probability-flow equation for ``w = z / sqrt(t)`` and ``s = sqrt(t)``, without a singularity at 0.
A sampler yields ``z`` after each step; ``w`` below is its standard normal start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from ghmpp.diffusion.decoding import draw
from ghmpp.diffusion.denoisers import Denoiser
from ghmpp.diffusion.processes import VariancePreserving

Walk: TypeAlias = Callable[[Denoiser, list[float], Tensor, torch.Generator], Iterator[Tensor]]


def euler(
    denoiser: Denoiser, times: list[float], w: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Euler-Maruyama steps of the stochastic equation; one call a step."""
    z = math.sqrt(times[0]) * w
    for now, later in pairwise(times):
        z = z + (later - now) * denoiser.mean_at(z, now) + _increment(z, now, later, generator)
        yield z


def heun(
    denoiser: Denoiser, times: list[float], w: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Heun steps of the stochastic equation, one noise for both stages; two calls a step."""
    z = math.sqrt(times[0]) * w
    for now, later in pairwise(times):
        noise = _increment(z, now, later, generator)
        first = denoiser.mean_at(z, now)
        second = denoiser.mean_at(z + (later - now) * first + noise, later)
        z = z + (later - now) * (first + second) / 2 + noise
        yield z


def jump(
    denoiser: Denoiser, times: list[float], w: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Steps toward values drawn from the marginals instead of their means; one call a step."""
    z = math.sqrt(times[0]) * w
    for now, later in pairwise(times):
        x = denoiser.values[draw(denoiser.marginals_at(z, now), generator)]
        z = z + (later - now) * x + _increment(z, now, later, generator)
        yield z


def ancestral(
    denoiser: Denoiser, times: list[float], w: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Ancestral sampling of DDPM, the mean in place of the values; one call a step.

    Draws from the law of the variance-preserving process at a time, given its later (noisier)
    state and the values. In exact arithmetic this is :func:`euler` with the same noise.
    """
    process = VariancePreserving()
    t = process.time(times[0])
    y = process.coefficients(t)[1] * w
    for now, later in pairwise(times):
        alpha, sigma = process.coefficients(t)
        t = process.time(later)
        alpha_next, sigma_next = process.coefficients(t)
        ratio = alpha / alpha_next
        variance = sigma**2 - (ratio * sigma_next) ** 2
        z = (alpha / sigma**2) * y
        y = (
            ratio * sigma_next**2 / sigma**2 * y
            + alpha_next * variance / sigma**2 * denoiser.mean_at(z, now)
            + math.sqrt(variance) * sigma_next / sigma * _normal(y, generator)
        )
        yield process.to_localization(y, t)


def ddim(
    denoiser: Denoiser, times: list[float], w: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Euler steps of the probability-flow equation (DDIM); one call a step."""
    for s, later in pairwise(map(math.sqrt, times)):
        w = w + (later - s) * denoiser.mean_at(s * w, s**2)
        yield later * w


def heun_flow(
    denoiser: Denoiser, times: list[float], w: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Heun steps of the probability-flow equation; two calls a step."""
    for s, later in pairwise(map(math.sqrt, times)):
        first = denoiser.mean_at(s * w, s**2)
        middle = w + (later - s) * first
        w = w + (later - s) * (first + denoiser.mean_at(later * middle, later**2)) / 2
        yield later * w


def adams_bashforth(
    denoiser: Denoiser, times: list[float], w: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Adams-Bashforth steps of order 2 of the probability-flow equation; one call a step.

    With unequal steps ``h`` after ``h'``: ``w + h (k + h / (2 h') (k - k'))``; the first step is
    Euler's.
    """
    before: tuple[float, Tensor] | None = None
    for s, later in pairwise(map(math.sqrt, times)):
        step = later - s
        slope = denoiser.mean_at(s * w, s**2)
        if before is None:
            w = w + step * slope
        else:
            step_before, slope_before = before
            w = w + step * (slope + step / (2 * step_before) * (slope - slope_before))
        before = step, slope
        yield later * w


@dataclass(frozen=True, slots=True)
class Sampler:
    """A way to walk, and the grid that suits it."""

    walk: Walk
    grid: str


SAMPLERS: Mapping[str, Sampler] = {
    "ab2": Sampler(adams_bashforth, "power"),
    "ddim": Sampler(ddim, "square-root"),
    "ddpm": Sampler(ancestral, "wide"),
    "euler": Sampler(euler, "wide"),
    "heun": Sampler(heun, "wide"),
    "heun_flow": Sampler(heun_flow, "square-root"),
    "jump": Sampler(jump, "wide"),
}


def _increment(z: Tensor, now: float, later: float, generator: torch.Generator) -> Tensor:
    """What a Brownian motion adds between two times."""
    return math.sqrt(later - now) * _normal(z, generator)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the same shape, precision and device."""
    return torch.empty_like(like).normal_(generator=generator)
