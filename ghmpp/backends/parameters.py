"""What a network may learn: potentials by key, and the symbols of formulas."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp._arrays import FloatArray
from ghmpp.backends.container import Named
from ghmpp.backends.formulas import Formula
from ghmpp.models.forest import Forest

# Numbers so near 1 would lose digits of their inverse tanh in float32.
NEAR = 1e-2


def potential_parameters(
    forest: Forest, formulas: Mapping[str, Formula], dtype: torch.dtype
) -> Named[nn.Parameter]:
    """Stacks by key, linear, without those that are functions of symbols; no gradient yet."""
    return Named(
        {
            key: nn.Parameter(in_precision(stack, dtype), requires_grad=False)
            for key, stack in forest.data.items()
            if stack.dtype.kind == "f" and key not in formulas and key not in forest.field_keys
        }
    )


def field_parameters(forest: Forest, dtype: torch.dtype) -> Named[nn.Parameter]:
    """Numbers of couplings and priors by key; no gradient yet."""
    return Named(
        {
            key: nn.Parameter(_field_numbers(forest.data[key], dtype), requires_grad=False)
            for key in forest.field_keys
        }
    )


def _field_numbers(numbers: FloatArray, dtype: torch.dtype) -> Tensor:
    """As a tensor; in float64 if ``dtype`` would round away how far a number is from 1.

    The strength of a message is the tanh of a coupling, and what arrives its inverse.
    """
    gap = 1 - np.abs(numbers)
    near = (gap > 0) & (gap < NEAR)
    return torch.tensor(numbers, dtype=torch.float64 if near.any() else dtype)


def symbol_parameters(
    forest: Forest, formulas: Mapping[str, Formula], dtype: torch.dtype
) -> Named[nn.Parameter]:
    """Each free symbol of the formulas once, shape (); no gradient yet."""
    names = dict.fromkeys(name for found in formulas.values() for name in found.symbols)
    return Named(
        {
            name: nn.Parameter(
                torch.tensor(forest.parameters[name], dtype=dtype), requires_grad=False
            )
            for name in names
        }
    )


def in_precision(stack: FloatArray, dtype: torch.dtype) -> Tensor:
    """A potential stack as a tensor; in float64 if ``dtype`` would drop entries or their digits."""
    limits = torch.finfo(dtype)
    fits = (stack == 0) | ((stack >= limits.tiny) & (stack <= limits.max))
    return torch.tensor(stack, dtype=dtype if fits.all() else torch.float64)
