"""Two number domains, one meaning: logarithms are the logs of probabilities, and no NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ghmpp.backends import kernels
from ghmpp.backends.kernels import Kernel, Linear, Log, exclude, pool
from tests.tolerances import EXACT, GRADIENT

SEMIRINGS = ["sum", "max"]


def entries(*shape: int, seed: int = 0, zeros: float = 0.3) -> Tensor:
    """Random entries in (0, 1], some of them zero, and one column (the last) all zero."""
    rng = np.random.default_rng(seed)
    drawn = torch.tensor(rng.uniform(0.01, 1, size=shape) * (rng.random(shape) >= zeros))
    drawn[..., -1] = 0.0
    return drawn


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Equal to rounding, NaN nowhere."""
    torch.testing.assert_close(found, expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("semiring", SEMIRINGS)
class TestLogIsTheLogOfLinear:
    def test_times(self, semiring):
        first, second = entries(3, 4, 2, 5), entries(3, 4, 2, 1, seed=1)
        found = Log(semiring).times(first.log(), second.log()).exp()

        assert_close(found, Linear(semiring).times(first, second))

    def test_through(self, semiring):
        table, x = entries(2, 3, 4), entries(2, 4, 6, seed=1)
        found = Log(semiring).through(table.log(), x.log()).exp()

        expected = (table[..., None] * x[:, None]).numpy()
        reduced = expected.sum(2) if semiring == "sum" else expected.max(2)
        assert_close(found, torch.tensor(reduced))
        assert_close(Linear(semiring).through(table, x), torch.tensor(reduced))

    def test_segment(self, semiring):
        x, index = entries(2, 5, 3, 4), torch.tensor([1, 0, 1, 3, 1])
        found = Log(semiring).segment(x.log(), index, 4).exp()

        reduce = torch.sum if semiring == "sum" else torch.amax
        runs = [x[:, index == state] for state in range(4)]
        empty = torch.zeros(2, 3, 4, dtype=x.dtype)
        expected = torch.stack([reduce(run, 1) if run.shape[1] else empty for run in runs], 1)
        assert_close(found, expected)
        assert_close(Linear(semiring).segment(x, index, 4), expected)

    @pytest.mark.parametrize("reuse", [False, True])
    def test_normalize(self, semiring, reuse):
        x = entries(3, 4, 2, 5)
        linear, scale = Linear(semiring).normalize(x.clone(), reuse=reuse)
        logs, log_scale = Log(semiring).normalize(x.log(), reuse=reuse)

        some = x.amax(0) > 0
        assert_close(logs.exp(), linear)
        assert_close(log_scale[some], Linear(semiring).log_scale(scale)[some])
        assert set(linear.amax(0).flatten().tolist()) == {0.0, 1.0}

    def test_total(self, semiring):
        x = entries(3, 4, 2, 5)

        expected = (x.sum(0) if semiring == "sum" else x.amax(0)).log()
        assert_close(Linear(semiring).total(x), expected)
        assert_close(Log(semiring).total(x.log()), expected)

    def test_probabilities(self, semiring):
        x = entries(3, 4, 2, 5)
        found = Linear(semiring).probabilities(x)

        total = x.sum(0)
        assert_close(found, torch.where(total > 0, x / total, 0.0))
        assert_close(Log(semiring).probabilities(x.log()), found)

    def test_table(self, semiring):
        table = entries(2, 3, 4)

        assert_close(Log(semiring).table(table).exp(), Linear(semiring).table(table))


def test_summed_joints_are_the_same_in_both_domains():
    table, parent, child = entries(2, 3, 4), entries(2, 3, 6, seed=1), entries(2, 4, 6, seed=2)
    found = Linear().joint_sum(table, parent, child)

    joint = parent[:, :, None] * table[..., None] * child[:, None]
    total = joint.sum((1, 2), keepdim=True)
    expected = torch.where(total > 0, joint / total, 0.0).sum(-1)
    assert_close(found, expected)
    assert_close(Log().joint_sum(table.log(), parent.log(), child.log()), expected)


@pytest.mark.parametrize("size", [0.0, 1e-320])
def test_rescaling_what_is_hardly_there_keeps_value_and_scale_together(size):
    x = torch.full((2, 1, 1, 1), size, dtype=torch.float64)
    value, divisor = Linear().normalize(x.clone(), reuse=False)

    assert torch.equal(value * divisor, x)


KERNELS: list[Kernel] = [Linear("sum"), Log("sum"), Linear("max"), Log("max")]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
class TestProductsOverSiblings:
    @pytest.mark.parametrize("tracked", [False, True])
    @pytest.mark.parametrize("ranks", [2, 3, 6])
    def test_each_excludes_its_own_message(self, kernel, ranks, tracked):
        message, context = entries(ranks, 3, 4, 5), entries(3, 2, 2, 1, seed=1, zeros=0.5)
        found = exclude(kernel, kernel.table(context), kernel.table(message), tracked=tracked)

        for rank in range(ranks):
            others = torch.cat([message[:rank], message[rank + 1 :]]).prod(0)
            expected = context.flatten(1, 2) * others
            assert_close(found[rank].exp() if kernel.is_log else found[rank], expected)

    @pytest.mark.parametrize("tracked", [False, True])
    def test_no_context_is_a_context_of_ones(self, kernel, tracked):
        message = kernel.table(entries(3, 3, 4, 5))
        ones = message.new_full((3, 1, 4, 1), kernel.one)

        found = exclude(kernel, None, message, tracked=tracked)
        assert_close(found, exclude(kernel, ones, message, tracked=tracked))

    @pytest.mark.parametrize("wide", [False, True])
    def test_the_batch_of_either_side_may_be_one(self, kernel, wide):
        message = kernel.table(entries(4, 2, 3, 1 if wide else 5))
        context = kernel.table(entries(2, 1, 3, 5 if wide else 1))

        tracked = exclude(kernel, context, message, tracked=True)
        assert tracked.shape == (4, 2, 3, 5)
        assert_close(exclude(kernel, context, message, tracked=False), tracked)

    @pytest.mark.parametrize("tracked", [False, True])
    @pytest.mark.parametrize("ranks", [2, 5])
    def test_pool_multiplies_all(self, kernel, ranks, tracked):
        message = entries(ranks, 3, 4, 5)
        found = pool(kernel, kernel.table(message), tracked=tracked)

        assert_close(found.exp() if kernel.is_log else found, message.prod(0))

    def test_operands_are_left_as_they_are(self, kernel):
        message, context = kernel.table(entries(4, 3, 4, 5)), kernel.table(entries(3, 1, 4, 5))
        before = message.clone(), context.clone()
        exclude(kernel, context, message, tracked=False)
        pool(kernel, message, tracked=False)

        assert torch.equal(message, before[0])
        assert torch.equal(context, before[1])


class TestOneShiftPerOutput:
    def test_log_messages_stay_finite_where_one_shift_for_all_would_not(self):
        table = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
        x = torch.tensor([[[0.0], [-5000.0]]], dtype=torch.float64)

        found = Log().through(Log().table(table), x)
        assert found.flatten().tolist() == [0.0, -5000.0]

    def test_log_segments_stay_finite_too(self):
        x = torch.tensor([0.0, -4000.0, -4000.0], dtype=torch.float64).view(1, 3, 1, 1)

        found = Log().segment(x, torch.tensor([0, 1, 1]), 2).flatten()
        assert found.tolist() == pytest.approx([0.0, -4000.0 + np.log(2)], rel=EXACT)


class TestDraw:
    @pytest.mark.parametrize("level", [0.0, 1 - 2**-24])
    def test_a_state_of_weight_zero_is_never_drawn(self, level, monkeypatch):
        weights = torch.tensor([[0.0], [0.7], [0.1], [0.0]])
        monkeypatch.setattr(
            kernels.torch, "rand", lambda shape, **_: torch.full(shape, level, dtype=torch.float32)
        )
        (drawn,) = Linear().draw(weights, None)

        assert drawn == (1 if level == 0 else 2)

    @pytest.mark.parametrize("kernel", [Linear(), Log()], ids=repr)
    def test_frequencies_are_the_weights(self, kernel):
        weights = torch.tensor([3.0, 0.0, 1.0], dtype=torch.float64)[:, None].expand(-1, 40_000)
        drawn = kernel.draw(kernel.table(weights), torch.Generator().manual_seed(0))

        counts = torch.bincount(drawn, minlength=3) / 40_000
        sigma = np.sqrt(0.75 * 0.25 / 40_000)
        assert counts[1] == 0
        assert abs(float(counts[0]) - 0.75) < 5 * sigma


class TestGradients:
    """Autograd through logarithms is autograd through probabilities."""

    @pytest.mark.parametrize("name", ["probabilities", "total"])
    def test_results_have_the_same_gradient_in_both_domains(self, name):
        x = entries(3, 4, 2, zeros=0.0)[..., :1].clone().requires_grad_(True)
        seed = entries(3, 4, 1, seed=1, zeros=0.0) if name == "probabilities" else None
        gradients = []
        for kernel in (Linear(), Log()):
            result = getattr(kernel, name)(kernel.table(x))
            (found,) = torch.autograd.grad((result * (1.0 if seed is None else seed)).sum(), x)
            gradients.append(found)

        torch.testing.assert_close(*gradients, rtol=GRADIENT, atol=GRADIENT)

    @pytest.mark.parametrize("kernel", KERNELS, ids=repr)
    def test_they_are_finite_where_entries_are_zero(self, kernel):
        table, x = entries(2, 3, 4).requires_grad_(True), entries(2, 4, 6).requires_grad_(True)
        sent = kernel.through(kernel.table(table), kernel.table(x)).transpose(0, 1)
        normal, _ = kernel.normalize(sent, reuse=False)
        total = kernel.total(normal)
        loss = kernel.probabilities(normal).sum() + total[total > -torch.inf].sum()

        for gradient in torch.autograd.grad(loss, (table, x)):
            assert torch.isfinite(gradient).all()
