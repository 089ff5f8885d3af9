from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.backends.algebras import Exact, LogFloat
from ghmpp.errors import QueryError
from tests.tolerances import EXACT

weights = st.lists(
    st.fractions(min_value=0, max_value=100, max_denominator=50), min_size=1, max_size=6
)
ALGEBRAS = [LogFloat("sum"), LogFloat("max"), Exact("sum"), Exact("max")]


def linear(algebra: LogFloat | Exact, scalars: np.ndarray) -> np.ndarray:
    """Scalars as floats without logarithms."""
    return np.exp(scalars) if isinstance(algebra, LogFloat) else scalars.astype(float)


@pytest.mark.parametrize("algebra", ALGEBRAS, ids=str)
@given(numbers=weights)
def test_operations_are_product_and_sum_or_maximum(algebra, numbers):
    lifted = algebra.lift(np.array(numbers, object))
    add = sum if algebra.semiring == "sum" else max

    product = linear(algebra, np.asarray(algebra.times.reduce(lifted)))
    total = linear(algebra, np.asarray(algebra.plus.reduce(lifted)))
    assert product == pytest.approx(float(np.prod(numbers)), rel=EXACT)
    assert total == pytest.approx(float(add(numbers)), rel=EXACT)


@pytest.mark.parametrize("algebra", ALGEBRAS, ids=str)
@given(numbers=weights)
def test_neutral_elements_change_nothing(algebra, numbers):
    lifted = algebra.lift(np.array(numbers, object))

    assert (algebra.times(lifted, algebra.one) == lifted).all()
    assert (algebra.plus(lifted, algebra.zero) == lifted).all()


@pytest.mark.parametrize("algebra", ALGEBRAS, ids=str)
@given(numbers=weights)
def test_normalizing_and_multiplying_back_changes_nothing(algebra, numbers):
    lifted = algebra.lift(np.array([numbers, [0] * len(numbers)], object))
    value, scale = algebra.normalize(lifted)

    restored = linear(algebra, algebra.times(value, scale[:, None]))
    np.testing.assert_allclose(restored, linear(algebra, lifted), rtol=EXACT)


@given(numbers=weights)
def test_log_floats_normalize_to_largest_entry_one_or_zero(numbers):
    value, _ = LogFloat().normalize(LogFloat().lift(np.array(numbers, object)))

    assert value.max() == (0.0 if any(numbers) else -np.inf)


@pytest.mark.parametrize("algebra", [LogFloat(), Exact()], ids=str)
@given(numbers=weights)
def test_shares_of_the_sum_add_up_to_one_or_are_zero(algebra, numbers):
    lifted = algebra.lift(np.array(numbers, object))
    shares = algebra.shares(lifted, algebra.plus.reduce(lifted, keepdims=True))

    assert float(shares.sum()) == pytest.approx(float(any(numbers)), abs=EXACT)


def test_log_floats_keep_what_linear_floats_would_lose():
    logs = np.array([-1e5, -1e5 + np.log(3.0)])
    total = LogFloat().plus.reduce(logs, keepdims=True)

    np.testing.assert_allclose(LogFloat().shares(logs, total), [0.25, 0.75], rtol=1e-10)


def test_exact_floats_are_the_fractions_that_they_are():
    assert Exact().numbers(np.array([0.1])).tolist() == [Fraction(0.1)]


def test_exact_integers_are_unbounded():
    large = Exact().numbers(np.array([2**62]))

    assert Exact().times(large, large).tolist() == [2**124]


def test_exact_numbers_keep_formulas():
    x = sympy.Symbol("x")

    assert Exact().numbers(np.array([x, Fraction(1, 2), True])).tolist() == [x, Fraction(1, 2), 1]


def test_fractions_and_formulas_mix():
    x = sympy.Symbol("x")
    numbers = Exact().numbers(np.array([x, Fraction(1, 2), 3]))

    assert Exact().times.reduce(numbers) == 3 * x / 2
    assert Exact().plus.reduce(numbers) == x + sympy.Rational(7, 2)


def test_shares_of_integers_are_fractions():
    shares = Exact().shares(np.array([1, 2], object), np.array([3], object))

    assert shares.tolist() == [Fraction(1, 3), Fraction(2, 3)]


@pytest.mark.parametrize("algebra", [LogFloat(), Exact()], ids=str)
def test_ties_choose_the_first(algebra):
    assert algebra.choose(algebra.lift(np.array([[1, 2, 2]])), None).tolist() == [1]


def test_draws_follow_the_weights():
    draws = 50_000
    logs = LogFloat().lift(np.tile([1.0, 0.0, 3.0], (draws, 1)))
    drawn = LogFloat().choose(logs, np.random.default_rng(0))

    frequencies = np.bincount(drawn, minlength=3) / draws
    assert frequencies[1] == 0
    assert frequencies[0] == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / draws))


def test_exact_numbers_are_not_drawn_from():
    with pytest.raises(QueryError, match=r"cannot sample exact numbers.*LogFloat"):
        Exact().choose(np.array([[1, 2]], object), np.random.default_rng(0))
