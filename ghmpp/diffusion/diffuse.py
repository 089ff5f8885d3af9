"""The one entry point of sampling by diffusion; and exact inpainting, which needs none."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import IntArray
from ghmpp._memory import require_bytes
from ghmpp.diffusion.build import denoiser
from ghmpp.diffusion.decoding import Decode, require_decode
from ghmpp.diffusion.discrete import DISCRETE
from ghmpp.diffusion.grids import GridLike
from ghmpp.diffusion.plans import make_plan, run
from ghmpp.diffusion.processes import Process
from ghmpp.diffusion.samplers import SAMPLERS
from ghmpp.diffusion.samples import Samples
from ghmpp.errors import QueryError
from ghmpp.inference.queries import Inference
from ghmpp.inference.tokens import token_class
from ghmpp.models.convert import as_model
from ghmpp.models.evidence import read_evidence
from ghmpp.schedule.domain import Precision


def diffuse(
    source: object,
    n: int,
    *,
    steps: int = 16,
    sampler: str = "ab2",
    decode: Decode = "draw",
    process: Process | None = None,
    variable: Hashable = None,
    given: Mapping[Hashable, object] | None = None,
    guidance: float = 1.0,
    values: ArrayLike | None = None,
    grid: GridLike | None = None,
    end: float | None = None,
    seed: int = 0,
    trajectory: bool = False,
    dtype: Precision = "float64",
    device: str = "cpu",
    chunk: int | None = None,
    progress: bool | None = None,
) -> Samples:
    """Samples by diffusion: from noise to states, by asking a denoiser again and again.

    Parameters
    ----------
    source
        A model, a program, a network, or a denoiser, see :func:`~ghmpp.diffusion.build.denoiser`,
        where ``process``, ``variable``, ``given``, ``guidance``, ``values``, ``dtype`` and
        ``device`` are explained.
    n
        Number of samples.
    steps
        Steps of the sampler; samplers of two stages ask twice a step, and decoding asks once more.
    sampler
        With Gaussian noise "ab2", "ddim" and "heun_flow" (probability flow), "euler", "heun",
        "jump" and "ddpm" (stochastic); with discrete noise "masked" and "symbols".
    decode
        From the last noisy values to states: "draw", "argmax", "mean" or "round", see
        :func:`~ghmpp.diffusion.decoding.decode`; discrete samplers do not need it.
    grid
        "geometric", "power", "square-root", "uniform", "wide", see :mod:`ghmpp.diffusion.grids`, or
        increasing localization times; None = what suits the sampler and the state values.
    end
        Last localization time; None = 20 over the square of the smallest gap of state values. Rules
        that must never be broken need 40.
    seed
        The same seed gives the same samples on one kind of device.
    trajectory
        Whether to keep what samples were after each step.
    chunk
        Samples that are drawn together; None picks what fits.
    progress
        Whether a bar is shown; None = on a terminal, after about two seconds.

    Returns
    -------
    Samples

    Raises
    ------
    QueryError
        If a sampler, grid or decode is unknown (known ones are listed), times are negative or do
        not increase, counts are wrong, or states have no values and the sampler needs them.
    ResourceError
        If the samples, or their trajectory, do not fit into memory.
    Other errors as :func:`~ghmpp.diffusion.build.denoiser`.

    Notes
    -----
    Sampling a known model needs no diffusion: :meth:`ghmpp.Model.sample` is exact and quicker.
    This is the test of denoisers, and the exact one is what learned ones are compared with.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(2, (2, 2), [[[9, 1], [1, 9]]] * 2, state_values=[-1, 1])
    >>> gh.diffuse(model, 5, steps=8, sampler="euler", seed=1).calls
    9
    """
    _require_count("diffuse: n", n, 0)
    if chunk is not None:
        _require_count("diffuse: chunk", chunk, 1)
    require_decode(decode)
    if sampler not in SAMPLERS and sampler not in DISCRETE:
        known = ", ".join(map(repr, sorted({*SAMPLERS, *DISCRETE})))
        raise QueryError(f"diffuse: unknown sampler {sampler!r}; known: {known}.")
    asked = denoiser(
        source,
        variable=variable,
        process=process,
        given=given,
        guidance=guidance,
        values=values,
        dtype=dtype,
        device=device,
    )
    if asked.rows not in (None, n):
        raise QueryError(
            f"diffuse: given= has {asked.rows} rows, so n must be {asked.rows}, got {n}; or give "
            "one row for all samples."
        )
    plan = make_plan(asked, sampler, steps, decode, grid, end)
    kept = plan.steps if trajectory else 0
    require_bytes(
        8 * n * asked.variable.nodes * (1 + kept),
        f"diffuse: {n:,} samples{f' and their {kept} steps' if kept else ''} need",
        cure="draw fewer samples" + (", or leave trajectory out" if kept else ""),
        largest=f"class: {asked.variable.name!r} with {asked.variable.nodes} nodes",
    )
    return run(asked, plan, n, seed=seed, trajectory=trajectory, chunk=chunk, progress=progress)


def inpaint(
    model: object, x: ArrayLike, n: int, *, seed: int = 0, variable: Hashable = None
) -> IntArray:
    """Exact samples of missing leaves given the others, without any diffusion.

    Parameters
    ----------
    model
        A complete model, or what :class:`~ghmpp.inference.queries.Inference` takes.
    x
        States of the leaves, by name or index, (nodes,) or (batch, nodes); NaN, None or -1 where
        missing.
    n
        Samples of each row.
    seed
        The same seed gives the same samples.
    variable
        The class of the leaves; None = the only one.

    Returns
    -------
    array of state indices, (batch, n, nodes)

    Raises
    ------
    QueryError
        If the class is unknown, or ``n`` no whole number of at least 1.
    EvidenceError, ImpossibleEvidenceError
        If ``x`` does not fit the model, or has probability zero.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=2)
    >>> x = model.sample(1)["x2"][0].astype(float)
    >>> x[2:] = float("nan")
    >>> found = gh.inpaint(model, x, n=3)
    >>> found.shape, bool((found[0, :, :2] == x[:2]).all())
    ((1, 3, 4), True)
    """
    known = as_model(model)
    leaves = token_class(known, None if variable is None else str(variable))
    _require_count("inpaint: n", n, 1)
    observations, batch = read_evidence({leaves.name: x}, known.forest().variables)
    seen = observations[leaves.name]
    # Rows run together, further draws of one row do not.
    rows = replace(seen, array=np.repeat(np.asarray(seen.array), n, axis=0))
    drawn = Inference(known).posterior_sample({leaves.name: rows}, seed=seed, classes=[leaves.name])
    return drawn[leaves.name].reshape(batch, n, leaves.nodes)


def _require_count(name: str, count: int, least: int) -> None:
    """Refuse what is no whole number, or too small."""
    whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
    if not whole or count < least:
        raise QueryError(f"{name} must be a whole number >= {least}, got {count!r}.")
