"""Products, sums and rescaling of messages in torch, in two number domains.

Layouts (see :mod:`ghmpp.backends.layout`): the value of a block is (states, ranks, parents,
batch); what travels on an edge is (ranks, states, parents, batch), ranks first, so that one
batched matrix product serves all ranks. The batch axis has size 1 for what no evidence reaches.

:class:`Linear` keeps probabilities scaled to largest entry 1, :class:`Log` keeps logarithms.
With ``reuse`` a kernel may overwrite its first operand; it never does where gradients are wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ghmpp.backends.memory import LARGE_ELEMENTS, empty, room
from ghmpp.backends.segments import segment_max, segment_sum, whole_index
from ghmpp.schedule.ir import Semiring

INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Linear:
    """Scaled probabilities; sums over states are matrix products (maxima for "max")."""

    semiring: Semiring = "sum"
    one: float = 1.0
    zero: float = 0.0
    is_log = False

    def times(self, first: Tensor, second: Tensor, *, reuse: bool = False) -> Tensor:
        """Elementwise product; the batch axis broadcasts."""
        if reuse and first.shape[-1] >= second.shape[-1]:
            return first.mul_(second)
        return first * second

    def scaled(self, x: Tensor, factor: float, *, out: Tensor | None = None) -> Tensor:
        """All entries times a linear factor > 0, in new memory or in ``out``."""
        return torch.mul(x, factor, out=out)

    def multiply_into(self, first: Tensor, second: Tensor, out: Tensor) -> None:
        """Elementwise product written to ``out``."""
        torch.mul(first, second, out=out)

    def through(self, table: Tensor, x: Tensor) -> Tensor:
        """Sum over the input state of a table stack, (g, out, in) with (g, in, c): (g, out, c)."""
        if self.semiring == "max":
            return _by_output(table, x, lambda rows: (rows[:, :, None] * x).amax(1))
        if x.numel() < LARGE_ELEMENTS:
            return torch.bmm(table, x)
        return torch.bmm(table, x, out=room(x, (*table.shape[:2], x.shape[2])))

    def segment(self, x: Tensor, index: Tensor, size: int, *, axis: int = 1) -> Tensor:
        """Sum (or maximum) of an axis over equal ``index``; result axis of ``size``.

        ``index`` has the size of the axis, or as many axes as ``x``.
        """
        start = x.new_zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]))
        if self.semiring == "max":
            return segment_max(x, index, start, axis)
        return segment_sum(x, index, start, axis)

    def fold(self, x: Tensor, axis: int) -> Tensor:
        """Sum (or maximum) over an axis."""
        return x.sum(axis) if self.semiring == "sum" else x.amax(axis)

    def normalize(self, x: Tensor, *, reuse: bool) -> tuple[Tensor, Tensor]:
        """Divide by the largest entry over states (at least a normal number); also the divisor."""
        largest, tiny = _constant(x.amax(0)), torch.finfo(x.dtype).tiny
        # One over tiny, level after level, would make the zero gradients of zeros NaN.
        tracked = x.requires_grad
        divisor = torch.where(largest >= tiny, largest, 1.0) if tracked else largest.clamp_min(tiny)
        return (x.div_(divisor) if reuse else x / divisor), divisor

    def log_scale(self, largest: Tensor) -> Tensor:
        """Logarithm of a rescale factor."""
        return largest.log()

    def total(self, x: Tensor) -> Tensor:
        """Logarithm of the sum (or maximum) over states; -inf for an all-zero column."""
        total = x.sum(0) if self.semiring == "sum" else x.amax(0)
        return _safe_log(total)

    def probabilities(
        self, x: Tensor, *, reuse: bool = False, total: Tensor | None = None
    ) -> Tensor:
        """Divided by the sum over states (``total``, if known); all-zero columns stay zero."""
        total = x.sum(0) if total is None else total
        total = torch.where(total > 0, total, 1.0)
        return x.div_(total) if reuse else x / total

    def joint_sum(self, table: Tensor, parent: Tensor, child: Tensor) -> Tensor:
        """Normalised joints of edge ends summed over columns.

        Tables (g, parent, child), values (g, parent, c) and (g, child, c): (g, parent, child).
        """
        total = (self.through(table, child) * parent).sum(1, keepdim=True)
        weight = parent / torch.where(total > 0, total, 1.0)
        return torch.bmm(weight, child.transpose(1, 2)) * table

    def draw(self, weights: Tensor, generator: torch.Generator | None) -> Tensor:
        """One state per column of ``weights`` (states, ...), in proportion to the weights."""
        ladder = weights.cumsum(0)
        shape, total = ladder.shape[1:], ladder[-1]
        level = torch.rand(shape, dtype=weights.dtype, device=weights.device, generator=generator)
        # level * total may round up to total; the states after the last positive weight stay out.
        return ((ladder <= level * total) & (ladder < total)).sum(0)

    def table(self, stack: Tensor) -> Tensor:
        """A linear table stack in this domain."""
        return stack


@dataclass(frozen=True, slots=True)
class Log:
    """Logarithms, with true -inf; sums over states use one shift per output state."""

    semiring: Semiring = "sum"
    one: float = 0.0
    zero: float = -INFINITY
    is_log = True

    def times(self, first: Tensor, second: Tensor, *, reuse: bool = False) -> Tensor:
        """Elementwise product (a sum of logarithms); the batch axis broadcasts."""
        if reuse and first.shape[-1] >= second.shape[-1]:
            return first.add_(second)
        return first + second

    def scaled(self, x: Tensor, factor: float, *, out: Tensor | None = None) -> Tensor:
        """All entries times a linear factor > 0, in new memory or in ``out``."""
        return torch.add(x, math.log(factor), out=out)

    def multiply_into(self, first: Tensor, second: Tensor, out: Tensor) -> None:
        """Elementwise product written to ``out``."""
        torch.add(first, second, out=out)

    def through(self, table: Tensor, x: Tensor) -> Tensor:
        """Sum over the input state of a table stack, (g, out, in) with (g, in, c): (g, out, c)."""
        reduce = _log_sum if self.semiring == "sum" else torch.amax
        return _by_output(table, x, lambda rows: reduce(rows[:, :, None] + x, 1))

    def segment(self, x: Tensor, index: Tensor, size: int, *, axis: int = 1) -> Tensor:
        """Sum (or maximum) of an axis over equal ``index``: see :class:`Linear`."""
        empty = x.new_full((*x.shape[:axis], size, *x.shape[axis + 1 :]), -INFINITY)
        if self.semiring == "max":
            return segment_max(x, index, empty, axis)
        shift = _finite(segment_max(x.detach(), index, empty, axis))
        scaled = (x - shift.gather(axis, whole_index(index, x, axis))).exp()
        return _safe_log(segment_sum(scaled, index, torch.zeros_like(empty), axis)) + shift

    def fold(self, x: Tensor, axis: int) -> Tensor:
        """Sum (or maximum) over an axis."""
        return _log_sum(x, axis) if self.semiring == "sum" else x.amax(axis)

    def normalize(self, x: Tensor, *, reuse: bool) -> tuple[Tensor, Tensor]:
        """Subtract the largest entry over states; also that entry (-inf where all are -inf)."""
        largest = _constant(x.amax(0))
        shift = _finite(largest)
        return (x.sub_(shift) if reuse else x - shift), largest

    def log_scale(self, largest: Tensor) -> Tensor:
        """Logarithm of a rescale factor."""
        return largest

    def total(self, x: Tensor) -> Tensor:
        """Logarithm of the sum (or maximum) over states; -inf for an all-zero column."""
        return _log_sum(x, 0) if self.semiring == "sum" else x.amax(0)

    def probabilities(self, x: Tensor, *, reuse: bool = False) -> Tensor:
        """Linear probabilities over states; all-zero columns stay zero.

        The largest entry goes first: of large logarithms, the sum itself has too few digits.
        """
        x, _ = self.normalize(x, reuse=reuse)
        return (x - _finite(_log_sum(x, 0))).exp()

    def joint_sum(self, table: Tensor, parent: Tensor, child: Tensor) -> Tensor:
        """Normalised joints of edge ends summed over columns, linear: see :class:`Linear`."""
        total = _finite(_log_sum(self.through(table, child) + parent, 1))
        share = (parent - total[:, None]).unbind(1)
        rows = [
            (row[:, None] + table[:, state, :, None] + child).exp().sum(-1)
            for state, row in enumerate(share)
        ]
        return torch.stack(rows, 1)

    def draw(self, weights: Tensor, generator: torch.Generator | None) -> Tensor:
        """One state per column of ``weights`` (states, ...), in proportion to the weights."""
        return Linear().draw(self.probabilities(weights), generator)

    def table(self, stack: Tensor) -> Tensor:
        """Logarithms of a linear table stack; zeros give -inf and gradient 0."""
        return _safe_log(stack)


Kernel: TypeAlias = Linear | Log


def split(x: Tensor, axis: int, sizes: tuple[int, int]) -> Tensor:
    """A view with one axis split in two."""
    return x.view(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def pool(kernel: Kernel, message: Tensor, *, tracked: bool) -> Tensor:
    """Product over ranks of what children say: (ranks, S, P, N) to (S, P, N)."""
    first, second, *others = message.unbind(0)
    product = kernel.times(first, second)
    for other in others:
        product = kernel.times(product, other, reuse=not tracked)
    return product


def exclude(kernel: Kernel, context: Tensor | None, message: Tensor, *, tracked: bool) -> Tensor:
    """For each rank, the context times the messages of all other ranks.

    ``context`` is a parent value (S, ranks', parents', N) or None for ones, ``message``
    (ranks, S, P, N) with P = ranks' * parents'; result like ``message``. Prefix and suffix
    products: nothing is divided, so zeros are exact.
    """
    ranks = message.shape[0]
    if context is None:
        context = message.new_full((message.shape[1], 1, message.shape[2], 1), kernel.one)
    inner = context.shape[:3]
    batch = max(context.shape[3], message.shape[3])
    parts = message.view(ranks, *inner, message.shape[3])
    if tracked:
        products = _exclusive(kernel, context, parts)
        products = [product.expand(*inner, batch) for product in products]
        return torch.stack(products).view(ranks, inner[0], -1, batch)
    result = empty(message, (ranks, *inner, batch))
    _exclusive_into(kernel, context, parts, result)
    return result.view(ranks, inner[0], -1, batch)


def _exclusive(kernel: Kernel, context: Tensor, parts: Tensor) -> list[Tensor]:
    """Exclusive products as new tensors (for autograd)."""
    ranks = parts.shape[0]
    prefixes = [context]
    for rank in range(ranks - 1):
        prefixes.append(kernel.times(prefixes[-1], parts[rank]))
    products = [prefixes[-1]]
    suffix = parts[-1]
    for rank in range(ranks - 2, -1, -1):
        products.append(kernel.times(prefixes[rank], suffix))
        suffix = kernel.times(suffix, parts[rank])
    return products[::-1]


def _exclusive_into(kernel: Kernel, context: Tensor, parts: Tensor, result: Tensor) -> None:
    """Exclusive products written into ``result``: prefixes first, then suffixes in place."""
    own, out = parts.expand_as(result).unbind(0), result.unbind(0)
    kernel.multiply_into(context, own[0], out[1])
    for rank in range(2, len(own)):
        kernel.multiply_into(out[rank - 1], own[rank - 1], out[rank])
    if len(own) == 2:
        kernel.multiply_into(context, own[1], out[0])
        return
    kernel.times(out[-2], own[-1], reuse=True)
    kernel.multiply_into(own[-1], own[-2], out[0])
    for rank in range(len(own) - 3, 0, -1):
        kernel.times(out[rank], out[0], reuse=True)
        kernel.times(out[0], own[rank], reuse=True)
    kernel.times(out[0], context, reuse=True)


def pool_steps(
    kernel: Kernel, message: Tensor, counts: tuple[int, ...], *, tracked: bool
) -> Tensor:
    """Product over the children of each parent of a staircase, (S, children, N): (S, parents, N).

    ``counts`` has the number of children of each rank; the parents are those with children.
    """
    first, *others = message.split_with_sizes(counts, 1)
    product = first if tracked else first.clone()
    for other in others:
        size = other.shape[1]
        if tracked:
            head = kernel.times(product[:, :size], other)
            product = torch.cat((head, product[:, size:]), 1)
        else:
            kernel.times(product[:, :size], other, reuse=True)
    return product


def exclude_steps(
    kernel: Kernel, context: Tensor, message: Tensor, counts: tuple[int, ...]
) -> Tensor:
    """For each child of a staircase, the context times the messages of all its siblings.

    ``context`` (S, parents, N) in the order of the staircase, ``message`` (S, children, N);
    result like ``message``. Prefix and suffix products, as in :func:`exclude`.
    """
    parts = message.split_with_sizes(counts, 1)
    prefixes = [context]
    for part, size in zip(parts, counts[1:], strict=False):
        prefixes.append(kernel.times(prefixes[-1][:, :size], part[:, :size]))
    products = [prefixes[-1]]
    suffix = parts[-1]
    for prefix, part in zip(prefixes[-2::-1], parts[-2::-1], strict=True):
        size = suffix.shape[1]
        head = kernel.times(prefix[:, :size], suffix)
        products.append(torch.cat((head, prefix[:, size:].expand(-1, -1, head.shape[2])), 1))
        head = kernel.times(suffix, part[:, :size])
        suffix = torch.cat((head, part[:, size:]), 1)
    batch = max(product.shape[2] for product in products)
    return torch.cat([product.expand(-1, -1, batch) for product in products[::-1]], 1)


def _by_output(table: Tensor, x: Tensor, row: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply ``row`` to the table row of each output state in turn, so that memory stays small."""
    return torch.stack([row(table[:, state]) for state in range(table.shape[1])], 1)


def _constant(x: Tensor) -> Tensor:
    """The same numbers, without gradient."""
    return x.detach() if x.requires_grad else x


def _finite(shift: Tensor) -> Tensor:
    """Zero where a shift is -inf."""
    return torch.where(shift > -INFINITY, shift, 0.0)


def _safe_log(x: Tensor) -> Tensor:
    """Logarithm with -inf at 0 and gradient 0 there."""
    return torch.where(x > 0, torch.where(x > 0, x, 1.0).log(), -INFINITY)


def _log_sum(x: Tensor, axis: int) -> Tensor:
    """Logarithm of a sum of exponentials; -inf for nothing, gradient 0 there."""
    shift = _finite(x.detach().amax(axis))
    return _safe_log((x - shift.unsqueeze(axis)).exp().sum(axis)) + shift
