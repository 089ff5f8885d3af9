"""The rows of a batch that run together, and again in logarithms where digits were lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ghmpp.backends.observe import encode, rows_of
from ghmpp.backends.plan import Plan
from ghmpp.backends.prepare import Setting
from ghmpp.backends.results import SUMMED, Gathered, overwrite
from ghmpp.backends.run import Run
from ghmpp.models.observations import Observation
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.schedule.ir import Value

Observations = Mapping[str, Observation]
ELEMENTS = 650_000
# Where the largest values are formed in pieces, fewer chunks save more than the cache does; in
# float64 this is just below memory.KEPT_BYTES.
PIECED_ELEMENTS = 3_800_000
# An instruction on so many numbers takes longer than its call.
BUSY_ELEMENTS = 60_000
MOST_ELEMENTS = 2**25


def rows_per_chunk(plan: Plan) -> int:
    """Rows that run together.

    About 650,000 numbers in the largest block, which stay in cache; more where most blocks are so
    small that calling an instruction would take longer than running it, within 256 MiB.
    """
    sizes = list(plan.held.values()) or [1]
    total = sum(sizes)
    elements = PIECED_ELEMENTS if plan.postponed else ELEMENTS
    cached = elements // max(max(sizes), total // 4)
    busy = BUSY_ELEMENTS * len(sizes) // total
    return max(1, cached, min(busy, MOST_ELEMENTS // total))


@dataclass(frozen=True)
class Chunks:
    """How the chunks of one call are run.

    Parameters
    ----------
    setting
        What stays the same for all chunks.
    logarithms
        Makes the setting for rows that are run again.
    tolerance
        Largest bound on what underflow may have lost, relative, that a row may have.
    dtype
        Precision of the results (the log evidence stays float64).
    generator, draws
        Randomness and number of the choices.
    """

    setting: Setting
    logarithms: Callable[[], Setting]
    tolerance: float
    dtype: torch.dtype
    generator: torch.Generator | None
    draws: int

    def run_all(self, seen: Observations, batch: int, most: int, gathered: Gathered) -> int:
        """Run all rows, up to ``most`` together, into ``gathered``; how many were run again."""
        tracked, again = self.setting.tracked, 0
        # As even as can be: a small last chunk would cost as much as a large one.
        step = -(-batch // -(-batch // most))
        for start in range(0, batch, step):
            stop = min(start + step, batch)
            part = {name: rows_of(found, slice(start, stop)) for name, found in seen.items()}
            # Tensors that autograd will never see cost less.
            with nullcontext() if tracked else torch.inference_mode():
                raw, repeated = self.run(part, stop - start)
            gathered.add(raw, start, stop)
            del raw  # or it would live through the next chunk
            again += repeated
        return again

    def run(self, seen: Observations, batch: int) -> tuple[dict[Value, Tensor], int]:
        """Results by value, the batch last; and how many rows were run again."""
        raw, worst = self.once(self.setting, seen, batch)
        if worst is None:
            return raw, 0
        lossy = worst.expand(batch) > self.tolerance
        bad, good = lossy.nonzero().flatten(), (~lossy).nonzero().flatten()
        if len(bad) == 0:
            return raw, 0
        again, _ = self.once(self.logarithms(), _rows(seen, bad), len(bad))
        outputs = self.setting.frame.schedule.outputs.items()
        summed = {value for (kind, _), value in outputs if kind in SUMMED}
        raw |= {value: again[value] for value in summed}
        if summed and len(good):
            kept, _ = self.once(self.setting, _rows(seen, good), len(good))
            raw |= {value: kept[value] + again[value] for value in summed}
        overwrite(raw, {v: x for v, x in again.items() if v not in summed}, bad)
        return raw, len(bad)

    def once(
        self, setting: Setting, seen: Observations, batch: int
    ) -> tuple[dict[Value, Tensor], Tensor | None]:
        """Results of one run, and the bound on what underflow may have lost, per row."""
        outputs = setting.frame.schedule.outputs
        leaves = {
            name: encode(
                setting.kernel,
                observation,
                setting.forest.variables[name],
                columns=setting.columns[name],
                grid=setting.grids.get(name),
                like=setting.like,
                with_offset=LOG_EVIDENCE in outputs,
            )
            for name, observation in seen.items()
        }
        run = Run(setting, leaves, batch, self.generator)
        raw = run.execute()
        if self.draws > 1:
            more = [raw, *(run.execute(choices=True) for _ in range(self.draws - 1))]
            chosen = [value for (kind, _), value in outputs.items() if kind == "choice"]
            raw |= {value: torch.stack([found[value] for found in more]) for value in chosen}
        results = {value: self._cast(result) for value, result in raw.items()}
        return results, None if run.guard is None else run.guard.worst

    def _cast(self, result: Tensor) -> Tensor:
        changes = result.is_floating_point() and result.ndim > 1
        return result.to(self.dtype) if changes else result


def _rows(seen: Observations, rows: Tensor) -> dict[str, Observation]:
    """Some rows of all evidence."""
    return {name: rows_of(found, rows) for name, found in seen.items()}
