"""Any factors, loops included: every answer against sums over all configurations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ImpossibleEvidenceError, QueryError
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.junction import junction_model
from tests.strategies import factor_graphs, joint_weights
from tests.tolerances import ENUMERATION, EXACT, SIGMAS

HEURISTICS = ["best", "min_fill", "min_weight", "weighted_min_fill"]


def marginal(weights, *axes):
    """Sum over all other axes, those that are kept in the given order."""
    letters = "abcdefghij"[: weights.ndim]
    return np.einsum(f"{letters}->{''.join(letters[axis] for axis in axes)}", weights)


@given(factor_graphs(), st.sampled_from(HEURISTICS), st.integers(0, 2**32 - 1), st.data())
def test_answers_are_sums_over_all_configurations(graph, heuristic, seed, data):
    names, weights = list(graph.nodes), joint_weights(graph)
    root = data.draw(st.sampled_from(names))
    model = data.draw(st.sampled_from([model_of(graph), model_of(graph, root=root)]))
    if data.draw(st.booleans()):
        model = junction_model(graph, heuristic=heuristic, root=root)
    rng = np.random.default_rng(seed)
    seen = [name for name in names if rng.random() < 0.5]
    likelihood = {name: rng.random((3, 1, graph.nodes[name].states)) + 0.01 for name in seen}
    hard = [int(i) for i in np.unravel_index(np.argmax(weights), weights.shape)]
    for name in seen[:2]:
        likelihood[name][1] = np.eye(graph.nodes[name].states)[hard[names.index(name)]]

    engine = gh.Inference(model)
    beliefs = engine.posteriors(likelihood)
    best = beliefs.map()
    np.testing.assert_allclose(engine.log_partition(), np.log(weights.sum()), rtol=ENUMERATION)
    for row in range(3 if seen else 1):
        mass = weights
        for name in seen:
            shape = [-1 if other == name else 1 for other in names]
            mass = mass * likelihood[name][row].reshape(shape)
        evidence = np.log(mass.sum() / weights.sum())
        np.testing.assert_allclose(
            beliefs.log_evidence[row], evidence, rtol=ENUMERATION, atol=EXACT
        )
        for axis, name in enumerate(names):
            expected = marginal(mass, axis) / mass.sum()
            np.testing.assert_allclose(beliefs[name][row], expected, atol=ENUMERATION)
        chosen = mass[tuple(best[name][row] for name in names)]
        np.testing.assert_allclose(chosen, mass.max(), rtol=ENUMERATION)


@given(factor_graphs(), st.data())
def test_joint_posteriors_of_sets_are_sums_over_all_other_variables(graph, data):
    names, weights = list(graph.nodes), joint_weights(graph)
    asked = tuple(data.draw(st.permutations(names))[: data.draw(st.integers(1, 3))])
    scopes = [factor.variables for factor in graph.factors if factor.variables]
    model = junction_model(graph, together=[asked])
    beliefs = gh.infer(model)

    for scope in [asked, *scopes]:
        expected = marginal(weights, *map(names.index, scope)) / weights.sum()
        np.testing.assert_allclose(beliefs.joint(*scope)[0], expected, atol=ENUMERATION)
    assert list(beliefs) == names


def ring(size=4, states=2):
    """A ring of variables that like to be equal to their neighbours."""
    near = np.exp(np.eye(states))
    names = [f"v{k}" for k in range(size)]
    pairs = zip(names, names[1:] + names[:1], strict=True)
    return Factors("ring", {n: Node(states) for n in names}, tuple(Factor(p, near) for p in pairs))


def test_joint_of_an_edge_of_a_tree_and_of_one_variable():
    chain = Factors("chain", {n: Node(2) for n in "abc"}, ring(3).factors[:0])
    chain = Factors("c", chain.nodes, (Factor(("a", "b"), np.array([[1, 2], [3, 4]])),))
    beliefs = gh.infer(model_of(chain))

    np.testing.assert_allclose(beliefs.joint("b", "a")[0], np.array([[1, 3], [2, 4]]) / 10)
    np.testing.assert_allclose(beliefs.joint("c")[0], [0.5, 0.5])


def test_joint_of_what_shares_no_clique_names_the_option():
    beliefs = gh.infer(model_of(ring(6)))

    message = r"no clique has all of v0, v3; .*together=\[\('v0', 'v3'\)\]"
    with pytest.raises(QueryError, match=message):
        beliefs.joint("v0", "v3")
    with pytest.raises(QueryError, match="'v9' is not a class with one variable"):
        beliefs.joint("v9")
    with pytest.raises(QueryError, match="needs different variables, got v0, v0"):
        beliefs.joint("v0", "v0")


def test_joint_of_tensors_is_a_tensor():
    beliefs = gh.infer(model_of(ring()), {"v0": torch.tensor([1, 0])})

    joint = beliefs.joint("v1", "v0")
    assert isinstance(joint, torch.Tensor)
    assert joint.shape == (2, 2, 2)
    assert joint[0, :, 0].sum() == 0


def test_impossible_evidence_is_named_and_flagged():
    table = np.array([[[0, 1], [1, 0]], [[1, 0], [0, 1]]])  # an odd number of ones
    model = model_of(Factors("odd", {n: Node(2) for n in "abc"}, (Factor(tuple("abc"), table),)))

    evidence = {"a": [0, 1], "b": [0, 1], "c": [0, 1]}
    with pytest.raises(ImpossibleEvidenceError, match=r"row 0 at \(a, b, c\)"):
        gh.infer(model, evidence)
    beliefs = gh.infer(model, evidence, on_impossible="flag")
    np.testing.assert_allclose(beliefs.log_evidence, [-np.inf, np.log(1 / 4)])
    assert not beliefs["a"][0].any()


def test_samples_have_the_frequencies_of_the_law():
    graph = ring(3, 3)
    model, draws = model_of(graph), 20_000
    weights = joint_weights(graph)
    posterior = weights[2] / weights[2].sum()
    given = gh.Inference(model).posterior_sample({"v0": [2] * draws}, seed=1)
    for drawn, truth in ((model.sample(draws), weights / weights.sum()), (given, posterior)):
        columns = [drawn[name].reshape(draws) for name in ["v0", "v1", "v2"][3 - truth.ndim :]]
        found = np.zeros(truth.shape)
        np.add.at(found, tuple(columns), 1 / draws)

        assert (np.abs(found - truth) <= SIGMAS * np.sqrt(truth * (1 - truth) / draws)).all()
        assert list(drawn) == ["v0", "v1", "v2"]


def test_posteriors_are_compiled_as_a_network():
    model = model_of(ring())
    program = gh.compile(model, gh.posterior("v2"), given=["v0", "v1"])
    network = program.network()
    beliefs = gh.infer(model, {"v0": [0, 1], "v1": [1, 1]})

    found = network(torch.tensor([[0], [1]]), torch.tensor([[1], [1]]))
    np.testing.assert_allclose(found.numpy(), beliefs["v2"], atol=EXACT)


def test_counts_of_families_are_their_posteriors():
    graph = ring(3)
    counts, _ = gh.Inference(model_of(graph)).expected_counts({"v0": [1, 0]})
    weights = joint_weights(graph)
    expected = sum(weights[s] / weights[s].sum() for s in (0, 1))

    np.testing.assert_allclose(counts["factor 1"].reshape(2, 2), expected, atol=ENUMERATION)
