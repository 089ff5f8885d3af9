"""Mass functions as arrays, and a small model whose mass is known: what conversions must keep."""

from __future__ import annotations

import networkx as nx
import numpy as np
from pgmpy.factors.discrete import DiscreteFactor, TabularCPD
from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork, FactorGraph

from tests.tolerances import EXACT

RNG = np.random.default_rng(0)
AB, BC = RNG.random((2, 3)) + 0.1, RNG.random((3, 4)) + 0.1
PRIOR = RNG.random(4) + 0.1
CA = RNG.random((4, 2)) + 0.1
SIZES = {"a": 2, "b": 3, "c": 4}


def law(sizes, factors):
    """Product of all factors, one axis per variable in alphabetic order."""
    names = sorted(sizes)
    total = np.ones([sizes[name] for name in names])
    for scope, table in factors:
        axes = sorted(range(len(scope)), key=lambda i: scope[i])
        kept = [sizes[name] if name in scope else 1 for name in names]
        total = total * np.transpose(table, axes).reshape(kept)
    return total


LAW = law(SIZES, [("ab", AB), ("bc", BC), ("c", PRIOR)])


def law_of(model):
    """As :func:`law`, for the variables of a model."""
    nodes = model.factor_graph().nodes(data=True)
    sizes = {name: data["cardinality"] for name, data in nodes if data["bipartite"] == 0}
    return law(sizes, [(d["variables"], d["potential"]) for _, d in nodes if d["bipartite"] == 1])


def assert_same_law(model, expected=LAW):
    np.testing.assert_allclose(law_of(model), expected, rtol=EXACT)


def parents(model):
    forest = model.forest()
    edges = forest.edges
    return {name: edges[name].parent if name in edges else None for name in forest.blocks}


def path(*, directed, **ends):
    """The path a - b - c with tables AB and BC, and a prior at c."""
    graph = nx.DiGraph() if directed else nx.Graph()
    for name, size in SIZES.items():
        graph.add_node(name, states=size)
    graph.nodes["c"]["prior"] = PRIOR
    graph.add_edge("a", "b", potential=AB)
    graph.add_edge("b", "c", potential=BC)
    return graph


def bayesian():
    """a -> b -> c with conditional tables of 2, 3 and 4 states; b has names."""
    network = DiscreteBayesianNetwork([("a", "b"), ("b", "c")])
    names = {"b": ["low", "mid", "high"]}
    ab, bc = AB / AB.sum(1, keepdims=True), BC / BC.sum(1, keepdims=True)
    network.add_cpds(
        TabularCPD(
            "c",
            4,
            bc.T,
            evidence=["b"],
            evidence_card=[3],
            state_names={"c": [0, 1, 2, 3], **names},
        ),
        TabularCPD("a", 2, [[0.3], [0.7]]),
        TabularCPD(
            "b", 3, ab.T, evidence=["a"], evidence_card=[2], state_names={"a": [0, 1], **names}
        ),
    )
    return network, law(SIZES, [("a", [0.3, 0.7]), ("ab", ab), ("bc", bc)])


def factors():
    return [
        DiscreteFactor(["b", "a"], [3, 2], AB.T),
        DiscreteFactor(
            ["b", "c"], [3, 4], BC, state_names={"b": ["x", "y", "z"], "c": [0, 1, 2, 3]}
        ),
        DiscreteFactor(["c"], [4], PRIOR),
    ]


def markov(tables):
    network = DiscreteMarkovNetwork([("a", "b"), ("b", "c")])
    network.add_factors(*tables)
    return network


def bipartite(tables):
    network = FactorGraph()
    network.add_nodes_from(dict.fromkeys(v for table in tables for v in table.variables))
    network.add_factors(*tables)
    network.add_nodes_from(tables)
    network.add_edges_from((v, table) for table in tables for v in table.variables)
    return network
