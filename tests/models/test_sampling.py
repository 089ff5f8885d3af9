"""Samples are compared with the exact law: frequencies within a few standard deviations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import chi2

from ghmpp.errors import ModelError, ResourceError
from ghmpp.models.ghm import GHM
from ghmpp.models.layouts import morton_order
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf
from ghmpp.models.sampling import sample
from tests.models.joint import joint_weights
from tests.strategies import models
from tests.tolerances import SIGMAS

DRAWS = 4000


@settings(max_examples=15)
@given(model=models(limit=200))
def test_configurations_have_the_frequencies_of_the_law(model):
    names, weights = joint_weights(model.graph())
    expected = DRAWS * weights / weights.sum()

    counts = np.zeros(weights.shape)
    np.add.at(counts, tuple(_columns(model, names, DRAWS)), 1)

    assert not counts[expected == 0].any()
    rare = expected < 5
    found = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(expected[~rare], expected[rare].sum())
    present = wanted > 1
    distance = ((found - wanted)[present] ** 2 / wanted[present]).sum()
    assert distance < chi2.isf(1e-6, max(present.sum() - 1, 1))


def _columns(model, names, n):
    drawn = model.sample(n, seed=1)
    for name in names:
        variable, _, position = name.partition("[")
        yield drawn[variable][:, int(position[:-1]) if position else 0]


def test_the_seed_decides_the_samples():
    model = GHM(states=4, branching=(3, 3), tables=[np.ones((4, 4))] * 2)

    first, again, other = model.sample(5, 7), model.sample(5, 7), model.sample(5, 8)

    np.testing.assert_array_equal(first["x2"], again["x2"])
    assert (first["x2"] != other["x2"]).any()


def test_arrays_are_samples_by_nodes():
    model = GHM(states=(2, 3, 4), branching=(2, 5), tables=[np.ones((2, 3)), np.ones((3, 4))])

    drawn = model.sample(7)

    assert {name: (x.shape, x.dtype) for name, x in drawn.items()} == {
        "x0": ((7, 1), np.int64),
        "x1": ((7, 2), np.int64),
        "x2": ((7, 10), np.int64),
    }


def test_no_samples_are_empty_arrays():
    model = GHM(states=2, branching=(3,), tables=[np.ones((2, 2))])

    assert model.sample(0)["x1"].shape == (0, 3)


def test_samples_are_in_the_users_order():
    rank_to_state = np.eye(4)[:, None, :]
    model = Model()
    quad = model.root("a", 1).children("b", 4, 4, potential=rank_to_state)
    copy = np.eye(4)
    quad.children("pixel", 4, 4, potential=copy, order=morton_order(4))

    picture = model.sample(1)["pixel"].reshape(4, 4)

    np.testing.assert_array_equal(picture, np.kron([[0, 1], [2, 3]], np.ones((2, 2))))


def test_index_maps_are_obeyed():
    model = Model()
    symbol = model.root("symbol", 2)
    rule = symbol.children("rule", 1, 4, potential=ParentOf([0, 0, 1, 1]), prior=[1, 3, 0, 2])
    rule.children("left", 1, 3, potential=ChildOf([2, 1, 0, 0]))

    drawn = {name: x[:, 0] for name, x in model.sample(DRAWS).items()}

    np.testing.assert_array_equal(drawn["symbol"], np.array([0, 0, 1, 1])[drawn["rule"]])
    np.testing.assert_array_equal(drawn["left"], np.array([2, 1, 0, 0])[drawn["rule"]])
    assert set(drawn["rule"]) == {0, 1, 3}


@pytest.mark.slow
def test_a_long_chain_has_the_stationary_frequencies():
    model = Model()
    hidden = model.chain("z", 20_000, 2, potential=[[0.9, 0.1], [0.3, 0.7]])
    hidden.children("x", 1, 2, potential=np.eye(2))

    drawn = sample(model.forest(), 1, np.random.default_rng(0))

    # The autocorrelation 0.6 of the chain inflates the variance of the mean by 4.
    tolerance = SIGMAS * np.sqrt(4 * 0.75 * 0.25 / 20_000)
    assert drawn["z"].mean() == pytest.approx(0.25, abs=tolerance)
    np.testing.assert_array_equal(drawn["x"], drawn["z"])


def test_a_negative_number_of_samples_is_refused():
    model = GHM(states=2, branching=(2,), tables=[np.ones((2, 2))])

    with pytest.raises(ModelError, match="n must be a whole number >= 0, got -1"):
        model.sample(-1)


def test_samples_too_big_for_memory_are_refused_before_anything_is_made():
    model = GHM(states=(4,) * 30, branching=(2,) * 29).initialise(0)

    with pytest.raises(ResourceError, match=r"5 draws from .* need .* limit is .*: 'x29' with"):
        model.sample(5)


def test_too_many_draws_are_refused_with_the_cure():
    with pytest.raises(ResourceError, match=r"PiB, .* draw fewer at a time"):
        GHM(states=(2, 2), branching=(2,)).initialise(0).sample(10**15)
