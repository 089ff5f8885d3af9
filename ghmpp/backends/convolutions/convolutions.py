"""Plain convolutions whose channel groups are the ranks of children: kernel = stride = fan-out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ghmpp.backends.families.stages import Stage

# torch's types want one number or as many as there are dimensions, which are not known here.
Layer = Callable[..., nn.Module]


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """Makes convolutions of given weights.

    Parameters
    ----------
    dimensions
        1 or 2.
    like
        A tensor of the wished precision and device.
    learned
        Whether weights want gradients.
    """

    dimensions: int
    like: Tensor
    learned: bool = False

    def gather(
        self, nets: Sequence[Stage], kernel: tuple[int, ...], *, bias: bool = True
    ) -> nn.Module:
        """From children to parents: each rank's net reads its own position of the kernel."""
        out, into = nets[0].weight.shape
        weight = nets[0].weight.new_zeros(len(nets), out, into, len(nets))
        for rank, net in enumerate(nets):
            weight[rank, :, :, rank] = net.weight
        biases = torch.cat([net.bias for net in nets]) if bias else None
        return self.convolution(weight.reshape(-1, into, *kernel), biases, stride=kernel)

    def scatter(self, nets: Sequence[Stage], kernel: tuple[int, ...]) -> nn.Module:
        """From parents to children: each rank's net writes its own position of the kernel.

        Requires: biases of 0.
        """
        out, into = nets[0].weight.shape
        weight = nets[0].weight.new_zeros(len(nets), into, out, len(nets))
        for rank, net in enumerate(nets):
            weight[rank, :, :, rank] = net.weight.T
        layer = nn.ConvTranspose1d if self.dimensions == 1 else nn.ConvTranspose2d
        return self._filled(
            layer, len(nets) * into, out, kernel, weight.reshape(-1, out, *kernel), None, kernel, 1
        )

    def grouped(self, nets: Sequence[Stage]) -> nn.Module:
        """At each parent: each rank's net on its own group of channels."""
        weight = torch.cat([net.weight for net in nets])
        return self.pointwise(weight, torch.cat([net.bias for net in nets]), groups=len(nets))

    def pooled(self, nets: Sequence[Stage]) -> nn.Module:
        """At each parent: the sum of what the ranks' nets give."""
        weight = torch.cat([net.weight for net in nets], 1)
        return self.pointwise(weight, torch.stack([net.bias for net in nets]).sum(0))

    def pointwise(self, weight: Tensor, bias: Tensor | None, groups: int = 1) -> nn.Module:
        """A 1x1 convolution; weight (out, in of a group)."""
        one = (1,) * self.dimensions
        return self.convolution(
            weight.reshape(*weight.shape, *one), bias, stride=one, groups=groups
        )

    def convolution(
        self, weight: Tensor, bias: Tensor | None, *, stride: tuple[int, ...], groups: int = 1
    ) -> nn.Module:
        """A convolution; weight (out, in of a group, *kernel)."""
        layer = nn.Conv1d if self.dimensions == 1 else nn.Conv2d
        out, into, *kernel = weight.shape
        return self._filled(layer, groups * into, out, kernel, weight, bias, stride, groups)

    def _filled(
        self,
        layer: Layer,
        into: int,
        out: int,
        kernel: Sequence[int],
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, ...],
        groups: int,
    ) -> nn.Module:
        """A layer with these weights; on no device at first, so that none are drawn."""
        made = layer(
            into,
            out,
            tuple(kernel),
            stride=stride,
            groups=groups,
            bias=bias is not None,
            device="meta",
        )
        made.weight = nn.Parameter(self._own(weight), requires_grad=self.learned)
        if bias is not None:
            made.bias = nn.Parameter(self._own(bias), requires_grad=self.learned)
        return made

    def _own(self, values: Tensor) -> Tensor:
        return values.detach().to(self.like).clone(memory_format=torch.contiguous_format)
