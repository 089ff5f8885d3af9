"""What noise does to a hierarchy: which levels are still known, and which change on the way back.

The deeper a variable, the sooner it is lost, and the longer it stays once it is known: at a
critical noise the class is lost at once, while most of the leaves survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.diffusion.processes import Process
from ghmpp.errors import QueryError
from ghmpp.inference.queries import Inference
from ghmpp.inference.tokens import token_class
from ghmpp.models.convert import as_model
from ghmpp.models.forest import VariableClass


class Noise(Protocol):
    """Noise of any kind: a :class:`Process`, ``Resampling`` or ``Masking``."""

    def noise(self, x: Tensor, t: float, generator: torch.Generator) -> Tensor:
        """Noisy values, or states."""

    def evidence(self, z: Tensor, t: float) -> object:
        """What they tell, as evidence for exact inference."""


@dataclass(frozen=True, eq=False, repr=False)
class ForwardBackward:
    """Samples, and samples drawn again from what noise has left of them.

    Parameters
    ----------
    before, after
        State indices by class, (n, nodes); feed those of the leaves to
        :func:`ghmpp.observables.susceptibility` and ``change_correlations``.
    """

    before: Mapping[str, IntArray]
    after: Mapping[str, IntArray]

    @property
    def changed(self) -> dict[str, float]:
        """The share of nodes that changed, by class."""
        return {
            name: float((states != self.after[name]).mean()) for name, states in self.before.items()
        }

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {share:.3f}" for name, share in self.changed.items())
        n = len(next(iter(self.before.values())))
        return f"ForwardBackward of {n:,} samples; changed: {shares}"


def forward_backward(
    model: object, t: float, n: int, *, noise: Noise, seed: int = 0, variable: str | None = None
) -> ForwardBackward:
    """Add noise to samples, and sample exactly from what is left: which levels change?

    Parameters
    ----------
    model
        A complete model, or what stands for one.
    t
        Time or level of the noise, as ``noise`` counts it.
    n
        Number of samples, at least 1.
    noise
        Such as ``VariancePreserving()``, ``Resampling(states)`` or ``Masking()``.
    seed
        The same seed gives the same samples.
    variable
        The class that noise is added to; None = the only class of leaves.

    Raises
    ------
    QueryError
        If Gaussian noise meets states without numeric values, or a time is out of range.

    References
    ----------
    .. [1] A. Sclocchi, A. Favero, M. Wyart, PNAS 122 (2025), e2408799121.

    Examples
    --------
    >>> import ghmpp as gh
    >>> from ghmpp.diffusion import Masking
    >>> model = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=2)
    >>> forward_backward(model, 0.0, 100, noise=Masking()).changed
    {'x0': 0.0, 'x1': 0.0, 'x2': 0.0}
    """
    known = as_model(model)
    leaves = token_class(known, variable)
    before = known.sample(_count(n), seed)
    seen = _noisy(before[leaves.name], leaves, noise, t, seed)
    drawn = Inference(known).posterior_sample({leaves.name: seen}, 1, seed + 1)
    after = {name: _numpy(drawn[name]).reshape(states.shape) for name, states in before.items()}
    return ForwardBackward(before, after)


def true_posteriors(
    model: object,
    times: ArrayLike,
    n: int,
    *,
    noise: Noise,
    seed: int = 0,
    variable: str | None = None,
) -> dict[str, FloatArray]:
    """How sure exact inference is of the truth: mean posterior probability of the true states.

    Parameters
    ----------
    times
        Times or levels of the noise, shape (times,).
    model, n, noise, seed, variable
        As for :func:`forward_backward`.

    Returns
    -------
    by class: array of shape (times,), between the prior's and 1

    Raises
    ------
    QueryError
        As :func:`forward_backward`.

    Examples
    --------
    >>> import ghmpp as gh
    >>> from ghmpp.diffusion import Masking
    >>> model = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=2)
    >>> true_posteriors(model, [0.0, 1.0], 10, noise=Masking())["x0"].round(3)
    array([1.  , 0.25])
    """
    known = as_model(model)
    leaves = token_class(known, variable)
    truth = known.sample(_count(n), seed)
    engine = Inference(known)
    levels = np.asarray(times, dtype=np.float64).reshape(-1)
    found: dict[str, FloatArray] = {name: np.empty(len(levels)) for name in truth}
    for place, t in enumerate(levels.tolist()):
        seen = _noisy(truth[leaves.name], leaves, noise, t, seed + place)
        beliefs = engine.posteriors({leaves.name: seen}, classes=[*truth])
        for name, states in truth.items():
            sure = _numpy(beliefs[name]).reshape(*states.shape, -1)
            found[name][place] = np.take_along_axis(sure, states[..., None], axis=-1).mean()
    return found


def _noisy(states: IntArray, leaves: VariableClass, noise: Noise, t: float, seed: int) -> object:
    """Evidence that noise leaves of states."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(states)
    if isinstance(noise, Process):
        if leaves.values is None:
            raise QueryError(
                f"the states of {leaves.name!r} have no numeric values, which Gaussian noise "
                "needs; declare values=, or use Resampling or Masking."
            )
        x = torch.tensor(leaves.values)[x]
    return noise.evidence(noise.noise(x, t, generator), t)


def _count(n: int) -> int:
    if n < 1:
        raise QueryError(f"n must be at least 1, got {n}.")
    return n


def _numpy(array: object) -> IntArray:
    return np.asarray(array)
