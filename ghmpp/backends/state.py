"""What a network's prepared potentials were made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class State:
    """What prepared potentials depend on: precision, device, address and version of parameters.

    ``held`` keeps the parameters alive, so that no others get their addresses.
    """

    dtype: torch.dtype
    device: torch.device
    versions: tuple[tuple[int, int], ...]
    held: tuple[Tensor, ...] = field(default=(), compare=False)


def current(
    known: State, dtype: torch.dtype, device: torch.device, tensors: Iterable[Tensor]
) -> State:
    """The present state: ``known`` if nothing has changed since."""
    held = tuple(tensors)
    versions = tuple((tensor.data_ptr(), tensor._version) for tensor in held)
    found = State(dtype, device, versions)
    if found == known:
        return known
    return replace(found, held=tuple(tensor.detach() for tensor in held))
