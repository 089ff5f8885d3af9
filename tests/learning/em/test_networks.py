from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import sympy as sp
from pgmpy.factors.discrete import DiscreteFactor, TabularCPD
from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

import ghmpp as gh
from ghmpp.errors import ConversionError, EvidenceError, ModelError
from ghmpp.learning.em.fit import fit
from ghmpp.learning.em.networks import read_problem
from ghmpp.models.convert import to_pgmpy
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from tests.tolerances import EXACT

DIAMOND = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]


def states(model: Model) -> dict[str, list[object]]:
    return {name: list(variable.states) for name, variable in model.variables.items()}


def diamond(**cards: int) -> DiscreteBayesianNetwork:
    """A complete network with a cycle, drawn at random."""
    network = DiscreteBayesianNetwork(DIAMOND)
    rng = np.random.default_rng(0)
    sizes = dict.fromkeys("abcd", 2) | cards
    for node in network:
        above = list(network.predecessors(node))
        shape = sizes[node], int(np.prod([sizes[name] for name in above]))
        values = rng.random(shape) + 0.1
        network.add_cpds(
            TabularCPD(
                node,
                sizes[node],
                values / values.sum(axis=0),
                evidence=above,
                evidence_card=[sizes[name] for name in above],
            )
        )
    return network


def test_states_come_from_the_data() -> None:
    data = pd.DataFrame({"a": ["y", None, "x"], "b": [1.0, np.nan, 0.0], "c": [3, 5, 3], "d": "z"})

    model = read_problem(DiscreteBayesianNetwork(DIAMOND), data, {}).model

    assert states(model) == {"a": ["x", "y"], "b": [0, 1], "c": [3, 5], "d": ["z"]}
    assert set(model.free) == {"a", "family b", "family c", "family d"}


def test_states_may_be_said_where_data_do_not_have_them() -> None:
    data = {"a": [0, 1], "b": ["no", "no"], "c": [-1, 1]}

    problem = read_problem(
        DiscreteBayesianNetwork(DIAMOND),
        data,
        {},
        states={"b": ["no", "yes"], "c": [-1, 1], "d": 3},
    )

    assert states(problem.model) == {"a": [0, 1], "b": ["no", "yes"], "c": [-1, 1], "d": [0, 1, 2]}


def test_cpds_say_states_and_stay_where_others_are_missing() -> None:
    network = diamond(c=3)
    kept = {name: network.get_cpds(name).get_values() for name in "bd"}
    network.remove_cpds("a", "c")
    data = {"a": [0, 0, 1], "c": [2, 2, 0]}

    fitted = to_pgmpy(fit(network, data, smoothing=0))

    for name, values in kept.items():
        np.testing.assert_allclose(fitted.get_cpds(name).get_values(), values, rtol=EXACT)
    found = fitted.get_cpds("c").get_values()
    np.testing.assert_allclose(found, [[0, 1], [0, 0], [1, 0]], atol=EXACT)


def test_all_distributions_of_a_complete_network_are_learned_anew() -> None:
    network = diamond()
    rng = np.random.default_rng(1)
    data = {name: rng.integers(0, 2, size=40) for name in "abcd"}
    bare = fit(DiscreteBayesianNetwork(DIAMOND), data).forest().data

    again = [fit(thing, data) for thing in (network, gh.from_pgmpy(network))]

    for model in again:
        for key in ("a", "family b", "family c", "family d"):
            np.testing.assert_allclose(model.forest().data[key], bare[key], rtol=EXACT)


def test_an_imported_tree_is_treated_like_a_network_with_cycles() -> None:
    tree = DiscreteBayesianNetwork([("a", "b"), ("a", "c")])
    data = {"a": [0, 0, 1], "b": [0, 1, 1], "c": [1, 1, 0]}
    fitted = fit(tree, data, smoothing=0)
    np.testing.assert_allclose(fitted.forest().data["a"], [[2 / 3, 1 / 3]], rtol=EXACT)

    again = fit(gh.from_pgmpy(to_pgmpy(fitted)), {**data, "b": [1, 1, 1]}, smoothing=0)

    np.testing.assert_allclose(again.forest().data["a->b"], [[[0, 1], [0, 1]]], atol=EXACT)


def test_a_missing_distribution_of_a_root_is_learned_above_given_tables() -> None:
    tree = DiscreteBayesianNetwork([("a", "b")])
    tree.add_cpds(TabularCPD("b", 2, [[0.9, 0.2], [0.1, 0.8]], ["a"], [2]))

    fitted = fit(tree, {"a": [0, 1, 1, 1]}, smoothing=0)

    np.testing.assert_allclose(fitted.forest().data["a"], [[0.25, 0.75]], rtol=EXACT)


def test_variables_may_have_any_names() -> None:
    network = DiscreteBayesianNetwork([(1, ("x", 2)), ((1), "b c"), (("x", 2), "b c")])
    data = pd.DataFrame([[0, "u", 1], [1, "v", 0]], columns=[1, "pair", "b c"])
    data.columns = pd.Index([1, ("x", 2), "b c"], tupleize_cols=False)

    model = fit(network, data, smoothing=0)

    assert states(model) == {"1": [0, 1], "('x', 2)": ["u", "v"], "b c": [0, 1]}


def test_a_graph_without_potentials_is_a_network_to_be_learned() -> None:
    graph = nx.DiGraph(DIAMOND)
    nx.set_node_attributes(graph, 2, "states")
    rng = np.random.default_rng(2)
    data = {name: rng.integers(-1, 2, size=30) for name in "abcd"}

    found = fit(graph, data, tolerance=0).forest().data
    expected = fit(DiscreteBayesianNetwork(DIAMOND), data, states=dict.fromkeys("abcd", 2))

    assert found.keys() == expected.forest().data.keys()
    start = fit(graph, data, start=expected, iterations=1).forest().data
    np.testing.assert_allclose(start["family d"], expected.forest().data["family d"], atol=1e-3)


def test_data_may_come_by_keyword() -> None:
    network = DiscreteBayesianNetwork(DIAMOND)
    rows = {"c": [0, 1], "d": [1, 1]}

    fitted = fit(network, {"a": [0, 1], "b": [1, 0]}, **rows, smoothing=0)

    np.testing.assert_allclose(fitted.forest().data["family d"].max(), 1, rtol=EXACT)


def test_undirected_factors_are_refused_with_the_reason() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "a")]
    loop = DiscreteMarkovNetwork(pairs)
    loop.add_factors(*[DiscreteFactor(pair, [2, 2], [2, 1, 1, 3]) for pair in pairs])
    tree = DiscreteMarkovNetwork(pairs[:1])
    tree.add_factors(DiscreteFactor(pairs[0], [2, 2], [2, 1, 1, 3]))

    for network in (loop, tree):
        with pytest.raises(ModelError, match=r"factor over .* is no conditional .* Bayesian net"):
            fit(network, {"a": [0, 1]})


def test_bound_formulas_are_not_opened() -> None:
    beta = sp.Symbol("beta", positive=True)
    table = np.array([[beta, 1], [1, beta]])
    parts = tuple(Factor(pair, table) for pair in (("a", "b"), ("b", "c"), ("c", "a")))
    model = junction_model(Factors("m", {name: Node(2) for name in "abc"}, parts))

    with pytest.raises(ModelError, match="nothing to learn"):
        fit(model.bind(beta=2), {"a": [0, 1]})


def test_errors_of_states_and_ties_name_the_variable() -> None:
    network, data = DiscreteBayesianNetwork(DIAMOND), {"a": [0, 1], "b": [0, 1], "c": [0, 1]}

    with pytest.raises(ConversionError, match="states of 'd' are unknown"):
        fit(network, data)
    with pytest.raises(ModelError, match="states: the network has no variable 'q'"):
        fit(network, data, states={"q": 2})
    with pytest.raises(ModelError, match=r"a CPD says that 'a' has the states \[0, 1\]"):
        fit(diamond(), data, states={"a": 3})
    with pytest.raises(ModelError, match="states of 'd': state 'x' is listed twice"):
        fit(network, data, states={"d": ["x", "x"]})
    with pytest.raises(ModelError, match="states are only for Bayesian networks of pgmpy"):
        fit(gh.from_pgmpy(diamond()), data, states={"d": 2})
    with pytest.raises(ModelError, match="tie: the network has no variable 'q'"):
        fit(network, data, states={"d": 2}, tie={"q": "a"})
    with pytest.raises(ModelError, match="'d' has 2 parents and 'b' has 1"):
        fit(network, data, states={"d": 2}, tie={"d": "b"})
    with pytest.raises(EvidenceError, match="no variable 'q'"):
        fit(network, {**data, "q": [0, 1]}, states={"d": 2})
    with pytest.raises(EvidenceError, match="a: 'w' is not a state"):
        fit(network, {**data, "a": ["x", "w"]}, states={"a": ["x", "y"], "d": 2})


def test_tied_variables_have_the_states_of_all() -> None:
    network = DiscreteBayesianNetwork([("x0", "x1"), ("x1", "x2"), ("u", "x1"), ("u", "x2")])
    data = {"x0": [0, 1], "x1": [1, 1], "x2": [2, 0], "u": ["l", "r"]}

    fitted = fit(network, data, tie={"x2": "x1"}, smoothing=0)

    assert states(fitted) == {"x0": [0, 1, 2], "x1": [0, 1, 2], "x2": [0, 1, 2], "u": ["l", "r"]}
    found = fitted.forest().data
    np.testing.assert_array_equal(found["family x1"], found["family x2"])
