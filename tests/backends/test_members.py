"""Observations of single variables as those of the class that they were put into."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.members import gather
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Gaussian
from ghmpp.models.grouping import group
from ghmpp.models.observations import Observation
from tests.tolerances import EXACT

TABLE = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def star() -> nx.DiGraph:
    """Three variables below one, all with the same table."""
    graph = nx.DiGraph()
    graph.add_node("top", states=2, prior=[0.4, 0.6])
    for name in "abc":
        graph.add_node(name, states=[0, 1, 2])
        graph.add_edge("top", name, potential=TABLE)
    return graph


FOREST = group(gh.from_networkx(star()).forest())
STATES = Observation("states", torch.tensor([[2], [-1]]))
VALUES = Observation("values", torch.tensor([[0.5], [np.nan]]), Gaussian(2.0))


def test_observations_of_one_kind_stay_of_that_kind():
    ((_, found),) = gather({"c": STATES, "a": STATES}, FOREST).items()
    place = {name: FOREST.grouping.members[name][0][1] for name in "abc"}

    assert found.kind == "states"
    assert found.array[:, [place[name] for name in "abc"]].tolist() == [[2, -1, 2], [-1, -1, -1]]


def test_narrow_and_wide_integers_meet():
    narrow = Observation("states", torch.tensor([[1], [0]], dtype=torch.int8))
    ((_, found),) = gather({"a": narrow, "b": STATES}, FOREST).items()

    assert sorted(found.array[0].tolist()) == [-1, 1, 2]


def test_different_kinds_meet_as_log_likelihoods():
    ((_, found),) = gather({"a": STATES, "b": VALUES}, FOREST).items()
    place = {name: FOREST.grouping.members[name][0][1] for name in "abc"}

    assert found.kind == "log_likelihood"
    assert found.array[0, place["a"]].tolist() == [-np.inf, -np.inf, 0.0]
    expected = Gaussian(2.0).log_likelihood(np.arange(3.0), np.array(0.5))
    np.testing.assert_allclose(found.array[0, place["b"]], expected, rtol=EXACT)
    assert not found.array[1].any()
    assert not found.array[0, place["c"]].any()


def test_different_kinds_meet_in_a_run():
    found = gh.infer(star(), {"a": [2], "b": gh.Observed([0.5], Gaussian(2.0))})

    likelihood = np.exp(Gaussian(2.0).log_likelihood(np.arange(3.0), np.array(0.5)))
    weights = np.array([0.4, 0.6]) * TABLE[:, 2] * (TABLE @ likelihood)
    np.testing.assert_allclose(found["top"][0], weights / weights.sum(), rtol=EXACT)
    np.testing.assert_allclose(found.log_evidence, [np.log(weights.sum())], rtol=EXACT)


def test_no_gradient_passes_from_one_kind_to_another():
    z = torch.tensor([[0.5], [1.0]], requires_grad=True)

    with pytest.raises(EvidenceError, match="'b': observations of different kinds meet in one cl"):
        gather({"a": STATES, "b": Observation("values", z, Gaussian(2.0))}, FOREST)
