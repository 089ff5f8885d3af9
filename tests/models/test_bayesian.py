"""Any law as conditional probabilities, one table per variable."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given

from ghmpp.models.assembly import model_of
from ghmpp.models.bayesian import bayesian
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.ghm import GHM
from ghmpp.models.unfold import factors_of
from tests.strategies import factor_graphs, joint_weights
from tests.tolerances import ENUMERATION, EXACT


@given(factor_graphs())
def test_the_tables_are_distributions_whose_product_is_the_law(graph):
    found = bayesian(model_of(graph))
    truth = joint_weights(graph)
    truth = truth.transpose([list(graph.nodes).index(name) for name in found.nodes])

    assert [factor.child for factor in found.factors] == list(found.nodes)
    for factor in found.factors:
        assert factor.variables[-1] == factor.child
        np.testing.assert_allclose(factor.table.sum(-1), 1, rtol=EXACT)
    arrows = [(v, f.child) for f in found.factors for v in f.variables[:-1]]
    assert nx.is_directed_acyclic_graph(nx.DiGraph(arrows))
    np.testing.assert_allclose(joint_weights(found), truth / truth.sum(), atol=ENUMERATION)


def test_distributions_keep_their_tables():
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.ones(2), (2, 3))
    nodes = {"a": Node(2), "b": Node(3), "c": Node(2)}
    given = Factor(("a", "b", "c"), table, "c")
    prior = Factor(("a",), np.array([0.25, 0.75]), "a")
    found = {f.child: f for f in bayesian(model_of(Factors("g", nodes, (given, prior)))).factors}

    np.testing.assert_array_equal(found["c"].table, table)
    np.testing.assert_allclose(found["a"].table, [0.25, 0.75])
    np.testing.assert_allclose(found["b"].table, 1 / 3)


def test_joint_rules_become_distributions():
    psi = np.random.default_rng(1).random((2, 3, 3)) * (np.arange(3) > 0)
    model = GHM(states=(2, 3), branching=(2,), tables=[psi], prior=[1, 3])
    found, truth = bayesian(model), joint_weights(factors_of(model))

    np.testing.assert_allclose(joint_weights(found), truth / truth.sum(), atol=ENUMERATION)
