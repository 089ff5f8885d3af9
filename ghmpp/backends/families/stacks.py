"""Stacks of nets, and which of them each message has.

A net is chosen for each (rank, parent) by an index of shape (ranks, parents), or (ranks, 1) where
all parents are alike. What travels has the axes (ranks, states, parents, batch).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ghmpp._arrays import AnyArray
from ghmpp.backends.families.stages import Dense
from ghmpp.backends.state import State, current


class Nets(nn.Module, ABC):
    """Stacked nets of one kind, whose arrays are parameters."""

    # Whether inputs must be observed states, 0 or -inf, or nothing.
    symbols = False

    def __init__(self, arrays: Mapping[str, AnyArray], dtype: torch.dtype) -> None:
        super().__init__()
        for name, array in arrays.items():
            value = torch.tensor(array, dtype=dtype)
            self.register_parameter(name, nn.Parameter(value, requires_grad=False))
        self._known = State(dtype, torch.device("cpu"), ())
        self._prepared: State | None = None

    def changed(self) -> bool:
        """Whether parameters have changed since the last call."""
        first = next(self.parameters())
        self._known = current(self._known, first.dtype, first.device, self.parameters())
        if self._prepared is self._known:
            return False
        self._prepared = self._known
        return True

    @abstractmethod
    def dense(self, net: int) -> Dense:
        """One net as affine maps and ReLUs."""

    def by_units(self) -> bool:
        """Whether the units themselves are to be evaluated: for gradients, and for exports."""
        wanted = torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters())
        return wanted or torch.compiler.is_exporting()

    def extra_repr(self) -> str:
        """Sizes of the stacks."""
        return ", ".join(f"{name}={tuple(p.shape)}" for name, p in self.named_parameters())


def pick(values: Tensor, index: Tensor) -> Tensor:
    """Numbers (nets,) by message: (ranks, 1, parents or 1, 1), or the only one."""
    return values[0] if len(values) == 1 else values[index][:, None, :, None]


def pick_rows(values: Tensor, index: Tensor) -> Tensor:
    """Rows (nets, n) by message: (ranks, 1, parents or 1, 1, n), or the only one, (n,)."""
    return values[0] if len(values) == 1 else values[index][:, None, :, None, :]


def pick_states(values: Tensor, index: Tensor) -> Tensor:
    """Rows (nets, states) by message: (ranks or 1, states, parents or 1, 1)."""
    return values[0][:, None, None] if len(values) == 1 else values[index].swapaxes(1, 2)[..., None]


def times(matrices: Tensor, index: Tensor, x: Tensor) -> Tensor:
    """Matrices (nets, out, in) applied over the states of x, each message by its own."""
    ranks, states, parents, batch = x.shape
    if len(matrices) == 1:
        found = torch.matmul(matrices[0], x.reshape(ranks, states, parents * batch))
        return found.view(ranks, -1, parents, batch)
    picked = matrices[index]
    if picked.shape[1] == 1:
        found = torch.bmm(picked[:, 0], x.reshape(ranks, states, parents * batch))
        return found.view(ranks, -1, parents, batch)
    return torch.matmul(picked, x.transpose(1, 2)).transpose(1, 2)


def observed_symbol(x: Tensor) -> Tensor:
    """The only possible state of logs (ranks, states, parents, batch), or ``states`` if not one."""
    possible = (x > -torch.inf).to(torch.int64)
    places = torch.arange(x.shape[1], device=x.device)[:, None, None]
    return torch.where(possible.sum(1) == 1, (possible * places).sum(1), x.shape[1])
