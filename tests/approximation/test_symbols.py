"""Exact nets for observed symbols."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.approximation.symbols import SymbolNet
from tests.tolerances import EXACT


@given(states=st.integers(1, 9), symbols=st.integers(2, 9), seed=st.integers(0, 99))
def test_table_is_represented_exactly(states, symbols, seed):
    logs = 5 * np.random.default_rng(seed).normal(size=(symbols, states))
    net, x = SymbolNet(logs), np.arange(symbols)

    np.testing.assert_array_equal(net(x), logs)
    np.testing.assert_allclose(net.dense(x), logs, rtol=EXACT, atol=1e-11)


def test_width_is_one_more_than_the_states():
    assert SymbolNet(np.zeros((4, 6))).widths == (4, 7)


def test_missing_symbol_is_one_more():
    table = np.array([[0.2, 0.8], [0.7, 0.3]])
    logs = np.log(np.vstack([table.T, table.sum(axis=1)]))

    np.testing.assert_allclose(SymbolNet(logs).dense([[2, 0]]), [[[0, 0], logs[0]]], atol=EXACT)
