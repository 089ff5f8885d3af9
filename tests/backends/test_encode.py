"""Evidence as likelihoods: largest entry 1, the rest kept as an offset, nothing invented."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ghmpp.backends.encode import (
    CHAIN_FROM,
    FLOOR,
    Grid,
    Leaf,
    from_likelihood,
    from_log_likelihood,
    from_quadratic,
    from_states,
)
from ghmpp.backends.kernels import Kernel, Linear, Log
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Gaussian, Localization
from tests.tolerances import EXACT, SINGLE

KERNELS: list[Kernel] = [Linear(), Log()]
GRIDS = {
    "equispaced": np.arange(17.0),
    "irregular": np.array([-3.0, 0.0, 0.1, 7.0]),
    "unsorted": np.array([2.0, -1.0, 5.0, 0.5]),
    "repeated": np.array([1.0, 1.0, 3.0]),
    "single": np.array([2.5]),
}
LIKE = torch.empty(0, dtype=torch.float64)


def logs_of(kernel: Kernel, leaf: Leaf) -> np.ndarray:
    """Log-likelihoods relative to the largest, (states, nodes, batch)."""
    with np.errstate(divide="ignore"):
        return leaf.value.numpy() if kernel.is_log else np.log(leaf.value.numpy())


def relative(logs: np.ndarray) -> np.ndarray:
    """The same of log-likelihoods (nodes, batch, states)."""
    return np.moveaxis(logs - logs.max(-1, keepdims=True), -1, 0)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
class TestStates:
    def test_a_state_is_certain_and_a_missing_one_anything(self, kernel):
        leaf = from_states(kernel, torch.tensor([[1, -1, 0]]), 2, torch.float64)
        linear = leaf.value.exp() if kernel.is_log else leaf.value

        assert linear[:, 0].t().tolist() == [[0, 1], [1, 1], [1, 0]]
        assert (leaf.offset.tolist(), leaf.lost) == ([0, 0, 0], 0.0)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
class TestLikelihoods:
    def test_any_scale_is_divided_out_and_told(self, kernel):
        x = torch.tensor([[[2e-200, 4e-200], [0.0, 3e200]]], dtype=torch.float64)
        leaf = from_likelihood(kernel, x, torch.float64)

        linear = leaf.value.exp() if kernel.is_log else leaf.value
        np.testing.assert_allclose(linear[:, 0].t(), [[0.5, 1.0], [0.0, 1.0]], rtol=EXACT)
        np.testing.assert_allclose(leaf.offset, np.log([4e-200, 3e200]), rtol=EXACT)

    def test_an_impossible_node_makes_the_row_impossible(self, kernel):
        leaf = from_likelihood(kernel, torch.zeros(1, 1, 3).double(), torch.float64)

        assert leaf.offset.tolist() == [-np.inf]
        assert not torch.isnan(leaf.value).any()

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.5])
    def test_what_is_no_likelihood_is_refused(self, kernel, wrong):
        x = torch.tensor([[[1.0, wrong]]])

        with pytest.raises(EvidenceError, match="finite numbers >= 0"):
            from_likelihood(kernel, x, torch.float64)

    def test_logs_give_the_same_leaf(self, kernel):
        x = torch.tensor(np.random.default_rng(0).uniform(size=(3, 4, 5)))
        x[0, 0, 0] = 0.0
        one, other = (
            from_likelihood(kernel, x, torch.float64),
            from_log_likelihood(kernel, x.log(), torch.float64),
        )

        torch.testing.assert_close(one.value, other.value, rtol=EXACT, atol=EXACT)
        torch.testing.assert_close(one.offset, other.offset, rtol=EXACT, atol=EXACT)

    def test_an_impossible_node_in_logs(self, kernel):
        leaf = from_log_likelihood(kernel, torch.full((1, 1, 2), -torch.inf), torch.float64)

        assert leaf.offset.tolist() == [-np.inf]
        assert not torch.isnan(leaf.value).any()

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    def test_what_is_no_log_likelihood_is_refused(self, kernel, wrong):
        with pytest.raises(EvidenceError, match="finite or -inf"):
            from_log_likelihood(kernel, torch.tensor([[[1.0, wrong]]]), torch.float64)


def test_quotients_beyond_the_exponent_range_survive_in_logs():
    x = torch.tensor([[[1e-200, 1e200]]], dtype=torch.float64)
    leaf = from_likelihood(Log(), x, torch.float64)

    assert leaf.value[0].item() == pytest.approx(-400 * np.log(10), rel=EXACT)


def test_single_precision_says_that_it_may_have_dropped_something():
    leaf = from_likelihood(Linear(), torch.tensor([[[1.0, 1e-60]]]).double(), torch.float32)

    assert leaf.value.flatten().tolist() == [1.0, 0.0]
    assert leaf.lost >= 1e-60


CHANNELS = [Gaussian(0.7), Gaussian(0.1, scale=-2.0), Localization(0.3), Localization(25.0)]


def quadratic(kernel: Kernel, channel: Gaussian | Localization, grid: Grid, z: Tensor) -> Leaf:
    """The leaf of a quadratic channel with the whole offset."""
    rest = lambda x: torch.tensor(channel.rest(x.numpy()))  # noqa: E731
    return from_quadratic(kernel, z, grid, channel.coefficients(), rest)


@pytest.mark.parametrize("channel", CHANNELS, ids=repr)
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_quadratic_channels_give_their_log_likelihood(kernel, name, channel):
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size=(3, 4)) * 5, [[1e3, -1e3, 0.0, 17.0]]])
    leaf = quadratic(kernel, channel, Grid.of(GRIDS[name], LIKE), torch.tensor(z))

    expected = channel.log_likelihood(GRIDS[name], z)
    floor = -np.inf if kernel.is_log else FLOOR[torch.float64]
    found, wanted = logs_of(kernel, leaf), relative(expected)
    kept = wanted > floor
    np.testing.assert_allclose(found[kept], wanted[kept], rtol=1e-10, atol=1e-10)
    assert (found[~kept] == -np.inf).all()
    total = expected.max(-1).sum(0)
    np.testing.assert_allclose(leaf.offset, total, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("name", GRIDS)
def test_single_precision_is_right_next_to_large_values(name):
    """No digits cancel: what is large is subtracted before it is multiplied."""
    values = GRIDS[name] + 1000.0
    z = torch.tensor([[1000.4, 1003.0, 998.7]])
    grid = Grid.of(values, z)
    channel = Gaussian(0.3)
    leaf = from_quadratic(Log(), z, grid, channel.coefficients(), None)

    exact = z.numpy().astype(np.float64)
    expected = relative(channel.log_likelihood(grid.values.numpy().astype(np.float64), exact))
    np.testing.assert_allclose(leaf.value, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_missing_observation_says_nothing(kernel):
    z = torch.tensor([[np.nan, 2.0]], dtype=torch.float64)
    leaf = quadratic(kernel, Gaussian(1.0), Grid.of(GRIDS["equispaced"], LIKE), z)

    assert (logs_of(kernel, leaf)[:, 0, 0] == 0).all()
    assert leaf.offset[0] == 0


def test_infinite_observations_are_refused():
    grid = Grid.of(GRIDS["equispaced"], LIKE)

    with pytest.raises(EvidenceError, match="finite, or NaN"):
        from_quadratic(Linear(), torch.tensor([[np.inf]]).double(), grid, (1.0, 1.0), None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_below_the_floor_likelihoods_are_exactly_zero_and_the_floor_is_told(dtype):
    z = torch.tensor([[0.0]], dtype=dtype)
    step = float(np.sqrt(-2 * FLOOR[dtype]))
    grid = Grid.of(np.array([0.0, 0.99 * step, 1.01 * step]), z)
    leaf = from_quadratic(Linear(), z, grid, (1.0, 1.0), None)

    near, far = leaf.value[1:].flatten().tolist()
    assert far == 0.0
    assert near == pytest.approx(np.exp(0.99**2 * FLOOR[dtype]), rel=1e-4)
    assert leaf.lost == pytest.approx(np.exp(FLOOR[dtype]))


@pytest.mark.parametrize("name", GRIDS)
def test_the_nearest_value_is_nearest(name):
    values = GRIDS[name]
    z = torch.linspace(-15, 15, 601, dtype=torch.float64)
    found = Grid.of(values, LIKE).nearest(z, 2.0)

    distance = np.abs(2 * z.numpy()[:, None] - values).min(1)
    np.testing.assert_allclose((2 * z - found).abs(), distance, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_observations_have_the_gradient_of_the_log_density(kernel):
    """At a node of one state the log-likelihood is all there is: d/dz of it is the offset's."""
    z = torch.tensor([[0.3, -2.0]], dtype=torch.float64, requires_grad=True)
    channel, grid = Gaussian(0.5), Grid.of(np.array([2.5]), LIKE)
    leaf = from_quadratic(
        kernel, z, grid, channel.coefficients(), lambda x: -0.5 * (x / channel.sigma) ** 2
    )
    (found,) = torch.autograd.grad(leaf.offset.sum(), z)

    expected = (2.5 - z.detach()) / channel.sigma**2
    torch.testing.assert_close(found, expected, rtol=EXACT, atol=EXACT)


def test_values_beyond_the_precision_are_refused_and_never_nan():
    z, grid = torch.full((1, 1), 1e30), Grid.of(np.arange(3.0), LIKE.float())

    with pytest.raises(EvidenceError, match=r"1e\+30 leave the range of torch\.float32"):
        from_quadratic(Linear(), z, grid, (1e10, 1e10), None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [0.5, 3.0, 9.0])
def test_many_equispaced_likelihoods_are_built_state_by_state_without_loss(dtype, spread):
    values, sigma = np.linspace(-2.0, 5.0, 9), 0.8
    z = torch.as_tensor(np.random.default_rng(3).normal(1.5, spread, (3, 2000))).to(dtype)
    grid = Grid.of(values, z)
    gain = 1 / sigma**2
    assert grid.chained
    assert z.numel() >= CHAIN_FROM

    leaf = from_quadratic(Linear(), z, grid, (gain, gain), None)

    exact = -((z.double().numpy() - values[:, None, None]) ** 2) / (2 * sigma**2)
    exact = np.exp(exact - exact.max(0))
    tolerance = SINGLE if dtype == torch.float32 else EXACT
    np.testing.assert_allclose(leaf.value.numpy(), exact, rtol=0, atol=tolerance)


def test_many_observations_keep_their_gradient():
    z = torch.zeros(1, 8000, requires_grad=True)
    leaf = from_quadratic(Linear(), z, Grid.of(np.arange(4.0), z), (1.0, 1.0), None)

    leaf.value.sum().backward()
    assert z.grad is not None
    assert bool(torch.isfinite(z.grad).all())
