"""Instructions on fields as plain modules: batch first, (batch, nodes, 1), out of place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ghmpp.backends.fields.layers import GateLayer, LocalLayer
from ghmpp.backends.plain.logs import cast
from ghmpp.models.forest import Coupling, Forest
from ghmpp.schedule.ir import Couple, Term


class CoupleStep(nn.Module):
    """Affine map of fields: the fields that are read, then the numbers of the couplings."""

    def __init__(self, op: Couple, forest: Forest, dtype: torch.dtype) -> None:
        super().__init__()
        self.nodes, self.dtype = forest.blocks[op.block].nodes, dtype
        self.terms = nn.ModuleList([TermStep(term, forest, dtype) for term in op.terms])

    def forward(self, *read: Tensor) -> Tensor:
        """The sum of the terms."""
        like = read[0] if read else torch.zeros((), dtype=self.dtype)
        total = torch.zeros(1, self.nodes, 1, dtype=self.dtype, device=like.device)
        position = 0
        for term in self.terms:
            assert isinstance(term, TermStep)
            total = total + term(*read[position : position + term.reads])
            position += term.reads
        return total


class TermStep(nn.Module):
    """One summand, from the field and the numbers that it reads (either may be absent)."""

    index: Tensor
    scale: Tensor

    def __init__(self, term: Term, forest: Forest, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype, self.transposed = dtype, term.transposed
        # A buffer, because numbers would be rounded to float32 in an exported file.
        scale = torch.tensor(term.scale, dtype=dtype)
        self.register_buffer("scale", scale, persistent=False)
        self.coupling: Coupling | None = forest.couplings.get(term.coupling or "")
        self.reads = (term.source is not None) + (self.coupling is not None)
        if self.coupling is not None and self.coupling.kind == "sparse":
            index = torch.tensor(forest.data[self.coupling.index or ""])
            self.register_buffer("index", index.flip(0) if term.transposed else index)
            end = self.coupling.source if term.transposed else self.coupling.target
            self.nodes = forest.blocks[end].nodes

    def forward(self, *read: Tensor) -> Tensor:
        """The term, (batch or 1, nodes, 1)."""
        if self.coupling is None:
            return self.scale * read[0]
        numbers = cast(read[-1], self.dtype)
        match self.coupling.kind:
            case "constant":
                found = numbers[None, :, None]
            case "diagonal":
                found = numbers[:, None] * read[0]
            case "dense":
                # The numbers are scaled, and not what comes out: onnxruntime would fuse that
                # with the product, and round the scale to float32.
                numbers = self.scale * numbers
                return torch.matmul(numbers.t() if self.transposed else numbers, read[0])
            case "sparse":
                found = self._sparse(numbers, read[0])
        return self.scale * found

    def _sparse(self, numbers: Tensor, x: Tensor) -> Tensor:
        """Entry by entry: what is not coupled adds nothing, not even where x is infinite."""
        shares = numbers[:, None] * x.index_select(1, self.index[1])
        total = torch.zeros(x.shape[0], self.nodes, 1, dtype=x.dtype, device=x.device)
        return total.index_add(1, self.index[0], shares)


class LocalStep(nn.Module):
    """A function at each node, by the network's own layer."""

    def __init__(self, layer: LocalLayer, sources: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.sources, self.dtype = layer, sources, dtype

    def forward(self, *read: Tensor) -> Tensor:
        """The result; what is read beyond the fields is a prior."""
        prior = cast(read[-1], self.dtype) if len(read) > self.sources else None
        found: Tensor = self.layer(read[: self.sources], prior, -1)
        return found


class GateStep(nn.Module):
    """Product of two fields, by the network's own layer."""

    def __init__(self, layer: GateLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The product."""
        found: Tensor = self.layer(first, second)
        return found


class FieldReadout(nn.Module):
    """The numbers of a field, (batch, nodes)."""

    def forward(self, x: Tensor) -> Tensor:
        """Without the last axis."""
        return x.squeeze(-1)
