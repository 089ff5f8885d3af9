"""Layers of an arithmetic circuit: weighted sums as convolutions, and products.

Values are (batch, nodes, states), linear, nodes in the order of the tree.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import EvidenceError
from ghmpp.models.forest import VariableClass


class Likelihoods(nn.Module):
    """Observed states or likelihoods of a class, in the user's order, as likelihoods by tree node.

    Parameters
    ----------
    variable
        The class.
    dtype
        Precision of the circuit.
    """

    rows: Tensor
    order: Tensor

    def __init__(self, variable: VariableClass, dtype: torch.dtype) -> None:
        super().__init__()
        self.name, self.shape = variable.name, (variable.nodes, len(variable.states))
        missing = np.vstack([np.ones(self.shape[1]), np.eye(self.shape[1])])
        order = np.arange(variable.nodes) if variable.order is None else variable.order
        self.register_buffer("rows", torch.tensor(missing, dtype=dtype), persistent=False)
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Likelihoods (batch, nodes, states).

        ``x`` holds states (batch, nodes) as integers, -1 where missing; or likelihoods (batch,
        nodes, states). The node axis may be left out of a class with one node.
        """
        x = self._shaped(x)
        if not torch.compiler.is_compiling():
            self._check(x)
        found = embedding(x + 1, self.rows) if x.ndim == 2 else x.to(self.rows.dtype)
        return found.index_select(1, self.order)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.shape[0]} nodes, {self.shape[1]} states"

    def _shaped(self, x: Tensor) -> Tensor:
        if not (x.is_floating_point() or x.is_complex()):
            x = x.long()  # unsigned bytes have no -1
        axes = 2 if x.is_floating_point() else 1
        if self.shape[0] == 1 and x.ndim == axes:
            x = x.unsqueeze(1)
        expected = self.shape if x.is_floating_point() else self.shape[:1]
        if tuple(x.shape[1:]) != expected:
            raise EvidenceError(
                f"circuit: input {self.name!r} must hold states as integers, shape (batch, "
                f"{self.shape[0]}), or likelihoods as floats, shape (batch, {self.shape[0]}, "
                f"{self.shape[1]}); got {x.dtype} of shape {tuple(x.shape)}."
            )
        return x

    def _check(self, x: Tensor) -> None:
        if x.ndim == 2 and x.numel() and not (x.min() >= -1 and x.max() < self.shape[1]):
            raise EvidenceError(
                f"circuit: input {self.name!r} must hold states 0 to {self.shape[1] - 1}, or -1 "
                "where missing."
            )
        if x.ndim == 3 and not bool((x.isfinite() & (x >= 0)).all()):
            raise EvidenceError(
                f"circuit: likelihoods of {self.name!r} must be finite and >= 0; a missing node "
                "has equal ones."
            )


class WeightedSums(nn.Module):
    """Messages to the parents: a 1 x 1 convolution, one group of channels per row of tables.

    Parameters
    ----------
    tables
        Linear, (rows, parent states, child states); node k uses row ``k % rows``.
    dtype
        Precision.
    """

    def __init__(self, tables: FloatArray, dtype: torch.dtype) -> None:
        super().__init__()
        rows, parents, children = tables.shape
        self.convolution = nn.Conv1d(
            rows * children, rows * parents, 1, groups=rows, bias=False, dtype=dtype
        ).requires_grad_(False)
        self.convolution.weight.copy_(torch.tensor(tables.reshape(rows * parents, children, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Values (batch, nodes, parent states) of values (batch, nodes, child states)."""
        nodes, states = x.shape[1:]
        rows, weight = self.convolution.groups, self.convolution.weight
        if torch.compiler.is_exporting() and weight.dtype == torch.float64:
            # The same as a product of matrices: onnxruntime has no convolution in float64.
            tables = weight.reshape(rows, -1, states).transpose(1, 2)
            return (x.reshape(-1, nodes // rows, rows, 1, states) @ tables).reshape(
                -1, nodes, tables.shape[2]
            )
        channels = x.reshape(-1, nodes // rows, rows * states).transpose(1, 2)
        sums: Tensor = self.convolution(channels)
        return sums.transpose(1, 2).reshape(-1, nodes, sums.shape[1] // rows)


class Products(nn.Module):
    """Product pooling over the children of each parent.

    Parameters
    ----------
    slots
        Children of each parent, (parents, most children), -1 where there are fewer.
    """

    slots: Tensor

    def __init__(self, slots: IntArray) -> None:
        super().__init__()
        self.pool = slots.shape
        self.regular = bool((slots.ravel() == np.arange(slots.size)).all())
        places = np.where(slots < 0, slots.max() + 1, slots).ravel()
        self.register_buffer("slots", torch.tensor(places), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Values (batch, parents, states) of values (batch, children, states)."""
        if not self.regular:
            x = pad(x, (0, 0, 0, 1), value=1.0).index_select(1, self.slots)
        return torch.unflatten(x, 1, self.pool).prod(2)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.pool[0]} parents of {self.pool[1]}"


class Weights(nn.Module):
    """A prior or other unary potential, the same for every row: (1, nodes, states)."""

    def __init__(self, stack: FloatArray, nodes: int, dtype: torch.dtype) -> None:
        super().__init__()
        weights = torch.tensor(stack[np.arange(nodes) % len(stack)], dtype=dtype)
        self.weight = nn.Parameter(weights[None], requires_grad=False)

    def forward(self) -> Tensor:
        """The weights."""
        return self.weight

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.weight.shape[1]} nodes, {self.weight.shape[2]} states"


class Ones(nn.Module):
    """Where nothing is known: (1, nodes, states)."""

    ones: Tensor

    def __init__(self, nodes: int, states: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("ones", torch.ones(1, nodes, states, dtype=dtype), persistent=False)

    def forward(self) -> Tensor:
        """Ones."""
        return self.ones


class Product(nn.Module):
    """Product of values of the same nodes."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        """The product."""
        for other in others:
            first = first * other
        return first


class Mass(nn.Module):
    """Sum over the states of every root, and product over the roots: (batch,)."""

    def forward(self, *roots: Tensor) -> Tensor:
        """The total weight of each row."""
        first, *others = (root.sum(2).prod(1) for root in roots)
        for other in others:
            first = first * other
        return first
