"""pgmpy's own tests of its engines run against the look-alikes, by name substitution.

The tests come with pgmpy's source distribution and with some of its wheels, not with this project.
Left out by name, with the reason, is what the look-alikes deliberately do not have.
"""

from __future__ import annotations

import importlib
import unittest
import warnings
from pathlib import Path

import pytest

import ghmpp.pgmpy as ours

LEFT_OUT = {
    "TestSnowNetwork.test_elimination_order": "calls a private method of the engine",
    "TestSnowNetworkTorch.test_elimination_order": "calls a private method of the engine",
}
EXACT, TORCH = "test_inference.test_ExactInference", "test_inference.test_ExactInferenceTorch"
NETWORKS = "test_models.test_DiscreteBayesianNetwork"
ENGINES = [
    (EXACT, "TestVariableElimination"),
    (EXACT, "TestSnowNetwork"),
    (EXACT, "TestVariableEliminationDuplicatedFactors"),
    (EXACT, "TestVariableEliminationMarkov"),
    (EXACT, "TestBeliefPropagation"),
    (EXACT, "TestBeliefPropagationWithMessagePassing"),
    (TORCH, "TestVariableEliminationTorch"),
    (TORCH, "TestSnowNetworkTorch"),
    (TORCH, "TestVariableEliminationDuplicatedFactors"),
    (TORCH, "TestVariableEliminationMarkov"),
    (TORCH, "TestBeliefPropagation"),
]
# Methods of networks, without what the functions do not take: other algorithms, interventions.
METHODS = {
    "TestBayesianNetworkFitPredict": [
        "test_connected_predict",
        "test_connected_predict_probability",
        "test_predict_probability_errors",
    ],
    "TestSimulation": [
        "test_simulate",
        "test_simulate_evidence",
        "test_simulate_virtual_evidence",
        "test_simulate_invalid_virtual_evidence_scope",
        "test_simulate_virtual_evidence_wrong_cardinality",
        "test_simulate_virtual_evidence_nonexistent_node",
    ],
}
# Files that are read from pgmpy's source folder.
NEEDS = {"TestBayesianNetworkFitPredict": "pgmpy/tests/test_estimators/testdata/titanic_train.csv"}


@pytest.fixture(autouse=True)
def quiet():
    """pgmpy's tests warn as they please."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def theirs(module):
    """A module of pgmpy's tests."""
    try:
        return importlib.import_module(f"pgmpy.tests.{module}")
    except ImportError as error:
        pytest.skip(f"pgmpy's tests are not installed ({error}); they come with its sdist.")


def shipped(name):
    """A network that pgmpy's tests would download, from the wheel."""
    from pgmpy.utils import get_example_model

    return get_example_model(name.rpartition("/")[2])


def failures(suite):
    """Names and messages of the tests that did not pass, and how many were run."""
    result = unittest.TestResult()
    suite.run(result)
    return [f"{case}\n{text}" for case, text in result.failures + result.errors], result.testsRun


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), ENGINES, ids=lambda part: part.rpartition(".")[2])
def test_engines_pass_pgmpys_tests(module, name, monkeypatch):
    found = theirs(module)
    for engine in (
        "VariableElimination",
        "BeliefPropagation",
        "BeliefPropagationWithMessagePassing",
    ):
        if hasattr(found, engine):
            monkeypatch.setattr(found, engine, getattr(ours, engine))
    monkeypatch.setattr(found, "load_model", shipped, raising=False)
    cases = unittest.defaultTestLoader.loadTestsFromTestCase(getattr(found, name))
    kept = [case for case in cases if ".".join(case.id().split(".")[-2:]) not in LEFT_OUT]
    failed, run = failures(unittest.TestSuite(kept))

    assert not failed, "\n".join(failed)
    assert run == len(kept) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_functions_pass_pgmpys_tests_of_methods(name, monkeypatch):
    found = theirs(NETWORKS)
    network = found.DiscreteBayesianNetwork
    for method in ("predict", "predict_probability", "simulate"):
        monkeypatch.setattr(network, method, getattr(ours, method))
    monkeypatch.setattr(found, "load_model", shipped)
    root = Path(found.__file__).parents[3]
    monkeypatch.chdir(root)
    if name in NEEDS and not (root / NEEDS[name]).exists():
        pytest.skip(f"{NEEDS[name]} comes with the sdist of pgmpy, and is not installed.")
    suite = unittest.TestSuite(getattr(found, name)(method) for method in METHODS[name])
    failed, run = failures(suite)

    assert not failed, "\n".join(failed)
    assert run == len(METHODS[name])
