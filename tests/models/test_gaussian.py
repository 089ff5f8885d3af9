"""Gaussian hierarchical models: what is declared, what it means, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.declared import FieldModel
from ghmpp.models.directed import conditionals
from tests.dense_gaussians import joint
from tests.tolerances import EXACT, SIGMAS


def test_numbers_serve_all_levels_and_lists_one_level_each():
    model = gh.GaussianGHM(
        branching=(2, 3), weights=0.5, noises=[0.1, [1.0, 2.0, 3.0]], offsets=[0.0, [1, 2, 3]]
    )

    data = model.forest().data

    assert data["component->x0"].tolist() == [[[0.0, 0.0, 1.0]]]
    assert data["x0->x1"].tolist() == [[[0.5, 0.0, 0.1]]]
    assert data["x1->x2"][:, 0].tolist() == [[0.5, 1, 1], [0.5, 2, 2], [0.5, 3, 3]]


def test_classes_are_real_and_named_by_layers():
    model = gh.GaussianGHM(branching=(2, 3), name="tree")

    assert isinstance(model, FieldModel)
    assert {name: each.nodes for name, each in model.variables.items()} == {
        "x0": 1,
        "x1": 2,
        "x2": 6,
    }
    assert all(each.real for each in model.variables.values())
    assert repr(model) == "GaussianGHM 'tree': branching (2, 3)"
    assert model.forest().leaves == ("x2",)


def test_where_nothing_is_said_the_leaves_are_denoised():
    model = gh.GaussianGHM(branching=(2, 3))

    assert model.question() == (gh.mean("x2"), (gh.noisy("x2", sigma=1.0),))
    assert gh.compile(model, *model.question()).network()(np.ones((1, 6))).shape == (1, 6)


def test_a_model_is_frozen():
    model = gh.GaussianGHM(branching=[2, 3])

    with pytest.raises(AttributeError):
        model.name = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        model.forest().data["x0->x1"][0, 0, 2] = -1.0
    assert model.branching == (2, 3)


def test_moments_are_those_of_the_linear_system():
    model = gh.GaussianGHM(
        branching=(2, 3),
        weights=[0.9, [0.5, -1.0, 2.0]],
        noises=[0.3, [0.1, 2.0, 1.0]],
        offsets=[1.0, -0.5],
        root_mean=0.3,
        root_variance=1.7,
    )

    mean, covariance = model.moments()

    expected, around, _ = joint(model.forest(), {("component", 0): 0})
    assert np.abs(mean - expected).max() <= EXACT
    assert np.abs(covariance - around).max() <= 10 * EXACT


def test_samples_have_these_moments():
    model = gh.GaussianGHM(
        branching=(2, 2), weights=[0.9, [0.5, -1.0]], noises=[0.3, [0.1, 2.0]], offsets=0.5
    )
    n = 20_000

    drawn = model.sample(n, seed=4)

    whole = np.concatenate([drawn[name] for name in model.layers], axis=1)
    mean, covariance = model.moments()
    spread = np.sqrt(np.diag(covariance) / n)
    assert (np.abs(whole.mean(0) - mean) <= SIGMAS * spread).all()
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) * 2 / n)
    assert (np.abs(np.cov(whole.T) - covariance) <= SIGMAS * scale).all()


def test_samples_are_those_of_the_seed():
    model = gh.GaussianGHM(branching=(2,))

    assert np.array_equal(model.sample(3, seed=1)["x1"], model.sample(3, seed=1)["x1"])
    assert not np.array_equal(model.sample(3, seed=1)["x1"], model.sample(3, seed=2)["x1"])
    assert {name: x.shape for name, x in model.sample(0).items()} == {"x0": (0, 1), "x1": (0, 2)}
    with pytest.raises(ModelError, match="n must be"):
        model.sample(-1)


def test_real_leaves_lie_below_the_leaves_of_a_discrete_model_in_its_order():
    above = gh.GHM(states=(2, 2), branching=(3,), tables=[[[1, 1], [1, 1]]], order=[2, 0, 1])
    far = gh.GaussianGHM(
        branching=(2,),
        root_mean=[-100.0, 100.0],
        above=above,
        prefix="y",
    )

    drawn = far.sample(50, seed=0)

    signs = np.where(drawn["x1"] == 0, -1, 1)
    assert set(drawn) == {"x0", "x1", "y0", "y1"}
    assert (np.sign(drawn["y0"]) == signs).all()
    assert (np.sign(drawn["y1"]) == np.repeat(signs, 2, axis=1)).all()
    network = gh.compile(far, gh.posterior("x1"), gh.noisy("y1", sigma=1.0)).network()
    assert (network(drawn["y1"]).argmax(-1).numpy() == drawn["x1"]).all()


def test_joint_rules_and_junction_trees_may_be_above():
    grammar = gh.grammar("S -> A B [0.7] | B A [0.3]")
    model = gh.GaussianGHM(branching=(1,), root_mean=[-3.0, 3.0], above=grammar, prefix="y")

    network = gh.compile(model, gh.posterior("x0"), gh.noisy("y1", sigma=1.0)).network()

    drawn = model.sample(20, seed=0)
    assert network(drawn["y1"]).shape == (20, 1)


def test_a_model_above_may_be_learned_later():
    model = gh.GaussianGHM(branching=(2,), above=gh.GHM(2, (2,)), prefix="y")
    program = gh.compile(model, gh.posterior("x0"), gh.noisy("y1", sigma=1.0))

    with pytest.raises(ModelError, match="free tables x0->x1"):
        program.network()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noises": 0.0}, "noises of level 1 must be > 0"),
        ({"noises": [1.0, [1.0, -1.0, 2.0]]}, "noises of level 2 must be > 0"),
        ({"noises": 1e-40}, "at least 1e-30"),
        ({"root_variance": 0.0}, "root_variance must be > 0"),
        ({"root_variance": np.nan}, "root_variance must be > 0"),
        ({"root_mean": np.inf}, "root_mean must be"),
        ({"root_mean": [1.0, 2.0]}, r"root_mean must be a number or have shape \(1,\)"),
        ({"weights": np.nan}, "weights of level 1 must be"),
        ({"weights": [1.0]}, "an entry for each of the 2 levels"),
        ({"weights": [1.0, [1.0, 2.0]]}, r"weights of level 2 must be .* shape \(3,\), got \(2,\)"),
        ({"weights": "heavy"}, "weights of level 1 must be an array of numbers"),
        ({"weights": 1j}, "must be an array of numbers"),
        ({"weights": None}, "must be a number, or a list"),
        ({"offsets": [0.0, [[1.0]]]}, "offsets of level 2"),
        ({"branching": ()}, "branching must be"),
        ({"branching": 2}, "branching must be"),
        ({"branching": (2, 0)}, "branching must be"),
        ({"branching": (2, 1.5)}, "branching must be"),
        ({"branching": "ab"}, "branching must be"),
        ({"branching": (2,) * 20, "weights": 10.0}, "'x15' may exceed 1e\\+15"),
        ({"above": gh.GaussianGHM(branching=(2,))}, "above must be a discrete ghmpp Model"),
        ({"above": gh.GHM(2, (2,))}, "'x0' is also a class of 'ghm'; choose a prefix"),
        (
            {"above": gh.GHM(2, (2,)), "below": "x0", "prefix": "y"},
            r"below must name .* \(x1\), got 'x0'",
        ),
        (
            {"above": gh.GHM(2, (2,)), "prefix": "y", "root_mean": [0.0, 1.0, 2.0]},
            r"root_mean must be a number or have shape \(2,\)",
        ),
    ],
)
def test_wrong_declarations_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        gh.GaussianGHM(**{"branching": (2, 3), **arguments})


def test_several_classes_of_leaves_need_a_name():
    above = gh.Model("two")
    root = above.root("s", 2)
    root.children("a", 1, 2, potential=np.ones((2, 2)))
    root.children("b", 1, 2, potential=np.ones((2, 2)))

    with pytest.raises(ModelError, match=r"below must name a class of leaves of 'two' \(a, b\)"):
        gh.GaussianGHM(branching=(2,), above=above)
    assert gh.GaussianGHM(branching=(2,), above=above, below="b").forest().edges["x0"].parent == "b"


@pytest.mark.parametrize("given", ["x2", gh.compile])
def test_real_variables_are_not_observed_exactly(given):
    model = gh.GaussianGHM(branching=(2, 2))
    if callable(given):
        given = gh.noisy("x2", sigma=1.0).__class__(
            "x2", gh.LogLikelihood(lambda values, z: values - z)
        )

    with pytest.raises(QueryError, match=r"gh\.noisy\('x2', sigma"):
        gh.compile(model, gh.mean("x0"), [given])


@pytest.mark.parametrize("query", [gh.posterior("x1"), gh.edge("x1")])
def test_real_variables_have_no_state_probabilities(query):
    model = gh.GaussianGHM(branching=(2, 2))

    with pytest.raises(QueryError, match="mean or variance"):
        gh.compile(model, query, gh.noisy("x2", sigma=1.0))


def test_a_mixture_has_no_two_moments():
    model = gh.GaussianGHM(branching=(2,), above=gh.GHM(2, (2,)), prefix="y")

    with pytest.raises(QueryError, match="mixture over the states of 'ghm'"):
        model.moments()


def test_real_variables_have_no_tables_of_probabilities():
    with pytest.raises(ModelError, match="densities and no tables"):
        conditionals(gh.GaussianGHM(branching=(2,)).forest())
