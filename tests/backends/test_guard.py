"""Tables with zeros and contradictory evidence: never NaN, never wrong, and counted."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp._arrays import FloatArray
from ghmpp.backends.chunk import Chunks
from ghmpp.backends.network import Network
from ghmpp.models.model import Model
from ghmpp.models.observations import LogLikelihoods, Observation, Observed
from ghmpp.verification.recursion import log_recursion
from tests.tolerances import ENUMERATION

SINGLE = 1e-4
TOLERANCE = {"float32": SINGLE, "float64": ENUMERATION}
VALUES = np.arange(3.0)
TREES = {"4": (4,), "4x4": (4, 4), "2^5": (2,) * 5, "64": (64,), "1000": (1000,)}


def table(kind: str, eps: float) -> FloatArray:
    """Nearly the identity: positive, with zeros, or with a state that two parents share."""
    rows = {
        "positive": [[1, eps, eps], [eps, 1, eps], [eps, eps, 1]],
        "zeros": [[1, eps, 0], [0, 1, eps], [eps, 0, 1]],
        "shared": [[1, eps, 0], [1, 1, 0], [0, eps, 1]],
    }
    return np.array(rows[kind], dtype=np.float64)


def tree(branching: tuple[int, ...], table: FloatArray) -> Model:
    """A regular tree of three states per node."""
    levels = len(branching)
    return gh.GHM(
        states=(3,) * (levels + 1),
        branching=branching,
        tables=[table] * levels,
        state_values=VALUES,
    )


def contradictions(kind: str, leaves: int) -> tuple[object, FloatArray]:
    """Evidence at the leaves that disagrees as much as it can, and its log-likelihoods."""
    rng = np.random.default_rng(0)
    if kind == "states":
        x = rng.integers(-1, 3, size=(4, leaves))
        x[0], x[1], x[1, -1] = np.arange(leaves) % 2, 0, 1
        seen = (x[..., None] == np.arange(3)) | (x[..., None] < 0)
        return x, np.where(seen, 0.0, -np.inf)
    if kind == "far":
        z = rng.choice([-1e3, 1e3, 0.5, 1.5, np.nan], size=(4, leaves))
        logs = -((z[..., None] - VALUES) ** 2) / 2 - 0.5 * np.log(2 * np.pi)
        return Observed(z, gh.Gaussian(1.0)), np.where(np.isnan(logs), 0.0, logs)
    powers = rng.integers(-2, 1, size=(4, leaves, 3)) * 200.0
    logs = powers * np.log(2)
    return (2.0**powers if kind == "ratios" else LogLikelihoods(logs)), logs


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["states", "far", "ratios", "log ratios"])
@pytest.mark.parametrize("name", TREES)
def test_contradictions_are_answered_as_by_a_recursion_in_logarithms(name, kind, dtype):
    levels = len(TREES[name])
    evidence, logs = contradictions(kind, int(np.prod(TREES[name])))
    for shape, eps in (("positive", 1e-20), ("zeros", 1e-20), ("shared", 1e-3)):
        model = tree(TREES[name], table(shape, eps))
        truth = log_recursion(model.forest(), {f"x{levels}": logs}, edges=False)
        beliefs = gh.infer(model, {f"x{levels}": evidence}, dtype=dtype, on_impossible="flag")

        expected, allowed = truth.log_evidence, TOLERANCE[dtype]
        assert (beliefs.possible == (expected > -np.inf)).all()
        np.testing.assert_allclose(beliefs.log_evidence, expected, rtol=allowed, atol=allowed)
        for variable, posterior in truth.posteriors.items():
            found = beliefs[variable].reshape(posterior.shape)
            np.testing.assert_allclose(found, posterior, rtol=0, atol=allowed)


COPIES = tree((4,), np.eye(3))
AGREE = np.tile([1.0, 1e-30, 1e-30], (1, 4, 1))
CLASH = np.array([[[1.0, 1e-30, 1e-30], [1e-30, 1.0, 1e-25]] * 2])


@pytest.mark.parametrize("chunk", [None, 1, 2])
@pytest.mark.parametrize(("agreeing", "clashing"), [(3, 0), (3, 1), (0, 5), (2, 2)])
def test_rows_that_lost_digits_are_run_again_and_counted(agreeing, clashing, chunk):
    engine = gh.Inference(COPIES, dtype="float32", batch_size=chunk)
    rows = np.concatenate([AGREE] * agreeing + [CLASH] * clashing)
    beliefs = engine.posteriors({"x1": rows})

    weights = rows.prod(1)
    expected = weights / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(beliefs["x0"], expected, rtol=0, atol=SINGLE)
    assert beliefs.repeated_rows == clashing


@pytest.mark.parametrize("clashing", [1, 3])
def test_counts_are_those_of_repeated_and_other_rows(clashing):
    rows = np.concatenate([AGREE, *[CLASH] * clashing, AGREE][: clashing + 2])
    single, _ = gh.Inference(COPIES, dtype="float32").expected_counts({"x1": rows})
    double, _ = gh.Inference(COPIES).expected_counts({"x1": rows})

    for key, counts in double.items():
        np.testing.assert_allclose(single[key], counts, rtol=SINGLE, atol=SINGLE)


def test_states_chosen_in_repeated_rows_have_the_right_odds():
    engine = gh.Inference(COPIES, dtype="float32")
    rows = {"x1": np.concatenate([AGREE, CLASH])}
    drawn, best = engine.posterior_sample(rows, 400), engine.map(rows)

    assert best["x0"].tolist() in ([0, 0], [0, 1])
    assert (drawn["x0"][0] == 0).all()
    assert set(drawn["x0"][1]) == {0, 1}
    assert (drawn["x1"] == drawn["x0"][:, :, None]).all()


def lossy(network: Network, observations: dict[str, Observation], rows: int):
    """Results of linear arithmetic alone, and the bound on what it may have lost."""
    setting = network.setting(tracked=False)
    chunks = Chunks(setting, lambda: setting, np.inf, network.dtype, None, 1)
    return chunks.once(setting, observations, rows)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", ["tables", "maps"])
def test_the_bound_is_a_bound(form, seed):
    """What float32 loses on extreme evidence never exceeds the bound by more than rounding."""
    rng = np.random.default_rng(seed)
    if form == "tables":
        shrinking = rng.uniform(1e-8, 1, size=(2, 6, 2)) * (rng.random((2, 6, 2)) > 0.4)
        growing = rng.uniform(1e-8, 1, size=(3, 2, 6)) * (rng.random((3, 2, 6)) > 0.4)
        shrinking[:, 0, 0] = growing[:, 0, 0] = 1
        model = gh.GHM(states=(6, 2, 6), branching=(2, 3), tables=[shrinking, growing])
    else:
        model = gh.Model()
        root = model.root("x0", 2)
        rule = root.children("x1", 3, 6, potential=gh.ParentOf(rng.permutation([0, 1] * 3)))
        rule.children("x2", 2, 6, potential=np.eye(6)[rng.permutation(6)] + 1e-12)
        model = replace_zeros(model)
    forest = model.forest()
    nodes = forest.variables["x2"].nodes
    likelihood = 10.0 ** -rng.uniform(0, 36, size=(200, nodes, 6)) * (
        rng.random((200, nodes, 6)) > 0.3
    )
    queries = [gh.posterior(name) for name in forest.variables]
    network = gh.compile(model, queries, given="x2").network(dtype="float32")
    assert network.domain.guarded
    assert network.domain.dtype == "float32"
    with np.errstate(divide="ignore"):
        truth = log_recursion(forest, {"x2": np.log(likelihood)}, edges=False)
    raw, worst = lossy(network, {"x2": Observation("likelihood", likelihood)}, 200)

    possible = truth.log_evidence > -np.inf
    bound = np.minimum(worst.expand(200).double().numpy(), 1e30)
    places = {
        name: place.order for name, place in network.setting(tracked=False).frame.places.items()
    }
    for name, posterior in truth.posteriors.items():
        found = raw[network.schedule.outputs["posterior", name]].permute(2, 1, 0).double().numpy()
        error = np.abs(found - posterior[:, places[name]]).max((1, 2))
        assert (error <= 4 * bound + 1e-5)[possible].all()
    assert (bound[possible] < 1e-6).any()
    assert (bound[possible] > 1e-6).any()


def replace_zeros(model: Model) -> Model:
    """The model without its entries 1e-12, which only kept the declaration legal."""
    data = {
        key: np.where(stack > 1e-6, stack, 0.0)
        for key, stack in model.forest().data.items()
        if stack.dtype.kind == "f"
    }
    return model.with_tables(data)


def test_without_zeros_nothing_is_guarded():
    network = gh.compile(tree((4,), table("positive", 0.1)), gh.posterior("x0"), "x1").network()
    _, worst = lossy(network, {"x1": Observation("states", np.zeros((1, 4), dtype=np.int64))}, 1)

    assert not network.domain.guarded
    assert worst is None
