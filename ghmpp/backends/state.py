"""What a network's prepared potentials were made from."""

from __future__ import annotations

from dataclasses import dataclass, field

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
