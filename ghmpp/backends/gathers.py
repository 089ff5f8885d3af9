"""Values of large blocks of rules that are computed only where they are summed up, in pieces.

A rule gathers what its children say, and what its parent says, from values with far fewer states.
So its own value is not held: it is a product of gathers, formed for some columns at a time, in
memory that stays in cache, and summed at once into what the rule sends on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ghmpp.backends.index_maps import IndexMap, RankMap
from ghmpp.backends.kernels import Kernel, split

PIECE = 2**19  # numbers of a value that are formed at a time
SECOND = -1  # the place of what a product is multiplied with


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """One factor of a value: ``x`` (some states, parents, batch) through an index map."""

    x: Tensor
    through: RankMap


# A tensor has the shape of the value, (states, parents, batch), or (states, 1, 1).
Factor: TypeAlias = Gather | Tensor


class Shelf(threading.local):
    """Memory in which products are formed, by place; each thread has its own.

    It is kept from one piece, chunk and call to the next, so that it stays in cache, and grows to
    what the largest has needed. It is made in inference mode, as are all runs that use it.
    """

    def __init__(self) -> None:
        self.rooms: dict[int, Tensor] = {}

    def __reduce__(self) -> tuple[type[Shelf], tuple[()]]:
        return Shelf, ()  # a copy of a network starts with an empty one


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """What products are made with; where gradients are ``tracked`` nothing is overwritten."""

    kernel: Kernel
    tracked: bool
    shelf: Shelf

    def times(self, first: Tensor, second: Tensor) -> Tensor:
        """The product, in the memory of ``first`` where that may be."""
        return self.kernel.times(first, second, reuse=not self.tracked)

    def room(self, place: int, like: Tensor, states: int) -> Tensor | None:
        """Memory for (states, columns of ``like``), the same for every piece of a place."""
        if self.tracked:
            return None
        size, rooms = states * like.shape[1], self.shelf.rooms
        if place not in rooms or rooms[place].numel() < size:
            rooms[place] = like.new_empty(size)
        return rooms[place][:size].view(states, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A factor cut into pieces: (states, columns), or one of (states, 1) for all columns alike.

    With ``through`` the pieces still go through this map.
    """

    pieces: Sequence[Tensor]
    through: RankMap | None

    def formed(self, workshop: Workshop, piece: int, place: int) -> Tensor:
        """The factor at some columns, in the memory of a place."""
        assert self.through is not None
        x = self.pieces[piece]
        return self.through.gathered(x, out=workshop.room(place, x, self.through.states))

    def multiplied(self, workshop: Workshop, result: Tensor, piece: int) -> Tensor:
        """A product times this factor, in the memory of the product where that may be."""
        if self.through is None:
            return workshop.times(result, self.pieces[piece % len(self.pieces)])
        if self.through.strides is None:
            return workshop.times(result, self.formed(workshop, piece, SECOND))
        x, reuse = self.pieces[piece], not workshop.tracked
        return self.through.multiplied(workshop.kernel, result, x, reuse=reuse)


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A value (states, parents, batch) as a product of factors; of siblings, one factor each."""

    workshop: Workshop
    factors: tuple[Factor, ...]

    def whole(self) -> Tensor:
        """The value itself."""
        laid = Layout.of(self.factors, self.workshop, cut=False)
        return split(laid.product(0, 0).clone(), 1, laid.shape[1:])

    def each(self) -> Tensor:
        """The factors one by one, (factors, states, parents, batch)."""
        return torch.stack([Product(self.workshop, (factor,)).whole() for factor in self.factors])

    def summed(self, potential: IndexMap) -> Tensor:
        """What it sends through an index map that sums segments, (receiver's states, P, N)."""
        laid, through = Layout.of(self.factors, self.workshop), potential.of(0)
        kernel = self.workshop.kernel
        if self.workshop.tracked:
            return split(through.summed(kernel, laid.product(0, 0)), 1, laid.shape[1:])
        whole = laid.like.new_empty(through.size, laid.shape[1] * laid.shape[2])
        for piece, room in enumerate(_cut(whole, laid.step)):
            through.summed(kernel, laid.product(piece, 0), out=room)
        return split(whole, 1, laid.shape[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Cavity:
    """What a parent tells each child: its context times the messages of the siblings."""

    siblings: Product
    context: tuple[Factor, ...]

    def received(self, potential: IndexMap) -> Tensor:
        """What arrives at the children, (child states, ranks, parents, batch)."""
        ranks, workshop = len(self.siblings.factors), self.siblings.workshop
        laid = Layout.of((*self.siblings.factors, *self.context), workshop)
        maps = [potential.of(rank) for rank in range(ranks)]
        if workshop.tracked:
            sums = self._sums(laid, 0, maps, [None] * ranks)
            return split(torch.stack(sums, 1), 2, laid.shape[1:])
        whole = laid.like.new_empty(maps[0].size, ranks, laid.shape[1] * laid.shape[2])
        rooms = [_cut(part, laid.step) for part in whole.unbind(1)]
        for piece, room in enumerate(zip(*rooms, strict=True)):
            self._sums(laid, piece, maps, room)
        return split(whole, 2, laid.shape[1:])

    def _sums(
        self, laid: Layout, piece: int, maps: Sequence[RankMap], rooms: Sequence[Tensor | None]
    ) -> list[Tensor]:
        """Sums at some columns, (child states, columns) for each rank, in ``rooms`` if given.

        By prefix and suffix products: nothing is divided, so zeros are exact.
        """
        workshop, last = laid.workshop, len(maps) - 1
        siblings, context = laid.factors[: last + 1], laid.factors[last + 1 :]

        def in_context(x: Tensor) -> Tensor:
            for factor in context:
                x = factor.multiplied(workshop, x, piece)
            return x

        def summed(x: Tensor, rank: int) -> Tensor:
            return maps[rank].summed(workshop.kernel, x, out=rooms[rank])

        prefixes = [in_context(siblings[0].formed(workshop, piece, 0))]
        for rank in range(1, last):
            sibling = siblings[rank].formed(workshop, piece, rank)
            prefixes.append(workshop.times(sibling, prefixes[-1]))
        sums = [summed(prefixes.pop(), last)]
        suffix = siblings[last].formed(workshop, piece, last)
        for rank in range(last - 1, 0, -1):
            sums.append(summed(workshop.times(prefixes.pop(), suffix), rank))
            suffix = siblings[rank].multiplied(workshop, suffix, piece)
        return [summed(in_context(suffix), 0), *reversed(sums)]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Factors of a value with the same columns, cut into the same pieces.

    ``shape`` is (states, parents, batch), ``step`` the columns of a piece; the first factor is a
    gather.
    """

    workshop: Workshop
    factors: list[Columns]
    shape: tuple[int, int, int]
    step: int

    @classmethod
    def of(cls, factors: Sequence[Factor], workshop: Workshop, *, cut: bool = True) -> Layout:
        """Lay out; gathers come first. For gradients there is one piece."""
        gathers = [factor for factor in factors if isinstance(factor, Gather)]
        tensors = [factor for factor in factors if isinstance(factor, Tensor)]
        shapes = [each.x.shape for each in gathers] + [each.shape for each in tensors]
        parents, batch = max(shape[1] for shape in shapes), max(shape[2] for shape in shapes)
        states = gathers[0].through.states
        cut = cut and not workshop.tracked
        step = max(1, PIECE // states) if cut else parents * batch

        def pieces(x: Tensor) -> Sequence[Tensor]:
            return _cut(x.expand(-1, parents, batch).flatten(1), step)

        found = [Columns(pieces(each.x), each.through) for each in gathers]
        for each in tensors:
            alike = each.shape[1:] == (1, 1)
            found.append(Columns([each[:, 0]] if alike else pieces(each), None))
        return cls(workshop, found, (states, parents, batch), step)

    @property
    def like(self) -> Tensor:
        """A tensor of the same dtype and device."""
        return self.factors[0].pieces[0]

    def product(self, piece: int, place: int) -> Tensor:
        """Product at some columns, (states, columns), in the memory of a place."""
        result = self.factors[0].formed(self.workshop, piece, place)
        for factor in self.factors[1:]:
            result = factor.multiplied(self.workshop, result, piece)
        return result


Postponed: TypeAlias = Product | Cavity


def _cut(x: Tensor, step: int) -> Sequence[Tensor]:
    """Columns of (states, columns) in pieces of ``step``, the last one perhaps smaller."""
    return [x] if x.shape[1] <= step else torch.split(x, step, 1)
