"""What standard networks read: a program's inputs as channels."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ghmpp.backends.observe import read_inputs
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.inference.moments import value_moments
from ghmpp.learning.training.draws import scale_and_noise
from ghmpp.models.channels import Given
from ghmpp.models.observations import Observation

# Channels of a noisy observation: what was seen, whether it was, and how much it says.
NOISY = 3


class Features(nn.Module):
    """The inputs of a program as channels of mean square about 1, one tensor per given class.

    Observed states are one-hot, times the root of their number; missing ones are 0. A noisy
    observation has three channels: its value, centred and scaled by what the model says of its
    mean and variance; 1 where it was observed; and ``log(1 + signal / noise)``, by which one
    network serves all noise levels.

    Parameters
    ----------
    program
        Whose inputs are read.
    dtype
        Precision.
    """

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        super().__init__()
        self.given, self.dtype = program.given, dtype
        self.variables = program.model.variables
        self._moments = {
            each.variable: _moments(program, each)
            for each in program.given
            if each.channel is not None
        }

    def channels(self, given: Given) -> int:
        """Channels of a class."""
        return NOISY if given.channel is not None else len(self.variables[given.variable].states)

    def forward(self, *inputs: Tensor, **channel: float) -> list[Tensor]:
        """Channels (batch, channels, nodes) of each given class, nodes in the user's order.

        Raises
        ------
        EvidenceError
            As :meth:`ghmpp.backends.network.Network.forward`.
        """
        read = read_inputs(inputs, self.given, self.variables, channel)
        return [self._read(each, read[each.variable]) for each in self.given]

    def _read(self, given: Given, seen: Observation) -> Tensor:
        x = torch.as_tensor(seen.array)
        if seen.kind == "values":
            return self._noisy(x, replace(given, channel=seen.channel))
        states = len(self.variables[given.variable].states)
        if given.channel is not None:
            raise QueryError(
                f"{given.variable}: this network reads values, and got likelihoods of states; "
                "compile the program without a channel for those."
            )
        if seen.kind == "states":
            shares = one_hot(x + 1, states + 1)[..., 1:].to(self.dtype)
        else:
            total = x.sum(-1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
            shares = (x / total).to(self.dtype)
        return torch.mul(shares.movedim(-1, 1), float(states) ** 0.5)

    def _noisy(self, z: Tensor, given: Given) -> Tensor:
        scale, noise = scale_and_noise(given)
        mean, variance = self._moments[given.variable]
        z = z.to(self.dtype)
        known = ~torch.isnan(z)
        spread = max(scale**2 * variance + noise**2, torch.finfo(torch.float32).tiny) ** 0.5
        value = torch.where(known, (z - scale * mean) / spread, 0.0)
        signal = scale**2 * variance / noise**2 if noise > 0 else 0.0
        level = torch.full_like(z, signal).log1p()
        return torch.stack((value, known.to(self.dtype), level), 1)


def average(program: Program, name: str) -> tuple[float, float]:
    """Mean and variance of the values of a class, over nodes and the model."""
    mean, covariance = value_moments(program.model, [name])
    return float(mean.mean()), float(covariance.diagonal().mean() + mean.var())


def _moments(program: Program, given: Given) -> tuple[float, float]:
    scale_and_noise(given)
    return average(program, given.variable)
