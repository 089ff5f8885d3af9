"""Models in files of every format: the same model comes back, and what is no model is refused."""

from __future__ import annotations

import gzip
import importlib.util
import json
from fractions import Fraction
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import FormatError, GhmppError, ModelError, NormalizationWarning
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.files import read, read_factors, write
from ghmpp.models.formats.network import normalised
from tests.models.formats.drawn import (
    BIF,
    UAI,
    XMLBIF,
    assert_same_distributions,
    assert_same_factors,
    markov_graphs,
    networks,
    posterior,
)
from tests.strategies import evidence, models
from tests.tolerances import ENUMERATION, EXACT

FILES = {"net.uai": UAI, "net.bif": BIF, "net.xmlbif": XMLBIF}
GRAPHS = ("uai", "bif", "xmlbif", "node-link")
EVERY = ("m.uai", "m.bif", "m.xml", "m.graph.json", "m.json")


@pytest.fixture(params=FILES)
def path(request, tmp_path):
    place = tmp_path / request.param
    place.write_text(FILES[request.param])
    return place


def test_posteriors_of_a_loopy_network_are_those_of_enumeration(path):
    model = read(path)
    a, b, c = model.variables

    for state in range(4):
        beliefs = gh.infer(model, {c: state})
        np.testing.assert_allclose(beliefs[a][0], _floats("A", {"C": state}), atol=EXACT)
        np.testing.assert_allclose(beliefs[b][0], _floats("B", {"C": state}), atol=EXACT)
    beliefs = gh.infer(model, {b: 1})
    np.testing.assert_allclose(beliefs[c][0], _floats("C", {"B": 1}), atol=EXACT)


def _floats(query, observed):
    found: list[Fraction] = posterior(query, observed)
    return [float(mass) for mass in found]


def test_model_is_named_like_the_file_or_as_it_says(tmp_path):
    place = tmp_path / "pedigree.v2.uai"
    place.write_text("MARKOV 1 2 0")

    assert read(place).name == "pedigree"


def weather():
    model = gh.Model("weather at 5")
    season = model.root("the season", ["dry", "wet", "né"], prior=[0.5, 0.25, 0.25])
    day = season.children("day", 2, ["sun", "rain"], potential=[[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
    day.children(
        "grade", 1, [(1, 2), None, True], potential=[[1, 2, 3], [4, 5, 6]], values=[3, 1, 2]
    )
    return model


@pytest.mark.parametrize("name", EVERY)
def test_every_format_keeps_names_states_values_and_law(tmp_path, name):
    model = weather()

    write(model, tmp_path / name)
    found = read(tmp_path / name)

    assert found.name == "weather at 5"
    assert_same_law(found, model)


def assert_same_law(found, expected):
    """Equal variables, and equal posteriors of some evidence."""
    graph, truth = found.graph(), expected.graph()
    mine, theirs = _listed(found, graph), _listed(expected, truth)
    assert mine == theirs
    for name in list(theirs)[-2:]:
        states = list(theirs[name][0])
        got, wanted = (
            gh.Inference(model, on_impossible="flag").posteriors({name: states})
            for model in (found, expected)
        )
        for other in theirs:
            np.testing.assert_allclose(_of(got, other), _of(wanted, other), atol=ENUMERATION)


def _listed(model, graph):
    """States and values of every variable that is not hidden, by name."""
    return {
        name: (tuple(data["states"]), None if data["values"] is None else tuple(data["values"]))
        for name, data in graph.nodes(data=True)
        if data["variable"] in model.variables
    }


def _of(beliefs, name):
    """The posterior of a single variable, also of a class: (batch, states)."""
    try:
        return beliefs[name]
    except GhmppError:
        variable, _, node = name.rstrip("]").rpartition("[")
        found = beliefs[variable]
        return found if found.ndim == 2 else found[:, int(node)]


@given(model=models(limit=500))
@pytest.mark.parametrize("kind", ["uai", "node-link"])
def test_models_of_all_kinds_come_back(model, kind, tmp_path_factory):
    place = tmp_path_factory.mktemp("written") / "model"
    write(model, place, kind)

    found = read(place, kind)

    assert found.log_partition() == pytest.approx(model.log_partition(), abs=ENUMERATION)
    assert_same_law(found, model)


@pytest.mark.slow
@given(model=models(limit=500), data=st.data())
@pytest.mark.parametrize("kind", ["bif", "xmlbif"])
def test_trees_come_back_as_bayesian_networks(model, kind, data, tmp_path_factory):
    place = tmp_path_factory.mktemp("written") / "model"
    write(model, place, kind)

    found = read(place, kind)

    assert found.log_partition() == pytest.approx(0, abs=ENUMERATION)
    drawn = data.draw(evidence(model, kinds=["states"], possible=True))
    nodes = _by_node(model, drawn.given)
    mine = gh.infer(found, nodes).log_evidence
    np.testing.assert_allclose(mine, gh.infer(model, drawn.given).log_evidence, atol=ENUMERATION)


def _by_node(model, given_by_class):
    """Evidence on classes as evidence on their nodes."""
    found = {}
    for name, states in given_by_class.items():
        variable = model.variables[name]
        single = variable.nodes == 1 and variable.blocks == (name,)
        for node, column in enumerate(np.reshape(states, (-1, variable.nodes)).T):
            found[name if single else f"{name}[{node}]"] = [
                None if state < 0 else variable.states[state] for state in column
            ]
    return found


@given(graph=markov_graphs())
def test_factors_come_back_as_they_were(graph, tmp_path_factory):
    place = tmp_path_factory.mktemp("written") / "m.uai"
    write(graph, place)

    found = read_factors(place)

    if all(factor.child is None for factor in found.factors):
        assert_same_factors(found, graph)


@given(graph=networks(), kind=st.sampled_from(["uai", "bif", "xmlbif"]))
def test_networks_come_back_as_they_were(graph, kind, tmp_path_factory):
    place = tmp_path_factory.mktemp("written") / "m"

    write(graph, place, kind)

    assert_same_distributions(read_factors(place, kind), graph)


@pytest.mark.parametrize("kind", GRAPHS)
def test_loopy_network_survives_every_format(tmp_path, kind):
    source, target = tmp_path / "net.bif", tmp_path / "copy"
    source.write_text(BIF)

    write(read(source), target, kind)

    model = read(target, kind)
    assert list(model.variables) == ["A", "B", "C"]
    assert model.variables["B"].states == ("b0", "b 1", "b2")
    np.testing.assert_allclose(
        gh.infer(model, {"C": "c2"})["A"][0], _floats("A", {"C": 2}), atol=EXACT
    )


@pytest.mark.parametrize("suffix", [".uai", ".bif", ".xml"])
@pytest.mark.parametrize("name", ["child", "alarm"])
def test_networks_of_bnlearn_survive_being_models(tmp_path, name, suffix):
    """Entry by entry, also the order of states and parents, though they are junction trees."""
    package = importlib.util.find_spec("pgmpy").submodule_search_locations[0]
    source = Path(package, "utils", "example_models", f"{name}.bif.gz")
    target = tmp_path / f"copy{suffix}"

    write(read(source), target)

    assert_same_distributions(read_factors(target), normalised(read_factors(source), name))


@pytest.mark.parametrize("name", EVERY)
def test_true_and_false_are_not_one_and_zero(tmp_path, name):
    model = gh.Model("truth")
    model.root("it", [False, True], prior=[0.25, 0.75])

    write(model, tmp_path / name)

    assert repr(tuple(read(tmp_path / name).variables["it"].states)) == "(False, True)"


@pytest.mark.parametrize("name", ["m.uai.gz", "m.bif.gz", "M.XMLBIF.GZ", "m.graph.json.gz"])
def test_files_may_be_packed(tmp_path, name):
    write(weather(), tmp_path / name)

    assert gzip.decompress((tmp_path / name).read_bytes())
    assert read(tmp_path / name).name == "weather at 5"


def test_graphs_and_factors_can_be_written(tmp_path):
    graph = nx.DiGraph(name="pair")
    graph.add_node("a", states=2, prior=[0.25, 0.75])
    graph.add_node("b", states=["y", "n"])
    graph.add_edge("a", "b", potential=[[0.5, 0.5], [0.125, 0.875]])
    factors = Factors("one", {"a": Node(2)}, (Factor(("a",), np.array([0.25, 0.75])),))

    write(graph, tmp_path / "pair.bif")
    write(factors, tmp_path / "one.json")

    assert "(1) 0.125, 0.875;" in (tmp_path / "pair.bif").read_text()
    np.testing.assert_array_equal(gh.infer(read(tmp_path / "one.json"))["a"], [[0.25, 0.75]])


def test_node_link_file_of_networkx_is_read_as_json(tmp_path):
    graph = nx.Graph(name="ising")
    graph.add_nodes_from([(0, 0), (0, 1)], states=[-1, 1])
    graph.add_edge((0, 0), (0, 1), potential=[[2, 1], [1, 2]])
    place = tmp_path / "graph.json"
    place.write_text(json.dumps(nx.node_link_data(graph, edges="edges")))

    model = read(place)

    assert list(model.variables) == ["(0, 0)", "(0, 1)"]
    np.testing.assert_allclose(gh.infer(model, {"(0, 0)": 1})["(0, 1)"], [[1 / 3, 2 / 3]])


def test_free_tables_survive_where_the_format_has_them(tmp_path):
    model = gh.GHM(states=(2, 3), branching=(2,))

    for name in ("m.json", "m.graph.json"):
        write(model, tmp_path / name)
        assert read(tmp_path / name).free
    for name in ("m.uai", "m.bif", "m.xml"):
        with pytest.raises(ModelError, match="is not complete: free tables"):
            write(model, tmp_path / name)
    assert not (tmp_path / "m.uai").exists()


def test_spec_is_run(tmp_path):
    place = tmp_path / "coin.py"
    place.write_text("import ghmpp as gh\nmodel = gh.Model('coin')\nmodel.root('side', 2)\n")

    assert read(place).name == "coin"
    with pytest.raises(FormatError, match=r"copy\.py: a spec is a program and cannot be written"):
        write(read(place), tmp_path / "copy.py")


def test_sloppy_distributions_are_divided_by_their_sums(tmp_path):
    place = tmp_path / "coin.uai"
    place.write_text("BAYES 1 2 1 1 0 2 0.255 0.75")

    with pytest.warns(NormalizationWarning, match=r"coin\.uai: .* miss 1 by up to 0.005"):
        model = read(place)

    assert model.log_partition() == pytest.approx(0, abs=EXACT)
    assert read_factors(place).factors[0].table.tolist() == [0.255, 0.75]
