"""Tables as the kernels want them: scaled, in physical order, one form per edge class.

What travels on an edge is (ranks, states, parents, batch), either way. Index maps are in
:mod:`ghmpp.backends.index_maps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ghmpp.backends.gaussian import GaussianEdge
from ghmpp.backends.index_maps import IndexMap
from ghmpp.backends.kernels import Kernel, split
from ghmpp.backends.layout import Place
from ghmpp.models.forest import Edge


@dataclass(frozen=True, slots=True)
class TableStack:
    """A table stack in the kernel's domain, scaled so that no message exceeds 1, either way.

    ``up`` has the axes (group, parent state, child state), ``down`` (group, child state, parent
    state); there is one group per rank, or (``per_node``) one per child in physical order.
    ``log_scale`` is what the scaling took from the log evidence of each edge, shape ().
    """

    up: Tensor
    down: Tensor
    log_scale: Tensor
    per_node: bool

    def to_root(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Message toward the root."""
        return self._through(kernel, self.up, x)

    def to_leaves(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Message toward the leaves."""
        return self._through(kernel, self.down, x)

    def given(self, choice: Tensor) -> Tensor:
        """Potential of each child state given chosen parent states, (parents, batch).

        Returns
        -------
        tensor of shape (child states, ranks, parents, batch), in the kernel's domain
        """
        parents, batch = choice.shape
        if self.per_node:
            stack = self.up.view(-1, parents, *self.up.shape[1:])
            nodes = torch.arange(parents, device=choice.device)[:, None]
            return stack[:, nodes, choice].permute(3, 0, 1, 2)
        picked = self.down.index_select(2, choice.reshape(-1))
        return picked.view(*self.down.shape[:2], parents, batch).transpose(0, 1)

    def grouped(self, x: Tensor) -> Tensor:
        """Edge values as (group, states, columns), to meet the tables group by group."""
        ranks, states, parents, batch = x.shape
        if self.per_node:
            return x.transpose(1, 2).reshape(ranks * parents, states, batch)
        return x.reshape(ranks, states, parents * batch)

    def _through(self, kernel: Kernel, table: Tensor, x: Tensor) -> Tensor:
        ranks, _, parents, batch = x.shape
        result = kernel.through(table, self.grouped(x))
        if self.per_node:
            return split(result, 0, (ranks, parents)).transpose(1, 2).contiguous()
        return split(result, 2, (parents, batch))


Potential: TypeAlias = TableStack | IndexMap | GaussianEdge


def table_stack(
    kernel: Kernel, stack: Tensor, edge: Edge, place: Place, like: Tensor
) -> TableStack:
    """Bring a linear stack (rows, parent states, child states) into the kernel's form.

    Its largest entry becomes one over the larger number of states. It is scaled in its own
    precision, then cast to that of ``like``.
    """
    scale = stack.detach().amax() * max(stack.shape[1:])
    per_node = edge.rows == place.nodes and edge.rows != place.ranks
    if per_node:
        stack = stack[torch.as_tensor(place.order, device=stack.device)]
    elif edge.rows == 1 and place.ranks > 1:
        stack = stack.expand(place.ranks, -1, -1)
    table = kernel.table((stack / scale).to(like))
    down = table.transpose(1, 2).contiguous()
    return TableStack(table.contiguous(), down, scale.double().log(), per_node)


def dense(potential: Potential, kernel: Kernel, ranks: int, like: Tensor) -> TableStack:
    """A potential as tables per rank (or per child); index maps as zeros and ones."""
    if isinstance(potential, TableStack):
        return potential
    assert isinstance(potential, IndexMap)  # Gaussian edges have no joint tables
    tables = potential.tables(kernel, like)
    up = tables if len(tables) > 1 else tables.expand(ranks, -1, -1)
    return TableStack(up, up.transpose(1, 2), potential.log_scale, potential.per_node)


def row_sums(counts: Tensor, edge: Edge, place: Place) -> Tensor:
    """Sum counts of physical groups (group, ...) into the rows of the user's stack."""
    if edge.rows == 1:
        return counts.sum(0, keepdim=True)
    if edge.rows == place.ranks:
        return counts
    natural = torch.empty_like(counts)
    natural[torch.as_tensor(place.order, device=counts.device)] = counts
    return natural
