"""A message layer as a stack of plain affine maps and ReLUs: what exports and convolutions use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One affine map, and whether a ReLU follows.

    Parameters
    ----------
    weight
        Shape (out, in).
    bias
        Shape (out,).
    relu
        Whether ``max(0, .)`` follows.
    """

    weight: Tensor
    bias: Tensor
    relu: bool


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """The net of one message as a multilayer perceptron of one node.

    Parameters
    ----------
    reads
        "logs": the sender's value in natural logs, (states,), after its largest entry is
        subtracted; "symbol": one number, the observed state, with ``states`` for a missing one.
    stages
        Applied in order; the last gives the message in natural logs, up to a constant,
        (receiver's states,).
    """

    reads: Literal["logs", "symbol"]
    stages: tuple[Stage, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """The message of inputs (..., states), or (..., 1) for symbols."""
        if self.reads == "logs":
            x = x - x.amax(-1, keepdim=True)
        for stage in self.stages:
            x = x @ stage.weight.T + stage.bias
            x = x.relu() if stage.relu else x
        return x
