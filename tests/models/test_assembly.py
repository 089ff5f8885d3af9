from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ConversionError, ModelError
from ghmpp.models.assembly import model_of, open_families
from ghmpp.models.convert import factor_graph, from_networkx
from ghmpp.models.factors import Factor, Factors, Node

TABLE = np.array([[0.9, 0.1], [0.4, 0.6]])


def diamond(**potentials: object) -> nx.DiGraph:
    """a -> b, c -> d, with potentials on some edges."""
    graph = nx.DiGraph(["ab", "ac", "bd", "cd"])
    nx.set_node_attributes(graph, 2, "states")
    for edge, potential in potentials.items():
        graph.edges[tuple(edge)]["potential"] = potential
    return graph


def free(graph: nx.DiGraph) -> dict[str | None, tuple[str, ...]]:
    nodes = {name: Node(2, None, data.get("prior")) for name, data in graph.nodes(data=True)}
    found = open_families(graph, {name: name for name in graph}, nodes)
    return {factor.child: factor.variables for factor in found}


def test_nodes_below_edges_without_potential_are_free_given_all_their_parents() -> None:
    assert free(diamond()) == {"a": ("a",), "b": ("a", "b"), "c": ("a", "c"), "d": ("b", "c", "d")}


def test_what_is_given_stays() -> None:
    graph = diamond(ab=TABLE, ac=TABLE)
    assert free(graph) == {"d": ("b", "c", "d")}

    graph = diamond(bd=TABLE, cd=TABLE)
    graph.nodes["a"]["prior"] = [1, 2]
    assert free(graph) == {"b": ("a", "b"), "c": ("a", "c")}


def test_some_edges_of_a_node_cannot_be_free() -> None:
    with pytest.raises(ConversionError, match=r"\(c, d\): has no table; .* conditional probab"):
        from_networkx(diamond(bd=TABLE))


def test_a_free_root_of_a_tree_has_a_prior_to_be_learned() -> None:
    parts = (Factor(("a",), None, "a"), Factor(("a", "b"), TABLE, "b"))

    model = model_of(Factors("tree", {"a": Node(2), "b": Node(2)}, parts))

    assert model.free == ("a",)
    with pytest.raises(ModelError, match="free tables a"):
        gh.infer(model, {"b": [0]})


def test_free_families_survive_a_factor_graph_and_a_file(tmp_path: Path) -> None:
    model = from_networkx(diamond())
    assert set(model.free) == {"a", "family b", "family c", "family d"}

    gh.save(model, tmp_path / "open.json")

    assert gh.load(tmp_path / "open.json").free == model.free
    assert set(from_networkx(factor_graph(model)).free) == set(model.free)
