"""Potentials as the kernels hold them send what the declared tables say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import ghmpp as gh
from ghmpp.backends.kernels import Kernel, Linear, Log
from ghmpp.backends.layout import places
from ghmpp.backends.potentials import TableStack, row_sums, table_stack
from tests.tolerances import EXACT

PARENTS, FANOUT, ABOVE, BELOW, BATCH = 2, 3, 4, 2, 5
FOREST = gh.GHM(states=(2, ABOVE, BELOW), branching=(PARENTS, FANOUT)).forest()
PLACE = places(FOREST)["x2"]
EDGE = FOREST.edges["x2"]
LIKE = torch.empty(0, dtype=torch.float64)
KERNELS: list[Kernel] = [Linear(), Log(), Linear("max"), Log("max")]


def stack_of(rows: int) -> Tensor:
    """Random tables with zeros, largest entry 3."""
    rng = np.random.default_rng(rows)
    stack = rng.uniform(size=(rows, ABOVE, BELOW)) * (rng.random((rows, ABOVE, BELOW)) > 0.2)
    stack[0, 0, 0] = 3.0
    return torch.tensor(stack)


def values(states: int) -> Tensor:
    """Edge values in [0, 1], (ranks, states, parents, batch)."""
    rng = np.random.default_rng(states)
    return torch.tensor(rng.uniform(size=(FANOUT, states, PARENTS, BATCH)))


def sent(table: Tensor, x: Tensor, kernel: Kernel, *, up: bool) -> Tensor:
    """Messages child by child, in the definition's order of nodes."""
    result = torch.empty(FANOUT, ABOVE if up else BELOW, PARENTS, BATCH, dtype=x.dtype)
    for position, node in enumerate(PLACE.order):
        rank, parent = divmod(position, PARENTS)
        one = table[node % len(table)]
        terms = (one if up else one.t())[:, :, None] * x[rank, :, parent][None]
        result[rank, :, parent] = terms.sum(1) if kernel.semiring == "sum" else terms.amax(1)
    return result


def held(kernel: Kernel, rows: int) -> TableStack:
    return table_stack(kernel, stack_of(rows), replace(EDGE, rows=rows), PLACE, LIKE)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("rows", [1, FANOUT, PARENTS * FANOUT])
class TestTables:
    def test_messages_are_sums_over_the_table_of_each_child(self, kernel, rows):
        potential, scale = held(kernel, rows), 3.0 * ABOVE
        up = potential.to_root(kernel, kernel.table(values(BELOW)))
        down = potential.to_leaves(kernel, kernel.table(values(ABOVE)))

        for found, states, toward in ((up, BELOW, True), (down, ABOVE, False)):
            expected = sent(stack_of(rows), values(states), kernel, up=toward) / scale
            linear = found.exp() if kernel.is_log else found
            torch.testing.assert_close(linear, expected, rtol=EXACT, atol=EXACT)

    def test_the_scaling_is_told_and_keeps_messages_at_most_1(self, kernel, rows):
        potential = held(kernel, rows)
        up = potential.to_root(kernel, kernel.table(torch.ones(FANOUT, BELOW, PARENTS, 1).double()))
        ones = kernel.table(torch.ones(FANOUT, ABOVE, PARENTS, 1).double())
        down = potential.to_leaves(kernel, ones)

        assert float(potential.log_scale) == pytest.approx(np.log(3.0 * ABOVE), rel=EXACT)
        for message in (up, down):
            assert float(message.max()) <= (EXACT if kernel.is_log else 1 + EXACT)

    def test_a_chosen_parent_picks_its_row(self, kernel, rows):
        choice = torch.tensor(np.random.default_rng(0).integers(ABOVE, size=(PARENTS, BATCH)))
        found = held(kernel, rows).given(choice)

        linear = (found.exp() if kernel.is_log else found) * 3.0 * ABOVE
        for position, node in enumerate(PLACE.order):
            rank, parent = divmod(position, PARENTS)
            row = stack_of(rows)[node % rows, choice[parent]].t()
            torch.testing.assert_close(linear[:, rank, parent], row, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("rows", [1, FANOUT, PARENTS * FANOUT])
def test_counts_by_physical_group_become_counts_by_row(rows):
    edge = replace(EDGE, rows=rows)
    groups = FANOUT if rows == 1 else rows
    counts = torch.arange(groups, dtype=torch.float64)[:, None, None].expand(-1, ABOVE, BELOW)

    found = row_sums(counts, edge, PLACE)[:, 0, 0].tolist()
    physical = [float(np.flatnonzero(PLACE.order == node)[0]) for node in range(rows)]
    assert found == {1: [3.0], FANOUT: [0.0, 1.0, 2.0]}.get(rows, physical)
