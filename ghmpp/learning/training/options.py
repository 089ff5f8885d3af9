"""How a network is trained: the options of a run, its rates, and its optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import torch
from torch import nn

from ghmpp.errors import QueryError

OptimizerName = Literal["adamw", "sgd"]
ScheduleName = Literal["cosine", "constant"]

MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run, see :func:`ghmpp.learning.training.train.train`."""

    steps: int
    batch: int
    optimizer: OptimizerName
    rate: float
    schedule: ScheduleName
    warmup: int
    weight_decay: float
    clip: float | None
    ema: float | None
    early_stopping: int | None
    operator_norm_bound: float | None
    every: int
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch", 1), ("warmup", 0), ("every", 1), ("seed", 0)):
            _require_whole(name, getattr(self, name), least)
        if self.early_stopping is not None:
            _require_whole("early_stopping", self.early_stopping, 1)
        for name in ("rate", "clip", "operator_norm_bound"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 < value < math.inf):
                raise QueryError(f"train: {name} must be a finite number > 0, got {value!r}.")
        if not (_is_number(self.weight_decay) and 0 <= self.weight_decay < math.inf):
            raise QueryError(f"train: weight_decay must be >= 0, got {self.weight_decay!r}.")
        if self.ema is not None and not (_is_number(self.ema) and 0 < self.ema < 1):
            raise QueryError(
                f"train: ema must be between 0 and 1, such as 0.999, got {self.ema!r}."
            )
        _require_known("optimizer", self.optimizer, get_args(OptimizerName))
        _require_known("schedule", self.schedule, get_args(ScheduleName))

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: it rises linearly during warm-up, then stays or falls."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        if self.schedule == "constant":
            return self.rate
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * done))

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer, its rate to be set at each step."""
        if self.optimizer == "adamw":
            return torch.optim.AdamW(parameters, lr=self.rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            parameters, lr=self.rate, momentum=MOMENTUM, weight_decay=self.weight_decay
        )

    def described(self) -> dict[str, str]:
        """What the result depends on; more steps at a constant rate go on with the same run."""
        options = {name: str(value) for name, value in asdict(self).items()}
        if self.schedule == "constant":
            del options["steps"]
        if self.early_stopping is None:
            del options["every"]
        return options


def _require_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise QueryError(f"train: {name} must be a whole number >= {least}, got {value!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _require_known(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        listed = ", ".join(map(repr, known))
        raise QueryError(f"train: unknown {name} {value!r}; known: {listed}.")
