"""Verification of models, engines, programs and networks; and that it finds faults."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ConversionError, EvidenceError, ModelError, QueryError
from ghmpp.inference.queries import Inference
from ghmpp.models.convert import to_pgmpy
from ghmpp.verification.engines import ENGINES
from ghmpp.verification.verify import verify
from tests import strategies
from tests.tolerances import EXACT
from tests.vectors import MODELS, RationalModel

QUICK = ["enumeration", "recursion", "gradient"]


def small() -> gh.Model:
    tables = [[[2, 1], [1, 3], [1, 1]], [[[2, 1, 0], [1, 1, 3]], [[1, 2, 1], [4, 0, 1]]]]
    return gh.GHM(states=(3, 2, 3), branching=(1, 2), tables=tables, state_values=[0.0, 1.0, 3.0])


@settings(max_examples=15)
@given(model=strategies.models(limit=200, wide=True), seed=st.integers(0, 99))
def test_inference_agrees_with_oracles_on_any_model(model: gh.Model, seed: int) -> None:
    verify(model, rows=2, seed=seed, engines=[*QUICK, "fractions"]).raise_if_failed()


@settings(max_examples=15)
@given(data=st.data())
def test_inference_agrees_with_oracles_on_any_evidence(data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=200, wide=True))
    evidence = data.draw(strategies.evidence(model)).given

    verify(model, evidence, engines=QUICK).raise_if_failed()


@pytest.mark.parametrize("vector", MODELS, ids=lambda vector: vector.name)
def test_inference_agrees_with_models_solved_in_rational_numbers(vector: RationalModel) -> None:
    model = gh.GHM(
        states=vector.states,
        branching=vector.branching,
        tables=vector.tables,
        prior=vector.prior,
        state_values=[float(value) for value in vector.values],
    )
    leaf, engine = f"x{len(vector.branching)}", gh.Inference(model, on_impossible="flag")
    for case in vector.cases:
        likelihood = np.array([case.likelihood], dtype=float)
        found = engine.posteriors({leaf: likelihood})

        assert found.possible[0] == (case.mass > 0)
        for level, layer in enumerate(case.posteriors):
            truth = np.array(layer, dtype=float)
            assert np.allclose(found[f"x{level}"].reshape(truth.shape), truth, rtol=0, atol=EXACT)


def test_every_engine_compares_what_it_can() -> None:
    report = verify(small(), rows=2)
    compared = {(check.engine, check.quantity) for check in report.checks}

    assert report.passed
    assert not report.skipped
    assert {engine for engine, _ in compared} == set(ENGINES) - {"triangulation"}
    for quantity in ("posterior", "log evidence", "edge", "mean", "map mass", "log partition"):
        assert ("enumeration", quantity) in compared
    assert ("gradient", "counts") in compared
    assert ("pgmpy.BeliefPropagation", "edge") in compared


def test_engines_that_do_not_fit_are_listed_with_the_reason() -> None:
    model = gh.GHM(states=(2, 2), branching=(70,), tables=[[[2, 1], [1, 2]]])
    report = verify(model, rows=1)
    reasons = {each.engine: each.reason for each in report.skipped}

    assert report.passed
    assert "configurations exceed limit" in reasons["enumeration"]
    assert reasons["enumeration"].endswith("for bigger models use 'recursion'.")
    assert "71 variables exceed limit" in reasons["pgmpy.VariableElimination"]
    assert {check.engine for check in report.checks} == {"recursion", "gradient"}


def test_a_wrong_posterior_is_found_and_located(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Inference.posteriors

    def wrong(self: Inference, evidence: object = None, **options: Any) -> Any:
        beliefs = honest(self, evidence, **options)
        posteriors = {name: np.array(each) for name, each in beliefs.posteriors.items()}
        posteriors["x2"][-1, 1, 2] += 1e-3
        return type(beliefs)(
            posteriors,
            beliefs.log_evidence,
            beliefs.possible,
            beliefs.repeated_rows,
            beliefs.engine,
            beliefs.evidence,
        )

    monkeypatch.setattr(Inference, "posteriors", wrong)
    report = verify(small(), rows=3, engines=["enumeration"])

    assert not report.passed
    (check,) = report.failures
    assert check.quantity == "posterior"
    assert check.worst == pytest.approx(1e-3)
    assert check.where.startswith("x2: row ")
    assert check.where.endswith("node 1, state 2")
    assert check.reproduce == "gh.verify(model, rows=3, seed=0, engines=['enumeration'])"


def test_a_configuration_that_is_not_the_best_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Inference.map

    def wrong(self: Inference, evidence: object = None, **options: Any) -> Any:
        found = honest(self, evidence, **options)
        return {**found, "x1": 1 - found["x1"]}

    monkeypatch.setattr(Inference, "map", wrong)
    failures = verify(small(), engines=["recursion"]).failures

    assert [check.quantity for check in failures] == ["map mass"]


def test_evidence_of_the_user_is_used_as_it_is() -> None:
    report = verify(small(), {"x2": [[0, -1], [2, 1]]}, engines=["enumeration"])
    rows = {check.where for check in report.checks if check.quantity == "log evidence"}

    assert report.passed
    assert rows <= {"row 0", "row 1"}
    assert report.checks[0].reproduce == "gh.verify(model, evidence, engines=['enumeration'])"


def test_impossible_evidence_is_compared_without_counts() -> None:
    model = gh.GHM(states=(2, 2), branching=(2,), tables=[np.eye(2)])
    report = verify(model, {"x1": [[0, 1], [1, 1]]}, engines=QUICK)

    assert report.passed
    assert "counts" not in {check.quantity for check in report.checks}


def test_a_program_is_verified_through_its_network() -> None:
    program = gh.compile(
        small(),
        [gh.posterior("x0"), gh.mean("x2"), gh.log_evidence()],
        given=gh.noisy("x2", sigma=0.5),
    )
    report = verify(program, rows=2)

    assert report.passed
    assert {check.quantity for check in report.checks} >= {"posterior", "mean", "log evidence"}
    assert "Program" in report.subject


def test_a_network_is_verified_for_the_potentials_that_it_holds() -> None:
    network = gh.compile(small(), gh.posterior("x0"), given="x2").network()
    network.potentials["x0->x1"].data[0, 0] *= 7.0
    report = verify(network, rows=2)

    assert report.passed
    assert {check.engine for check in report.checks} >= set(QUICK)
    reasons = {each.engine: each.reason for each in report.skipped}
    assert "verify the program" in reasons["pgmpy.BeliefPropagation"]


def test_single_precision_has_its_own_tolerance() -> None:
    engine = gh.Inference(small(), dtype="float32")
    report = verify(engine, rows=2, engines=["enumeration"])

    assert report.passed
    assert {check.tolerance for check in report.checks} == {2e-4}
    assert max(check.worst for check in report.checks) > 1e-12
    strict = verify(engine, rows=2, engines=["enumeration"], tolerance=1e-14)
    assert not strict.passed
    assert "tolerance=1e-14" in strict.failures[0].reproduce


def test_graphs_are_verified_as_models() -> None:
    graph = nx.DiGraph()
    graph.add_node("a", states=2, prior=np.array([0.5, 0.5]))
    graph.add_node("b", states=3)
    graph.add_edge("a", "b", potential=np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))

    assert verify(graph, rows=2, engines=QUICK).passed


def test_pgmpy_models_are_verified_as_models() -> None:
    network = to_pgmpy(small(), kind="factor")

    assert verify(network, rows=2, engines=QUICK).passed


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"engines": ["enumerate"]}, QueryError, r"unknown engine 'enumerate'; known: enumeration"),
        ({"rows": 0}, QueryError, r"rows must be at least 1"),
        ({"evidence": {"y": [[0]]}}, EvidenceError, r"y"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        verify(small(), **arguments)


def test_evidence_that_a_network_is_not_given_is_refused() -> None:
    program = gh.compile(small(), gh.posterior("x0"), given="x2")
    with pytest.raises(EvidenceError, match=r"this program is given x2.*has x1"):
        verify(program, {"x1": [[0]]})


def test_other_objects_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"verify: no program, network or engine"):
        verify(3)


def test_incomplete_models_are_refused() -> None:
    with pytest.raises(ModelError, match=r"not complete"):
        verify(gh.GHM(states=(2, 2), branching=(2,)))


def test_rule_models_are_verified_by_every_engine_that_can() -> None:
    report = gh.verify(gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2, seed=0), rows=2)

    assert report.passed, str(report)
    engines = {check.engine for check in report.checks}
    assert {"recursion", "gradient", "pgmpy.VariableElimination"} <= engines


class TestNetworksWithCertificates:
    @pytest.fixture
    def program(self):
        rng = np.random.default_rng(0)
        tables = [rng.uniform(0.2, 2, size=(2, 3, 3)), rng.uniform(0.2, 2, size=(2, 3, 3))]
        model = gh.GHM(states=3, branching=(2, 2), tables=tables, state_values=[0, 1, 2])
        return gh.compile(model, gh.mean("x2"), given=gh.noisy("x2", sigma=1.0))

    def test_they_may_differ_by_what_is_proved(self, program):
        network = program.network("relu", delta=0.05, dtype="float64")
        report = gh.verify(network, engines=["enumeration"])

        assert report.passed
        worst = max(check.worst for check in report.checks)
        assert 1e-9 < worst <= network.certificate.bound

    def test_a_broken_one_is_found(self, program):
        network = program.network("relu", delta=0.05, dtype="float64")
        with torch.no_grad():
            network.collect["x2"].exp_log.inner[0, 0] *= 0.3

        assert not gh.verify(network, engines=["enumeration"]).passed

    def test_states_are_what_some_read(self, program):
        classify = gh.compile(program.model, gh.posterior("x0"), given="x2")
        assert gh.verify(classify.network("relu", delta=0.05), engines=["enumeration"]).passed

    def test_trainable_ones_need_not_agree(self, program):
        with pytest.raises(ConversionError, match="trainable network are its own"):
            gh.verify(program.network("trainable", width=8))
