"""Sparse coding as schedules: optimality conditions, and an independent solver."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.errors import QueryError
from ghmpp.schedule.functions import Function, evaluate
from tests.tolerances import EXACT, FORWARD, OPTIMALITY

ENGINES = [gh.LayeredThresholding(), gh.ISTA(7), gh.MLISTA(7), gh.LISTA(7)]


def unit(rng, nodes, atoms):
    """Random atoms of unit length."""
    atoms = rng.normal(size=(nodes, atoms))
    return atoms / np.linalg.norm(atoms, axis=0)


def two_layers(seed=0, **options):
    """Dictionaries 8 x 10 and 10 x 12, with five rows of sparse signals in a little noise."""
    rng = np.random.default_rng(seed)
    first, second = unit(rng, 8, 10), unit(rng, 10, 12)
    deep = np.where(rng.random((5, 12)) < 0.25, 2 * rng.normal(size=(5, 12)), 0)
    x = deep @ (first @ second).T + 0.05 * rng.normal(size=(5, 8))
    return gh.LinearHierarchy([first, second], [0.1, 0.05], **options), x


def solve(model, engine, x, layer):
    """The code of a layer by the reference interpreter."""
    schedule = engine.build(model.forest(), [("code", layer)], ["x0"])
    return run(schedule, {"x0": x[..., None]}, LogFloat())["code", layer]


def soft(x, threshold):
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


def objective(model, x, deep):
    """What ML-ISTA minimises, for one row."""
    (first, second), weights = model.dictionaries, model.thresholds
    middle = second @ deep
    missed = x - first @ middle
    return missed @ missed / 2 + weights[0] * np.abs(middle).sum() + weights[1] * np.abs(deep).sum()


def least(model, x, rounds=20_000):
    """The minimum of the objective by ADMM, for one row."""
    (first, second), weights = model.dictionaries, model.thresholds
    whole = first @ second
    stacked = np.vstack([second, np.eye(second.shape[1])])
    limits = np.repeat(weights, second.shape)
    inverse = np.linalg.inv(whole.T @ whole + stacked.T @ stacked)
    split = dual = np.zeros(len(stacked))
    for _ in range(rounds):
        deep = inverse @ (whole.T @ x + stacked.T @ (split - dual))
        split = soft(stacked @ deep + dual, limits)
        dual = dual + stacked @ deep - split
    return min(objective(model, x, found) for found in (deep, split[len(second) :]))


def test_soft_threshold_is_two_relus_exactly():
    x = np.random.default_rng(0).normal(size=1000)
    both = np.maximum(x - 0.3, 0) - np.maximum(-x - 0.3, 0)

    assert (evaluate(Function("soft", 0.3), (x,)) == both).all()
    assert (soft(x, 0.3) == both).all()


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_networks_agree_with_the_reference(engine, nonnegative):
    model, x = two_layers(nonnegative=nonnegative)
    for layer in ("x0", "x1", "x2"):
        network = gh.compile(model, gh.code(layer), ["x0"], engine=engine).network()

        assert np.abs(network(x).numpy() - solve(model, engine, x, layer)).max() < EXACT


def test_layered_thresholding_is_a_forward_pass():
    model, x = two_layers()
    (first, second), weights = model.dictionaries, model.thresholds
    middle = soft(x @ first, weights[0])

    assert np.abs(solve(model, gh.LayeredThresholding(), x, "x1") - middle).max() < EXACT
    deep = soft(middle @ second, weights[1])
    assert np.abs(solve(model, gh.LayeredThresholding(), x, "x2") - deep).max() < EXACT


def test_nonnegative_codes_are_a_network_with_bias_and_relu():
    model, x = two_layers(nonnegative=True)
    middle = np.maximum(x @ model.dictionaries[0] - 0.1, 0)

    assert np.abs(solve(model, gh.LayeredThresholding(), x, "x1") - middle).max() < EXACT


@pytest.mark.parametrize("step", [1.0, 0.3])
def test_one_step_of_mlista_is_the_forward_pass_times_its_step(step):
    """At step 1 it is the forward pass itself."""
    model, x = two_layers()
    smaller = gh.LinearHierarchy([0.25 * d for d in model.dictionaries], model.thresholds)
    norm = smaller.check()[1].norm
    rho = 0.9 / smaller.check()[0].norm
    assert step < 1.5 * rho / norm
    once = solve(smaller, gh.MLISTA(1, rho, step), x, "x2")

    assert np.abs(once - step * solve(smaller, gh.LayeredThresholding(), x, "x2")).max() < FORWARD
    assert np.abs(once).max() > 0.01 * step


def test_ista_satisfies_the_optimality_conditions():
    rng = np.random.default_rng(0)
    model = gh.LinearHierarchy([unit(rng, 20, 25)], 0.3)
    x = rng.normal(size=(5, 20))
    code = solve(model, gh.ISTA(1000), x, "x1")
    slope = (code @ model.dictionaries[0].T - x) @ model.dictionaries[0]
    active = code != 0

    assert np.abs(slope + 0.3 * np.sign(code))[active].max() <= OPTIMALITY
    assert np.abs(slope[~active]).max() <= 0.3 + OPTIMALITY
    assert 0.1 < active.mean() < 0.9


def test_lista_starts_as_ista():
    model, x = two_layers()

    assert (
        np.abs(solve(model, gh.LISTA(7), x, "x2") - solve(model, gh.ISTA(7), x, "x2")).max() < EXACT
    )


def test_lista_has_weights_of_its_own_for_every_step():
    model, _ = two_layers()
    forest = gh.LISTA(3).build(model.forest(), [("code", "x2")], ["x0"]).forest
    own = {name for name in forest.couplings if name.startswith(("B2", "S2", "b2"))}

    assert own == {"B2 0", "B2 1", "B2 2", "S2 1", "S2 2", "b2 0", "b2 1", "b2 2"}


def test_trained_lista_beats_ista_of_the_same_depth():
    rng = np.random.default_rng(0)
    model = gh.LinearHierarchy([unit(rng, 10, 20)], 0.05)
    codes = torch.tensor(np.where(rng.random((2, 300, 20)) < 0.1, rng.normal(size=20), 0))
    seen, unseen = codes @ torch.tensor(model.dictionaries[0]).T
    program = gh.compile(model, gh.code("x1"), ["x0"], engine=gh.LISTA(4))
    network = program.network("trainable", init="relu", dtype="float64")
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        ((network(seen) - codes[0]) ** 2).mean().backward()
        optimizer.step()
    before, after = (
        ((each(unseen) - codes[1]) ** 2).mean().item() for each in (program.network(), network)
    )

    assert set(network.fields.couplings) == set(program.schedule.forest.couplings)
    assert after < before / 2


def test_bias_of_mlista_is_proportional_to_rho():
    model, (_, *rows) = two_layers()  # the first row takes many more steps to converge
    best = [least(model, x, rounds=5000) for x in rows]
    norm = model.check()[0].norm
    gaps = []
    for share, steps in ((0.9, 2000), (0.1, 8000)):
        deep = solve(model, gh.MLISTA(steps, share / norm), np.array(rows), "x2")
        found = [objective(model, x, each) for x, each in zip(rows, deep, strict=True)]
        gaps.append(np.subtract(found, best))

    assert gaps[1].min() > 1e-4
    assert (gaps[0] / gaps[1] >= 5).all()
    assert (gaps[0] / gaps[1] <= 15).all()


def test_one_layer_of_mlista_is_ista():
    rng = np.random.default_rng(0)
    model, x = gh.LinearHierarchy([unit(rng, 8, 10)], 0.1), rng.normal(size=(3, 8))
    rate = 0.9 / model.check()[0].norm
    both = [solve(model, engine, x, "x1") for engine in (gh.MLISTA(9, rate), gh.ISTA(9, rate))]

    assert np.abs(both[0] - both[1]).max() < EXACT


def test_three_layers_of_mlista_descend():
    rng = np.random.default_rng(0)
    atoms = [unit(rng, 8, 10), unit(rng, 10, 12), unit(rng, 12, 14)]
    model, x = gh.LinearHierarchy(atoms, 0.02), rng.normal(size=(1, 8))
    energies = []
    for steps in (1, 10, 100):
        codes = [solve(model, gh.MLISTA(steps), x, f"x{layer}")[0] for layer in range(4)]
        energies.append(
            ((x[0] - codes[0]) ** 2).sum() / 2 + 0.02 * sum(np.abs(c).sum() for c in codes[1:])
        )

    assert energies[0] > energies[1] > energies[2]


def test_supports_below_the_coherence_bound_are_found():
    model = gh.LinearHierarchy([np.hstack([np.eye(64), hadamard(64) / 8])], 0.02)
    rng = np.random.default_rng(0)
    codes = np.zeros((200, 128))
    for row in codes:
        row[rng.choice(128, 3, replace=False)] = rng.choice([-1, 1], 3) * rng.uniform(0.5, 1.5, 3)
    found = solve(model, gh.ISTA(100), codes @ model.dictionaries[0].T, "x1")

    assert model.check()[0].unique_below > 3
    assert ((found != 0) == (codes != 0)).all()


def test_default_engine_is_ista():
    model, x = two_layers()
    network = gh.compile(model, gh.code("x2"), ["x0"]).network()

    assert np.abs(network(x).numpy() - solve(model, gh.ISTA(), x, "x2")).max() < EXACT


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (gh.ISTA(5, step=2.0), r"ISTA: step must be > 0 and below 2 / \|D1\|\^2 = 0\.\d+.*got 2"),
        (gh.ISTA(5, step="small"), "ISTA: step must be > 0 and below.*got 'small'"),
        (gh.MLISTA(5, rho=2.0), r"rho must be > 0 and below 1 / \|D1\|\^2"),
        (gh.MLISTA(5, step=-1.0), r"step must be > 0 and below 1\.5 rho / \|D2\|\^2"),
    ],
)
def test_steps_without_guarantee_are_refused_with_the_bound(engine, words):
    model, x = two_layers()

    with pytest.raises(QueryError, match=words):
        solve(model, engine, x, "x2")


@pytest.mark.parametrize("engine", [gh.ISTA, gh.MLISTA, gh.LISTA])
@pytest.mark.parametrize("steps", [0, 1.5, True, None, "many", float("inf")])
def test_steps_must_be_a_count(engine, steps):
    with pytest.raises(QueryError, match="steps must be a whole number >= 1"):
        engine(steps)


@pytest.mark.parametrize(
    ("outputs", "observed", "words"),
    [
        ([("mean", "x1")], ["x0"], "cannot answer mean of 'x1'; ask for its code"),
        ([("code", "x1")], ["x1"], "exactly 'x0' must be given, got x1"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
def test_other_questions_are_refused(engine, outputs, observed, words):
    with pytest.raises(QueryError, match=words):
        engine.build(two_layers()[0].forest(), outputs, observed)


def test_other_models_are_refused():
    forest = gh.LatentGaussian([(np.eye(2), None)], 0.1).forest()

    with pytest.raises(QueryError, match="is no hierarchy of dictionaries"):
        gh.ISTA().build(forest, [("code", "z")], ["x"])
