"""The look-alike of BeliefPropagationWithMessagePassing."""

from __future__ import annotations

import numpy as np
import pytest
from pgmpy.factors.discrete import DiscreteFactor, TabularCPD
from pgmpy.inference.ExactInference import BeliefPropagationWithMessagePassing as Theirs

from ghmpp.errors import ConversionError, EvidenceError, ImpossibleEvidenceError, QueryError
from ghmpp.pgmpy import BeliefPropagationWithMessagePassing
from tests.pgmpy.networks import factor_graph, ring, truth
from tests.tolerances import ENUMERATION, EXACT, PGMPY

SCOPES = [("A",), ("B", "A"), ("B", "C", "D"), ("D",), ("E", "D"), ("F", "B")]
SIZES = {"A": 2, "B": 3, "C": 2, "D": 3, "E": 2, "F": 2}


def graph_of(scopes, seed=0):
    rng = np.random.default_rng(seed)
    return factor_graph(
        *(
            DiscreteFactor(scope, shape := [SIZES[v] for v in scope], rng.random(shape))
            for scope in scopes
        )
    )


@pytest.mark.parametrize(
    ("evidence", "likelihoods"),
    [({}, {}), ({"C": 1}, {}), ({"B": 2}, {"E": [0.2, 0.9]}), ({"F": 0}, {"A": [0.5, 1.0]})],
)
def test_results_and_messages_agree_with_pgmpy(evidence, likelihoods):
    graph = graph_of(SCOPES)
    soft = [TabularCPD(v, len(values), np.c_[values]) for v, values in likelihoods.items()]
    asked = [v for v in "ADE" if v not in evidence]
    theirs = Theirs(graph).query(asked, evidence, soft, get_messages=True)
    found, messages = BeliefPropagationWithMessagePassing(graph).query(
        asked, evidence, soft, get_messages=True
    )

    for name, factor in theirs[0].items():
        expected = factor.values / factor.values.sum()
        np.testing.assert_allclose(found[name].values, expected, atol=PGMPY)
    assert set(messages) == set(theirs[1])
    for name, expected in theirs[1].items():
        np.testing.assert_allclose(messages[name], expected, atol=PGMPY)


def test_results_have_the_names_of_states():
    names = {"x": ["low", "high"], "y": ["no", "yes"]}
    graph = factor_graph(DiscreteFactor(["x", "y"], [2, 2], [3, 1, 1, 3], state_names=names))
    engine = BeliefPropagationWithMessagePassing(graph)
    by_name = engine.query(["x"], {"y": "yes"})["x"]

    assert by_name.state_names == {"x": ["low", "high"]}
    assert by_name == engine.query(["x"], {"y": 1})["x"]


def test_results_sum_to_one_also_of_a_single_factor():
    engine = BeliefPropagationWithMessagePassing(graph_of([("A",)]))

    np.testing.assert_allclose(engine.query(["A"])["A"].values.sum(), 1, atol=EXACT)


def test_factors_over_the_same_variables_multiply():
    graph = graph_of([("A", "B"), ("B", "A"), ("A",)])
    found, messages = BeliefPropagationWithMessagePassing(graph).query(["B"], get_messages=True)
    expected = truth(graph, ["B"])

    np.testing.assert_allclose(found["B"].values, expected / expected.sum(), atol=ENUMERATION)
    np.testing.assert_allclose(messages["['A', 'B'] -> B"], expected / expected.sum(), atol=EXACT)


def test_loops_are_answered_without_messages():
    network = ring()
    graph = factor_graph(*network.factors)
    engine = BeliefPropagationWithMessagePassing(graph)
    expected = truth(network, ["v2"], {"v0": 1})
    found = engine.query(["v2"], {"v0": 1})["v2"]

    np.testing.assert_allclose(found.values, expected / expected.sum(), atol=ENUMERATION)
    with pytest.raises(QueryError, match="close a loop"):
        engine.query(["v2"], get_messages=True)


def test_long_chains_are_no_problem():
    table = [[0.99, 0.01], [0.02, 0.98]]
    chain = [DiscreteFactor([f"x{k}", f"x{k + 1}"], [2, 2], table) for k in range(400)]
    engine = BeliefPropagationWithMessagePassing(factor_graph(*chain), check_model=False)
    # The other end has forgotten where the chain started: 0.97 ** 400 is 5e-6.
    found = engine.query(["x400"], {"x0": 0})["x400"].values

    np.testing.assert_allclose(found, [2 / 3, 1 / 3], atol=1e-4)


def test_impossible_evidence_is_refused():
    graph = factor_graph(DiscreteFactor(["x", "y"], [2, 2], np.eye(2)))
    engine = BeliefPropagationWithMessagePassing(graph)
    with pytest.raises(ImpossibleEvidenceError, match="probability zero"):
        engine.query(["x"], {"y": 0}, {"x": [0.0, 1.0]})


def test_wrong_questions_are_refused():
    graph = graph_of(SCOPES)
    engine = BeliefPropagationWithMessagePassing(graph)
    with pytest.raises(EvidenceError, match="'A' cannot have both"):
        engine.query(["B"], {"A": 0}, {"A": [0.1, 0.9]})
    with pytest.raises(QueryError, match="at least one variable"):
        engine.query([])
    with pytest.raises(ConversionError, match="expected a FactorGraph, got a DiscreteMarkov"):
        BeliefPropagationWithMessagePassing(ring())
