"""Index maps as the kernels want them: gathers one way, segment sums the other.

What travels on an edge is (ranks, states, parents, batch), as for tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ghmpp.backends.kernels import Kernel, split
from ghmpp.backends.layout import Place
from ghmpp.backends.strides import Strides, find_strides
from ghmpp.models.forest import Edge


@dataclass(frozen=True, slots=True)
class IndexMap:
    """``psi(s, a) = 1`` where the index map links s and a, else 0.

    ``index`` has one entry per state of the side that determines the other: per parent state
    when ``by_parent`` (``a == index[s]``), else per child state (``s == index[a]``). Its axes are
    (group, state), with one group for all, one per rank, or (``per_node``) one per child in
    physical order. ``size`` is the number of states of the other side.

    Sums over segments are scaled by ``share``, one over the longest segment, so that no message
    exceeds 1; ``log_scale`` is what this took from the log evidence of
    each edge, shape (). A map for all that drops axes of a joint state (also one whose segments
    are runs of equal length) has ``strides`` instead of the ``stored`` index.
    """

    stored: Tensor
    by_parent: bool
    size: int
    per_node: bool
    share: float
    log_scale: Tensor
    strides: Strides | None = None

    @property
    def index(self) -> Tensor:
        """The index maps, (group, state)."""
        if self.strides is None:
            return self.stored
        return self.strides.index(self.stored.device)[None]

    def to_root(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Message toward the root."""
        return self._gather(x) if self.by_parent else self._segment(kernel, x)

    def to_leaves(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Message toward the leaves."""
        return self._segment(kernel, x) if self.by_parent else self._gather(x)

    def of(self, rank: int) -> RankMap:
        """The map of one rank; not for maps that differ from child to child."""
        if self.strides is not None:
            states = math.prod(self.strides.sizes)
            return RankMap(self.stored, self.strides, states, self.size, self.share)
        index = self.stored[rank % self.stored.shape[0]]
        return RankMap(index, None, index.shape[0], self.size, self.share)

    def given(self, choice: Tensor) -> Tensor:
        """0/1 mask of child states given chosen parent states, (parents, batch).

        Returns
        -------
        bool tensor of shape (child states, ranks or 1, parents, batch)
        """
        if self.per_node:
            index = split(self.index, 0, (-1, choice.shape[0]))
            if not self.by_parent:
                return index.permute(2, 0, 1)[..., None] == choice
            found = index.gather(2, choice.expand(len(index), -1, -1))
        elif not self.by_parent:
            return self.index.t()[:, :, None, None] == choice
        elif self.strides is not None:
            found = self.strides.states(choice)[None]
        else:
            found = self.index[:, choice]
        child = torch.arange(self.size, device=choice.device)
        return child[:, None, None, None] == found

    def tables(self, kernel: Kernel, like: Tensor) -> Tensor:
        """Zeros and ones (scaled), in the kernel's domain: (group, parent states, child states)."""
        other = torch.arange(self.size, device=self.index.device)
        linked = self.index[:, :, None] == other
        table = (linked if self.by_parent else linked.transpose(1, 2)).to(like.dtype)
        return kernel.table(table * self.share)

    def _gather(self, x: Tensor) -> Tensor:
        if self.strides is not None:
            return self.strides.spread(x)
        if self.per_node:
            return x.gather(1, self._by_node(x.shape).expand(-1, -1, -1, x.shape[3]))
        if len(self.stored) == 1:
            return x.index_select(1, self.stored[0])
        return torch.stack([self.of(rank).gathered(part) for rank, part in enumerate(x)])

    def _segment(self, kernel: Kernel, x: Tensor) -> Tensor:
        if self.strides is not None:
            return _scaled(kernel, self.strides.fold(kernel, x), self.share)
        if self.per_node:
            sums = kernel.segment(x, self._by_node(x.shape), self.size)
            return _scaled(kernel, sums, self.share)
        if len(self.stored) == 1:
            return _scaled(kernel, kernel.segment(x, self.stored[0], self.size), self.share)
        return torch.stack([self.of(rank).summed(kernel, part) for rank, part in enumerate(x)])

    def _by_node(self, shape: tuple[int, ...]) -> Tensor:
        """The maps of all children as (ranks, states, parents, 1)."""
        return split(self.index, 0, (shape[0], shape[2])).transpose(1, 2)[..., None]


@dataclass(frozen=True, slots=True)
class RankMap:
    """The index map of one rank, for values (states, ...) of any further axes.

    ``states`` is the number of states of the side that determines the other, ``size`` that of the
    other; ``index`` is empty where there are ``strides``.
    """

    index: Tensor
    strides: Strides | None
    states: int
    size: int
    share: float

    def gathered(self, x: Tensor, *, out: Tensor | None = None) -> Tensor:
        """``x`` at the mapped states, in new memory or in ``out``."""
        if self.strides is None:
            return torch.index_select(x, 0, self.index, out=out)
        if out is None:
            return self.strides.spread(x[None])[0]
        view = self.strides.view(x[None])[0]
        out.view(view.shape).copy_(view)
        return out

    def multiplied(self, kernel: Kernel, first: Tensor, x: Tensor, *, reuse: bool) -> Tensor:
        """``first`` times ``x`` at the mapped states, for maps with strides."""
        assert self.strides is not None
        if self.strides.steps == (1, 0):
            whole = first.view(*self.strides.sizes, *first.shape[1:])
            return kernel.times(whole, x.unsqueeze(1), reuse=reuse).view(first.shape)
        view = self.strides.view(x[None])[0]
        return kernel.times(first.view(view.shape), view, reuse=reuse).view(first.shape)

    def summed(self, kernel: Kernel, x: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Scaled sums over segments of ``x``, in new memory or in ``out``."""
        if self.strides is None:
            sums = kernel.segment(x, self.index, self.size, axis=0)
        elif self.strides.steps == (1, 0):
            sums = kernel.fold(x.view(*self.strides.sizes, *x.shape[1:]), 1)
        else:
            sums = self.strides.fold(kernel, x[None])[0]
        if out is None:
            return _scaled(kernel, sums, self.share)
        return kernel.scaled(sums, self.share, out=out)


def _scaled(kernel: Kernel, sums: Tensor, share: float) -> Tensor:
    """Sums times their share; those of a single term are not sums, and may be somebody else's."""
    if share == 1:
        return sums
    return kernel.scaled(sums, share, out=None if sums.requires_grad else sums)


def index_map(
    kernel: Kernel, index: Tensor, edge: Edge, place: Place, parent_states: int, child_states: int
) -> IndexMap:
    """Bring index maps (rows, states) into the kernel's form."""
    by_parent = edge.kind == "child_of"
    size = child_states if by_parent else parent_states
    per_node = edge.rows == place.nodes and edge.rows not in (1, place.ranks)
    if per_node:
        index = index[torch.as_tensor(place.order, device=index.device)]
    strides = find_strides(index[0].cpu().numpy(), size) if len(index) == 1 else None
    if strides is None:
        rows = torch.arange(len(index), device=index.device)[:, None] * size
        longest = int(torch.bincount((index + rows).flatten()).max())
    else:
        longest, index = index.shape[1] // size, index.new_empty((1, 0))
    log_scale = torch.tensor(0.0 if by_parent else math.log(longest), dtype=torch.float64)
    log_scale = log_scale.to(index.device)
    return IndexMap(index, by_parent, size, per_node, 1 / longest, log_scale, strides)
