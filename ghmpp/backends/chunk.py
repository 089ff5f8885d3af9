"""The rows of a batch that run together, and again in logarithms where digits were lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ghmpp.backends.observe import encode, rows_of
from ghmpp.backends.prepare import Setting
from ghmpp.backends.results import SUMMED, overwrite
from ghmpp.backends.run import Run
from ghmpp.models.observations import Observation
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.schedule.ir import Schedule, Value

Observations = Mapping[str, Observation]
ELEMENTS = 650_000
KEPT_BYTES = 31 * 2**20


def rows_per_chunk(schedule: Schedule) -> int:
    """Rows that run together: about 650,000 numbers in the largest block, which stay in cache."""
    sizes = [block.nodes * block.states for block in schedule.forest.blocks.values()]
    return max(1, ELEMENTS // max(max(sizes), sum(sizes) // 4))


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next chunk, instead of giving it back.

    glibc returns blocks to the system from a size on that grows to the largest block freed so
    far, 32 MiB at most; below it, every chunk pays for its memory again in page faults. The block
    freed here is never touched, so it costs nothing.
    """
    torch.empty(KEPT_BYTES, dtype=torch.uint8)


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
