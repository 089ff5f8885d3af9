"""Free nets: the paper's layer with weights that may be learned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from ghmpp._arrays import AnyArray
from ghmpp.backends.families.stacks import Nets, observed_symbol, times
from ghmpp.backends.families.stages import Dense, Stage

# Log-likelihoods further below the largest are no different in float32.
LOWEST = -80.0
# Variance of the messages of random nets, for inputs of size 1.
LAST_GAIN = 0.1


class FreeNets(Nets):
    r"""Nets :math:`W_1\,\mathrm{ReLU}(W_2\,\mathrm{ReLU}(W_3 [h; 1]))` (arXiv:2404.18444, eq. 5).

    G nets, S sending and R receiving states. Inputs have largest entry 0; entries below -80, of
    no weight in float32, count as -80. With ``symbols`` the input is one number, the observed
    state, and S for a missing one.

    Parameters
    ----------
    first
        W_3, shape (G, D, S + 1), or (G, D, 2) for symbols; the last column meets the 1.
    second
        W_2, shape (G, D', D).
    third
        W_1, shape (G, R, D').
    dtype
        Precision.
    symbols
        Whether observed states are read.
    """

    first: Tensor
    second: Tensor
    third: Tensor

    def __init__(
        self,
        first: AnyArray,
        second: AnyArray,
        third: AnyArray,
        dtype: torch.dtype,
        *,
        symbols: bool = False,
    ) -> None:
        super().__init__({"first": first, "second": second, "third": third}, dtype)
        self.symbols = symbols
        self.requires_grad_()

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """Messages (ranks, R, parents, batch) of inputs whose largest entry is 0."""
        x = observed_symbol(x)[:, None].to(x.dtype) if self.symbols else x.clamp_min(LOWEST)
        x = torch.cat((x, torch.ones_like(x[:, :1])), 1)
        hidden = times(self.first, index, x).relu()
        hidden = times(self.second, index, hidden).relu()
        return times(self.third, index, hidden)

    def dense(self, net: int) -> Dense:
        """One net as affine maps and ReLUs."""
        first, second, third = self.first[net], self.second[net], self.third[net]
        return Dense(
            "symbol" if self.symbols else "logs",
            (
                Stage(first[:, :-1], first[:, -1], True),
                Stage(second, torch.zeros_like(second[:, 0]), True),
                Stage(third, torch.zeros_like(third[:, 0]), False),
            ),
        )

    @staticmethod
    def random(
        nets: int,
        states: tuple[int, int],
        width: int,
        dtype: torch.dtype,
        generator: torch.Generator,
        *,
        symbols: bool = False,
    ) -> FreeNets:
        """Nets with weights drawn as He et al. (2015) do; one unit per layer starts as constant 1.

        ``states`` are (sending, receiving). The last weights are smaller: messages add up from
        the leaves on, and large ones would leave no doubt, and so no gradient.
        """
        sending, receiving = states
        inputs = 1 if symbols else sending

        def normal(rows: int, columns: int, gain: float) -> Tensor:
            size = (nets, rows, columns)
            draws = torch.randn(size, generator=generator, dtype=torch.float64)
            return torch.mul(draws, (gain / columns) ** 0.5)

        first, second = normal(width, inputs + 1, 2.0), normal(width, width, 2.0)
        third = normal(receiving, width, LAST_GAIN)
        first[:, 0], second[:, 0] = 0.0, 0.0
        first[:, 0, -1], second[:, 0, 0] = 1.0, 1.0
        if symbols:
            first[:, :, 0] /= sending
        return FreeNets(first.numpy(), second.numpy(), third.numpy(), dtype, symbols=symbols)

    @staticmethod
    def of(nets: Sequence[Dense], dtype: torch.dtype) -> FreeNets:
        """Free nets that start as given ones, which all read the same."""
        matrices = [three_matrices(dense) for dense in nets]
        first, second, third = (_stacked([each[k] for each in matrices]) for k in range(3))
        return FreeNets(first, second, third, dtype, symbols=nets[0].reads == "symbol")


def three_matrices(dense: Dense) -> tuple[Tensor, Tensor, Tensor]:
    """W_3, W_2, W_1 of a net with two hidden layers, biases carried by a constant unit."""
    layers: list[list[Stage]] = [[]]
    for stage in dense.stages:
        layers[-1].append(stage)
        if stage.relu:
            layers.append([])
    *hidden, last = [
        reduce(torch.matmul, [_homogeneous(s) for s in layer[::-1]]) for layer in layers
    ]
    first, second = hidden
    return first, second, last[:-1]


def _homogeneous(stage: Stage) -> Tensor:
    """An affine map as a matrix on [x; 1] that keeps the 1."""
    one = torch.zeros(1, stage.weight.shape[1] + 1).to(stage.weight)
    one[0, -1] = 1.0
    return torch.cat((torch.cat((stage.weight, stage.bias[:, None]), 1), one))


def _stacked(matrices: Sequence[Tensor]) -> AnyArray:
    """Matrices along a new first axis, filled up with idle units."""
    rows, columns = (max(m.shape[axis] for m in matrices) for axis in (0, 1))
    stack = torch.zeros(len(matrices), rows, columns, dtype=torch.float64)
    for whole, matrix in zip(stack, matrices, strict=True):
        whole[: matrix.shape[0], : matrix.shape[1]] = matrix
    return stack.numpy()
