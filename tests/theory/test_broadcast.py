"""The Kesten-Stigum number against its closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.theory import broadcast_threshold, kesten_stigum
from tests.tolerances import EXACT


@given(flip=st.floats(0, 1), branching=st.integers(1, 8))
def test_two_states_have_the_closed_form(flip, branching):
    table = [[1 - flip, flip], [flip, 1 - flip]]

    expected = branching * (1 - 2 * flip) ** 2
    assert kesten_stigum(table, branching) == pytest.approx(expected, abs=EXACT * 10)


@pytest.mark.parametrize(("branching", "flip"), [(2, 0.1464466), (4, 0.25)])
def test_binary_threshold_has_the_published_value(branching, flip):
    assert broadcast_threshold(branching) == pytest.approx(flip, abs=1e-7)


@given(states=st.integers(2, 9), branching=st.integers(2, 9))
def test_number_is_one_at_the_threshold(states, branching):
    flip = broadcast_threshold(branching, states)
    model = gh.zoo.broadcast(2, flip, states=states, branching=branching)

    table = model.forest().data["x0->x1"][0]
    assert kesten_stigum(table, branching) == pytest.approx(1, rel=1e-9)


def test_rows_may_have_any_scale():
    table = np.array([[9.0, 1.0], [2.0, 18.0]])

    assert kesten_stigum(table, 2) == pytest.approx(2 * 0.8**2, rel=EXACT)


def test_root_is_lost_above_the_threshold_and_kept_below():
    def kept(flip):
        deep = [gh.zoo.broadcast(depth, flip) for depth in (4, 9)]
        posteriors = []
        for depth, model in zip((4, 9), deep, strict=True):
            drawn = model.sample(400, seed=1)
            beliefs = gh.infer(model, {f"x{depth}": drawn[f"x{depth}"]})
            true = np.take_along_axis(beliefs["x0"], drawn["x0"], axis=1)
            posteriors.append(true.mean() - 0.5)
        return posteriors[1] / posteriors[0]

    assert kept(0.05) > 0.8
    assert kept(0.3) < 0.4


@pytest.mark.parametrize("table", [[[1, 2, 3]], [[1]], [1, 2]])
def test_tables_that_are_not_square_are_refused(table):
    with pytest.raises(ModelError, match=r"must have shape \(states, states\)"):
        kesten_stigum(table, 2)


@pytest.mark.parametrize("table", [[[1, -1], [1, 1]], [[0, 0], [1, 1]], [[1, np.nan], [1, 1]]])
def test_tables_that_are_no_weights_are_refused(table):
    with pytest.raises(ModelError, match="entries must be finite and >= 0"):
        kesten_stigum(table, 2)


@pytest.mark.parametrize(("branching", "states"), [(0.5, 2), (2, 1)])
def test_thresholds_need_a_tree_and_two_states(branching, states):
    with pytest.raises(ModelError, match="needs branching >= 1 and states >= 2"):
        broadcast_threshold(branching, states)
