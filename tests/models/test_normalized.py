"""The normalised model keeps the law and has conditional probabilities as tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from ghmpp.errors import ModelError
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.models.potentials import ParentOf
from tests.models.joint import joint_weights
from tests.strategies import regular_models, tree_models
from tests.tolerances import ENUMERATION, EXACT

TRANSITION = [[0.9, 0.1], [0.4, 0.6]]


@given(model=tree_models() | regular_models())
def test_the_law_is_unchanged(model):
    names, weights = joint_weights(model.graph())

    after_names, after = joint_weights(model.normalized().graph())

    assert after_names == names
    np.testing.assert_allclose(after, weights / weights.sum(), rtol=0, atol=ENUMERATION)


@given(model=tree_models() | regular_models())
def test_the_partition_function_is_one(model):
    assert model.normalized().log_partition() == pytest.approx(0, abs=EXACT)


def test_classes_below_different_subtrees_are_untied():
    table = [[2.0, 1.0], [1.0, 3.0]]
    model = Model()
    top = model.root("a", 2).children("b", 2, 2, potential=table)
    top.children("c", 2, 2, potential=table)

    forest = model.normalized().forest()

    assert model.forest().edges["c"].key == "a->b"
    assert forest.edges["c"].key == "b->c"


def test_a_stochastic_chain_is_kept():
    model = Model()
    hidden = model.chain("z", 50, 2, potential=TRANSITION, prior=[3, 1])
    hidden.children("x", 2, 2, potential=TRANSITION)

    forest = model.normalized().forest()

    np.testing.assert_allclose(forest.data["z"], [[0.75, 0.25]], rtol=EXACT)
    np.testing.assert_allclose(forest.data["z->z"], [TRANSITION], rtol=EXACT)


def test_a_chain_whose_conditionals_differ_by_step_is_refused():
    model = Model()
    model.chain("z", 5, 2, potential=[[2, 1], [1, 1]])

    with pytest.raises(ModelError, match=r"'z' share a table but need different conditionals"):
        model.normalized()


def test_an_index_map_in_a_chain_becomes_a_table():
    model = Model()
    model.chain("z", 2, 3, potential=ParentOf([0, 0, 1]), prior=[1, 1, 0])

    names, weights = joint_weights(model.graph())
    _, after = joint_weights(model.normalized().graph())

    assert names == ["z[0]", "z[1]"]
    np.testing.assert_allclose(after, weights / weights.sum(), rtol=EXACT)


def test_rule_weights_become_probabilities_given_the_parent():
    model = Model()
    model.root("symbol", 2).children("rule", 1, 3, potential=ParentOf([0, 0, 1]), prior=[1, 3, 5])

    forest = model.normalized().forest()

    np.testing.assert_allclose(forest.data["rule"], [[0.25, 0.75, 1.0]], rtol=EXACT)
    np.testing.assert_allclose(forest.data["symbol"], [[4 / 9, 5 / 9]], rtol=EXACT)


def test_a_free_model_is_refused():
    with pytest.raises(ModelError, match=r"not complete.*free tables x0->x1"):
        GHM(states=2, branching=(2,)).normalized()
