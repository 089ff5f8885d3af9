"""What is postponed and formed in pieces comes to the same as what is held as a whole."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import ghmpp as gh
from ghmpp.backends import chunk, gathers, plan
from ghmpp.backends.network import Network
from ghmpp.models.evidence import read_evidence
from ghmpp.models.model import Model
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.plan import schedule_for
from tests.tolerances import EXACT

Results = dict[tuple[str, str], Tensor]


def model_of(ranks: int, *, even: bool = False, per_node: bool = False) -> Model:
    """Two levels of rules, 5 states on top of 3 on top of 4, with zeros and unaries."""
    rng = np.random.default_rng(ranks)
    tables = []
    for parents, children in ((5, 3), (3, 4)):
        shape = (parents,) + (children,) * ranks
        table = rng.uniform(0.2, 1.0, size=shape) * (rng.random(shape) < 0.6)
        table[(0,) * len(shape)] = 1.0
        tables.append((table > 0) * 1.0 if even else table)
    model = Model("two levels")
    top = model.root("a", 5)
    prior = rng.uniform(0.5, 1.0, size=(ranks, 3)) if per_node else None
    middle = top.children("b", ranks, 3, rules=gh.Rules.from_table(tables[0]), prior=prior)
    middle.children("c", ranks, 4, rules=gh.Rules.from_table(tables[1]))
    return model


def schedule_of(model: Model, *, wanted: tuple[str, ...] = ("a", "b", "c")) -> Schedule:
    outputs = [("posterior", name) for name in wanted]
    return schedule_for(model.forest(), [*outputs, ("log_evidence", "")], ["c", "b"])


def observed(model: Model, batch: int = 7) -> dict[str, np.ndarray]:
    """Likelihoods of the leaves, and one variable of the middle in some rows."""
    rng = np.random.default_rng(1)
    leaves = model.variables["c"].nodes
    middle = np.full((batch, model.variables["b"].nodes), -1)
    middle[::2, 0] = 1
    return {"c": rng.uniform(0.1, 1.0, size=(batch, leaves, 4)), "b": middle}


def answers(schedule: Schedule, model: Model, evidence: dict[str, np.ndarray]) -> Results:
    observations, _ = read_evidence(evidence, model.variables)
    return Network(schedule).evaluate(observations)


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every value."""
    monkeypatch.setattr(plan, "_postponed", lambda schedule, readers: frozenset())


def assert_same(found: Results, expected: Results) -> None:
    assert found.keys() == expected.keys()
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key], rtol=EXACT, atol=EXACT)


MODELS = {
    "one child": model_of(1),
    "pairs": model_of(2),
    "triples": model_of(3),
    "quadruples": model_of(4, even=True),
    "a unary per node": model_of(2, per_node=True),
    "equal weights": model_of(2, even=True),
}


@pytest.mark.parametrize("pieces", [1, 40, 10**6], ids=["columns", "pieces", "whole"])
@pytest.mark.parametrize("domain", ["linear", "log"])
@pytest.mark.parametrize("name", MODELS)
def test_answers_do_not_depend_on_what_is_held(name, domain, pieces, monkeypatch):
    model = MODELS[name]
    schedule = schedule_of(model)
    assert schedule.domain is not None
    chosen = replace(schedule.domain, kind=domain, guarded=domain == "linear")
    schedule = replace(schedule, domain=chosen)
    evidence = observed(model)

    with monkeypatch.context() as held:
        without(held)
        expected = answers(schedule, model, evidence)
    monkeypatch.setattr(gathers, "PIECE", pieces)

    assert plan.make_plan(schedule).postponed
    assert_same(answers(schedule, model, evidence), expected)


@pytest.mark.parametrize("name", MODELS)
def test_what_no_evidence_reaches_has_one_column(name, monkeypatch):
    model = MODELS[name]
    wanted = [("posterior", each) for each in ("a", "b", "c")]
    schedule = schedule_for(model.forest(), [*wanted, ("log_evidence", "")], ["b"])
    evidence = {"b": observed(model)["b"]}

    found = answers(schedule, model, evidence)
    without(monkeypatch)
    assert_same(found, answers(schedule, model, evidence))


@pytest.mark.parametrize("name", ["pairs", "triples", "equal weights"])
def test_gradients_do_not_depend_on_what_is_held(name, monkeypatch):
    model = MODELS[name]
    schedule = schedule_of(model)
    observations, _ = read_evidence(observed(model), model.variables)

    def gradients() -> list[Tensor]:
        network = Network(schedule)
        weights = [network.potentials["b rule"], network.potentials["c rule"]]
        for each in weights:
            each.requires_grad_(True)
        results = network.evaluate(observations)
        loss = results["log_evidence", ""].sum() + results["posterior", "a"][:, 0, 0].sum()
        return list(torch.autograd.grad(loss, weights))

    found = gradients()
    without(monkeypatch)
    for mine, expected in zip(found, gradients(), strict=True):
        torch.testing.assert_close(mine, expected, rtol=EXACT, atol=EXACT)


def test_rules_are_held_only_where_somebody_asks_for_them():
    model = MODELS["pairs"]
    bare, asked = schedule_of(model), schedule_of(model, wanted=("a", "b rule"))

    assert plan.make_plan(bare).held == {"a": 5, "b": 2 * 3, "c": 4 * 4}
    assert plan.make_plan(asked).held["b rule"] == len(model.rules["b"])
    found = answers(asked, model, observed(model))["posterior", "b rule"]
    torch.testing.assert_close(found.sum(-1), torch.ones_like(found[..., 0]), rtol=EXACT, atol=0)


def test_chunks_are_as_large_as_what_is_held():
    model = gh.zoo.random_hierarchy(v=8, m=4, s=2, L=4)
    wide = gh.compile(model, gh.posterior("x0"), "x4").network(dtype="float32")

    assert wide.rows_per_chunk() == chunk.PIECED_ELEMENTS // (16 * 8)


def test_products_may_be_drawn_from_and_maximised():
    """What Choose reads is held."""
    model = MODELS["triples"]
    evidence = {"c": np.array(model.sample(5, seed=3)["c"])}
    engine = gh.Inference(model)

    drawn = engine.posterior_sample(evidence, 3)
    best = engine.map(evidence)
    assert (drawn["c"] == evidence["c"][:, None]).all()
    assert (best["c"] == evidence["c"]).all()
    assert (gh.Inference(model).log_evidence({**evidence, "b": best["b"]}) > -np.inf).all()


def test_a_copied_network_and_other_threads_have_their_own_memory():
    model = MODELS["pairs"]
    observations, _ = read_evidence(observed(model), model.variables)
    network = Network(schedule_of(model))
    expected = network.evaluate(observations)

    assert_same(copy.deepcopy(network).evaluate(observations), expected)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: network.evaluate(observations), range(8)):
            assert_same(found, expected)
