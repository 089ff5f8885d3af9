from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.models.channels import Given


def test_more_steps_can_be_worse():
    grid = nx.grid_2d_graph(3, 4)
    nx.set_edge_attributes(grid, 0.6, "coupling")
    spins = gh.PairwiseSpins.from_networkx(grid)
    lam = float(np.exp(-1.2))
    given = gh.noisy("x", sigma=float(np.sqrt(1 - lam**2)), scale=lam)

    found = gh.tune_depth(spins, gh.LoopyBP(), given, depths=(1, 4, 8, 64), n=300)

    assert found.best == 8
    assert found.errors[3] > 3 * found.errors[2]
    assert "best 8" in repr(found)


def test_states_can_be_what_is_given():
    spins = gh.PairwiseSpins(0.4 * (np.ones((4, 4)) - np.eye(4)), 0.1, {"x": 2, "theta": 2})

    found = gh.tune_depth(
        spins, gh.TAP(), Given("theta"), query=gh.posterior("x"), depths=(2, 20), n=40
    )

    assert found.best == 20


def test_what_cannot_be_tuned_is_refused():
    spins = gh.PairwiseSpins.curie_weiss(3, 0.5)

    with pytest.raises(QueryError, match="has no steps to choose"):
        gh.tune_depth(spins, object(), gh.noisy("x", sigma=1.0))
    with pytest.raises(QueryError, match="needs at least one class"):
        gh.tune_depth(spins, gh.TAP(), ())
    with pytest.raises(QueryError, match="n must be a whole number >= 1, got 0"):
        gh.tune_depth(spins, gh.TAP(), "x", n=0)
    with pytest.raises(QueryError, match="unknown class 'y'"):
        gh.tune_depth(spins, gh.TAP(), gh.noisy("y", sigma=1.0))
    with pytest.raises(QueryError, match="has no steps to choose"):
        gh.tune_depth(spins, gh.TAP, "x")
    silent = gh.LogLikelihood(lambda values, z: np.zeros((*z.shape, 2)))
    with pytest.raises(QueryError, match="nothing can be drawn from the channel of 'x'"):
        gh.tune_depth(spins, gh.TAP(), Given("x", silent))
