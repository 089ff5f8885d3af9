"""Phylogenies against sums over all ancestral states, and against pruning written by hand."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pytest
from scipy.linalg import expm

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.models.unfold import factors_of
from ghmpp.models.zoo.branches import read_branches
from tests.tolerances import DIFFERENCES, ENUMERATION, EXACT, SEARCH

TREE = "((a:0.1,b:0.3)x:0.2,(c:0.5,d:1e-1)y:0.05,e:0.7)r;"
PROCESS = gh.zoo.hky85(2.5, [0.3, 0.2, 0.15, 0.35])
CYCLE = gh.zoo.substitution([[0, 2, 0], [0, 0, 1], [1, 0, 0]], states="abc", name="cycle")
SITES = {name: np.random.default_rng(k).integers(0, 4, 12) for k, name in enumerate("abcde")}


def all_states(parts):
    """Joint weights of category, r, x, y and the sites, by the definition."""
    edges = [(branch.parent, branch.name, branch.length) for branch in read_branches(TREE)[1:]]
    found = np.zeros((12, len(parts), 4, 4, 4))
    for site, k, r, x, y in product(range(12), range(len(parts)), *[range(4)] * 3):
        process, rate, weight = parts[k]
        state = {"r": r, "x": x, "y": y, **{name: SITES[name][site] for name in SITES}}
        value = weight * process.frequencies[r]
        for above, below, length in edges:
            table = expm(process.rates * length * rate)
            value *= table[state[above], state[below]]
        found[site, k, r, x, y] = value
    return found


def pruned(tree, process, rate, sites):
    """Felsenstein's pruning: the likelihood of each site."""
    likelihood = {}
    for branch in reversed(read_branches(tree)):
        below = likelihood.pop(branch.name, 1.0)
        if branch.tip:
            below = np.eye(4)[sites[branch.name]]
        if branch.parent is None:
            return below @ process.frequencies
        message = below @ expm(process.rates * branch.length * rate).T
        likelihood[branch.parent] = likelihood.get(branch.parent, 1.0) * message
    raise AssertionError


@pytest.mark.parametrize("categories", [1, 3])
def test_all_answers_are_those_of_the_sum_over_ancestors(categories):
    rates = gh.zoo.gamma_rates(0.5, categories)
    joint = all_states([(PROCESS, rate, 1 / categories) for rate in rates])
    beliefs = gh.infer(gh.zoo.phylogeny(TREE, PROCESS, rates=rates), SITES)

    total = joint.sum(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(beliefs.log_evidence, np.log(total), rtol=ENUMERATION)
    for name, axes in (("r", (1, 3, 4)), ("x", (1, 2, 4)), ("y", (1, 2, 3))):
        expected = joint.sum(axis=axes) / total[:, None]
        np.testing.assert_allclose(beliefs[name], expected, atol=ENUMERATION)
    if categories > 1:
        expected = joint.sum(axis=(2, 3, 4)) / total[:, None]
        np.testing.assert_allclose(beliefs["category"], expected, atol=ENUMERATION)


def test_categories_may_have_processes_rates_and_weights_of_their_own():
    other = gh.zoo.jc69()
    model = gh.zoo.phylogeny(TREE, [PROCESS, other], rates=[0.2, 3.0], weights=[3, 1])

    joint = all_states([(PROCESS, 0.2, 0.75), (other, 3.0, 0.25)])
    found = gh.Inference(model).log_evidence(SITES)
    np.testing.assert_allclose(found, np.log(joint.sum(axis=(1, 2, 3, 4))), rtol=ENUMERATION)


def test_random_trees_agree_with_pruning():
    for seed in range(3):
        graph = nx.random_labeled_rooted_tree(30, seed=seed)
        rng = np.random.default_rng(seed)
        tree = nx.bfs_tree(graph, graph.graph["root"])
        nx.set_edge_attributes(tree, {edge: rng.exponential(0.3) for edge in tree.edges}, "length")
        tips = [str(node) for node in tree if tree.out_degree(node) == 0]
        sites = {name: rng.integers(0, 4, 9) for name in tips}
        rates = gh.zoo.gamma_rates(1.0, 3)
        model = gh.zoo.phylogeny(tree, PROCESS, rates=rates)

        expected = np.log(np.mean([pruned(tree, PROCESS, rate, sites) for rate in rates], axis=0))
        found = gh.Inference(model).log_evidence(sites)
        np.testing.assert_allclose(found, expected, rtol=ENUMERATION)


def test_mixtures_are_normalised_and_have_the_factors_of_the_definition():
    model = gh.zoo.phylogeny(TREE, PROCESS, rates=[0.5, 1.5])
    assert model.log_partition() == pytest.approx(0, abs=ENUMERATION)
    assert list(model.variables) == ["category", "r", "x", "a", "b", "y", "c", "d", "e"]
    assert model.treewidth == 2

    found = {factor.variables: factor for factor in factors_of(model).factors}
    np.testing.assert_allclose(found["category", "r"].table, [PROCESS.frequencies] * 2, rtol=EXACT)
    lengths = {branch.name: branch for branch in read_branches(TREE)[1:]}
    for name, branch in lengths.items():
        factor = found["category", branch.parent, name]
        expected = [expm(PROCESS.rates * branch.length * rate) for rate in (0.5, 1.5)]
        assert factor.child == name
        np.testing.assert_allclose(factor.table, expected, atol=ENUMERATION)


@pytest.mark.parametrize("rates", [[1.0], [0.5, 1.5]])
def test_independent_engines_agree(rates):
    model = gh.zoo.phylogeny("((a:0.1,b:0.3)x:0.2,c:0.5)r;", PROCESS, rates=rates)

    report = gh.verify(model, rows=2, engines=["enumeration", "recursion", "triangulation"])
    assert report.passed, report


def test_root_of_a_reversible_process_makes_no_difference():
    tree = nx.Graph()
    for above, below, length in [("u", "a", 0.1), ("u", "b", 0.4), ("u", "v", 0.3)]:
        tree.add_edge(above, below, length=length)
    tree.add_edge("v", "c", length=0.2)
    tree.add_edge("v", "d", length=0.7)
    sites = {name: SITES[name] for name in "abcd"}

    found = [
        gh.Inference(gh.zoo.phylogeny(tree, PROCESS, root=root)).log_evidence(sites)
        for root in (None, "v", "a", "d")
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=ENUMERATION)


def test_states_may_be_given_by_name_and_missing():
    model = gh.zoo.phylogeny("(a:0.1,b:0.2);", gh.zoo.jc69())
    found = gh.Inference(model).log_evidence({"a": ["A", "C"], "b": ["A", None]})

    same = 0.25 * (0.25 + 0.75 * np.exp(-4 * 0.3 / 3))
    np.testing.assert_allclose(found, np.log([same, 0.25]), rtol=EXACT)


def test_a_tree_of_one_species_has_the_stationary_law():
    for rates in ([1.0], [0.5, 2.0]):
        beliefs = gh.infer(gh.zoo.phylogeny("A;", PROCESS, rates=rates))

        np.testing.assert_allclose(beliefs["A"][0], PROCESS.frequencies, rtol=ENUMERATION)


class TestFreeLengths:
    tree = "((a:0.1,b:0.3)x:0.2,c:0.5)r;"

    @pytest.mark.parametrize("rates", [[1.0], [0.5, 1.5]])
    def test_formulas_have_the_values_of_the_tables(self, rates):
        fixed = gh.zoo.phylogeny(self.tree, PROCESS, rates=rates)
        free = gh.zoo.phylogeny(self.tree, PROCESS, rates=rates, lengths="free")

        assert free.parameters == {
            f"t_{name}": pytest.approx(length)
            for name, length in zip("abcx", [0.1, 0.3, 0.5, 0.2], strict=True)
        }
        for key, table in fixed.forest().data.items():
            np.testing.assert_allclose(free.forest().data[key], table, atol=ENUMERATION)

    def test_length_of_the_branch_between_two_species_has_the_closed_form(self):
        model = gh.zoo.phylogeny("(b)a;", gh.zoo.jc69(), lengths="free")
        assert model.parameters == {"t_b": None}
        same, different = 80, 20
        sites = {"a": np.zeros(100, int), "b": np.r_[np.zeros(same, int), np.ones(different, int)]}

        length = gh.fit(model, sites, smoothing=0, tolerance=1e-12).parameters["t_b"]
        expected = -0.75 * np.log(1 - 4 / 3 * different / 100)
        assert length == pytest.approx(expected, rel=SEARCH)

    def test_counts_give_the_derivative_of_the_log_likelihood(self):
        model = gh.zoo.phylogeny(self.tree, PROCESS, lengths="free")

        sites = {name: SITES[name] for name in "abc"}

        def likelihood(length):
            return gh.Inference(model.bind(t_x=length)).log_evidence(sites).sum()

        step = 1e-5
        difference = (likelihood(0.2 + step) - likelihood(0.2 - step)) / (2 * step)
        counts, _ = gh.Inference(model).expected_counts(sites)
        table = PROCESS.transition(0.2)
        slope = (counts["r->x"][0] / table * (PROCESS.rates @ table)).sum()
        assert slope == pytest.approx(difference, rel=DIFFERENCES)


def path(*lengths):
    tree = nx.Graph()
    for k, length in enumerate(lengths):
        tree.add_edge(k, k + 1, length=length)
    return tree


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gh.zoo.phylogeny("(a:1,b);", PROCESS), "the branch to 'b' has no length"),
        (lambda: gh.zoo.phylogeny(TREE, PROCESS, rates=[1, -1]), "rate=-1"),
        (lambda: gh.zoo.phylogeny(TREE, PROCESS, weights=[1, 1]), "weights must be 1 positive"),
        (lambda: gh.zoo.phylogeny(TREE, PROCESS, rates=[1, 2], weights=[1, 0]), "2 positive"),
        (lambda: gh.zoo.phylogeny(TREE, [PROCESS] * 2, rates=[1, 2, 3]), "one entry or 3"),
        (lambda: gh.zoo.phylogeny(TREE, []), "at least one process"),
        (lambda: gh.zoo.phylogeny(TREE, [PROCESS, CYCLE]), "must have the same states"),
        (lambda: gh.zoo.phylogeny(path(1, 1), CYCLE), "need a reversible process, and cycle"),
        (lambda: gh.zoo.phylogeny(TREE, CYCLE, lengths="free"), "need a reversible process"),
        (lambda: gh.zoo.phylogeny(TREE, PROCESS, lengths="some"), "'fixed' or 'free'"),
        (
            lambda: gh.zoo.phylogeny(TREE, PROCESS, rates=[1, 2], category="x"),
            "a node of the tree is called 'x'; pass another name as category=",
        ),
    ],
)
def test_bad_declarations_are_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()


def test_directed_trees_may_have_any_process():
    model = gh.zoo.phylogeny("(a:1,b:2);", CYCLE)

    table = expm(CYCLE.rates)
    np.testing.assert_allclose(model.forest().data["node0->a"][0], table, atol=ENUMERATION)
