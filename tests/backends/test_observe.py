"""From what users pass to leaves: shapes at the border, orders, channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ghmpp.backends.encode import Grid, Leaf
from ghmpp.backends.kernels import Linear
from ghmpp.backends.observe import (
    as_tensor,
    blank_row,
    common_batch,
    encode,
    read_inputs,
    rows_of,
    to_tensor,
)
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Gaussian, Given, Localization, LogLikelihood, noisy
from ghmpp.models.forest import VariableClass
from ghmpp.models.observations import Observation
from tests.tolerances import EXACT

VALUES = np.array([0.0, 1.0, 3.0])
PIXEL = VariableClass("pixel", (0, 1, 2), VALUES, 2, ("pixel",))
DIGIT = VariableClass("digit", (0, 1, 2), VALUES, 1, ("digit",))
VARIABLES = {"pixel": PIXEL, "digit": DIGIT}
LIKE = torch.empty(0, dtype=torch.float64)


def read(x: object, given: Given, **channel: float) -> Observation:
    return read_inputs([x], [given], VARIABLES, channel)[given.variable]


def leaf_of(observation: Observation, columns: list[int] | None = None, **options: bool) -> Leaf:
    observation = to_tensor(observation, PIXEL, torch.device("cpu"))
    return encode(
        Linear(),
        observation,
        PIXEL,
        columns=None if columns is None else torch.tensor(columns),
        grid=Grid.of(VALUES, LIKE),
        like=LIKE,
        with_offset=options.get("with_offset", True),
    )


class TestInputs:
    def test_integers_are_states_and_floats_through_a_channel_values(self):
        states = read(torch.tensor([[0, -1]]), Given("pixel"))
        values = read(torch.tensor([[0.5, np.nan]]), noisy("pixel", sigma=2.0), sigma=3.0)

        assert (states.kind, states.array.tolist()) == ("states", [[0, -1]])
        assert (values.kind, values.channel) == ("values", Gaussian(3.0))

    def test_three_axes_are_likelihoods(self):
        assert read(torch.ones(4, 2, 3), noisy("pixel", sigma=2.0)).kind == "likelihood"

    @pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 3), (4, 3)])
    def test_a_single_node_may_leave_out_its_axis(self, shape):
        found = read(torch.ones(shape), Given("digit"))

        assert found.array.shape[:2] == (4, 1)
        assert found.kind == ("likelihood" if shape[-1] == 3 else "states")

    @pytest.mark.parametrize("shape", [(2,), (4, 3), (4, 2, 2), (4, 2, 3, 1), ()])
    def test_other_shapes_are_refused_naming_the_input(self, shape):
        with pytest.raises(EvidenceError, match=r"input 'pixel' must have shape \(batch, 2\)"):
            read(torch.ones(shape), Given("pixel"))

    def test_the_number_of_inputs_must_fit(self):
        with pytest.raises(EvidenceError, match="expected inputs for pixel, got 2"):
            read_inputs([torch.ones(1, 2)] * 2, [Given("pixel")], VARIABLES, {})

    def test_states_may_be_floats_with_nan_for_missing(self):
        found = read(torch.tensor([[2.0, np.nan]]), Given("pixel"))

        assert found.array.tolist() == [[2, -1]]

    @pytest.mark.parametrize("wrong", [3, -2, 0.5, np.inf, -np.inf])
    def test_other_states_are_refused(self, wrong):
        with pytest.raises(EvidenceError, match="state indices 0 to 2"):
            read(torch.tensor([[0, wrong]]), Given("pixel"))

    def test_a_parameter_without_channel_is_refused(self):
        with pytest.raises(EvidenceError, match="sigma= belongs to a channel"):
            read(torch.tensor([[0, 1]]), Given("pixel"), sigma=2.0)

    def test_a_parameter_that_the_channel_does_not_have_is_refused(self):
        with pytest.raises(EvidenceError, match="no parameter 'time'"):
            read(torch.ones(1, 2), noisy("pixel", sigma=2.0), time=2.0)


def test_read_only_arrays_are_copied_and_others_shared():
    fixed, free = np.zeros(3), np.zeros(3)
    fixed.setflags(write=False)
    copied, shared = as_tensor(fixed), as_tensor(free)
    copied += 1
    shared += 1

    assert (fixed.tolist(), free.tolist()) == ([0] * 3, [1] * 3)


def test_batches_must_agree():
    def rows(n: int) -> Observation:
        return Observation("states", np.zeros((n, 1), dtype=np.int64))

    assert common_batch({}) == 1
    assert common_batch({"a": rows(3), "b": rows(3)}) == 3
    with pytest.raises(EvidenceError, match="same batch size, got a: 3, b: 2"):
        common_batch({"a": rows(3), "b": rows(2)})


def test_a_function_becomes_log_likelihoods():
    laplace = LogLikelihood(lambda values, z: -abs(z[..., None] - values))
    found = to_tensor(
        Observation("values", np.array([[1.0, np.nan]]), laplace), PIXEL, torch.device("cpu")
    )

    assert found.kind == "log_likelihood"
    assert found.array.tolist() == [[[-1.0, 0.0, -2.0], [0.0, 0.0, 0.0]]]


@pytest.mark.parametrize("kind", ["states", "likelihood", "log_likelihood", "values"])
def test_a_blank_row_is_one_row_of_the_same_kind(kind):
    shape = (0, 2, 3) if "likelihood" in kind else (0, 2)
    array = np.zeros(shape, dtype=np.int64 if kind == "states" else np.float64)
    blank = blank_row(Observation(kind, array, Gaussian(1.0)))

    assert blank.array.shape == (1, *shape[1:])
    assert (blank.kind, blank.channel) == (kind, Gaussian(1.0))


def test_rows_keep_kind_and_channel():
    found = rows_of(Observation("values", torch.arange(6.0).view(3, 2), Gaussian(1.0)), slice(1, 3))

    assert found.array.tolist() == [[2, 3], [4, 5]]
    assert found.channel == Gaussian(1.0)


def test_columns_bring_the_users_nodes_into_physical_order():
    observation = Observation("states", np.array([[0, 2]]))

    assert leaf_of(observation, [1, 0]).value[:, :, 0].t().tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("channel", [Gaussian(2.0), Localization(0.5), Gaussian(1.0, scale=0.0)])
@pytest.mark.parametrize("z", [[[0.0, np.nan]], [[2.0, -7.0]]])
def test_the_offset_completes_the_log_density(channel, z):
    z = np.array(z)
    leaf = leaf_of(Observation("values", z, channel))

    logs = np.where(np.isnan(z)[..., None], 0.0, channel.log_likelihood(VALUES, z))
    np.testing.assert_allclose(leaf.offset, logs.max(-1).sum(-1), rtol=EXACT, atol=EXACT)
    expected = np.exp(logs - logs.max(-1, keepdims=True))[0].T
    np.testing.assert_allclose(leaf.value[:, :, 0], expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("time", [0.0, 1e-300, 1e-40, 1e-20])
def test_no_time_is_no_information(time):
    leaf = leaf_of(Observation("values", np.array([[0.0, 0.0]]), Localization(time)))

    np.testing.assert_allclose(leaf.value, 1.0, rtol=EXACT)


def test_without_the_log_evidence_there_is_no_offset():
    observation = Observation("values", np.array([[0.0, 5.0]]), Gaussian(2.0))

    assert leaf_of(observation, with_offset=False).offset.tolist() == [0.0]


def test_values_need_numeric_states():
    observation = Observation("values", torch.zeros(1, 2), Gaussian(1.0))

    with pytest.raises(EvidenceError, match="pixel: continuous observations need"):
        encode(Linear(), observation, PIXEL, columns=None, grid=None, like=LIKE, with_offset=True)
