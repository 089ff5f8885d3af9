"""Arithmetic of logarithms with true -inf, in operations that exporters leave as they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Not the lowest number there is, which exporters round to -inf.
LOWEST = -1e30


def total(values: Sequence[Tensor]) -> Tensor:
    """Sum of tensors."""
    first, *others = values
    for other in others:
        first = first + other
    return first


def finite(x: Tensor) -> Tensor:
    """A finite number in place of -inf, below all that occur."""
    return x.clamp_min(LOWEST)


def wide(x: Tensor) -> Tensor:
    """The same numbers in float64."""
    return cast(x, torch.float64)


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The same numbers in a precision; no operation where it is theirs."""
    return x if x.dtype == dtype else x.to(dtype)


def shares(x: Tensor) -> Tensor:
    """Exponentials over their sum along the last axis; zeros where all are -inf."""
    x = x - finite(x.amax(-1, keepdim=True))  # of large logs, the sum itself has too few digits
    return (x - finite(x.logsumexp(-1, keepdim=True))).exp()
