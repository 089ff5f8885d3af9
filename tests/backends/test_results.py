"""Chunks become one batch, physical positions the user's nodes, blocks a class."""

from __future__ import annotations

import torch

import ghmpp as gh
from ghmpp.backends.results import Gathered, empty, overwrite

FOREST = gh.GHM(states=(2, 3), branching=(4,), order=(2, 0, 3, 1)).forest()
OUTPUTS = {("posterior", "x1"): 0, ("log_evidence", ""): 1, ("counts", "x1"): 2, ("mean", "x1"): 3}
INVERSE = {"x0": None, "x1": torch.tensor([1, 3, 0, 2])}


def raw(rows: int) -> dict[int, torch.Tensor]:
    """Results of one chunk, the batch last."""
    generator = torch.Generator().manual_seed(rows)
    return {
        0: torch.rand(3, 4, rows, generator=generator),
        1: torch.rand(rows, generator=generator),
        2: torch.rand(4, 2, 3, generator=generator),
        3: torch.rand(4, rows, generator=generator),
    }


def gathered(*sizes: int) -> Gathered:
    """Chunks of these sizes, put together."""
    found = Gathered(FOREST, OUTPUTS, INVERSE, sum(sizes))
    start = 0
    for size in sizes:
        found.add(raw(size), start, start + size)
        start += size
    return found


def test_chunks_are_laid_side_by_side_in_the_users_order():
    results = gathered(3, 2).batch_first()
    parts = [raw(3), raw(2)]

    posterior = torch.cat([part[0][:, INVERSE["x1"]] for part in parts], -1)
    assert torch.equal(results["posterior", "x1"], posterior.permute(2, 1, 0))
    assert torch.equal(
        results["mean", "x1"], torch.cat([p[3][INVERSE["x1"]] for p in parts], -1).t()
    )
    assert torch.equal(results["log_evidence", ""], torch.cat([part[1] for part in parts]))


def test_counts_of_chunks_are_added_under_the_key_of_their_potential():
    results = gathered(3, 2).batch_first()

    assert torch.equal(results["counts", "x0->x1"], raw(3)[2] + raw(2)[2])


def test_gradients_pass_through_chunks():
    parts = raw(3), raw(2)
    for part in parts:
        part[0].requires_grad_(True)
    found = Gathered(FOREST, {("posterior", "x1"): 0}, INVERSE, 5)
    found.add({0: parts[0][0]}, 0, 3)
    found.add({0: parts[1][0]}, 3, 5)
    found.batch_first()["posterior", "x1"].sum().backward()

    for part in parts:
        assert torch.equal(part[0].grad, torch.ones_like(part[0]))


def test_what_no_evidence_reached_gets_a_row_of_its_own():
    found = Gathered(FOREST, {("posterior", "x1"): 0}, INVERSE | {"x1": None}, 5)
    found.add({0: torch.rand(3, 4, 1).expand(-1, -1, 5)}, 0, 5)
    result = found.batch_first()["posterior", "x1"]
    result[0] = 7.0

    assert (result[1:] < 7).all()


def test_blocks_of_a_class_are_joined():
    model = gh.Model()
    model.chain("z", 3, 2, potential=[[2, 1], [1, 2]])
    forest = model.forest()
    outputs = {("posterior", f"z[{k}]"): k for k in range(3)}
    found = Gathered(forest, outputs, {"z": None}, 2)
    blocks = {k: torch.full((2, 1, 2), float(k)) for k in range(3)}
    found.add(blocks, 0, 2)

    assert found.batch_first()["posterior", "z"][1, :, 0].tolist() == [0, 1, 2]


def test_choices_of_several_draws_have_an_axis_for_them():
    found = Gathered(FOREST, {("choice", "x1"): 0}, INVERSE, 2)
    found.add({0: torch.arange(24).view(3, 4, 2)}, 0, 2)

    assert found.batch_first()["choice", "x1"].shape == (2, 3, 4)
    assert found.batch_first()["choice", "x1"][0, 0].tolist() == [2, 6, 0, 4]


def test_no_rows_have_no_results_and_counts_of_zero():
    results = empty(gathered(1).batch_first())

    assert results["posterior", "x1"].shape == (0, 4, 3)
    assert torch.equal(results["counts", "x0->x1"], torch.zeros(4, 2, 3))


def test_repeated_rows_replace_the_first_and_keep_their_precision():
    kept = raw(5)
    before = kept[0].clone()
    overwrite(kept, {0: torch.ones(3, 4, 2, dtype=torch.float64)}, torch.tensor([4, 1]))

    assert kept[0].dtype == torch.float32
    assert torch.equal(kept[0][..., [0, 2, 3]], before[..., [0, 2, 3]])
    assert (kept[0][..., [1, 4]] == 1).all()
