"""Layers at each node: the exact functions, which families may replace."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ghmpp.backends.fields.functions import apply
from ghmpp.schedule.functions import Function
from ghmpp.schedule.ir import Gate, Local, Schedule
from ghmpp.schedule.passes import flat


class LocalLayer(nn.Module):
    """A function of one number per node, shared by all nodes and rounds.

    Parameters
    ----------
    function
        What it computes, or stands for.
    """

    parameter: Tensor

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        parameter = torch.tensor(function.parameter, dtype=torch.float64)
        self.register_buffer("parameter", parameter, persistent=False)

    def forward(self, inputs: Sequence[Tensor], prior: Tensor | None, states: int) -> Tensor:
        """The exact function; arguments as for :func:`ghmpp.backends.fields.functions.apply`."""
        parameter = self.parameter.to(inputs[0].dtype)
        return apply(self.function, inputs, prior, states, parameter)

    def extra_repr(self) -> str:
        """The function."""
        return local_name(self.function)


class GateLayer(nn.Module):
    """Products of two fields."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The exact product."""
        return first * second


def local_name(function: Function) -> str:
    """Name of the layer of a function: ``"tanh"``, ``"soft(0.1)"``.

    Examples
    --------
    >>> local_name(Function("soft", 0.1))
    'soft(0.1)'
    """
    return f"soft({float(function.parameter)!r})" if function.name == "soft" else function.name


def local_layers(schedule: Schedule) -> dict[str, LocalLayer]:
    """An exact layer per function of a schedule."""
    functions = dict.fromkeys(op.function for op in flat(schedule.ops) if isinstance(op, Local))
    return {local_name(function): LocalLayer(function) for function in functions}


def gate_layers(schedule: Schedule) -> dict[str, GateLayer]:
    """An exact layer per product of a schedule."""
    return {op.name: GateLayer() for op in flat(schedule.ops) if isinstance(op, Gate)}
