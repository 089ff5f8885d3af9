"""Potentials given by sympy expressions, as differentiable functions of torch parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from ghmpp._arrays import IntArray, ObjectArray

# Enough that rounding to float64 is the only error of a constant.
DIGITS = 25


@dataclass(frozen=True)
class Formula:
    """A potential stack whose entries are expressions in symbols.

    Parameters
    ----------
    symbols
        Names of the symbols, in the order of the arguments of ``function``.
    function
        Values of the distinct expressions for given symbol values.
    index
        Which distinct expression each entry of the stack is, shape of the stack.
    """

    symbols: tuple[str, ...]
    function: Callable[..., Sequence[Tensor | float]]
    index: IntArray

    def __call__(self, values: Mapping[str, Tensor], like: Tensor) -> Tensor:
        """The stack, linear, with the dtype and device of ``like``; differentiable."""
        arguments = [values[name].to(like) for name in self.symbols]
        entries = [
            torch.as_tensor(entry, dtype=like.dtype, device=like.device)
            for entry in self.function(*arguments)
        ]
        return torch.stack(entries)[torch.as_tensor(self.index, device=like.device)]


def formula(entries: ObjectArray) -> Formula:
    """Compile a stack of sympy expressions to torch."""
    import numpy as np
    import sympy

    distinct = list(dict.fromkeys(sympy.sympify(entry) for entry in entries.ravel()))
    position = {expression: number for number, expression in enumerate(distinct)}
    index = [position[sympy.sympify(entry)] for entry in entries.ravel()]
    symbols = sorted(set().union(*(e.free_symbols for e in distinct)), key=lambda s: str(s.name))
    # Torch has no functions of plain numbers, such as the square root of 2: they become floats.
    numeric = [expression.evalf(DIGITS) for expression in distinct]
    modules = [{"max": _largest, "min": _smallest}, "torch"]
    function = sympy.lambdify(symbols, numeric, modules=modules, cse=True)
    shaped = np.asarray(index, dtype=np.int64).reshape(entries.shape)
    return Formula(tuple(symbol.name for symbol in symbols), function, shaped)


def _largest(*entries: Tensor | float) -> Tensor:
    """The largest of numbers and tensors, which ``torch.max`` does not take together."""
    return reduce(torch.maximum, (torch.as_tensor(e, dtype=torch.float64) for e in entries))


def _smallest(*entries: Tensor | float) -> Tensor:
    """The smallest of numbers and tensors."""
    return reduce(torch.minimum, (torch.as_tensor(e, dtype=torch.float64) for e in entries))
