"""Exact rational answers: posteriors, means and log evidence to 1e-12, impossible ones said so."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.algebras import Exact
from ghmpp.backends.reference import run
from ghmpp.errors import ImpossibleEvidenceError
from ghmpp.models.model import Model
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule
from tests.tolerances import EXACT
from tests.vectors import JOINT_MODELS, MODELS, Case, RationalModel

CASES = [
    pytest.param(model, case, id=f"{model.name}-{k}-{case.kind}")
    for model in (*MODELS, *JOINT_MODELS)
    for k, case in enumerate(model.cases)
]
POSSIBLE = [each for each in CASES if each.values[1].mass > 0]
IMPOSSIBLE = [each for each in CASES if each.values[1].mass == 0]


def declared(model: RationalModel) -> Model:
    """The rational model as a GHM."""
    return gh.GHM(
        states=model.states,
        branching=model.branching,
        tables=[np.array(level, dtype=object) for level in model.tables],
        prior=np.array(model.prior, dtype=object),
        state_values=[float(value) for value in model.values],
    )


def leaf(model: RationalModel) -> str:
    return f"x{len(model.branching)}"


def likelihood(case: Case) -> np.ndarray:
    """One row of evidence, (1, leaves, states)."""
    return np.array([case.likelihood], dtype=np.float64)


def log_of(number: Fraction) -> float:
    return log(number.numerator) - log(number.denominator)


def test_there_are_cases_of_both_kinds():
    assert len(POSSIBLE) >= 30
    assert len(IMPOSSIBLE) >= 1


@pytest.mark.parametrize(("model", "case"), POSSIBLE)
class TestPossible:
    def test_posteriors(self, model, case):
        beliefs = gh.infer(declared(model), {leaf(model): likelihood(case)})

        for level, expected in enumerate(case.posteriors):
            found = beliefs[f"x{level}"].reshape(len(expected), -1)
            np.testing.assert_allclose(found, np.array(expected, float), rtol=0, atol=EXACT)

    def test_log_evidence(self, model, case):
        found = gh.infer(declared(model), {leaf(model): likelihood(case)}).log_evidence

        expected = log_of(case.mass) - log_of(model.cases[0].mass)
        np.testing.assert_allclose(found, [expected], rtol=EXACT, atol=EXACT)

    def test_means(self, model, case):
        name = leaf(model)
        network = gh.compile(declared(model), gh.mean(name), given=name).network()
        found = network(torch.tensor(likelihood(case))).flatten()

        np.testing.assert_allclose(found, np.array(case.means, float), rtol=0, atol=EXACT)


@pytest.mark.parametrize(("model", "case"), IMPOSSIBLE)
class TestImpossible:
    def test_an_error_says_so(self, model, case):
        with pytest.raises(ImpossibleEvidenceError, match="probability zero: row 0 at x"):
            gh.infer(declared(model), {leaf(model): likelihood(case)})

    def test_a_flag_says_so(self, model, case):
        evidence = {leaf(model): likelihood(case)}
        beliefs = gh.infer(declared(model), evidence, on_impossible="flag")

        assert beliefs.log_evidence.tolist() == [-np.inf]
        assert not beliefs.possible[0]
        assert all((beliefs[name] == 0).all() for name in beliefs)


@pytest.mark.parametrize("model", JOINT_MODELS, ids=lambda model: model.name)
def test_the_reference_gives_the_very_fractions_of_rules(model):
    forest = declared(model).forest(exact=True)
    outputs = [LOG_EVIDENCE, *(("posterior", name) for name in forest.visible)]
    schedule = build_schedule(forest, outputs, [leaf(model)])
    for case in model.cases:
        found = run(schedule, {leaf(model): np.array([case.likelihood], dtype=object)}, Exact())

        assert found[LOG_EVIDENCE].tolist() == [case.mass]
        for level, expected in enumerate(case.posteriors):
            nodes = found["posterior", f"x{level}"][0].tolist()
            assert tuple(map(tuple, nodes)) == expected


@pytest.mark.parametrize("model", [*MODELS, *JOINT_MODELS], ids=lambda model: model.name)
def test_the_mass_of_everything(model):
    found = gh.Inference(declared(model)).log_partition()

    np.testing.assert_allclose(found, log_of(model.cases[0].mass), rtol=EXACT, atol=EXACT)
