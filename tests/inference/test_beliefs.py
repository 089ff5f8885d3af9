"""What inference returns: one object, posteriors by class, and more from the same evidence."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import EvidenceError, QueryError
from tests.strategies import evidence, models
from tests.tolerances import ENUMERATION, EXACT

MODEL = gh.GHM(states=(3, 4, 2), branching=(2, 3)).initialise(seed=1)
X = MODEL.sample(5, seed=2)["x2"]
BELIEFS = gh.infer(MODEL, X)


def test_classes_are_keys():
    assert list(BELIEFS) == ["x0", "x1", "x2"]
    assert len(BELIEFS) == 3
    assert [BELIEFS[name].shape for name in BELIEFS] == [(5, 3), (5, 2, 4), (5, 6, 2)]


def test_unknown_classes_are_refused_with_the_known_ones():
    with pytest.raises(QueryError, match="unknown class 'x7'; the model has x0, x1, x2"):
        BELIEFS["x7"]


def test_nodes_of_any_kind_are_names():
    graph = nx.DiGraph()
    graph.add_node(7, states=["a", "b"], prior=[0.25, 0.75])
    graph.add_node(("row", 0), states=2)
    graph.add_edge(7, ("row", 0), potential=[[0.5, 0.5], [0.125, 0.875]])
    beliefs = gh.infer(graph, {("row", 0): 1})
    engine = beliefs.engine

    expected = np.array([0.25 * 0.5, 0.75 * 0.875])
    np.testing.assert_allclose(beliefs[7], [expected / expected.sum()], rtol=EXACT)
    np.testing.assert_array_equal(beliefs[("row", 0)], beliefs["('row', 0)"])
    np.testing.assert_array_equal(beliefs.edge(7, ("row", 0))[:, 0], beliefs.joint(7, ("row", 0)))
    assert list(engine.posteriors({7: "b"}, classes=[("row", 0)])) == ["('row', 0)"]
    assert engine.classify({("row", 0): [1]}, 7).tolist() == ["b"]
    program = gh.compile(graph, gh.posterior(("row", 0)), given=7)
    assert (program.queries[0].variable, program.given[0].variable) == ("('row', 0)", "7")
    with pytest.raises(EvidenceError, match=r"no variable \('row', 1\); .* 7, \('row', 0\)\. Did"):
        gh.infer(graph, {("row", 1): 1})


@settings(max_examples=20)
@given(data=st.data())
def test_they_sum_to_one_and_joints_sum_to_them(data):
    model = data.draw(models(limit=3000))
    observed = data.draw(evidence(model, possible=True))
    beliefs = gh.infer(model, observed.given, on_impossible="flag")
    rows = beliefs.possible

    for name, variable in model.variables.items():
        posterior = beliefs[name][rows].reshape(-1, variable.nodes, len(variable.states))
        np.testing.assert_allclose(posterior.sum(-1), 1.0, atol=ENUMERATION)
        assert (posterior >= 0).all()
        for parent in model.template.pred[name]:
            if parent == name:
                continue
            joint = beliefs.edge(parent, name)[rows]
            np.testing.assert_allclose(joint.sum(2), posterior, atol=ENUMERATION)


def test_joints_sum_to_the_posterior_of_the_parent():
    joint = BELIEFS.edge("x1", "x2")

    repeated = np.repeat(BELIEFS["x1"], 3, axis=1)
    np.testing.assert_allclose(joint.sum(3), repeated, atol=EXACT)
    np.testing.assert_allclose(joint.sum(2), BELIEFS["x2"], atol=EXACT)


def test_joints_of_a_chain_link_neighbours():
    model = gh.Model("chain")
    hidden = model.chain("z", 4, 2, potential=[[3, 1], [1, 2]], prior=[1, 2])
    hidden.children("x", 1, 2, potential=[[3, 1], [1, 3]])
    beliefs = gh.infer(model, {"x": [[0, 1, 1, 0]]})
    joint = beliefs.edge("z", "z")

    np.testing.assert_allclose(joint.sum(3), beliefs["z"][:, :-1], atol=EXACT)
    np.testing.assert_allclose(joint.sum(2), beliefs["z"][:, 1:], atol=EXACT)


def test_configurations_and_samples_are_of_the_same_evidence():
    engine = gh.Inference(MODEL)

    for name, states in engine.map(X).items():
        assert (BELIEFS.map()[name] == states).all()
    for name, states in engine.posterior_sample(X, 3, seed=4).items():
        assert (BELIEFS.sample(3, seed=4)[name] == states).all()
    assert (BELIEFS.map()["x2"] == X).all()


def test_every_row_is_possible_by_default():
    assert BELIEFS.possible.all()
    assert np.isfinite(BELIEFS.log_evidence).all()
    assert BELIEFS.repeated_rows == 0


def test_tensors_give_tensors_and_arrays_give_arrays():
    tensors = gh.infer(MODEL, torch.tensor(X))

    for found in (tensors["x0"], tensors.log_evidence, tensors.map()["x1"], tensors.possible):
        assert isinstance(found, torch.Tensor)
    for found in (BELIEFS["x0"], BELIEFS.log_evidence, BELIEFS.map()["x1"], BELIEFS.possible):
        assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(tensors["x1"], BELIEFS["x1"])
    np.testing.assert_array_equal(tensors.edge("x0", "x1"), BELIEFS.edge("x0", "x1"))


def test_they_describe_themselves():
    assert repr(BELIEFS).splitlines() == [
        "Beliefs about 'ghm', batch 5",
        "  x0  (5, 3)",
        "  x1  (5, 2, 4)",
        "  x2  (5, 6, 2)",
    ]
    assert "<td>x1</td><td>(5, 2, 4)</td>" in BELIEFS._repr_html_()


def test_later_changes_of_the_evidence_do_not_reach_beliefs():
    model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[3, 1], [1, 3]]])
    x = np.array([[0, 0]])
    beliefs = gh.infer(model, x)

    x[:] = 1

    assert beliefs.map()["x0"] == 0
    assert (beliefs.edge("x0", "x1")[0, :, :, 1] == 0).all()
