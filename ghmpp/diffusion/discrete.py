r"""Samplers for discrete noise: symbols that are resampled, and symbols that are hidden.

Both ask the denoiser for posteriors of symbols given symbols, so that states need no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from ghmpp.diffusion.decoding import draw
from ghmpp.diffusion.denoisers import Denoiser
from ghmpp.diffusion.processes import require_time
from ghmpp.errors import QueryError
from ghmpp.models.lookup import MISSING
from ghmpp.models.observations import Observation


@dataclass(frozen=True, slots=True)
class Resampling:
    r"""With probability t a symbol is drawn anew, all states alike: the epsilon-process.

    .. math:: p(y \mid x) = (1 - t)\, 1\{y = x\} + t / S

    Parameters
    ----------
    states
        Number of states S.

    References
    ----------
    .. [1] A. Sclocchi, A. Favero, M. Wyart, PNAS 122 (2025), e2408799121.

    Examples
    --------
    >>> Resampling(4).likelihood(torch.tensor([[2]]), 0.4)
    tensor([[[0.1000, 0.1000, 0.7000, 0.1000]]])
    """

    states: int

    def noise(self, x: Tensor, t: float, generator: torch.Generator) -> Tensor:
        """States with the noise of level t, (...) as x."""
        _require_level(self, t)
        anew = torch.rand(x.shape, generator=generator, device=x.device) < t
        drawn = torch.randint(self.states, x.shape, generator=generator, device=x.device)
        return torch.where(anew, drawn, x)

    def likelihood(self, y: Tensor, t: float, dtype: torch.dtype | None = None) -> Tensor:
        """Probability of the symbols y by state, (..., states), linear."""
        _require_level(self, t)
        blank = torch.full((*y.shape, self.states), t / self.states, dtype=dtype, device=y.device)
        return blank.scatter_(-1, y[..., None], 1 - t + t / self.states)

    def evidence(self, y: Tensor, t: float) -> Observation:
        """Noisy symbols (batch, nodes) as evidence: their likelihoods."""
        likelihood = self.likelihood(y, t, torch.float64)
        return Observation("likelihood", likelihood)  # type: ignore[arg-type]  # tensors are allowed


@dataclass(frozen=True, slots=True)
class Masking:
    """With probability t a symbol is hidden, state -1.

    Examples
    --------
    >>> Masking().noise(torch.tensor([[2, 0]]), 1.0, torch.Generator())
    tensor([[-1, -1]])
    """

    def noise(self, x: Tensor, t: float, generator: torch.Generator) -> Tensor:
        """States with the noise of level t, (...) as x."""
        _require_level(self, t)
        hidden = torch.rand(x.shape, generator=generator, device=x.device) < t
        return x.masked_fill(hidden, MISSING)

    def evidence(self, y: Tensor, t: float) -> Observation:
        """Noisy symbols (batch, nodes) as evidence: themselves."""
        return Observation("states", y)  # type: ignore[arg-type]  # tensors are allowed


def symbols(
    denoiser: Denoiser, rows: int, steps: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, int]]:
    r"""Symbols under noise that goes from 1 to 0 in equal steps; one call a step.

    Each step draws clean symbols from the marginals, and then the less noisy symbols from their
    law given the noisy and the clean ones, as in discrete diffusion with uniform noise.
    """
    states, level = len(denoiser.variable.states), [1 - k / steps for k in range(steps + 1)]
    process, dtype = Resampling(states), denoiser.like.dtype
    y = torch.randint(
        states, (rows, denoiser.variable.nodes), generator=generator, device=denoiser.like.device
    )
    for now, later in pairwise(level):
        likelihood = process.likelihood(y, now, dtype)
        seen = Observation("likelihood", likelihood)  # type: ignore[arg-type]  # tensors are allowed
        x = draw(denoiser.marginals_given(seen), generator)
        # From ``later`` to ``now`` a symbol was drawn anew with this probability.
        between = process.likelihood(y, 1 - (1 - now) / (1 - later), dtype) if later else None
        y = x if between is None else draw(process.likelihood(x, later, dtype) * between, generator)
        yield y, 0


def masked(
    denoiser: Denoiser, rows: int, steps: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, int]]:
    """Hidden symbols that are revealed in random order, equally many a step; one call a step.

    With as many steps as nodes it is exact. Symbols that are revealed together are drawn
    independently, which a model with zeros may find impossible: such rows go on with what was
    known before, and are counted.
    """
    nodes, device = denoiser.variable.nodes, denoiser.like.device
    steps = min(steps, nodes)
    x = torch.full((rows, nodes), MISSING, device=device)
    order = torch.rand(x.shape, generator=generator, device=device).argsort(-1).argsort(-1)
    probabilities = denoiser.like.new_empty(0)
    impossible = torch.zeros(rows, dtype=torch.bool, device=device)
    for k in range(steps):
        found = denoiser.marginals_given(Observation("states", x))  # type: ignore[arg-type]  # tensors are allowed
        if k:
            impossible |= found.sum(-1).amin(-1) == 0
            found = torch.where(impossible[:, None, None], probabilities, found)
        probabilities = found
        now = (order >= nodes * k // steps) & (order < nodes * (k + 1) // steps)
        x = torch.where(now, draw(probabilities, generator), x)
        yield x, int(impossible.sum())


DiscreteWalk: TypeAlias = Callable[
    [Denoiser, int, int, torch.Generator], Iterator[tuple[Tensor, int]]
]
DISCRETE: Mapping[str, DiscreteWalk] = {"masked": masked, "symbols": symbols}


def _require_level(process: object, t: float) -> None:
    """Refuse noise levels outside [0, 1]."""
    require_time(process, t)
    if t > 1:
        raise QueryError(f"{process}: noise levels must lie in [0, 1], got {t!r}.")
