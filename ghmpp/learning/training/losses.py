r"""Losses of what networks answer, row by row, and how far an answer is from the exact one.

For each of these losses, the expected loss of an answer exceeds that of the exact answer by the
expected :meth:`Loss.distance` between them, which is far less noisy than a difference of losses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ghmpp.errors import EvidenceError, QueryError
from ghmpp.learning.training.batches import Batch

LossName = Literal["square", "cross-entropy", "denoising"]
LossLike: TypeAlias = "LossName | Callable[[Tensor, Tensor], Tensor] | None"


class Loss(Protocol):
    """What is to become small."""

    @property
    def name(self) -> str:
        """In histories and checkpoints."""

    def __call__(self, answer: Tensor, batch: Batch) -> Tensor:
        """Loss of each row, (batch,)."""

    def distance(self, answer: Tensor, exact: Tensor, batch: Batch) -> Tensor:
        """Excess of the answer over the exact one, expected given the input, (batch,)."""


@dataclass(frozen=True, slots=True)
class Square:
    r"""The square loss of arXiv:2404.18444, eqs. (7) and (18), mean over nodes.

    .. math:: \sum_s (p_s - 1[y = s])^2 \quad\text{or}\quad d^{-1} \|x - m\|^2
    """

    name: str = "square"

    def __call__(self, answer: Tensor, batch: Batch) -> Tensor:
        """Loss of each row."""
        if batch.target.is_floating_point():
            return per_row((answer - batch.target).square(), batch)
        truth = one_hot(batch.target, answer.shape[-1])
        return per_row((answer - truth).square().sum(-1), batch)

    def distance(self, answer: Tensor, exact: Tensor, batch: Batch) -> Tensor:
        """Squared distance."""
        apart = (answer - exact).square()
        return per_row(apart if batch.target.is_floating_point() else apart.sum(-1), batch)


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    r"""Minus the log of the probability of what was true, :math:`-\log p_y`, nats per node."""

    name: str = "cross-entropy"

    def __call__(self, answer: Tensor, batch: Batch) -> Tensor:
        """Loss of each row."""
        chosen = answer.gather(-1, batch.target[..., None])[..., 0]
        return per_row(-_log(chosen), batch)

    def distance(self, answer: Tensor, exact: Tensor, batch: Batch) -> Tensor:
        """Kullback-Leibler divergence from the exact posterior."""
        return per_row((exact * (_log(exact) - _log(answer))).sum(-1), batch)


@dataclass(frozen=True, slots=True)
class Denoising:
    r"""The square loss of means times signal over noise, by which all noise levels count.

    .. math:: \frac{\alpha^2}{\sigma^2}\, d^{-1} \|x - m\|^2 \quad\text{or}\quad
              t\, d^{-1} \|x - m\|^2

    This is the mean squared error of the noise that the answer implies, in units of its own
    standard deviation; where the noise is always the same it is the square loss times a constant.

    Parameters
    ----------
    curvature
        Signal over noise, given the channel parameters of a batch.
    """

    curvature: Callable[[Mapping[str, float]], float]
    name: str = "denoising"

    def __call__(self, answer: Tensor, batch: Batch) -> Tensor:
        """Loss of each row."""
        return self.curvature(batch.channel) * Square()(answer, batch)

    def distance(self, answer: Tensor, exact: Tensor, batch: Batch) -> Tensor:
        """Squared distance times signal over noise."""
        return self.curvature(batch.channel) * Square().distance(answer, exact, batch)


@dataclass(frozen=True, slots=True)
class Custom:
    """A loss of the user's.

    Parameters
    ----------
    function
        ``function(answer, target)`` gives the loss of each row, (batch,), or of each node,
        (batch, nodes).
    """

    function: Callable[[Tensor, Tensor], Tensor]

    @property
    def name(self) -> str:
        """That of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def __call__(self, answer: Tensor, batch: Batch) -> Tensor:
        """Loss of each row."""
        found = self.function(answer, batch.target)
        if found.ndim == 0 or len(found) != len(batch):
            raise QueryError(
                f"loss {self.name}: must give one number for each of {len(batch)} rows (or its "
                f"nodes), got shape {tuple(found.shape)}; leave out the mean."
            )
        return per_row(found, batch)

    def distance(self, answer: Tensor, exact: Tensor, batch: Batch) -> Tensor:
        """Difference of the losses."""
        return self(answer, batch) - self(exact, batch)


def per_row(losses: Tensor, batch: Batch) -> Tensor:
    """Mean over the nodes that count, (batch,), of losses (batch,) or (batch, nodes)."""
    if losses.ndim == 1:
        return losses
    if batch.asked is None:
        return losses.mean(1)
    asked = batch.asked
    return torch.where(asked, losses, 0.0).sum(1) / asked.sum(1).clamp_min(1)


def check_answer(answer: object, batch: Batch, where: str) -> Tensor:
    """What a network said, if it fits the targets.

    Raises
    ------
    EvidenceError
        If shapes do not fit, or targets are states that the answer does not have.
    """
    if not isinstance(answer, Tensor):
        raise QueryError(f"{where}: must answer with one tensor, got {type(answer).__name__}.")
    found, target = tuple(answer.shape), batch.target
    expected = tuple(target.shape)
    if target.is_floating_point() and found != expected:
        raise EvidenceError(
            f"{where}: answers with shape {found}, but the targets (values) have shape {expected}; "
            "both must be (batch, nodes)."
        )
    if target.is_floating_point():
        return answer
    if found[:-1] != expected or answer.ndim != target.ndim + 1:
        shape = ", ".join(map(str, (*expected, "states")))
        raise EvidenceError(
            f"{where}: answers with shape {found}, but for targets (states) of shape {expected} it "
            f"must be ({shape}), probabilities that sum to 1."
        )
    low, high = target.aminmax()
    if low < 0 or high >= found[-1]:
        raise EvidenceError(
            f"{where}: answers for {found[-1]} states, but targets are from {int(low)} to "
            f"{int(high)}; they must be state indices 0 to {found[-1] - 1}."
        )
    return answer


def known_names() -> tuple[str, ...]:
    """The losses that have a name."""
    return get_args(LossName)


def _log(x: Tensor) -> Tensor:
    """Logarithms, finite where a probability is too small for its precision."""
    return x.clamp_min(torch.finfo(x.dtype).tiny).log()
