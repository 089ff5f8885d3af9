"""The look-alike of VariableElimination answers like pgmpy, and like enumeration."""

from __future__ import annotations

from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from pgmpy.inference import VariableElimination as Theirs

from ghmpp.errors import (
    ConversionError,
    EvidenceError,
    ImpossibleEvidenceError,
    QueryError,
    TreewidthError,
    UnknownStateError,
)
from ghmpp.models import junction
from ghmpp.pgmpy import VariableElimination, plans
from tests.pgmpy.networks import example, random_network, ring, state_names, truth
from tests.tolerances import ENUMERATION, EXACT, PGMPY

ODD_NAMES = ["a b", 7, ("x", 1), "é", "pixel", "pixel[0]", "b->c"]


@pytest.fixture(scope="module")
def asia():
    return example("asia")


def random_evidence(network, rng, count):
    """States of some variables that occur together, by enumeration of ancestors."""
    names = list(rng.permutation(np.array(list(network.nodes), dtype=object)))
    seen: dict = {}
    for name in names[:count]:
        mass = truth(network, [name], seen)
        seen[name] = state_names(network, name)[int(rng.choice(np.flatnonzero(mass)))]
    return seen, names[count:]


@pytest.mark.parametrize("seed", range(6))
def test_marginals_agree_with_pgmpy(seed):
    rng = np.random.default_rng(seed)
    network = random_network(seed, zeros=seed % 2 == 1)
    evidence, others = random_evidence(network, rng, seed % 4)
    ours, theirs = VariableElimination(network), Theirs(network)
    for name in others:
        found = ours.query([name], evidence)
        expected = theirs.query([name], evidence, show_progress=False)

        np.testing.assert_allclose(found.values, expected.values, atol=PGMPY)
        assert found.state_names == expected.state_names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asia", "sachs"])
def test_joint_tables_agree_with_pgmpy(name):
    network = example(name)
    rng = np.random.default_rng(1)
    ours, theirs = VariableElimination(network), Theirs(network)
    for _ in range(5):
        evidence, others = random_evidence(network, rng, 2)
        found = ours.query(others[:3], evidence)
        expected = theirs.query(others[:3], evidence, show_progress=False)

        assert found.variables == expected.variables
        np.testing.assert_allclose(found.values, expected.values, atol=PGMPY)


def test_joint_of_a_set_inside_no_clique_is_no_product_of_marginals():
    network = random_network(3)
    far = ["a", "g"]
    assert not any(set(far) <= set(cpd.variables) for cpd in network.cpds)
    found = VariableElimination(network).query(["g", "a"]).values
    expected = truth(network, ["g", "a"])

    np.testing.assert_allclose(found, expected, atol=EXACT)
    assert abs(found - np.outer(found.sum(1), found.sum(0))).max() > 1e-3


def test_several_marginals_come_by_variable():
    network = random_network(4)
    found = VariableElimination(network).query(["e", "b"], {"d": "s1"}, joint=False)

    assert list(found) == ["e", "b"]
    for name, factor in found.items():
        expected = truth(network, [name], {"d": "s1"})
        np.testing.assert_allclose(factor.values, expected / expected.sum(), atol=EXACT)


def test_results_of_markov_networks_are_masses():
    network = ring()
    evidence, likelihoods = {"v3": 2}, {"v1": [1.0, 0.5, 0.25]}
    found = VariableElimination(network).query(["v0", "v2"], evidence, likelihoods)

    np.testing.assert_allclose(
        found.values, truth(network, ["v0", "v2"], evidence, likelihoods), rtol=ENUMERATION
    )


@pytest.mark.parametrize("seed", range(3))
def test_map_of_some_variables_sums_the_others_out(seed):
    network = random_network(seed + 20)
    found = VariableElimination(network).map_query(["a", "e", "g"], {"c": "s0"})
    table = truth(network, ["a", "e", "g"], {"c": "s0"})
    best = np.unravel_index(table.argmax(), table.shape)

    assert found == {n: f"s{k}" for n, k in zip(["a", "e", "g"], best, strict=True)}


def test_map_of_all_variables_completes_them():
    # More joint states than a table would be made for.
    network = random_network(11, "abcdefghijk")
    evidence = {"d": "s1"}
    rest = [name for name in network.nodes if name != "d"]
    likelihoods = {"h": np.linspace(1, 2, len(state_names(network, "h")))}
    found = VariableElimination(network).map_query(None, evidence, likelihoods)
    table = truth(network, rest, evidence, likelihoods)
    best = np.unravel_index(table.argmax(), table.shape)

    assert table.size > plans.SMALL_TABLE
    assert found == {n: f"s{k}" for n, k in zip(rest, best, strict=True)}


def test_max_marginal_is_the_largest_entry_of_the_best_completions():
    network = random_network(12)
    engine = VariableElimination(network)
    bearing = nx.ancestors(network, "f") | {"f"}
    part = SimpleNamespace(cpds=[cpd for cpd in network.cpds if cpd.variable in bearing])
    best = truth(part, ["f"], best=True)

    assert engine.max_marginal(["f"]) == pytest.approx(best.max() / best.sum(), rel=ENUMERATION)


def test_max_marginal_without_variables_is_the_largest_mass():
    bayesian, markov = random_network(12), ring()
    largest = truth(bayesian, list("bcdefg"), {"a": "s1"}).max()

    found = VariableElimination(bayesian).max_marginal(evidence={"a": "s1"})
    assert found == pytest.approx(largest, rel=ENUMERATION)
    found = VariableElimination(markov).max_marginal(["v0"])
    assert found == pytest.approx(truth(markov, list(markov.nodes)).max(), rel=ENUMERATION)


@pytest.mark.parametrize("query", ["dysp", "smoke"])
def test_impossible_evidence_is_refused_also_where_it_does_not_bear_on_the_query(asia, query):
    engine = VariableElimination(asia)

    with pytest.raises(ImpossibleEvidenceError, match="'either': 'no', 'lung': 'yes'"):
        engine.query([query], {"either": "no", "lung": "yes"})
    with pytest.raises(ImpossibleEvidenceError):
        engine.map_query([query], {"either": "no", "lung": "yes"})


def test_joint_tables_beyond_memory_are_refused(monkeypatch):
    network = random_network(16, "abcdefghijk")
    monkeypatch.setattr(junction, "physical_memory", lambda: 100_000)
    engine = VariableElimination(network)
    engine.query(["a"])

    with pytest.raises(TreewidthError, match="largest cliques"):
        engine.query(list("abcdefghijk"))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"variables": []}, QueryError, "must contain at least one variable"),
        ({"variables": "dysp"}, QueryError, r"must be a list, such as \['dysp'\]"),
        ({"variables": ["dsyp"]}, QueryError, "no variable 'dsyp'.*Did you mean 'dysp'"),
        ({"variables": ["dysp", "dysp"]}, QueryError, "asked twice"),
        ({"variables": ["dysp"], "evidence": {"dysp": "yes"}}, QueryError, "both asked and"),
        ({"variables": ["dysp"], "evidence": ["lung"]}, EvidenceError, "expected a dictionary"),
        ({"variables": ["dysp"], "evidence": {"x": 1}}, QueryError, "evidence: no variable 'x'"),
        (
            {"variables": ["dysp"], "evidence": {"lung": "maybe"}},
            UnknownStateError,
            "'lung' has no state 'maybe'; its states are 'yes', 'no'",
        ),
        ({"variables": ["dysp"], "elimination_order": "best"}, QueryError, "must be one of greedy"),
        (
            {"variables": ["lung"], "elimination_order": ["xray"]},
            QueryError,
            "every variable to be eliminated, 'smoke'",
        ),
        (
            {"variables": ["dysp"], "virtual_evidence": {"lung": [1, 1, 1]}},
            EvidenceError,
            "'lung' has 2 states.*shape",
        ),
        (
            {"variables": ["dysp"], "virtual_evidence": {"lung": [-1, 1]}},
            EvidenceError,
            "finite, >= 0 and not all zero",
        ),
        ({"variables": ["dysp"], "virtual_evidence": [3]}, EvidenceError, "over one variable"),
    ],
)
def test_wrong_questions_are_refused_with_what_is_allowed(asia, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        VariableElimination(asia).query(**arguments)

    assert isinstance(caught.value, ValueError)


def test_everything_observed_leaves_nothing_to_ask(asia):
    with pytest.raises(QueryError, match="every variable is observed"):
        VariableElimination(asia).map_query(evidence=dict.fromkeys(asia.nodes, "yes"))


def test_other_models_are_refused():
    with pytest.raises(ConversionError, match="cannot convert a DiGraph"):
        VariableElimination(nx.DiGraph([("a", "b")]))


def test_induced_graph_needs_every_variable(asia):
    with pytest.raises(QueryError, match="must contain every variable"):
        VariableElimination(asia).induced_graph(["lung"])


def test_induced_graph_is_that_of_pgmpy(asia):
    order = ["xray", "dysp", "bronc", "asia", "smoke", "tub", "lung", "either"]
    found = VariableElimination(asia).induced_graph(order)
    expected = Theirs(asia).induced_graph(order)

    assert {frozenset(edge) for edge in found.edges} == {frozenset(e) for e in expected.edges}
    assert VariableElimination(asia).induced_width(order) == Theirs(asia).induced_width(order)
