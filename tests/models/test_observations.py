"""What is observed at a class: likelihoods and values, checked, and their logs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Gaussian, Localization, LogLikelihood
from ghmpp.models.observations import LogLikelihoods, Observed
from tests.models.observed import VARIABLES, only, read
from tests.tolerances import EXACT

# --- likelihoods --------------------------------------------------------------------------------


def test_float_matrix_is_likelihoods_of_a_single_node():
    found = only({"digit": np.array([[0.2, 0.0, 3.0]], dtype=np.float32)})

    assert found.kind == "likelihood"
    assert found.array.dtype == np.float64
    np.testing.assert_allclose(found.array, [[[0.2, 0.0, 3.0]]], rtol=1e-7)


def test_three_dimensions_are_likelihoods():
    found = only({"pixel": np.ones((2, 6, 4), dtype=int)})

    assert (found.kind, found.array.shape) == ("likelihood", (2, 6, 4))


def test_all_zero_likelihood_is_allowed():
    assert not only({"digit": np.zeros((1, 3))}).array.any()


def test_log_likelihoods_may_rule_states_out():
    found = only({"digit": LogLikelihoods([[0.0, -np.inf, -2.0]])})

    assert found.kind == "log_likelihood"
    assert found.array.tolist() == [[[0.0, -np.inf, -2.0]]]


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf])
def test_likelihood_must_be_finite_and_not_negative(wrong):
    with pytest.raises(EvidenceError, match=r"digit: likelihoods must be finite and >= 0, got"):
        read({"digit": np.array([[0.5, wrong, 0.1]])})


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_log_likelihood_must_be_finite_or_minus_infinity(wrong):
    with pytest.raises(EvidenceError, match=r"log-likelihoods must be finite or -inf, got"):
        read({"digit": LogLikelihoods([[0.5, wrong, 0.1]])})


def test_likelihood_must_be_numbers():
    with pytest.raises(EvidenceError, match=r"digit: expected numbers"):
        read({"digit": LogLikelihoods([["a", "b", "c"]])})


# --- channels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [lambda z, channel: (z, channel), lambda z, channel: Observed(z, channel)]
)
def test_continuous_values_come_with_their_channel(form):
    z = np.array([[0.1, 0.2, np.nan, 0.4, 0.5, 0.6]])
    found = only({"pixel": form(z, Gaussian(2.0))})

    assert (found.kind, found.channel) == ("values", Gaussian(2.0))
    np.testing.assert_array_equal(found.array, z)


def test_continuous_values_need_numeric_states():
    with pytest.raises(EvidenceError, match=r"colour: its states have no numeric values"):
        read({"colour": ([0.3], Gaussian(1.0))})


def test_continuous_values_must_be_finite():
    with pytest.raises(EvidenceError, match=r"pixel: values must be finite"):
        read({"pixel": (np.full(6, np.inf), Gaussian(1.0))})


def test_continuous_values_without_channel_are_refused_with_the_remedy():
    with pytest.raises(EvidenceError, match=r"0\.3 is not a state.*Observed\(values, Gaussian"):
        read({"pixel": np.full((1, 6), 0.3)})


# --- log-likelihoods of every kind --------------------------------------------------------------


def test_log_likelihood_of_states_is_zero_or_minus_infinity():
    found = only({"digit": [1, None]}).log_likelihood(VARIABLES["digit"])

    assert found.tolist() == [[[-np.inf, 0.0, -np.inf]], [[0.0, 0.0, 0.0]]]


def test_log_likelihood_of_likelihoods_is_their_log():
    found = only({"digit": np.array([[0.0, 0.5, 1.0]])}).log_likelihood(VARIABLES["digit"])

    assert found.tolist() == [[[-np.inf, np.log(0.5), 0.0]]]


def test_log_likelihood_of_values_is_that_of_the_channel_and_zero_where_missing():
    pixel = VARIABLES["pixel"]
    z = np.array([[0.1, 0.2, np.nan, 0.4, 0.5, 0.6]])
    found = only({"pixel": (z, Localization(2.0))}).log_likelihood(pixel)

    expected = z[..., None] * pixel.values - pixel.values**2
    expected[0, 2] = 0.0
    np.testing.assert_allclose(found, expected, rtol=EXACT)


def test_log_likelihood_of_a_tensor_is_a_numpy_array():
    table = torch.ones((1, 3), dtype=torch.float64, requires_grad=True)
    found = only({"digit": table}).log_likelihood(VARIABLES["digit"])

    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[[0.0, 0.0, 0.0]]]


def test_channel_function_must_not_return_nan():
    found = only({"pixel": (np.zeros(6), LogLikelihood(lambda v, z: z[..., None] + v * np.nan))})

    with pytest.raises(EvidenceError, match=r"pixel: log-likelihoods must be finite"):
        found.log_likelihood(VARIABLES["pixel"])


def test_views_of_any_order_are_taken():
    model = gh.GHM(states=(2, 3), branching=(4,), state_values=[0.0, 1.0, 2.0]).initialise(0)
    states = np.array([[0, 1, 2, 0], [2, 2, 1, -1]], dtype=np.int8)
    likelihood = np.linspace(0.1, 1.0, 24).reshape(2, 4, 3)
    z = np.linspace(-1.0, 3.0, 8).reshape(2, 4)
    forms = (
        lambda turn: turn(states),
        lambda turn: turn(states.astype(np.int64)),
        lambda turn: {"x1": turn(likelihood)},
        lambda turn: {"x1": LogLikelihoods(turn(np.log(likelihood)))},
        lambda turn: {"x1": (turn(z), Gaussian(1.0))},
        lambda turn: {"x1": (turn(np.ma.masked_less(z, 0)), Gaussian(1.0))},
    )
    for form in forms:
        view = gh.infer(model, form(lambda array: array[::-1, ::-1]))
        copy = gh.infer(model, form(lambda array: array[::-1, ::-1].copy()))
        np.testing.assert_array_equal(view["x0"], copy["x0"])
