"""The circuit against enumeration, exact fractions and the log domain."""

from __future__ import annotations

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import ghmpp as gh
from ghmpp.errors import EvidenceError, ModelError, PrecisionError, QueryError
from ghmpp.verification.enumeration import enumeration, exact_enumeration
from tests.strategies import chain_models, evidence, rational_models, regular_models, tree_models
from tests.tolerances import ENUMERATION, EXACT, PGMPY, SINGLE

table_models = st.one_of(
    regular_models(limit=2_000), chain_models(limit=2_000), tree_models(limit=2_000, maps=False)
)


@given(st.data(), table_models)
def test_circuit_is_the_enumerated_likelihood(data, model):
    names = [name for name in model.variables if data.draw(st.booleans())]
    seen = data.draw(evidence(model, kinds=["likelihood"], classes=names))
    circuit = gh.arithmetic_circuit(model, names)
    inputs = [torch.tensor(np.exp(seen.logs[name])) for name in names]
    truth = enumeration(model.forest(), {name: seen.logs[name] for name in names} or None)

    found = circuit.log_evidence(*inputs)
    assert_allclose(found.numpy(), truth.log_evidence, rtol=ENUMERATION, atol=ENUMERATION)
    assert circuit.log_partition == pytest.approx(truth.log_partition, rel=ENUMERATION)


@given(st.data(), rational_models())
def test_mass_is_exact_but_for_rounding(data, model):
    if any(edge.kind != "table" for edge in model.forest().edges.values()):
        return
    leaves = model.forest().leaves
    states = {name: model.sample(2, seed=1)[name] for name in leaves}
    hot = {n: np.eye(len(model.variables[n].states), dtype=int)[x] for n, x in states.items()}
    truth = exact_enumeration(model.forest(exact=True), hot).mass

    found = gh.arithmetic_circuit(model)(*(torch.tensor(states[name]) for name in leaves))
    for one, other in zip(found.tolist(), truth, strict=True):
        assert abs(Fraction(one) / other - 1) < EXACT


@given(st.data(), table_models)
def test_linear_and_log_domain_agree(data, model):
    leaves = model.forest().leaves
    seen = data.draw(evidence(model, kinds=["states"], classes=leaves, possible=True))
    circuit = gh.arithmetic_circuit(model)

    found = circuit.log_evidence(*(torch.tensor(seen.given[name]) for name in leaves))
    logs = gh.Inference(model, on_impossible="flag").log_evidence(seen.given)
    assert_allclose(np.exp(found.numpy() - logs), 1, rtol=ENUMERATION / 10)


def test_digits_have_the_same_likelihood_in_both_domains():
    digits, test = gh.examples.digits(), gh.examples.digits_split().test[:20]
    circuit = gh.arithmetic_circuit(digits)

    ratio = circuit.log_evidence(torch.tensor(test)).numpy() - gh.infer(digits, test).log_evidence
    assert_allclose(np.exp(ratio), 1, rtol=ENUMERATION / 10)


def test_mass_of_all_states_is_the_partition_function():
    model = gh.zoo.random_ghm(2, (2, 2), bound=3, seed=1)
    circuit = gh.arithmetic_circuit(model)
    x = torch.tensor(list(np.ndindex(2, 2, 2, 2)))

    assert circuit(x).sum().item() == pytest.approx(np.exp(circuit.log_partition), rel=EXACT)


def test_gradient_in_the_likelihoods_is_the_joint_with_the_rest():
    """Z is linear in the likelihoods of a leaf, with the weights of its states as coefficients."""
    model = gh.zoo.random_ghm(3, (2, 2), bound=3, seed=1)
    circuit = gh.arithmetic_circuit(model)
    x = torch.rand(1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    circuit(x).sum().backward()
    posterior = gh.infer(model, {"x2": x.detach().numpy()})["x2"]

    weights = (x * x.grad).detach().numpy()
    assert_allclose(weights / weights.sum(axis=2, keepdims=True), posterior, rtol=PGMPY)


def test_impossible_evidence_is_zero():
    circuit = gh.arithmetic_circuit(gh.GHM(2, (2,), [np.eye(2)]))
    x = torch.tensor([[0, 1], [0, 0]])

    assert circuit(x).tolist() == [0, 1]
    assert circuit.log_evidence(x)[0] == -torch.inf


def test_underflow_is_an_error_and_says_what_to_do():
    model = gh.GHM(2, (4,) * 5, [[[0.9, 0.1], [0.2, 0.8]]] * 5)
    x = model.sample(2, seed=0)["x5"]
    single, double = (gh.arithmetic_circuit(model, dtype=kind) for kind in ("float32", "float64"))

    with pytest.raises(
        PrecisionError, match=r"row 0 has log Z = -.*float32 .*log domain: gh.infer"
    ):
        single(torch.tensor(x))
    logs = gh.infer(model, {"x5": x}).log_evidence
    assert_allclose(double.log_evidence(torch.tensor(x)).numpy(), logs, rtol=PGMPY)


def test_overflow_is_an_error():
    model = gh.GHM(2, (10,) * 3, [np.full((2, 2), 10.0)] * 3)

    with pytest.raises(PrecisionError, match="cannot hold"):
        gh.arithmetic_circuit(model)(torch.zeros((1, 1000), dtype=int))


def test_underflow_among_impossible_rows_is_found():
    model = gh.GHM(2, (200,), [[[1, 0], [0.5, 0.5]]])
    x = torch.tensor([[0] * 200, [1] * 200])
    single = gh.arithmetic_circuit(model, dtype="float32")

    assert single(x[:1]).item() == pytest.approx(1.0)
    with pytest.raises(PrecisionError, match=r"row 1 has log Z = -138\.6"):
        single(x)


def test_single_precision_is_close():
    model = gh.zoo.random_ghm(3, (3, 3), bound=3, seed=1)
    x = torch.tensor(model.sample(5, seed=0)["x2"])
    one, other = (gh.arithmetic_circuit(model, dtype=kind)(x) for kind in ("float32", "float64"))

    assert one.dtype == torch.float32
    assert_allclose(one.numpy(), other.numpy(), rtol=SINGLE)


def test_missing_leaves_are_summed_out_and_orders_are_the_users():
    order = [2, 0, 3, 1]
    tables = [np.random.default_rng(0).uniform(0.1, 1, (2, 2, 2)) for _ in range(2)]
    plain, moved = gh.GHM(2, (2, 2), tables), gh.GHM(2, (2, 2), tables, order=order)
    x = torch.tensor([[0, 1, -1, 1]])
    ones = torch.eye(3, 2, dtype=torch.float64)[x.clamp_min(0)].clone()
    ones[0, 2] = 1

    found = gh.arithmetic_circuit(plain)(x)
    assert_allclose(gh.arithmetic_circuit(plain)(ones), found, rtol=EXACT)
    there = torch.empty_like(x)
    there[:, order] = x
    assert_allclose(gh.arithmetic_circuit(moved)(there), found, rtol=EXACT)


def test_graphs_and_several_inputs():
    graph = nx.Graph()
    for name in "abcd":
        graph.add_node(name, states=2)
    for name in "bcd":
        graph.add_edge("a", name, potential=np.array([[0.9, 0.1], [0.2, 0.8]]))
    circuit = gh.arithmetic_circuit(graph, ["d", "b"])

    found = circuit.log_evidence(torch.tensor([0, 1]), torch.tensor([[1], [1]]))
    truth = gh.Inference(graph).log_evidence({"d": [0, 1], "b": [1, 1]})
    assert_allclose(found, truth, rtol=EXACT)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((), "expected inputs for x1, got 0"),
        ((torch.zeros(2, 3, dtype=int),), r"shape \(batch, 2\), or likelihoods .* \(2, 3\)"),
        ((torch.zeros(2, 2),), "got torch.float32 of shape"),
        ((torch.tensor([[0, 2]]),), "states 0 to 1, or -1"),
        ((-torch.ones(1, 2, 2),), "finite and >= 0"),
        ((torch.full((1, 2, 2), torch.nan),), "finite and >= 0"),
    ],
)
def test_wrong_inputs_are_refused(inputs, words):
    with pytest.raises(EvidenceError, match=words):
        gh.arithmetic_circuit(gh.GHM(2, (2,), [np.eye(2)]))(*inputs)


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int8, torch.int32])
def test_states_may_be_small_integers(kind):
    circuit = gh.arithmetic_circuit(gh.GHM(2, (2,), [[[0.9, 0.1], [0.3, 0.7]]]))
    states = torch.tensor([[0, 1], [1, 1]])

    assert torch.equal(circuit(states.to(kind)), circuit(states))


def test_batches_of_different_sizes_are_refused():
    circuit = gh.arithmetic_circuit(gh.GHM(2, (2,), [np.eye(2)]), ["x0", "x1"])
    with pytest.raises(EvidenceError, match="same batch size, got x0: 1, x1: 2"):
        circuit(torch.tensor([[0]]), torch.tensor([[0, 0], [1, 1]]))


def test_what_a_circuit_cannot_hold_is_refused():
    with pytest.raises(ModelError, match="has no table but is of kind 'child_of'"):
        gh.arithmetic_circuit(gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2, classes=3, seed=0))
    with pytest.raises(ModelError, match="not complete: free tables"):
        gh.arithmetic_circuit(gh.GHM(2, (2,)))
    model = gh.GHM(2, (2,), [np.eye(2)])
    with pytest.raises(QueryError, match="given: unknown class 'x2'"):
        gh.arithmetic_circuit(model, "x2")
    with pytest.raises(QueryError, match="'x1' is given twice"):
        gh.arithmetic_circuit(model, ["x1", "x1"])
