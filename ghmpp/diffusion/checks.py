r"""Whether a denoiser is one: Tweedie's identity, on samples.

Tweedie's identity says that the score is ``(alpha m - z) / sigma^2`` with the posterior mean m.
What makes m a posterior mean is that its error is orthogonal to every function of z, so that no
``a m + b z + c`` is closer to the values than m. A function of another convention (it predicts
noise, or takes a standard deviation for a time) fails by far; training error hardly shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor

from ghmpp.diffusion.denoisers import Denoiser, FunctionDenoiser, Prediction
from ghmpp.diffusion.processes import (
    Process,
    StochasticLocalization,
    VarianceExploding,
    VariancePreserving,
)
from ghmpp.errors import DenoiserError, GhmppError

# Localization times of the check, in 1 / variance of the values.
TIMES = (0.25, 1.0, 4.0)
# The part of the squared error that an affine map may take away.
LARGEST_DEFECT = 0.25
PROCESSES: tuple[Process, ...] = (
    StochasticLocalization(),
    VariancePreserving(),
    VarianceExploding(),
)


def check_denoiser(
    denoiser: Denoiser, x: Tensor, *, seed: int = 0, largest: float = LARGEST_DEFECT
) -> float:
    """Refuse a denoiser whose means are no posterior means.

    Parameters
    ----------
    denoiser
        Asked three times, at much, medium and little noise.
    x
        Samples of the state values, (batch, nodes), a thousand or more.
    seed
        Of the noise.
    largest
        The defect that is allowed, see :func:`tweedie_defect`.

    Returns
    -------
    float
        The largest defect found.

    Raises
    ------
    DenoiserError
        If the defect is larger than allowed; names the convention that fits, if one does.
    """
    found = _worst(denoiser, x, seed)
    if found <= largest:
        return found
    raise DenoiserError(
        f"denoiser: Tweedie's identity fails: an affine map takes away {found:.0%} of its squared "
        f"error, so it gives no posterior means for {denoiser.process}"
        + (_fitting(denoiser, x, seed, largest) if isinstance(denoiser, FunctionDenoiser) else ".")
    )


def tweedie_defect(denoiser: Denoiser, x: Tensor, tau: float, generator: torch.Generator) -> float:
    r"""The part of the squared error that the best ``a m + b z + c`` takes away, in [0, 1].

    It is 0 for the posterior mean, up to ``1 / batch``.

    Parameters
    ----------
    denoiser
        What gives the means m.
    x
        Samples of the state values, (batch, nodes).
    tau
        Localization time > 0.
    generator
        Of the noise, on the device of ``x``.
    """
    z = StochasticLocalization().noise(x, tau, generator)
    mean = denoiser.mean_at(z, tau)
    error = x - mean
    before = float(error.square().mean())
    features = torch.stack([_centred(mean), _centred(z)], dim=-1).flatten(0, 1)
    target = _centred(error).flatten()
    gram, slopes = features.T @ features, features.T @ target
    # The pseudo-inverse, because a constant denoiser has no slope of its own.
    taken = float(slopes @ (torch.linalg.pinv(gram) @ slopes)) / target.numel()
    after = float(target.square().mean()) - taken
    return 0.0 if before == 0 else max(0.0, 1 - after / before)


def _worst(denoiser: Denoiser, x: Tensor, seed: int) -> float:
    """The largest defect over the times of the check."""
    generator = torch.Generator(device=x.device).manual_seed(seed)
    variance = float(x.var(dim=0).mean()) or 1.0
    with torch.no_grad():
        return max(tweedie_defect(denoiser, x, time / variance, generator) for time in TIMES)


def _fitting(denoiser: FunctionDenoiser, x: Tensor, seed: int, largest: float) -> str:
    """Which other convention the function follows, as the end of a message."""
    fits: dict[str, float] = {}
    for process, predicts in _conventions():
        function, variable, like = denoiser.function, denoiser.variable, denoiser.like
        try:
            other = FunctionDenoiser(function, variable, like, process=process, predicts=predicts)
            fits[f"process={process}, predicts={predicts!r}"] = _worst(other, x, seed)
        except (GhmppError, ArithmeticError, ValueError):
            continue  # a function may refuse what is not its own convention
    best = min(fits, key=lambda name: fits[name], default="")
    if not best or fits[best] > largest:
        return "; no other convention fits: is it trained? (check=False skips this.)"
    return f"; it fits {best}."


def _conventions() -> Iterator[tuple[Process, Prediction]]:
    for process in PROCESSES:
        for predicts in get_args(Prediction):
            yield process, predicts


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(dim=0)
