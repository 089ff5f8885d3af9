"""Index maps that keep some variables of a joint state: sums and copies along whole axes.

The joint states of a clique are numbered like the entries of an array with one axis per variable.
The map to the joint state of some of them is found again from its numbers alone, and then nothing
is gathered or scattered one entry at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import IntArray
from ghmpp.backends.kernels import Kernel

MOST_AXES = 24
# Entries in which the end of the first run is looked for before the whole map is.
HEAD = 4096


@dataclass(frozen=True, slots=True)
class Strides:
    """Axes of the determining side, slowest first: their sizes, and what a step means.

    ``steps`` is by how much the state of the other side grows along each axis; 0 for the axes
    that are dropped.
    """

    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """The axes that are kept, in their order on the other side."""
        axes = [axis for axis, step in enumerate(self.steps) if step]
        return tuple(sorted(axes, key=lambda axis: -self.steps[axis]))

    def fold(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Sums (or maxima) over the dropped axes of axis 1, which the kept ones make up anew.

        In new memory, also where nothing is dropped.
        """
        ranks, _, *rest = x.shape
        parts = x.reshape(ranks, *self.sizes, *rest)
        if self.steps == (1, 0):
            return kernel.fold(parts, 2)
        dropped = [axis for axis, step in enumerate(self.steps) if not step]
        for axis in reversed(dropped):
            parts = kernel.fold(parts, axis + 1)
        kept = [axis for axis in range(len(self.sizes)) if self.steps[axis]]
        order = [1 + kept.index(axis) for axis in self.kept]
        after = range(1 + len(kept), parts.ndim)
        folded = parts.permute(0, *order, *after).reshape(ranks, -1, *rest)
        return folded if dropped else folded.clone()

    def spread(self, x: Tensor) -> Tensor:
        """Entries of axis 1 repeated along the dropped axes, in memory of its own."""
        whole = self.view(x).clone(memory_format=torch.contiguous_format)
        return whole.view(x.shape[0], -1, *x.shape[2:])

    def view(self, x: Tensor) -> Tensor:
        """The same with one axis for each of the sizes, and without memory of its own."""
        ranks, _, *rest = x.shape
        if self.steps == (1, 0):
            return x.unsqueeze(2).expand(ranks, *self.sizes, *rest)
        kept = self.kept
        parts = x.reshape(ranks, *(self.sizes[axis] for axis in kept), *rest)
        order = [1 + kept.index(axis) for axis in sorted(kept)]
        after = range(1 + len(kept), parts.ndim)
        parts = parts.permute(0, *order, *after)
        for axis, step in enumerate(self.steps):
            if not step:
                parts = parts.unsqueeze(1 + axis)
        return parts.expand(ranks, *self.sizes, *rest)

    def states(self, x: Tensor) -> Tensor:
        """State of the other side for states of the determining side, of any shape."""
        found, rest = torch.zeros_like(x), x
        for size, step in zip(reversed(self.sizes), reversed(self.steps), strict=True):
            if step:
                found = found + rest % size * step
            rest = torch.div(rest, size, rounding_mode="floor")
        return found

    def index(self, device: torch.device) -> Tensor:
        """The map itself, one state of the other side per state, int64."""
        return self.states(torch.arange(prod(self.sizes), device=device))


def find_strides(index: IntArray, size: int) -> Strides | None:
    """The axes of an index map onto ``size`` states; None where it has none.

    Examples
    --------
    >>> find_strides(np.array([0, 2, 4, 1, 3, 5]), 6)
    Strides(sizes=(2, 3), steps=(1, 2))
    >>> find_strides(np.array([0, 0, 1, 1]), 2)
    Strides(sizes=(2, 2), steps=(1, 0))
    >>> find_strides(np.array([0, 1, 1, 0]), 2) is None
    True
    """
    sizes: list[int] = []
    steps: list[int] = []
    while len(index) > 1:
        step = int(index[1] - index[0])
        run = _run(index, step, HEAD)
        if run == HEAD:
            run = _run(index, step, len(index))
        if step < 0 or len(index) % run or len(sizes) == MOST_AXES:
            return None
        blocks = index.reshape(-1, run)
        if not (blocks == blocks[:, :1] + step * np.arange(run)).all():
            return None
        sizes.append(run)
        steps.append(step)
        index = blocks[:, 0]
    expected = 1
    for step, length in sorted(zip(steps, sizes, strict=True)):
        if step:
            if step != expected:
                return None
            expected *= length
    if expected != size or (len(index) and int(index[0]) != 0):
        return None
    return Strides(tuple(reversed(sizes)), tuple(reversed(steps)))


def _run(index: IntArray, step: int, length: int) -> int:
    """How many of the first entries are equally spaced."""
    head = index[:length]
    off = head != head[0] + step * np.arange(len(head))
    return int(off.argmax()) if off.any() else len(head)
