"""Tying that is discovered: the schedule of an untied copy, and answers on irregular trees."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.models.convert import from_networkx
from ghmpp.models.forest import Forest
from ghmpp.models.grouping import group
from ghmpp.schedule.ir import Message, Pool, Readout
from tests.tolerances import ENUMERATION, EXACT, GRADIENT, SINGLE

RNG = np.random.default_rng(5)


def regular(tables: str) -> gh.Model:
    """A regular model with three levels of different arity; tables per rank or shared."""
    shapes = [(2, 3, 2), (3, 2, 4), (2, 4, 3)]
    stacks = [RNG.uniform(0.2, 1.0, shape if tables == "ranks" else shape[1:]) for shape in shapes]
    return gh.GHM(states=(3, 2, 4, 3), branching=(2, 3, 2), tables=stacks, prior=[1.0, 2.0, 3.0])


def shuffled(graph: nx.DiGraph) -> nx.DiGraph:
    """The same graph with nodes and edges added in another order."""
    other = nx.DiGraph()
    nodes = list(graph.nodes(data=True))
    edges = list(graph.edges(data=True))
    RNG.shuffle(nodes)
    RNG.shuffle(edges)
    other.add_nodes_from(nodes)
    other.add_edges_from(edges)
    return other


def plain(schedule: gh.Schedule) -> list[tuple[object, ...]]:
    """The instructions without the names of blocks."""
    numbers = {name: position for position, name in enumerate(schedule.forest.blocks)}
    rows = []
    for op in schedule.ops:
        place = getattr(op, "edge", getattr(op, "block", None))
        rest = [
            value
            for name in op.__slots__
            if name not in ("edge", "block", "key")
            for value in [getattr(op, name)]
        ]
        rows.append((type(op), numbers.get(place), *rest))
    return rows


@pytest.mark.parametrize("tables", ["ranks", "shared"])
def test_an_untied_copy_of_a_regular_model_compiles_to_the_schedule_of_the_declared_one(tables):
    declared = regular(tables)
    copy = from_networkx(shuffled(declared.graph()))

    leaves = [f"x3[{k}]" for k in range(12)]
    expected = gh.compile(declared, gh.posterior("x0"), given="x3").schedule
    found = gh.compile(copy, gh.posterior("x0"), given=leaves).schedule
    assert plain(found) == plain(expected)
    for edge, other in zip(
        found.forest.edges.values(), expected.forest.edges.values(), strict=True
    ):
        assert (edge.fanout, edge.rows, edge.parents) == (other.fanout, other.rows, None)
        tied = np.sort(found.forest.data[edge.key], axis=0)
        np.testing.assert_array_equal(tied, np.sort(expected.forest.data[other.key], axis=0))


def test_an_untied_copy_gives_the_answers_of_the_declared_model():
    declared = regular("ranks")
    copy = gh.Inference(shuffled(declared.graph()))
    x = RNG.integers(0, 3, (5, 12))

    expected = gh.infer(declared, {"x3": x})
    found = copy.posteriors({f"x3[{k}]": x[:, k] for k in range(12)})
    np.testing.assert_allclose(found["x0"], expected["x0"], atol=EXACT)
    np.testing.assert_allclose(found["x2[4]"], expected["x2"][:, 4], atol=EXACT)
    np.testing.assert_allclose(found.log_evidence, expected.log_evidence, atol=EXACT)


@st.composite
def trees(draw: st.DrawFn) -> nx.DiGraph:
    """A random forest with nodes of two sizes, and few different tables (so that some are tied)."""
    n = draw(st.integers(2, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = rng.integers(2, 4, n)
    known = {
        shape: rng.uniform(0.0, 1.0, (2, *shape)) for shape in [(2, 2), (2, 3), (3, 2), (3, 3)]
    }
    graph = nx.DiGraph()
    for node in range(n):
        prior = rng.uniform(0.1, 1.0, sizes[node]) if rng.random() < 0.4 else None
        graph.add_node(
            f"v{node}", states=int(sizes[node]), **({"prior": prior} if prior is not None else {})
        )
        parent = int(rng.integers(-1, node)) if node else -1
        if parent >= 0:
            table = known[sizes[parent], sizes[node]][rng.integers(2)]
            graph.add_edge(f"v{parent}", f"v{node}", potential=table)
    return graph


def likelihoods(graph: nx.DiGraph, seed: int) -> dict[str, np.ndarray]:
    """Three rows of soft evidence at about half of the variables."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.0, 1.0, (3, states))
        for name, states in graph.nodes(data="states")
        if rng.random() < 0.5
    }


@given(trees(), st.integers(0, 2**32 - 1))
def test_grouped_forests_answer_like_enumeration(graph, seed):
    evidence = likelihoods(graph, seed) or None

    report = gh.verify(graph, evidence, engines=("enumeration",), rows=2)
    assert report.passed, str(report)


@given(trees(), st.integers(0, 2**32 - 1))
def test_single_precision_and_its_guard_follow_irregular_trees(graph, seed):
    evidence = likelihoods(graph, seed)

    single = gh.infer(graph, evidence, dtype="float32")
    double = gh.infer(graph, evidence)
    for name in graph:
        np.testing.assert_allclose(single[name], double[name], atol=SINGLE)


@given(trees(), st.integers(0, 2**32 - 1))
def test_gradients_pass_through_irregular_trees(graph, seed):
    evidence = {name: torch.tensor(x) for name, x in likelihoods(graph, seed).items()}
    for x in evidence.values():
        x.requires_grad_(True)

    beliefs = gh.infer(graph, evidence)
    if evidence:
        beliefs.log_evidence.sum().backward()
    for name, x in evidence.items():
        posterior = (x * x.grad).detach().numpy()  # the gradient in logs is the posterior
        np.testing.assert_allclose(posterior, beliefs[name].detach().numpy(), atol=GRADIENT)


@given(trees())
def test_every_variable_has_one_place_and_every_potential_its_row(graph):
    forest = from_networkx(graph).forest()
    grouped = group(forest)

    assert grouped.grouping is not None
    assert sorted(grouped.grouping.members) == sorted(forest.variables)
    places = {name: place for name, (place,) in grouped.grouping.members.items()}
    assert len(set(places.values())) == len(forest.variables)
    assert grouped.nodes == forest.nodes
    for name, (home, position) in places.items():
        if name not in forest.edges:
            continue
        edge = grouped.edges[home]
        row = grouped.data[edge.key][position % edge.rows]
        np.testing.assert_array_equal(row, forest.data[forest.edges[name].key][0])
        parent = places[forest.edges[name].parent]
        assert parent == (edge.parent, grouped.parent_nodes(edge)[position])


def test_instructions_grow_with_levels_not_with_variables():
    tree = nx.random_labeled_rooted_tree(400, seed=3)
    root = tree.graph["root"]
    graph = nx.bfs_tree(tree, root)
    graph = nx.relabel_nodes(graph, str)
    nx.set_node_attributes(graph, 3, "states")
    for edge in graph.edges:
        graph.edges[edge]["potential"] = RNG.uniform(0.1, 1.0, (3, 3))
    depth = nx.dag_longest_path_length(graph)

    schedule = gh.compile(graph, gh.posterior(str(root))).schedule
    every = gh.compile(graph, [gh.posterior(str(v)) for v in graph]).schedule
    assert sum(isinstance(op, Message) for op in every.ops) <= 2 * depth
    assert sum(isinstance(op, Pool) for op in schedule.ops) <= depth
    assert sum(isinstance(op, Readout) for op in every.ops) == depth + 1


def test_declared_models_keep_their_classes():
    forest = regular("ranks").forest()

    assert isinstance(forest, Forest)
    assert group(forest) is forest


def test_a_thousand_children_and_a_shared_root():
    graph = nx.DiGraph()
    graph.add_node("root", states=2, prior=np.array([0.3, 0.7]))
    for k in range(1000):
        graph.add_node(f"c{k}", states=2)
        graph.add_edge("root", f"c{k}", potential=RNG.uniform(0.4, 0.6, (2, 2)))
        if k % 3 == 0:
            graph.add_node(f"d{k}", states=2)
            graph.add_edge(f"c{k}", f"d{k}", potential=RNG.uniform(0.4, 0.6, (2, 2)))
    x = {name: RNG.integers(0, 2, 4) for name in graph if name.startswith("d") or name > "c5"}
    x.pop("root", None)

    found = gh.infer(graph, x)

    logs = np.log([0.3, 0.7]) * np.ones((4, 1))
    mass = np.log([0.3, 0.7])
    for k in range(1000):
        below = np.ones((4, 2))
        free = np.ones(2)
        if f"c{k}" in x:
            below = np.eye(2)[x[f"c{k}"]]
        if f"d{k}" in graph:
            table = graph.edges[f"c{k}", f"d{k}"]["potential"]
            below = below * table[:, x[f"d{k}"]].T
            free = table.sum(1)
        table = graph.edges["root", f"c{k}"]["potential"]
        logs = logs + np.log(below @ table.T)
        mass = mass + np.log(table @ free)
    evidence = np.logaddexp(*logs.T)
    np.testing.assert_allclose(
        found.log_evidence, evidence - np.logaddexp(*mass), rtol=ENUMERATION, atol=ENUMERATION
    )
    np.testing.assert_allclose(found["root"], np.exp(logs - evidence[:, None]), atol=ENUMERATION)
