"""Index maps send what their tables of zeros and ones would send."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ghmpp.backends.index_maps import IndexMap, index_map
from ghmpp.backends.kernels import Kernel
from ghmpp.backends.potentials import dense
from ghmpp.models.forest import Edge
from ghmpp.models.index_maps import zeros_and_ones
from tests.backends.test_potentials import (
    ABOVE,
    BATCH,
    BELOW,
    EDGE,
    FANOUT,
    KERNELS,
    PARENTS,
    PLACE,
    sent,
    values,
)
from tests.tolerances import EXACT

ROWS = [1, FANOUT, PARENTS * FANOUT]


def drawn(kind: str, rows: int) -> np.ndarray:
    """Random index maps, (rows, states)."""
    rng = np.random.default_rng(rows)
    if kind == "child_of":
        return rng.integers(BELOW, size=(rows, ABOVE))
    return rng.integers(ABOVE, size=(rows, BELOW))


def held(kernel: Kernel, kind: str, index: np.ndarray) -> IndexMap:
    edge: Edge = replace(EDGE, kind=kind, rows=len(index))
    return index_map(kernel, torch.tensor(index), edge, PLACE, ABOVE, BELOW)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", ["child_of", "parent_of"])
class TestIndexMaps:
    def test_messages_are_sums_over_the_zeros_and_ones_of_each_child(self, kernel, rows, kind):
        index = drawn(kind, rows)
        potential = held(kernel, kind, index)
        tables = torch.tensor(zeros_and_ones(kind, index, ABOVE, BELOW))
        for up, states in ((True, BELOW), (False, ABOVE)):
            message = potential.to_root if up else potential.to_leaves
            found = message(kernel, kernel.table(values(states)))
            gathers = (kind == "child_of") == up
            expected = sent(tables, values(states), kernel, up=up)
            expected = expected * (1 if gathers else potential.share)
            linear = found.exp() if kernel.is_log else found
            torch.testing.assert_close(linear, expected, rtol=EXACT, atol=EXACT)

    def test_no_message_exceeds_1_and_the_scale_to_the_root_is_told(self, kernel, rows, kind):
        index = drawn(kind, rows)
        potential = held(kernel, kind, index)
        ones = {n: kernel.table(torch.ones(FANOUT, n, PARENTS, 1).double()) for n in (ABOVE, BELOW)}
        up, down = potential.to_root(kernel, ones[BELOW]), potential.to_leaves(kernel, ones[ABOVE])

        longest = max(np.bincount(row).max() for row in index) if kind == "parent_of" else 1
        assert float(potential.log_scale) == pytest.approx(np.log(longest), abs=EXACT)
        for message in (up, down):
            assert float(message.max()) <= (0.0 if kernel.is_log else 1.0)

    def test_a_chosen_parent_allows_what_the_map_links(self, kernel, rows, kind):
        choice = np.random.default_rng(0).integers(ABOVE, size=(PARENTS, BATCH))
        index = drawn(kind, rows)
        allowed = held(kernel, kind, index).given(torch.tensor(choice))
        allowed = allowed.expand(-1, FANOUT, -1, -1)

        tables = zeros_and_ones(kind, index, ABOVE, BELOW)
        for position, node in enumerate(PLACE.order):
            rank, parent = divmod(position, PARENTS)
            wanted = tables[node % rows, choice[parent]].T
            np.testing.assert_array_equal(allowed[:, rank, parent], wanted)

    def test_as_tables_they_send_the_same(self, kernel, rows, kind):
        potential = held(kernel, kind, drawn(kind, rows))
        tables = dense(potential, kernel, FANOUT, values(BELOW))

        for message, states in (("to_root", BELOW), ("to_leaves", ABOVE)):
            x = kernel.table(values(states))
            found = getattr(potential, message)(kernel, x)
            wanted = getattr(tables, message)(kernel, x)
            gathers = (kind == "child_of") == (message == "to_root")
            found = kernel.scaled(found, potential.share if gathers else 1.0)
            torch.testing.assert_close(found, wanted, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_equal_runs_are_folded_and_sum_to_the_same(kernel):
    index = np.repeat(np.arange(ABOVE), 3)[None]
    edge: Edge = replace(EDGE, kind="parent_of", rows=1)
    potential = index_map(kernel, torch.tensor(index), edge, PLACE, ABOVE, 3 * ABOVE)
    x = kernel.table(values(3 * ABOVE))

    assert potential.strides is not None
    folded = potential.to_root(kernel, x)
    added = replace(potential, strides=None, stored=torch.tensor(index)).to_root(kernel, x)
    torch.testing.assert_close(folded, added, rtol=EXACT, atol=EXACT)
