"""Variances of state values, in all backends."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.backends import reference
from ghmpp.backends.algebras import Exact
from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.errors import QueryError
from ghmpp.schedule.plan import schedule_for
from tests.tolerances import EXACT

VALUES = [-1.0, 0.5, 4.0]
MODEL = gh.GHM(
    states=(2, 3),
    branching=(2,),
    tables=[[[3, 1, 0], [1, 2, 4]]],
    prior=[1, 2],
    state_values=VALUES,
)


@pytest.mark.parametrize("scale", [1.0, 1e-200])  # the second is run in logarithms
@given(z=st.lists(st.floats(-5, 5), min_size=2, max_size=2))
def test_variances_are_second_moments_about_the_mean(scale, z):
    model = MODEL.with_tables({"x0->x1": np.array([[[3, 1, scale], [1, 2, 4]]])})
    asked = [gh.posterior("x1"), gh.variance("x1")]
    network = gh.compile(model, asked, gh.noisy("x1", sigma=1.5)).network()

    posterior, variance = network(torch.tensor([z], dtype=torch.float64))

    mean = posterior @ torch.tensor(VALUES, dtype=torch.float64)
    second = posterior @ torch.tensor(VALUES, dtype=torch.float64) ** 2
    assert network.domain.kind == ("linear" if scale == 1.0 else "log")
    assert (variance - (second - mean**2)).abs().max() <= 20 * EXACT
    plain = PlainNetwork(network)(torch.tensor([z], dtype=torch.float64))
    assert (plain[1] - variance).abs().max() <= 20 * EXACT


def test_variances_are_exact_in_fractions():
    schedule = schedule_for(MODEL.forest(), [("variance", "x1")], [])
    exact = {
        key: np.frompyfunc(Fraction, 1, 1)(stack) for key, stack in MODEL.forest().data.items()
    }

    found = reference.run(schedule, {}, Exact(), data=exact)["variance", "x1"]

    one, three = Fraction(1, 4), Fraction(4, 7)
    first, last = [Fraction(3, 4), one, Fraction(0)], [Fraction(1, 7), Fraction(2, 7), three]
    masses = Fraction(1 * 4**2), Fraction(2 * 7**2)
    weights = [m / sum(masses) for m in masses]
    states = [weights[0] * a + weights[1] * b for a, b in zip(first, last, strict=True)]
    mean = sum(p * Fraction(v) for p, v in zip(states, VALUES, strict=True))
    expected = sum(p * (Fraction(v) - mean) ** 2 for p, v in zip(states, VALUES, strict=True))
    assert found.tolist() == [[expected, expected]]


def test_impossible_evidence_has_variance_zero():
    network = gh.compile(MODEL, gh.variance("x1"), ["x0", "x1"]).network()

    assert network(torch.tensor([0]), torch.tensor([[2, 0]])).tolist() == [[0.0, 0.0]]


def test_states_without_values_have_no_variance():
    with pytest.raises(QueryError, match="variance: the states of 'x0' have no numeric values"):
        gh.compile(MODEL, gh.variance("x0"), "x1")


def test_variances_have_no_formulas_and_no_bounds():
    program = gh.compile(MODEL, gh.variance("x1"), "x1")

    with pytest.raises(QueryError, match="variances"):
        program.symbolic()
    with pytest.raises(QueryError, match="no bound for the query 'variance'"):
        program.network("relu")
