"""The steps of a run: gradient, clipping, step, average, evaluation, checkpoint."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Never

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ghmpp.errors import LearningError, QueryError
from ghmpp.learning.training.batches import WEIGHTS, generator
from ghmpp.learning.training.checkpoints import Checkpoint, Row
from ghmpp.learning.training.objectives import Objective
from ghmpp.learning.training.options import Options

if TYPE_CHECKING:
    from tqdm import tqdm

# Seconds before a progress bar shows up.
PATIENCE = 2.0

Callback = Callable[[Mapping[str, float]], object]


@dataclass(slots=True)
class Best:
    """The weights with the lowest loss on held-out data so far."""

    weights: dict[str, Tensor] | None = None
    step: int = 0
    loss: float = math.inf
    stale: int = 0


class Run:
    """A run, which may begin where another has stopped.

    Parameters
    ----------
    objective
        What is trained, changed in place.
    options
        How.
    folder
        Of the checkpoint; None for none.
    resume
        Whether to go on from a checkpoint that is there.
    progress
        Whether to show a bar; None: on a terminal, after two seconds.
    callback
        Called with each row of the history, after the checkpoint is written.

    Raises
    ------
    FormatError, QueryError
        If the checkpoint is broken, of another run, or has more steps.
    """

    def __init__(
        self,
        objective: Objective,
        options: Options,
        folder: Path | None,
        *,
        resume: bool,
        progress: bool | None,
        callback: Callback | None,
    ) -> None:
        self.objective, self.options, self.folder = objective, options, folder
        self.progress, self.callback = progress, callback
        self.module = objective.module
        self.optimizer = options.make_optimizer(
            [p for p in self.module.parameters() if p.requires_grad]
        )
        self.average: AveragedModel | None = None
        if options.ema is not None:
            rule = get_ema_multi_avg_fn(options.ema)  # type: ignore[no-untyped-call]  # of torch
            self.average = AveragedModel(self.module, multi_avg_fn=rule, use_buffers=False)
        self.step, self.rows, self.best = 0, list[Row](), Best()
        self.facts: dict[str, dict[str, str]] = {}
        if folder is not None:
            self.facts = {"options": options.described(), **objective.described()}
            found = Checkpoint.load(folder, self.facts) if resume else None
            if found is not None:
                self._restore(found)
        self._spent = self.rows[-1]["seconds"] if self.rows else 0.0

    def run(self) -> None:
        """All steps that are left; at the end the module has the weights that were sought.

        Raises
        ------
        LearningError
            If the loss or the weights are no longer finite.
        """
        began, losses = time.perf_counter() - self._spent, list[float]()
        with torch.random.fork_rng(devices=[]), self._bar() as bar:
            if not self.rows:
                self._evaluate(math.nan, began, bar)
            while self.step < self.options.steps and not self._settled():
                losses.append(self._step())
                self.step += 1
                bar.update()
                if self.step % self.options.every == 0 or self.step == self.options.steps:
                    self._evaluate(sum(losses) / len(losses), began, bar)
                    losses.clear()
        self.module.load_state_dict(self._wanted())
        self.module.eval()

    @property
    def returned(self) -> int:
        """Step of the weights that are returned."""
        return self.step if self.best.weights is None else self.best.step

    def _step(self) -> float:
        """One step; gives the loss before it."""
        # Dropout and its like are functions of the step, too.
        torch.manual_seed(int(generator(self.options.seed, self.step, WEIGHTS).integers(2**62)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate_at(self.step)
        self.module.train()
        self.optimizer.zero_grad()
        loss = self.objective.backward(self.step, self.options.batch)
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        if self.options.clip is not None:
            norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.options.clip)
            if not torch.isfinite(norm):
                raise self._diverged("the gradient is not finite")
        self.optimizer.step()
        self.objective.constrain()
        if self.average is not None:
            self.average.update_parameters(self.module)
        return loss

    def _evaluate(self, loss: float, began: float, bar: tqdm[Never]) -> None:
        """A row of the history, and a checkpoint."""
        judged = self._judged()
        if not all(bool(x.isfinite().all()) for x in self.module.parameters()):
            raise self._diverged("the weights are not finite")
        found = self.objective.measure(judged)
        if math.isnan(found.get("validation", 0.0)):
            raise self._diverged("the loss on held-out data is NaN")
        row: Row = {
            "step": self.step,
            "rate": self.options.rate_at(min(self.step, self.options.steps - 1)),
            "loss": loss,
            **found,
            "seconds": time.perf_counter() - began,
        }
        self.rows.append(row)
        if self.options.early_stopping is not None:
            self._compare(found["validation"], judged)
        if self.folder is not None:
            self._checkpoint().save(self.folder)
        shown = [f"{k} {row[k]:.4g}" for k in ("loss", "excess") if k in row]
        bar.set_postfix_str(", ".join(shown), refresh=False)
        if self.callback is not None:
            self.callback(row)

    def _compare(self, loss: float, judged: nn.Module) -> None:
        if loss < self.best.loss:
            self.best = Best(_copied(judged), self.step, loss)
        else:
            self.best.stale += 1

    def _settled(self) -> bool:
        """Whether early stopping has waited long enough."""
        limit = self.options.early_stopping
        return limit is not None and self.best.stale >= limit

    def _judged(self) -> nn.Module:
        """The module, or the average of its weights."""
        if self.average is None or self.step == 0:
            return self.module
        found = self.average.module
        assert isinstance(found, nn.Module)
        return found

    def _wanted(self) -> dict[str, Tensor]:
        """The weights to be returned."""
        return _copied(self._judged()) if self.best.weights is None else self.best.weights

    def _diverged(self, what: str) -> LearningError:
        kept = "pass checkpoint= to keep the weights of the last evaluation"
        if self.folder is not None and self.rows:
            kept = f"the weights of step {int(self.rows[-1]['step'])} are kept in {self.folder}"
        options = self.options
        cures = [f"a lower rate than {options.rate:g}", "a longer warmup"]
        cures += ["clip=1.0"] if options.clip is None else [f"clip below {options.clip:g}"]
        return LearningError(
            f"train: {what} in step {self.step}; {kept}. Try {', '.join(cures)}, or weights in "
            'float64 (dtype="float64").'
        )

    def _checkpoint(self) -> Checkpoint:
        best = self.best
        return Checkpoint(
            self.facts,
            self.step,
            self.module.state_dict(),
            self.optimizer.state_dict(),
            None if self.average is None else self.average.state_dict(),
            self.rows,
            best.weights,
            best.step,
            best.loss,
            best.stale,
        )

    def _restore(self, found: Checkpoint) -> None:
        if found.step > self.options.steps:
            raise QueryError(
                f"train: the checkpoint in {self.folder} has {found.step} steps, more than "
                f"steps={self.options.steps}; use another folder, or resume=False."
            )
        self.step, self.rows = found.step, found.rows
        self.module.load_state_dict(found.module)
        self.optimizer.load_state_dict(found.optimizer)
        if self.average is not None and found.average is not None:
            self.average.load_state_dict(found.average)
        self.best = Best(found.best, found.best_step, found.best_loss, found.stale)

    def _bar(self) -> tqdm[Never]:
        from tqdm import tqdm

        shown = sys.stderr.isatty() if self.progress is None else self.progress
        return tqdm(
            total=self.options.steps,
            initial=self.step,
            desc=f"train {type(self.module).__name__}",
            disable=not shown,
            delay=PATIENCE,
        )


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: x.detach().clone() for name, x in module.state_dict().items()}
