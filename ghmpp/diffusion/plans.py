"""How a sampler is run: its times, chunk after chunk, with a progress bar and the way kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Never

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.diffusion.decoding import Decode, decode
from ghmpp.diffusion.denoisers import Denoiser
from ghmpp.diffusion.discrete import DISCRETE
from ghmpp.diffusion.grids import GridLike, Scale, read_grid, require_steps, suited
from ghmpp.diffusion.samplers import SAMPLERS
from ghmpp.diffusion.samples import Samples, Trajectory
from ghmpp.errors import QueryError

if TYPE_CHECKING:
    from tqdm import tqdm

# Numbers (rows, nodes, states) of the samples that are drawn together.
CHUNK = 2**23
# Seconds before a progress bar shows up.
PATIENCE = 2.0


@dataclass(frozen=True)
class Plan:
    """What is run for each chunk of samples.

    ``walk`` yields what the samples are after each step, and how many are impossible; ``times``
    are localization times, or shares of noise, after each step.
    """

    walk: Callable[[Denoiser, int, torch.Generator], Iterator[tuple[Tensor, int]]]
    times: FloatArray
    sampler: str
    decode: Decode | None

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.times)


def make_plan(
    asked: Denoiser,
    sampler: str,
    steps: int,
    how: Decode,
    grid: GridLike | None,
    end: float | None,
) -> Plan:
    """A sampler with its times.

    Raises
    ------
    QueryError
        If the grid or the number of steps is wrong, states have no values, or the grid ends before
        the denoiser can be asked.
    """
    if sampler in DISCRETE:
        require_steps(steps)
        if grid is not None or end is not None:
            raise QueryError(f"diffuse: the sampler {sampler!r} has no grid; leave out grid, end.")
        taken = min(steps, asked.variable.nodes) if sampler == "masked" else steps
        discrete = DISCRETE[sampler]
        return Plan(
            lambda part, rows, generator: discrete(part, rows, steps, generator),
            1 - np.arange(1, taken + 1) / taken,
            sampler,
            None,
        )
    scale = Scale.of(asked.values.double().cpu().numpy())
    known = SAMPLERS[sampler]
    chosen = suited(known.grid, scale) if grid is None else grid
    times = read_grid(chosen, steps=steps, end=end, scale=scale)
    start = max(float(times[0]), asked.earliest)
    later = times[1:][times[1:] > start].tolist()
    if not later:
        raise QueryError(f"diffuse: the grid ends before {start:g}, where this denoiser begins.")

    def walk(part: Denoiser, rows: int, generator: torch.Generator) -> Iterator[tuple[Tensor, int]]:
        w = asked.like.new_empty(rows, asked.variable.nodes).normal_(generator=generator)
        return ((z, 0) for z in known.walk(part, [start, *later], w, generator))

    return Plan(walk, np.array(later), sampler, how)


def run(
    asked: Denoiser,
    plan: Plan,
    n: int,
    *,
    seed: int,
    trajectory: bool,
    chunk: int | None,
    progress: bool | None,
) -> Samples:
    """All chunks of samples, one after the other; arguments as of ``diffuse``."""
    variable = asked.variable
    generator = torch.Generator(device=asked.like.device).manual_seed(seed)
    rows = chunk or max(1, CHUNK // (variable.nodes * len(variable.states)))
    parts = [(start, min(start + rows, n)) for start in range(0, n, rows)] or [(0, 0)]
    states: IntArray = np.empty((n, variable.nodes), dtype=np.int64)
    way: list[list[Tensor]] = []
    calls = impossible = 0
    with torch.no_grad(), _bar(plan, len(parts), progress) as bar:
        for start, stop in parts:
            part = asked.part(slice(start, stop))
            before = part.calls
            x, kept, lost = _walk(part, plan, stop - start, generator, bar, trajectory)
            states[start:stop] = x.cpu().numpy()
            way.append(kept)
            calls, impossible = part.calls - before, impossible + lost
            if part is not asked:
                asked.calls += calls
    return Samples(
        states,
        variable.name,
        variable.values,
        plan.sampler,
        plan.decode or "",
        plan.steps,
        calls,
        impossible,
        _trajectory(asked, plan, way) if trajectory else None,
    )


def _walk(
    part: Denoiser,
    plan: Plan,
    rows: int,
    generator: torch.Generator,
    bar: tqdm[Never],
    trajectory: bool,
) -> tuple[Tensor, list[Tensor], int]:
    """States of one chunk, what they were after each step, and how many are impossible."""
    kept: list[Tensor] = []
    for z, impossible in plan.walk(part, rows, generator):  # noqa: B007 - the last is the result
        if trajectory:
            kept.append(z.cpu())
        bar.update()
    if plan.decode is not None:
        z = decode(part, z, float(plan.times[-1]), plan.decode, generator)
    return z, kept, impossible


def _trajectory(asked: Denoiser, plan: Plan, way: list[list[Tensor]]) -> Trajectory:
    """What samples were after each step, in the coordinates of the process."""
    steps = [torch.cat(chunks).numpy() for chunks in zip(*way, strict=True)]
    if plan.decode is None:
        return Trajectory(plan.times, np.stack(steps), None)
    process = asked.process
    times = np.array([process.time(tau) for tau in plan.times])
    shown = [
        process.from_localization(torch.from_numpy(z), t).numpy()
        for z, t in zip(steps, times, strict=True)
    ]
    return Trajectory(times, np.stack(shown), process)


def _bar(plan: Plan, parts: int, progress: bool | None) -> tqdm[Never]:
    from tqdm import tqdm

    shown = sys.stderr.isatty() if progress is None else progress
    return tqdm(
        total=plan.steps * parts,
        desc=f"diffuse {plan.sampler}",
        unit="step",
        disable=not shown,
        delay=PATIENCE if progress is None else 0.0,
    )
