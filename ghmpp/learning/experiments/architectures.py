"""Multilayer perceptron, plain CNN and U-Net: channels in, channels out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d

Net = TypeVar("Net", bound=nn.Module)


def mlp(
    inputs: int, width: int, depth: int, outputs: tuple[int, int], generator: torch.Generator
) -> nn.Sequential:
    """Fully connected layers with ReLU: (batch, inputs) to (batch, *outputs)."""
    sizes = [inputs, *[width] * depth]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return _drawn(
        nn.Sequential(*layers, nn.Linear(width, prod(outputs)), nn.Unflatten(1, outputs)),
        generator,
    )


class Patches(nn.Module):
    """A convolution with patch = stride, weights N(0, 1) over the root of their inputs.

    Parameters
    ----------
    channels, width, patch
        Channels in and out, and the size of a patch.
    generator
        Of the weights.
    """

    def __init__(self, channels: int, width: int, patch: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, channels, patch, generator=generator))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Channels (batch, width, patches)."""
        patch = self.weight.shape[2]
        scaled = self.weight / (self.weight.shape[1] * patch) ** 0.5
        return conv1d(x, scaled, self.bias, stride=patch)


class PlainCNN(nn.Module):
    """One convolution per level, then one linear map over the width.

    Parameters
    ----------
    channels, width, outputs
        Channels of input, hidden layers and answers.
    patches
        Sizes of the patches, from the leaves up.
    generator
        Of the weights.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        patches: Sequence[int],
        outputs: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = [channels, *[width] * len(patches)]
        layers: list[nn.Module] = []
        for (before, after), patch in zip(pairwise(sizes), patches, strict=True):
            layers += [Patches(before, after, patch, generator), nn.ReLU()]
        self.levels = nn.Sequential(*layers)
        self.readout = nn.Parameter(torch.randn(width, outputs, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        """Answers (batch, outputs, nodes)."""
        found: Tensor = self.levels(x)
        return torch.einsum("bwn,wo->bon", found, self.readout) / len(self.readout)


class StandardUNet(nn.Module):
    """Convolutions of size 3 with ReLU, down to one node and up again, with skips.

    Parameters
    ----------
    channels, width, outputs
        Channels of input, hidden layers and answers.
    splits
        Kernel = stride between levels, from the root down, one or two numbers each.
    level
        Level of the answers, 0 for the root.
    generator
        Of the weights.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        splits: Sequence[tuple[int, ...]],
        level: int,
        outputs: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        image = len(splits[0]) == 2
        convolution = nn.Conv2d if image else nn.Conv1d
        transposed = nn.ConvTranspose2d if image else nn.ConvTranspose1d

        def block(before: int) -> nn.Sequential:
            return nn.Sequential(
                convolution(before, width, 3, padding=1),
                nn.ReLU(),
                convolution(width, width, 3, padding=1),
                nn.ReLU(),
            )

        below = splits[::-1]
        starts = [channels, *[width] * (len(splits) - 1)]
        self.encoder = nn.ModuleList(block(before) for before in starts)
        self.down = nn.ModuleList(
            convolution(width, width, split, stride=split)  # type: ignore[arg-type]  # its rank
            for split in below
        )
        self.bottleneck = block(width)
        self.up = nn.ModuleList(
            transposed(width, width, split, stride=split)  # type: ignore[arg-type]  # its rank
            for split in splits[:level]
        )
        self.decoder = nn.ModuleList(block(2 * width) for _ in splits[:level])
        self.head = convolution(width, outputs, 1)
        _drawn(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Answers (batch, outputs, *nodes of the level)."""
        skips = []
        for encode, down in zip(self.encoder, self.down, strict=True):
            x = encode(x)
            skips.append(x)
            x = down(x).relu()
        x = self.bottleneck(x)
        for up, decode in zip(self.up, self.decoder, strict=True):
            x = decode(torch.cat((up(x), skips.pop()), 1))
        found: Tensor = self.head(x)
        return found


def _drawn(module: Net, generator: torch.Generator) -> Net:
    """Weights drawn as He et al. (2015) do, uniformly, and biases 0."""
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
    return module
