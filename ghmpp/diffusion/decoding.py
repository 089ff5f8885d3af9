"""From the last noisy values to states: rounding, the best state, or one draw of each."""

from __future__ import annotations

from typing import Literal, assert_never, get_args

import torch
from torch import Tensor

from ghmpp.diffusion.denoisers import Denoiser
from ghmpp.errors import QueryError

Decode = Literal["draw", "argmax", "mean", "round"]


def decode(
    denoiser: Denoiser, z: Tensor, tau: float, how: Decode, generator: torch.Generator
) -> Tensor:
    """States that noisy values stand for.

    Parameters
    ----------
    denoiser
        Asked once more, but for "round".
    z
        Noisy values, (batch, nodes), at localization time ``tau > 0``.
    tau
        The time.
    how
        "draw": one state from the marginals of each node. "argmax": the most probable state.
        "mean": the state value nearest to the posterior mean. "round": nearest to ``z / tau``, as
        in arXiv:2404.18444; it needs twice the time of the others.
    generator
        Of the draws.

    Returns
    -------
    tensor of state indices, (batch, nodes), int64
    """
    match how:
        case "draw":
            return draw(denoiser.marginals_at(z, tau), generator)
        case "argmax":
            return denoiser.marginals_at(z, tau).argmax(-1)
        case "mean":
            return nearest(denoiser.mean_at(z, tau), denoiser.values)
        case "round":
            return nearest(z / tau, denoiser.values)
        case _:
            assert_never(how)


def require_decode(how: str) -> None:
    """Refuse an unknown way to decode, naming the known ones."""
    if how not in get_args(Decode):
        known = ", ".join(map(repr, get_args(Decode)))
        raise QueryError(f"diffuse: unknown decode={how!r}; known: {known}.")


def draw(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """One state from each distribution, (...) from (..., states); states of zero never.

    Examples
    --------
    >>> draw(torch.tensor([[0.0, 1.0, 0.0]]), torch.Generator().manual_seed(0))
    tensor([1])
    """
    steps = probabilities.cumsum(-1)
    total = steps[..., -1:]
    level = torch.rand(total.shape, generator=generator, dtype=total.dtype, device=total.device)
    found = (steps <= level * total).sum(-1)
    # A level that rounding lifts to the total stands above all states.
    return torch.where(found < steps.shape[-1], found, probabilities.argmax(-1))


def nearest(x: Tensor, values: Tensor) -> Tensor:
    """The state whose value is nearest, (...) from (...)."""
    ordered, order = values.sort()
    middle = (ordered[1:] + ordered[:-1]) / 2
    return order[torch.bucketize(x.contiguous(), middle)]
