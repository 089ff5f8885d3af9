r"""The error of a score of spins, in three: the fixed point, the network, and its training.

With z = lam x + sig g, the score is ``(lam m(z) - z) / sig^2`` with the denoiser m, so that an
error of the denoiser is one of the score, times ``lam / sig^2``. Root mean squares obey the
triangle inequality: that of the whole is at most the sum of those of the parts.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import FloatArray
from ghmpp.compiler import compile
from ghmpp.errors import GuaranteeWarning, QueryError
from ghmpp.inference.estimates import Estimate, mean_of
from ghmpp.models.channels import Gaussian, Given, Localization
from ghmpp.models.queries import mean
from ghmpp.models.spins import PairwiseSpins
from ghmpp.schedule.variational import TAP, NaiveMeanField

# Rounds that stand for infinitely many, and what they may still move.
ROUNDS = 2000
SETTLED = 1e-9


@dataclass(frozen=True, slots=True, repr=False)
class ScoreError:
    """Mean square errors of a denoiser per node, in units of the spins, with standard errors.

    Parameters
    ----------
    variational
        Of the fixed point, against the exact denoiser: what no number of layers removes.
    network
        Of the compiled network against the fixed point: finite layers, and nets for functions.
    estimation
        Of the trained network against the compiled one; None where none is given.
    total
        Of the trained network, or the compiled one, against the exact denoiser.
    trivial
        Of ``tanh`` of the log odds alone, without couplings, against the exact denoiser.
    factor
        ``(lam / sig^2)^2``, which makes errors of the score of them.
    unsettled
        How far the fixed-point iteration still moves in a round; above 1e-9 it has no fixed
        point that it finds.
    n
        Observations drawn.
    """

    variational: Estimate
    network: Estimate
    estimation: Estimate | None
    total: Estimate
    trivial: Estimate
    factor: float
    unsettled: float
    n: int

    @property
    def bound(self) -> float:
        """What the parts say of the total at most, by the triangle inequality."""
        parts = [self.variational, self.network, self.estimation]
        roots = [math.sqrt(part.value) for part in parts if part is not None]
        return sum(roots) ** 2

    def __repr__(self) -> str:
        rows = {
            "variational": self.variational,
            "network": self.network,
            "estimation": self.estimation,
            "total": self.total,
            "trivial": self.trivial,
        }
        lines = [f"Error of the score, mean square per node of {self.n:,} observations"]
        lines.append(f"  {'':<12}{'of the mean':<26}of the score")
        for name, value in rows.items():
            if value is not None:
                scaled = Estimate(value.value * self.factor, value.error * self.factor)
                lines.append(f"  {name:<12}{value!r:<26}{scaled!r}")
        if self.unsettled > SETTLED:
            lines.append(f"  no fixed point: the iteration still moves by {self.unsettled:.2g}")
        return "\n".join(lines)


def score_error(
    spins: PairwiseSpins,
    given: Given,
    network: Callable[[Tensor], Tensor],
    *,
    trained: Callable[[Tensor], Tensor] | None = None,
    engine: NaiveMeanField | TAP | None = None,
    n: int = 4000,
    seed: int = 0,
) -> ScoreError:
    """Split the error of a network's score into its three parts.

    Parameters
    ----------
    spins
        A model that exact inference can do.
    given
        ``gh.noisy(...)`` or ``gh.localized(...)`` of the class whose means are denoised.
    network
        From observations (batch, nodes) to means: the compiled network, any family, or a
        :func:`ghmpp.residual_network`.
    trained
        A trained one, of the same kind.
    engine
        Whose fixed point it is; naive mean field by default. Its steps do not matter.
    n
        Observations to draw from the model, at least 2.
    seed
        Of the draws.

    Raises
    ------
    QueryError
        If ``given`` is without noise, or n is below 2.
    TreewidthError
        If exact inference does not fit into memory.

    Examples
    --------
    >>> import ghmpp as gh
    >>> spins = gh.PairwiseSpins.sherrington_kirkpatrick(8, 0.3)
    >>> given = gh.noisy("x", sigma=1.0)
    >>> network = gh.compile(spins, gh.mean("x"), given, engine=gh.NaiveMeanField(3)).network()
    >>> found = score_error(spins, given, network, n=500)
    >>> found.total.value <= found.bound
    True
    """
    if not isinstance(given.channel, Gaussian | Localization):
        raise QueryError("score_error: expected given=gh.noisy(...) or gh.localized(...).")
    if n < 2:
        raise QueryError(f"score_error: n must be at least 2, got {n}.")
    name, rng = given.variable, np.random.default_rng(seed)
    states = spins.sample(n, seed=seed)[name]
    values = 2 * states.astype(np.float64) - 1
    z = torch.as_tensor(given.channel.sample(values, rng))
    query, engine = mean(name), engine or NaiveMeanField()

    def settled(rounds: int) -> FloatArray:
        many = replace(engine, steps=rounds)
        with warnings.catch_warnings():  # whether it settles is measured
            warnings.simplefilter("ignore", GuaranteeWarning)
            program = compile(spins, query, given, engine=many)
        return _run(program.network(), z)

    exact = _run(compile(spins, query, given, engine="exact").network(), z)
    fixed, compiled = settled(ROUNDS), _run(network, z)
    last = compiled if trained is None else _run(trained, z)
    gain = given.channel.coefficients()[0]
    return ScoreError(
        _square(fixed - exact),
        _square(compiled - fixed),
        None if trained is None else _square(last - compiled),
        _square(last - exact),
        _square(np.tanh(gain * z.numpy()) - exact),
        gain**2,
        float(np.abs(settled(ROUNDS + 1) - fixed).max()),
        n,
    )


def _run(network: Callable[[Tensor], Tensor], z: Tensor) -> FloatArray:
    """The means, float64."""
    dtype = z.dtype
    if isinstance(network, torch.nn.Module):
        dtype = next((part.dtype for part in network.parameters()), dtype)
    with torch.no_grad():
        found: FloatArray = network(z.to(dtype)).double().cpu().numpy()
    return found


def _square(difference: FloatArray) -> Estimate:
    """Mean square per node."""
    return mean_of((difference**2).mean(axis=1))
