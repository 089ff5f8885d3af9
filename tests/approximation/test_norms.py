"""Norms from above: never below the true one, and hardly above it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard

from ghmpp.approximation.norms import frobenius_bound, row_bound, spectral_bound
from tests.tolerances import EXACT


@pytest.mark.parametrize("size", [1, 2, 16, 64])
def test_of_a_matrix_whose_norm_is_known(size):
    # Orthogonal rows of length root n.
    true = np.sqrt(np.longdouble(size))

    assert true <= spectral_bound(hadamard(size).astype(float)) <= true * (1 + 1e-10)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_between_what_a_decomposition_finds_and_a_little_more(seed, rows, columns):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-5, 5)
    found, svd = spectral_bound(matrix), np.linalg.svd(matrix)[1][0]

    assert svd * (1 - 1e-15) <= found <= svd * (1 + EXACT)
    assert found <= frobenius_bound(matrix)
    assert row_bound(matrix) >= np.abs(matrix).sum(1).max()


def test_low_rank_and_nothing():
    ones = np.ones((5, 7))

    assert spectral_bound(ones) == pytest.approx(np.sqrt(35), rel=EXACT)
    assert spectral_bound(np.zeros((3, 2))) == 0
    assert spectral_bound(np.zeros((3, 0))) == 0
    assert frobenius_bound(np.zeros((3, 2))) == 0
