"""The declaration of layered sparse codes, and what is known of its dictionaries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import hadamard

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.declared import FieldModel
from ghmpp.models.linear_hierarchy import coherence
from tests.tolerances import EXACT

SPIKES_AND_WAVES = np.hstack([np.eye(64), hadamard(64) / 8])


def test_it_is_a_declaration_for_the_compiler():
    model = gh.LinearHierarchy([np.eye(2), np.eye(2)])
    query, given = model.question()

    assert isinstance(model, FieldModel)
    assert gh.compile(model, query, given).queries == (gh.code("x2"),)


def test_coherence_of_spikes_and_waves_is_known():
    (found,) = gh.LinearHierarchy([SPIKES_AND_WAVES]).check()

    assert found.coherence == 0.125
    assert found.unique_below == 4.5
    assert found.norm == pytest.approx(2, abs=EXACT)
    assert repr(found) == (
        "D1: 128 atoms in 64 dimensions, coherence 0.125, codes unique below 4.5 atoms, "
        "squared norm 2"
    )


def test_coherence_does_not_depend_on_the_length_of_atoms():
    lengths = np.random.default_rng(0).uniform(0.5, 3, 128)

    assert coherence(SPIKES_AND_WAVES * lengths) == pytest.approx(0.125, abs=EXACT)


def test_orthogonal_atoms_are_always_unique():
    (found,) = gh.LinearHierarchy([np.eye(3)]).check()

    assert found.unique_below == np.inf


def test_forest_has_one_block_a_layer():
    model = gh.LinearHierarchy([np.ones((2, 3)), np.ones((3, 4))], [0.1, 0.2], nonnegative=True)
    forest = model.forest()

    assert [block.nodes for block in forest.blocks.values()] == [2, 3, 4]
    assert forest.blocks["x2"].function == "relu"
    assert set(forest.couplings) == {"D1", "D2", "threshold 1", "threshold 2"}
    assert (forest.data["threshold 2"] == 0.2).all()
    assert repr(model) == "LinearHierarchy 'hierarchy': x0 2 <- x1 3 <- x2 4"


@pytest.mark.parametrize(
    ("dictionaries", "thresholds", "words"),
    [
        ([], 0.1, "needs at least one dictionary"),
        ([np.eye(2), np.eye(3)], 0.1, r"D2 must have 2 rows.*got shape \(3, 3\)"),
        ([np.zeros(3)], 0.1, "D1: must be a finite matrix"),
        ([np.full((2, 2), np.inf)], 0.1, "with NaN or infinity"),
        ([np.diag([1.0, 0.0])], 0.1, "D1: atom 1 is zero"),
        ([np.eye(2)], -0.1, "thresholds must be finite and >= 0"),
        ([np.eye(2)], "low", "thresholds must be an array of numbers"),
        ("ab", 0.1, "dictionaries must be a list of matrices, got 'ab'"),
        (None, 0.1, "dictionaries must be a list of matrices"),
        ([[[1.0, 2.0], [3.0]]], 0.1, "D1 must be an array of numbers"),
        ([1j * np.eye(2)], 0.1, "D1 must be an array of numbers"),
        ([np.eye(2)], [0.1, 0.2], "one number for each of 1 layers"),
    ],
)
def test_what_is_no_hierarchy_is_refused(dictionaries, thresholds, words):
    with pytest.raises(ModelError, match=words):
        gh.LinearHierarchy(dictionaries, thresholds)


def test_channels_are_refused():
    with pytest.raises(QueryError, match="sparse codes have no noise model"):
        gh.compile(gh.LinearHierarchy([np.eye(2)]), gh.code("x1"), [gh.noisy("x0", sigma=0.1)])


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError, match="thresholds"):
        gh.LinearHierarchy([np.eye(2)]).thresholds = (0.0,)
