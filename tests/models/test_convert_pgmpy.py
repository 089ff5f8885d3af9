"""pgmpy's models keep their law: compared with products of the tables, and with pgmpy itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from pgmpy.factors.discrete import DiscreteFactor, NoisyORCPD, TabularCPD
from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork, JunctionTree

from ghmpp.errors import ConversionError, NormalizationWarning
from ghmpp.models.convert import as_model, from_pgmpy, pgmpy_names, to_pgmpy
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import enumeration
from tests.models.laws import (
    AB,
    BC,
    CA,
    PRIOR,
    RNG,
    SIZES,
    assert_same_law,
    bayesian,
    bipartite,
    factors,
    law,
    law_of,
    markov,
    parents,
)
from tests.strategies import models
from tests.tolerances import EXACT, PGMPY

# --- from pgmpy ---------------------------------------------------------------------------------


def test_bayesian_network_has_the_child_axis_first():
    network, expected = bayesian()
    model = from_pgmpy(network)

    assert parents(model) == {"a": None, "b": "a", "c": "b"}
    assert model.variables["b"].states == ("low", "mid", "high")
    assert_same_law(model, expected)


@pytest.mark.parametrize("build", [markov, bipartite])
def test_factors_are_rooted_at_the_centre(build):
    model = from_pgmpy(build(factors()))

    assert parents(model) == {"b": None, "a": "b", "c": "b"}
    assert model.variables["b"].states == ("x", "y", "z")
    assert model.variables["c"].states == range(4)
    assert_same_law(model)


@pytest.mark.parametrize("root", ["a", "c"])
def test_another_root_gives_the_same_law(root):
    model = from_pgmpy(markov(factors()), root=root)

    assert parents(model)[root] is None
    assert_same_law(model)


@pytest.mark.parametrize("build", [markov, bipartite])
def test_equal_factors_of_pgmpy_multiply(build):
    double = [*factors(), DiscreteFactor(["c"], [4], PRIOR), DiscreteFactor(["a", "b"], [2, 3], AB)]

    expected = law(SIZES, [("ab", AB**2), ("bc", BC), ("c", PRIOR**2)])
    assert_same_law(from_pgmpy(build(double)), expected)


# --- to pgmpy -----------------------------------------------------------------------------------


def queries(network, names):
    """Marginal of every variable by variable elimination, normalised."""
    from pgmpy.inference import VariableElimination

    engine = VariableElimination(network)
    found = {}
    for name, safe in names.items():
        values = engine.query([safe], show_progress=False).values
        found[name] = values / values.sum()
    return found


def marginals(model):
    """Marginal of every variable by enumeration."""
    forest = model.forest()
    found = {}
    for name, array in enumeration(forest).posteriors.items():
        variable = forest.variables[name]
        for node in range(variable.nodes):
            single = variable.nodes == 1 and variable.blocks == (name,)
            found[name if single else f"{name}[{node}]"] = array[0, node]
    return found


@given(model=models(limit=300))
@pytest.mark.parametrize("kind", ["bayesian", "markov", "factor"])
def test_pgmpy_finds_the_same_marginals(kind, model):
    network = to_pgmpy(model, kind)
    assert network.check_model()
    if kind == "factor":
        network = network.to_markov_model()

    expected = marginals(model)
    found = queries(network, pgmpy_names(model))
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=PGMPY, atol=PGMPY)


@given(model=models(limit=300))
@pytest.mark.parametrize("kind", ["bayesian", "markov", "factor"])
def test_pgmpy_and_back_keeps_names_states_and_law(kind, model):
    again = from_pgmpy(to_pgmpy(model, kind))

    graph = model.graph()
    assert set(again.variables) == set(graph)
    for name, data in graph.nodes(data=True):
        assert tuple(again.variables[name].states) == data["states"]
    found, expected = law_of(again), law_of(model)
    if kind == "bayesian":
        found, expected = found / found.sum(), expected / expected.sum()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_names_for_pgmpy_are_plain_and_differ():
    model = Model()
    root = model.root("my digit", 2)
    root.children("my_digit", 2, 2, potential=np.ones((2, 2)))
    root.children("7", 1, 2, potential=np.ones((2, 2)))
    root.children("é", 1, 2, potential=np.ones((2, 2)))
    root.children("my-digit", 1, 2, potential=np.ones((2, 2)))

    assert pgmpy_names(model) == {
        "my digit": "my_digit",
        "my_digit[0]": "my_digit_0",
        "my_digit[1]": "my_digit_1",
        "7": "x7",
        "é": "x",
        "my-digit": "my_digit_2",
    }


def test_states_of_any_kind_survive():
    model = Model()
    root = model.root("a", [("x", 1), True, "y"], prior=[1, 2, 3])
    root.children("b", 1, [0.5, 2], potential=[[1, 2], [3, 4], [5, 6]])
    again = from_pgmpy(to_pgmpy(model, "bayesian"))

    assert [v.states for v in again.variables.values()] == [(("x", 1), True, "y"), (0.5, 2)]


def test_long_chains_come_from_pgmpy_without_recursion():
    names = [f"v{k}" for k in range(2000)]
    network = DiscreteMarkovNetwork(list(pairwise(names)))
    network.add_factors(*(DiscreteFactor([u, v], [2, 2], np.ones(4)) for u, v in pairwise(names)))
    model = from_pgmpy(network)

    assert model.log_partition() == pytest.approx(2000 * np.log(2), rel=EXACT)


# --- pgmpy, refused -----------------------------------------------------------------------------


def test_cpd_with_two_parents_has_the_first_one_slowest():
    network = DiscreteBayesianNetwork([("b", "a"), ("c", "a")])
    given = RNG.dirichlet(np.ones(2), (4, 3))
    network.add_cpds(
        TabularCPD("b", 3, [[0.2], [0.3], [0.5]]),
        TabularCPD("c", 4, np.full((4, 1), 0.25)),
        TabularCPD("a", 2, given.reshape(12, 2).T, evidence=["c", "b"], evidence_card=[4, 3]),
    )

    expected = law(SIZES, [("b", [0.2, 0.3, 0.5]), ("c", [0.25] * 4), ("cba", given)])
    assert_same_law(from_pgmpy(network), expected)


def test_columns_that_miss_one_are_divided_and_the_worst_is_named():
    network = DiscreteBayesianNetwork([("a", "b")])
    network.add_cpds(
        TabularCPD("a", 2, [[0.5], [0.504]]),
        TabularCPD("b", 2, [[0.905, 0.2], [0.1, 0.8]], evidence=["a"], evidence_card=[2]),
    )
    assert network.check_model()
    with pytest.warns(NormalizationWarning, match=r"miss 1 by up to 0.005 \(distribution of 'b'\)"):
        model = from_pgmpy(network)

    expected = law({"a": 2, "b": 2}, [("a", [500 / 1004, 504 / 1004])])
    np.testing.assert_allclose(law_of(model).sum(1), expected[:, 0], rtol=EXACT)
    np.testing.assert_allclose(law_of(model)[0, 0], 500 / 1004 * 905 / 1005, rtol=EXACT)


@pytest.mark.parametrize("scale", [0.0, 0.5, 0.989, 1.011, 2.0])
def test_columns_far_from_one_are_refused_where_pgmpy_refuses_them(scale):
    network, _ = bayesian()
    values = network.get_cpds("b").values
    values[:, 1] *= scale

    with pytest.raises(ValueError, match=r"Sum .* for node b is not equal to 1"):
        network.check_model()
    with pytest.raises(ConversionError, match=rf"'b': .* sum to {scale:g} where a: state 1; .*1 %"):
        from_pgmpy(network)


def test_rounding_of_columns_is_not_worth_a_warning():
    network = DiscreteBayesianNetwork()
    network.add_node("a")
    network.add_cpds(TabularCPD("a", 3, [[0.3333333], [0.3333333], [0.3333333]]))

    np.testing.assert_allclose(law_of(from_pgmpy(network)), 1 / 3, rtol=EXACT)


def test_missing_cpd_is_named():
    network, _ = bayesian()
    network.remove_cpds("b")

    with pytest.raises(ConversionError, match="'b' has no CPD"):
        from_pgmpy(network)


def test_cpd_must_agree_with_the_edges():
    network, _ = bayesian()
    network.remove_edge("a", "b")

    with pytest.raises(
        ConversionError, match=r"CPD of 'b' is given \['a'\], but its parents.*\[\]"
    ):
        from_pgmpy(network)


@pytest.mark.parametrize("build", [markov, bipartite])
def test_factors_over_three_variables_and_loops_keep_their_law(build):
    triple = RNG.random((4, 2, 3)) + 0.1
    many = [
        *factors(),
        DiscreteFactor(["c", "a", "b"], [4, 2, 3], triple),
        DiscreteFactor(["a", "c"], [2, 4], CA.T),
    ]
    network = build(many)
    if build is markov:
        network.add_edge("a", "c")

    expected = law(SIZES, [("ab", AB), ("bc", BC), ("c", PRIOR), ("cab", triple), ("ca", CA)])
    for model in (from_pgmpy(network), as_model(to_pgmpy(from_pgmpy(network), "factor"))):
        assert_same_law(model, expected)


def test_two_equal_factors_on_one_scope_multiply():
    twice = DiscreteMarkovNetwork([("a", "b")])
    twice.add_factors(*(DiscreteFactor(["a", "b"], [2, 3], AB) for _ in range(2)))
    model = from_pgmpy(twice)

    assert_same_law(model, AB**2)
    assert_same_law(from_pgmpy(to_pgmpy(model, "factor")), AB**2)


def test_tree_of_clusters_is_the_product_of_its_factors():
    tree = JunctionTree()
    tree.add_edge(("a", "b"), ("b", "c"))
    tree.add_factors(DiscreteFactor(["a", "b"], [2, 3], AB), DiscreteFactor(["b", "c"], [3, 4], BC))

    assert_same_law(from_pgmpy(tree), law(SIZES, [("ab", AB), ("bc", BC)]))


def test_cpd_of_noisy_causes_is_a_table():
    network = DiscreteBayesianNetwork([("a", "c"), ("b", "c")])
    network.add_cpds(
        TabularCPD("a", 2, [[0.5], [0.5]], state_names={"a": ["True", "False"]}),
        TabularCPD("b", 2, [[0.5], [0.5]], state_names={"b": ["True", "False"]}),
        NoisyORCPD("c", [0.3, 0.5], ["a", "b"]),
    )
    model = from_pgmpy(network)

    truth = [[1 - 0.7 * 0.5, 0.3], [0.5, 0]]  # by state of a and b
    found = law_of(model)[:, :, model.variables["c"].states.index("True")]
    np.testing.assert_allclose(found, np.array(truth) / 4, rtol=EXACT)


def test_variable_without_factor_is_refused():
    network = markov(factors())
    network.add_node("lonely")

    with pytest.raises(ConversionError, match="'lonely' has no factor"):
        from_pgmpy(network)


def test_state_names_must_agree():
    other = DiscreteFactor(["b"], [3], np.ones(3), state_names={"b": ["z", "y", "x"]})

    with pytest.raises(
        ConversionError, match=r"'b' has the states \['x', 'y', 'z'\] in one factor"
    ):
        from_pgmpy(markov([*factors(), other]))


def test_other_models_of_pgmpy_are_refused():
    from pgmpy.models import DynamicBayesianNetwork, LinearGaussianBayesianNetwork

    for network in (DynamicBayesianNetwork(), LinearGaussianBayesianNetwork()):
        kind = type(network).__name__
        with pytest.raises(ConversionError, match=rf"cannot convert a {kind} .*FactorGraph"):
            as_model(network)
    with pytest.raises(ConversionError, match="has no variables"):
        as_model(JunctionTree())


def test_names_of_any_kind_become_strings():
    names = {1: 2, ("t", 2): 3, "ü x": 2}
    network = DiscreteBayesianNetwork([(1, "ü x"), (("t", 2), "ü x")])
    table = RNG.dirichlet(np.ones(2), (2, 3))
    network.add_cpds(
        TabularCPD(1, 2, [[0.5], [0.5]]),
        TabularCPD(("t", 2), 3, [[0.2], [0.3], [0.5]]),
        TabularCPD("ü x", 2, table.reshape(6, 2).T, evidence=[1, ("t", 2)], evidence_card=[2, 3]),
    )
    model = from_pgmpy(network)
    again = from_pgmpy(to_pgmpy(model))

    assert list(model.variables) == ["1", "ü x", "('t', 2)"]
    assert {str(name): size for name, size in names.items()} == {
        name: len(variable.states) for name, variable in model.variables.items()
    }
    np.testing.assert_allclose(law_of(again), law_of(model), rtol=EXACT)
    assert set(again.variables) == set(model.variables)
