"""Conversions keep the law: compared with plain products of the given tables, and with pgmpy."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from time import perf_counter

import networkx as nx
import numpy as np
import pytest
import sympy
from hypothesis import given
from pgmpy.factors.discrete import DiscreteFactor, NoisyORCPD, TabularCPD
from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork, FactorGraph, JunctionTree

from ghmpp.errors import ConversionError, ModelError, NormalizationWarning
from ghmpp.models.convert import (
    as_model,
    factor_graph,
    from_networkx,
    from_pgmpy,
    pgmpy_names,
    to_networkx,
    to_pgmpy,
)
from ghmpp.models.model import Model
from ghmpp.models.potentials import ParentOf
from ghmpp.verification.enumeration import enumeration
from tests.strategies import models
from tests.tolerances import EXACT, PGMPY

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


# --- networkx, directed -------------------------------------------------------------------------


def test_directed_edges_go_from_parent_to_child():
    model = from_networkx(path(directed=True))

    assert parents(model) == {"a": None, "b": "a", "c": "b"}
    assert_same_law(model)


def test_states_come_in_three_forms():
    graph = nx.DiGraph()
    graph.add_node("named", states=["x", "y"])
    graph.add_node("counted", states=2)
    graph.add_node("sized", cardinality=2)
    graph.add_node("valued", states=[2, 5])
    graph.add_node("both", states=["x", "y"], values=[0.5, 1.5])
    variables = from_networkx(graph).variables

    assert [tuple(v.states) for v in variables.values()] == [
        ("x", "y"),
        (0, 1),
        (0, 1),
        (2, 5),
        ("x", "y"),
    ]
    assert [None if v.values is None else v.values.tolist() for v in variables.values()] == [
        None,
        None,
        None,
        [2.0, 5.0],
        [0.5, 1.5],
    ]


def test_missing_potential_is_free():
    graph = nx.DiGraph([("a", "b")])
    nx.set_node_attributes(graph, 2, "states")

    assert from_networkx(graph).free == ("a->b",)


def test_functions_and_formulas_are_kept():
    beta = sympy.Symbol("beta")
    graph = nx.DiGraph([("a", "b")])
    nx.set_node_attributes(graph, 2, "states")
    graph.edges["a", "b"]["potential"] = lambda s, t: sympy.exp(beta * s * t)
    model = from_networkx(graph)

    assert model.parameters == {"beta": None}
    assert from_networkx(model.graph()).parameters == {"beta": None}


def test_equal_tables_are_tied():
    graph = nx.DiGraph()
    graph.add_nodes_from("abc", states=2)
    graph.add_edge("a", "b", potential=np.eye(2))
    graph.add_edge("a", "c", potential=np.eye(2))

    assert from_networkx(graph).forest().keys() == ("a->b",)


def test_nodes_may_be_of_any_kind():
    graph = nx.DiGraph(name="grid")
    graph.add_nodes_from([(0, 0), (0, 1)], states=2)
    graph.add_edge((0, 0), (0, 1), potential=np.ones((2, 2)))
    model = from_networkx(graph)

    assert model.name == "grid"
    assert parents(model) == {"(0, 0)": None, "(0, 1)": "(0, 0)"}


# --- networkx, undirected -----------------------------------------------------------------------


def test_undirected_tree_is_rooted_at_its_centre():
    model = from_networkx(path(directed=False))

    assert parents(model) == {"b": None, "a": "b", "c": "b"}
    assert_same_law(model)


@pytest.mark.parametrize("root", ["a", "b", "c"])
def test_any_root_gives_the_same_law(root):
    model = from_networkx(path(directed=False), root=root)

    assert parents(model)[root] is None
    assert_same_law(model)


def test_first_axis_belongs_to_the_node_added_first():
    graph = nx.Graph()
    graph.add_node("b", states=3)
    graph.add_node("a", states=2)
    graph.add_edge("a", "b", potential=AB.T)

    assert_same_law(from_networkx(graph), AB)
    assert_same_law(from_networkx(graph, root="a"), AB)


def test_axes_say_otherwise():
    graph = path(directed=False)
    graph.add_edge("a", "b", potential=AB.T, axes=("b", "a"))

    assert_same_law(from_networkx(graph))
    assert_same_law(from_networkx(graph, root="a"))


def test_undirected_edges_may_have_functions():
    graph = nx.Graph()
    graph.add_nodes_from("ab", states=range(3))
    graph.add_edge("a", "b", potential=lambda s, t: 1 + s + 5 * t)

    assert_same_law(from_networkx(graph, root="b"), 1 + np.arange(3)[:, None] + 5 * np.arange(3))


def test_every_tree_of_a_forest_has_its_root():
    graph = nx.disjoint_union(nx.path_graph(3), nx.path_graph(5))
    nx.set_node_attributes(graph, 2, "states")
    model = from_networkx(graph, root=0)

    assert [name for name, parent in parents(model).items() if parent is None] == ["0", "5"]


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.Graph])
def test_long_chains_convert_in_seconds(kind):
    graph = nx.path_graph(5000, create_using=kind)
    nx.set_node_attributes(graph, 2, "states")
    nx.set_edge_attributes(graph, np.ones((2, 2)), "potential")
    start = perf_counter()
    model = from_networkx(graph)

    assert perf_counter() - start < 10
    assert len(model.variables) == 5000
    assert model.log_partition() == pytest.approx(5000 * np.log(2), rel=EXACT)


# --- networkx and back --------------------------------------------------------------------------


@given(model=models(limit=2000))
def test_graph_comes_back_with_one_class_per_variable(model):
    graph = to_networkx(model)
    again = to_networkx(from_networkx(graph))

    assert set(again) == set(graph)
    assert set(again.edges) == set(graph.edges)
    for name, data in graph.nodes(data=True):
        found = again.nodes[name]
        assert found["variable"] == name
        assert found["states"] == data["states"]
        np.testing.assert_equal(found["values"], data["values"])
        np.testing.assert_equal(found["prior"], data["prior"])
    for edge, data in graph.edges.items():
        np.testing.assert_equal(again.edges[edge]["potential"], data["potential"])


@given(model=models(limit=2000))
def test_factor_graph_comes_back_with_the_same_law(model):
    bipartite = model.factor_graph()
    again = as_model(bipartite)

    assert nx.is_bipartite(bipartite)
    for name, data in bipartite.nodes(data=True):
        if data["bipartite"] == 1:
            assert set(bipartite[name]) == set(data["variables"])
    np.testing.assert_allclose(law_of(again), law_of(model), rtol=EXACT)


def test_factors_on_the_same_variables_multiply():
    graph = nx.Graph()
    graph.add_nodes_from("ab", bipartite=0)
    graph.nodes["a"]["states"], graph.nodes["b"]["states"] = 2, 3
    for name, scope, table in [("f", "ab", AB), ("g", "ba", 1 + AB.T), ("h", "a", [1.0, 3.0])]:
        graph.add_node(name, bipartite=1, variables=tuple(scope), potential=table)
        graph.add_edges_from((name, variable) for variable in scope)

    expected = law({"a": 2, "b": 3}, [("ab", AB), ("ab", 1 + AB), ("a", [1.0, 3.0])])
    assert_same_law(from_networkx(graph), expected)


def test_free_tables_stay_free_in_a_factor_graph():
    model = Model()
    model.root("a", 2).children("b", 1, 3)

    assert len(as_model(factor_graph(model)).free) == 1


# --- networkx, refused --------------------------------------------------------------------------


def test_directed_cycle_is_named():
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "a")])
    nx.set_node_attributes(graph, 2, "states")

    with pytest.raises(ConversionError, match=r"cycle a -> b -> c -> a.*remove an edge"):
        from_networkx(graph)


def test_loops_of_edges_keep_their_law():
    ends = {"a": ("b", AB), "b": ("c", BC), "c": ("a", CA)}
    for graph in (nx.Graph(), nx.DiGraph()):
        graph.add_nodes_from((name, {"states": size}) for name, size in SIZES.items())
        for one, (other, table) in ends.items():
            graph.add_edge(*sorted((one, other)), potential=table if one < other else table.T)
        model = from_networkx(graph, root=None if graph.is_directed() else "b")

        assert model.treewidth == 2
        assert_same_law(model, law(SIZES, [("ab", AB), ("bc", BC), ("ca", CA)]))
        assert_same_law(from_networkx(model.graph()), law_of(model))


def test_loops_of_functions_and_index_maps_keep_their_law():
    graph = nx.cycle_graph(["a", "b", "c"])
    nx.set_node_attributes(graph, SIZES, "states")
    graph.edges["a", "b"]["potential"] = lambda s, t: 1 + s * t
    graph.edges["b", "c"]["potential"] = ParentOf([0, 1, 2, 2])
    graph.edges["c", "a"].update(potential=lambda s, t: 2 + s - t, axes=("c", "a"))

    one = [[1 + s * t for t in range(3)] for s in range(2)]
    two = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]
    three = [[2 + s - t for t in range(2)] for s in range(4)]
    assert_same_law(from_networkx(graph), law(SIZES, [("ab", one), ("bc", two), ("ca", three)]))


def test_loop_without_potential_is_refused():
    graph = nx.cycle_graph(["x", "y", "z"])
    nx.set_node_attributes(graph, 2, "states")

    with pytest.raises(ConversionError, match=r"factor over \(x, y\): has no table; outside"):
        from_networkx(graph)


def test_two_parents_multiply():
    graph = nx.DiGraph()
    graph.add_nodes_from((name, {"states": size}) for name, size in SIZES.items())
    graph.add_edge("a", "b", potential=AB)
    graph.add_edge("c", "b", potential=BC.T)

    assert_same_law(from_networkx(graph), law(SIZES, [("ab", AB), ("bc", BC)]))


def test_states_are_needed():
    graph = nx.DiGraph()
    graph.add_node("a", colour="red")

    with pytest.raises(ConversionError, match=r"'a': needs the attribute 'states'.*colour"):
        from_networkx(graph)


@pytest.mark.parametrize("name", ["state", "State", "Values", "value", "priors", "potential"])
def test_misspelt_attribute_of_a_node_is_refused(name):
    graph = nx.DiGraph()
    graph.add_node("a", states=2, **{name: [1, 2]})

    message = f"node 'a': the attribute '{name}' means nothing here; .* states, cardinality, values"
    with pytest.raises(ConversionError, match=message):
        from_networkx(graph)


@pytest.mark.parametrize("name", ["potentials", "Potential", "axis", "states"])
def test_misspelt_attribute_of_an_edge_is_refused(name):
    graph = nx.Graph()
    graph.add_nodes_from("ab", states=2)
    graph.add_edge("a", "b", **{name: np.eye(2)})

    with pytest.raises(ConversionError, match=f"edge 'a' - 'b': .* '{name}' .* potential, axes;"):
        from_networkx(graph)


def test_misspelt_attribute_of_a_factor_is_refused():
    model = Model("pair")
    model.root("a", 2).children("b", 1, 2, potential=np.eye(2))
    graph = model.factor_graph()
    graph.nodes["a->b"]["variable"] = ("a", "b")

    with pytest.raises(ConversionError, match="factor 'a->b': the attribute 'variable' means"):
        from_networkx(graph)


def test_other_attributes_are_free():
    graph = nx.DiGraph()
    graph.add_node("a", states=2, label="A", pos=(0, 1), status="new", color="red", size=3)
    graph.add_node("b", states=2, **{"1": 1})
    graph.add_edge("a", "b", potential=np.eye(2), weight=2.0, label="copy", length=1)

    assert list(from_networkx(graph).variables) == ["a", "b"]


def test_other_graphs_are_refused():
    with pytest.raises(ConversionError, match="multigraph"):
        from_networkx(nx.MultiDiGraph([("a", "b")]))
    with pytest.raises(ConversionError, match="no nodes"):
        from_networkx(nx.Graph())
    with pytest.raises(ConversionError, match="root: the edges of a DiGraph say already"):
        from_networkx(path(directed=True), root="b")
    with pytest.raises(ConversionError, match="root: no node 'z'; the nodes are: a, b, c"):
        from_networkx(path(directed=False), root="z")


def test_names_must_differ_as_strings():
    graph = nx.DiGraph()
    graph.add_nodes_from([1, "1"], states=2)

    with pytest.raises(ConversionError, match="1 and '1' would both be called '1'"):
        from_networkx(graph)


def test_axes_must_name_the_edge():
    graph = path(directed=False)
    graph.edges["a", "b"]["axes"] = ("a", "c")

    with pytest.raises(ConversionError, match="'b' - 'a': axes must name its two nodes"):
        from_networkx(graph)


def test_wrong_shape_names_the_edge():
    graph = path(directed=True)
    graph.edges["a", "b"]["potential"] = AB.T

    with pytest.raises(ModelError, match=r"'a' -> 'b'.*\(2, 3\).*got \(3, 2\)"):
        from_networkx(graph)


@pytest.mark.parametrize(
    ("scope", "table", "message"),
    [
        ("ab", None, "factors over a, b: a table to be learned must be the only one"),
        ("ab", np.ones((3, 2)), r"factors over a, b have the shapes \(2, 3\) and \(3, 2\)"),
    ],
)
def test_factors_that_do_not_fit_are_refused(scope, table, message):
    graph = from_networkx(path(directed=True)).factor_graph()
    graph.add_node("new", bipartite=1, variables=tuple(scope), potential=table)
    graph.add_edges_from(("new", variable) for variable in scope)

    with pytest.raises(ConversionError, match=message):
        from_networkx(graph)


def test_factor_must_name_its_neighbours():
    graph = from_networkx(path(directed=True)).factor_graph()
    graph.nodes["a->b"]["variables"] = ("a", "c")

    with pytest.raises(ConversionError, match=r"factor 'a->b': its attribute variables"):
        from_networkx(graph)


# --- from pgmpy ---------------------------------------------------------------------------------


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


def test_pgmpy_is_recognised_before_networkx():
    network = bipartite(factors())

    assert isinstance(network, nx.Graph)
    assert_same_law(as_model(network))


def test_recognising_pgmpy_does_not_import_it():
    code = "import sys, networkx as nx; from ghmpp.models.convert import as_model; g = nx.Graph();"
    code += "g.add_node('a', states=2); as_model(g); print('pgmpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


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


def test_other_things_are_no_models():
    with pytest.raises(ConversionError, match=r"expected a ghmpp Model.*got a list from builtins"):
        as_model([1, 2])


def test_options_are_listed():
    model = from_networkx(path(directed=True))

    with pytest.raises(ConversionError, match="kind must be bayesian, markov or factor, got 'x'"):
        to_pgmpy(model, "x")
    with pytest.raises(ConversionError, match="kind must be networkx or pgmpy, got 'x'"):
        factor_graph(model, "x")
    with pytest.raises(ConversionError, match="root: a Bayesian network has its root already"):
        from_pgmpy(bayesian()[0], root="a")


def test_incomplete_model_does_not_go_to_pgmpy():
    model = Model()
    model.root("a", 2).children("b", 1, 2)

    with pytest.raises(ModelError, match="a->b"):
        factor_graph(model, "pgmpy")


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
