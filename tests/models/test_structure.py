from __future__ import annotations

import numpy as np
import pytest
from pgmpy.factors.discrete import TabularCPD
from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

import ghmpp as gh
from ghmpp import _memory
from ghmpp.errors import ConversionError, ResourceError
from ghmpp.models.structure import is_bayesian, known_states, open_factors, scopes
from tests.tolerances import EXACT


def partly() -> DiscreteBayesianNetwork:
    """A network in which only c, given b and a, has a CPD."""
    network = DiscreteBayesianNetwork([("a", "c"), ("b", "c"), ("c", "d"), ("a", "d")])
    values = np.array([[0.1, 0.2, 0.3, 0.4], [0.9, 0.8, 0.7, 0.6]])
    names = {"c": ["n", "y"], "b": ["l", "r"], "a": [0, 1]}
    network.add_cpds(TabularCPD("c", 2, values, ["b", "a"], [2, 2], state_names=names))
    return network


STATES = {"a": [0, 1], "b": ["l", "r"], "c": ["n", "y"], "d": ["x", "y", "z"]}


def test_only_bayesian_networks_of_pgmpy_are_ones() -> None:
    assert is_bayesian(partly())
    assert not is_bayesian(DiscreteMarkovNetwork([("a", "b")]))
    assert not is_bayesian(gh.GHM(states=(2, 2), branching=(2,)))


def test_parents_come_in_the_order_of_the_cpd_or_of_the_edges() -> None:
    found = scopes(partly())

    assert found == {"a": ("a",), "b": ("b",), "c": ("c", "b", "a"), "d": ("d", "c", "a")}


def test_cpds_tell_states() -> None:
    assert known_states(partly()) == {"c": ["n", "y"], "b": ["l", "r"], "a": [0, 1]}


def test_missing_cpds_are_free_and_given_ones_stay() -> None:
    network = partly()
    network.name = "partly"

    graph = open_factors(network, STATES)

    tables = {factor.child: factor.table for factor in graph.factors}
    assert [name for name, table in tables.items() if table is None] == ["a", "b", "d"]
    assert graph.name == "partly"
    assert graph.nodes["d"].states == ["x", "y", "z"]
    assert tables["c"] is not None
    np.testing.assert_allclose(tables["c"][1, 1, 0], 0.7, rtol=EXACT)
    assert len(network.cpds) == 1


def test_all_are_free_where_none_is_missing() -> None:
    network = DiscreteBayesianNetwork([("a", "b")])
    network.add_cpds(TabularCPD("a", 2, [[0.5], [0.5]]))
    network.add_cpds(TabularCPD("b", 2, [[0.5, 0.1], [0.5, 0.9]], ["a"], [2]))

    assert all(
        factor.table is None for factor in open_factors(network, known_states(network)).factors
    )


def test_a_table_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = DiscreteBayesianNetwork([(f"x{k}", "y") for k in range(20)])
    monkeypatch.setattr(_memory, "physical_memory", lambda: 2**20)

    with pytest.raises(ResourceError, match=r"table of 'y' given its 20 parents needs 16\.0 MiB"):
        open_factors(network, {node: [0, 1] for node in network})


def test_a_cpd_must_have_the_parents_of_the_network() -> None:
    network = partly()
    network.remove_edge("b", "c")

    with pytest.raises(ConversionError, match="CPD of 'c' is given"):
        open_factors(network, STATES)
