"""A network's inputs as log-likelihoods, in the manner of :mod:`ghmpp.backends.plain.steps`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from ghmpp._arrays import FloatArray
from ghmpp.backends.kernels import INFINITY
from ghmpp.backends.plain.gaussian import NaturalInput
from ghmpp.backends.plain.logs import cast, finite, wide
from ghmpp.errors import QueryError
from ghmpp.models.channels import Gaussian, Given, Localization
from ghmpp.models.forest import VariableClass

# Log-likelihoods (batch, nodes, states) with largest entry 0, and the float64 sums (batch,) of
# what that took from them.
Read: TypeAlias = tuple[Tensor, Tensor]


class StateInput(nn.Module):
    """Observed states (batch, nodes), -1 for missing."""

    rows: Tensor

    def __init__(self, states: int, dtype: torch.dtype) -> None:
        super().__init__()
        rows = torch.full((states + 1, states), -INFINITY, dtype=dtype)
        rows[0] = 0
        rows[1:].fill_diagonal_(0)
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, x: Tensor) -> Read:
        """Log-likelihoods of the states."""
        return embedding(x + 1, self.rows), torch.zeros_like(x[:, 0], dtype=torch.float64)


class NumberInput(nn.Module):
    """Variables of a real class (batch, nodes), as they are."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Read:
        """A field, (batch, nodes, 1)."""
        return cast(x, self.dtype).unsqueeze(-1), torch.zeros_like(x[:, 0], dtype=torch.float64)


class LikelihoodInput(nn.Module):
    """Likelihoods (batch, nodes, states), linear, of any scale."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Read:
        """Log-likelihoods of the states."""
        logs = wide(x).log()
        largest = logs.amax(-1, keepdim=True)
        return cast(logs - finite(largest), self.dtype), largest.sum((1, 2))


class ValueInput(nn.Module):
    """Continuous observations (batch, nodes) through a channel, NaN for missing.

    The logs are differences to the state value nearest to the peak, so that no digits cancel
    however large an observation is.

    Parameters
    ----------
    values
        State values.
    channel
        The channel; its parameters are those of the call, or else its own.
    dtype
        Precision.
    """

    values: Tensor
    ordered: Tensor
    middle: Tensor
    log_norm: Tensor

    def __init__(
        self, values: FloatArray, channel: Gaussian | Localization, dtype: torch.dtype
    ) -> None:
        super().__init__()
        ordered = np.sort(values)
        self.gaussian = isinstance(channel, Gaussian)
        for name, array in (
            ("values", values),
            ("ordered", ordered[:, None]),
            ("middle", (ordered[1:] + ordered[:-1]) / 2),
        ):
            self.register_buffer(name, torch.tensor(array, dtype=dtype), persistent=False)
        log_norm = torch.tensor(0.5 * math.log(2 * math.pi), dtype=torch.float64)
        self.register_buffer("log_norm", log_norm, persistent=False)
        self.names = tuple(parameters_of(channel))
        for name, value in parameters_of(channel).items():
            self.register_buffer(name, torch.tensor(value, dtype=dtype), persistent=False)

    def forward(self, z: Tensor, channel: Mapping[str, Tensor]) -> Read:
        """Log-likelihoods of the states."""
        missing = torch.isnan(z)
        dtype = self.values.dtype
        z = cast(torch.where(missing, torch.zeros_like(z), z), dtype)
        own = dict(self.named_buffers())
        found = {name: cast(channel.get(name, own[name]), dtype) for name in self.names}
        if self.gaussian:
            sigma, factor = found["sigma"], found["scale"]
            gain = factor / sigma / sigma
        else:
            factor = found["time"]
            gain = torch.ones_like(factor)
        # The peak is at z over the factor; nothing is divided, so that time 0 is allowed.
        curvature = gain * factor
        above = (gain * z).unsqueeze(-1) >= curvature * self.middle
        nearest = embedding(above.sum(-1), self.ordered)
        slope = gain * (z.unsqueeze(-1) - factor * nearest)
        step = self.values - nearest
        logs = (slope - curvature * step / 2) * step
        far, peak = wide(z), wide(nearest.squeeze(-1))
        top = peak * (gain * far - curvature * peak / 2)
        if self.gaussian:
            top = top - (far / sigma) ** 2 / 2 - wide(sigma).log() - self.log_norm
        logs = torch.where(missing.unsqueeze(-1), torch.zeros_like(logs), logs)
        return logs, torch.where(missing, torch.zeros_like(top), top).sum(1)


Input: TypeAlias = StateInput | NumberInput | LikelihoodInput | ValueInput | NaturalInput


def input_of(
    given: Given, variable: VariableClass, dtype: torch.dtype
) -> StateInput | NumberInput | ValueInput | NaturalInput:
    """What reads the input of a given class.

    Raises
    ------
    QueryError
        If the channel is a function, which no file can hold.
    """
    if given.channel is None and variable.real:
        return NumberInput(dtype)
    if given.channel is None:
        return StateInput(len(variable.states), dtype)
    if isinstance(given.channel, Gaussian | Localization) and variable.real:
        return NaturalInput(given.channel, dtype)
    if not isinstance(given.channel, Gaussian | Localization) or variable.values is None:
        raise QueryError(
            f"plain network: {given.variable!r} is observed through a Python function, which no "
            f"file can hold; compile with given={given.variable!r} and pass likelihoods."
        )
    return ValueInput(variable.values, given.channel, dtype)


def parameters_of(channel: object) -> dict[str, float]:
    """Parameters of a quadratic channel by name."""
    match channel:
        case Gaussian(sigma=sigma, scale=scale):
            return {"sigma": sigma, "scale": scale}
        case Localization(time=time):
            return {"time": time}
        case _:
            return {}


def shared_parameters(given: Sequence[Given]) -> dict[str, float]:
    """Channel parameters that all channels have, with one value for all: what a call may change."""
    found = [parameters_of(each.channel) for each in given if each.channel is not None]
    first = found[0] if found else {}
    return {
        name: value
        for name, value in first.items()
        if all(each.get(name) == value for each in found)
    }
