r"""Why samples are not the truth: finite steps, or a denoiser that is not exact.

A sampler with the exact denoiser is wrong by its steps, its last time and its decoding alone. What
a network in its place adds is bounded by its error along the way. Euler's steps of stochastic
localization with two denoisers are Gaussian with the same variance, so the KL divergence of the
two ways is, exactly,

.. math:: \mathrm{KL} = \frac12 \sum_k (t_{k+1} - t_k)\,
          E\, \|\hat m(z_{t_k}, t_k) - m(z_{t_k}, t_k)\|^2

which is Girsanov's formula for ``dz = m dt + dB``; and the total variation is at most
``sqrt(KL / 2)`` (Pinsker).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import BoolArray, FloatArray, IntArray
from ghmpp.backends.network import Network
from ghmpp.backends.prepare import PRECISIONS
from ghmpp.compiler import Program
from ghmpp.diffusion.beside import Beside
from ghmpp.diffusion.build import denoiser
from ghmpp.diffusion.decoding import Decode, require_decode
from ghmpp.diffusion.denoisers import Denoiser, Guided
from ghmpp.diffusion.grids import GridLike
from ghmpp.diffusion.metrics import MOST_LISTED, joint_probabilities, sampling_floor
from ghmpp.diffusion.networks import NetworkDenoiser
from ghmpp.diffusion.plans import Plan, make_plan, run
from ghmpp.diffusion.samplers import SAMPLERS
from ghmpp.errors import QueryError
from ghmpp.inference.estimates import Estimate, mean_of
from ghmpp.inference.tokens import token_class
from ghmpp.models.convert import as_model

if TYPE_CHECKING:
    from pandas import DataFrame

# Samplers whose steps are those of Euler, for which the divergence is exact.
GIRSANOV = ("ddpm", "euler")


@dataclass(frozen=True, eq=False, repr=False)
class SamplingError:
    r"""Total variation between samples and the truth, and where it comes from.

    Total variations are over all configurations of the leaves, in [0, 1]. Those of samples are
    never 0: n exact ones have ``floor``.

    Parameters
    ----------
    n, sampler, steps, decode
        How samples came about.
    total
        Total variation between the samples and the truth.
    floor
        What n samples of a perfect sampler have on average.
    discretisation
        The same of the same sampler with the exact denoiser, and the same noise.
    denoiser
        ``total - discretisation``; below 0 where errors cancel.
    moved
        The share of samples that the exact denoiser would have made other ones of, with the same
        noise: at least the total variation between the two samplers.
    times, lengths
        Localization times at which steps begin, and how long they are, (steps,).
    squares, square_errors
        Mean squared error of the denoiser's means at these times along the sampler's way, per
        node in units of the state values, and standard errors, (steps,).
    divergence
        KL divergence between the ways of the two samplers, in nats: that of this one relative to
        the one with the exact denoiser. Of other samplers than "euler" and "ddpm" the same sum,
        which then bounds nothing.
    decoding
        Mean total variation, at most, between decoding with this denoiser and with the exact one.
    bound
        ``discretisation + sqrt(divergence / 2) + decoding``, at most 1, which bounds the total up
        to the noise of n samples; None of samplers other than "euler" and "ddpm".
    """

    n: int
    sampler: str
    steps: int
    decode: str
    total: Estimate
    floor: float
    discretisation: Estimate
    denoiser: Estimate
    moved: Estimate
    times: FloatArray
    lengths: FloatArray
    squares: FloatArray
    square_errors: FloatArray
    divergence: Estimate
    decoding: Estimate
    bound: float | None

    def frame(self) -> DataFrame:
        """One row per step: time, length, square and its standard error."""
        from pandas import DataFrame

        return DataFrame(
            {
                "time": self.times,
                "length": self.lengths,
                "square": self.squares,
                "error": self.square_errors,
            }
        )

    def __repr__(self) -> str:
        bound = f"none for {self.sampler!r}" if self.bound is None else f"{self.bound:.3g}"
        return "\n".join(
            (
                f"Total variation of {self.n:,} samples by {self.sampler}: {self.steps} steps, "
                f"decode={self.decode!r}",
                f"  total           {self.total}",
                f"  discretisation  {self.discretisation}",
                f"  denoiser        {self.denoiser}",
                f"  exact samples   {self.floor:.4g}",
                f"  moved           {self.moved}",
                f"  divergence      {self.divergence} nats, decoding {self.decoding}",
                f"  bound           {bound}",
            )
        )


def sampling_error(
    source: object,
    model: object,
    n: int = 20_000,
    *,
    steps: int = 16,
    sampler: str = "euler",
    decode: Decode = "draw",
    grid: GridLike | None = None,
    end: float | None = None,
    seed: int = 0,
    chunk: int | None = None,
    limit: int = MOST_LISTED,
    progress: bool | None = None,
) -> SamplingError:
    """How far samples are from the truth, split into discretisation and the denoiser's error.

    Parameters
    ----------
    source
        A denoiser, or what :func:`ghmpp.denoiser` makes one of: a network of any family, a
        function ``f(z, t)`` of stochastic localization, or a model.
    model
        The truth, small enough for all configurations of its leaves to be listed.
    n
        Number of samples, at least 2.
    steps, sampler, decode, grid, end, seed, chunk, progress
        As for :func:`ghmpp.diffuse`; "euler" and "ddpm" are the samplers that have a bound.
    limit
        Largest number of configurations.

    Returns
    -------
    SamplingError

    Raises
    ------
    QueryError
        If the sampler has no Gaussian noise, the denoiser is of other leaves or knows evidence, or
        as for :func:`ghmpp.diffuse`.
    ResourceError
        If there are more configurations than ``limit``.
    Other errors as for :func:`ghmpp.denoiser`.

    Notes
    -----
    A total variation from the frequencies f is ``f(A) - p(A)`` on the set A where they are above
    the law p; its standard error is that of a mean of n draws with A held fixed.

    References
    ----------
    .. [1] S. Mei, U-Nets as Belief Propagation, arXiv:2404.18444, section 4: the sampler.
    .. [2] S. Chen, S. Chewi, J. Li, Y. Li, A. Salim, A. Zhang, Sampling is as easy as learning the
       score, arXiv:2209.11215: the same split, with Girsanov's formula.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(2, (2, 2), [[[9, 1], [1, 9]]] * 2, state_values=[-1, 1])
    >>> program = gh.compile(model, gh.posterior("x2"), gh.localized("x2", time=1.0))
    >>> error = gh.sampling_error(program.network("relu", width=8), model, n=2000)
    >>> bool(error.total.value < error.bound)
    True
    >>> error.frame().columns.tolist()
    ['time', 'length', 'square', 'error']
    """
    if sampler not in SAMPLERS:
        known = ", ".join(map(repr, SAMPLERS))
        raise QueryError(f"sampling_error: needs Gaussian noise, by {known}; got {sampler!r}.")
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise QueryError(f"sampling_error: n must be a whole number >= 2, got {n!r}.")
    require_decode(decode)
    asked = _asked(source, model)
    exact = denoiser(
        model,
        variable=asked.variable.name,
        dtype=PRECISIONS[asked.like.dtype],
        device=str(asked.like.device),
    )
    law = joint_probabilities(model, variable=asked.variable.name, limit=limit)
    plan = make_plan(asked, sampler, steps, decode, grid, end)
    both = Beside(asked, exact)
    ours, theirs = (
        run(each, plan, n, seed=seed, trajectory=False, chunk=chunk, progress=progress).states
        for each in (both, exact)
    )
    return _split(plan, both, _places(ours, asked), _places(theirs, asked), law)


def _asked(source: object, model: object) -> Denoiser:
    """The denoiser, of the model's own leaves and without evidence."""
    function = callable(source) and not isinstance(source, Denoiser | Program | Network)
    found = denoiser(source, like=model if function else None)
    told = isinstance(found, Guided) or (isinstance(found, NetworkDenoiser) and found.evidence)
    if told:
        raise QueryError("sampling_error: the denoiser must know no evidence; leave given= out.")
    leaves = token_class(as_model(model), found.variable.name)
    same = leaves.values is not None and np.array_equal(leaves.values, found.values.cpu().numpy())
    if leaves.nodes != found.variable.nodes or not same:
        raise QueryError(
            f"sampling_error: the denoiser is of {found.variable.nodes} nodes with the values "
            f"{found.values.tolist()}, {leaves.name!r} of the model has {leaves.nodes} with "
            f"{None if leaves.values is None else leaves.values.tolist()}."
        )
    return found


def _places(states: IntArray, asked: Denoiser) -> IntArray:
    """The configuration of each sample, (n,); the last node changes fastest."""
    shape = (len(asked.variable.states),) * asked.variable.nodes
    places: IntArray = np.ravel_multi_index(tuple(states.T), shape)
    return places


def _split(
    plan: Plan, both: Beside, ours: IntArray, theirs: IntArray, law: FloatArray
) -> SamplingError:
    """The record, from the configurations of the samples of both samplers."""
    how, nodes = plan.decode, both.variable.nodes
    assert how is not None  # or the sampler has no Gaussian noise
    total, above = distance(ours, law)
    discretisation, exact_above = distance(theirs, law)
    times = np.array(list(both.parts[0].squares)[: plan.steps])
    lengths = plan.times - times
    squares = np.stack(
        [np.concatenate([p.square_at(t).cpu().double().numpy() for p in both.parts]) for t in times]
    )
    rows = [mean_of(each / nodes) for each in squares]
    divergence = mean_of(lengths @ squares / 2)
    decoding = mean_of(
        np.concatenate([p.decoding_distance(how).cpu().double().numpy() for p in both.parts])
    )
    paired = mean_of(above.astype(np.float64) - exact_above)
    reached = discretisation.value + math.sqrt(divergence.value / 2) + decoding.value
    return SamplingError(
        len(ours),
        plan.sampler,
        plan.steps,
        how,
        total,
        sampling_floor(law, len(ours)),
        discretisation,
        Estimate(total.value - discretisation.value, paired.error),
        mean_of((ours != theirs).astype(np.float64)),
        times,
        lengths,
        np.array([each.value for each in rows]),
        np.array([each.error for each in rows]),
        divergence,
        decoding,
        min(reached, 1.0) if plan.sampler in GIRSANOV else None,
    )


def distance(places: IntArray, law: FloatArray) -> tuple[Estimate, BoolArray]:
    """Total variation between samples and a law.

    Parameters
    ----------
    places
        The configuration of each sample, (n,).
    law
        Probabilities of the configurations.

    Returns
    -------
    estimate, above
        The total variation with its standard error; and for each sample whether its configuration
        is more frequent than it should be, (n,).

    Examples
    --------
    >>> found, above = distance(np.array([0, 0, 0, 1]), np.array([0.5, 0.5]))
    >>> found.value, above.tolist()
    (0.25, [True, True, True, False])
    """
    excess = np.bincount(places, minlength=len(law)) / len(places) - law
    above: BoolArray = (excess > 0)[places]
    return Estimate(float(abs(excess).sum() / 2), mean_of(above.astype(np.float64)).error), above
