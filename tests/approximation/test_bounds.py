"""Bounds as the user asks for them: known widths, promises, words and refusals."""

from __future__ import annotations

import math
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError, ResourceError
from tests.approximation.classics import (
    CLASSIFICATION,
    DENOISING,
    DEPTHS,
    coupled_model,
    kernel_model,
)


def model3(depth=2):
    return kernel_model(2, depth, 3, 3.0)


@pytest.mark.parametrize(
    ("m", "depth", "states", "entry", "delta", "width", "known"), CLASSIFICATION
)
def test_widths_of_classification_are_reproduced(m, depth, states, entry, delta, width, known):
    model = kernel_model(m, depth, states, entry)
    found = gh.bounds(model, "x0", delta=delta, log_odds=False, dtype="real")

    assert found.width <= 1.1 * width + 2
    assert found.bound <= delta
    # At the known width the guarantee is the known one, or better where tables send constants.
    there = gh.bounds(model, "x0", width=width, log_odds=False, dtype="real")
    assert there.bound <= 1.05 * known
    assert found.ratio == pytest.approx(found.paper_width / found.width)


@pytest.mark.parametrize(("m", "depth", "states", "entry", "delta", "width", "known"), DENOISING)
def test_widths_of_denoising_are_reproduced(m, depth, states, entry, delta, width, known):
    model = kernel_model(m, depth, states, entry)
    query = gh.mean(f"x{depth}")
    found = gh.bounds(model, query, delta=delta, log_odds=False, dtype="real")

    assert found.width <= 1.1 * width + 2
    assert found.bound <= delta
    there = gh.bounds(model, query, width=width, log_odds=False, dtype="real")
    assert there.bound <= 1.05 * known


@pytest.mark.parametrize(("entry", "classified", "denoised"), DEPTHS)
@pytest.mark.parametrize("position", range(4))
def test_widths_by_depth_are_reproduced(entry, classified, denoised, position):
    depth = (2, 4, 8, 12)[position]
    model = coupled_model(depth, entry)
    root, leaves = (
        gh.bounds(model, query, delta=0.01, log_odds=False, dtype="real")
        for query in (gh.posterior("x0"), gh.mean(f"x{depth}"))
    )

    assert root.width <= 1.1 * classified[position] + 2
    assert leaves.width <= 1.1 * denoised[position] + 2
    assert leaves.ratio > 1e5


@pytest.mark.parametrize("depth", [2, 6, 12])
def test_width_of_denoising_does_not_grow_with_depth_for_weak_couplings(depth):
    found = gh.bounds(coupled_model(depth, 1.2), gh.mean(f"x{depth}"), log_odds=False)

    assert found.width <= 9


@pytest.mark.parametrize("query", [gh.posterior("x0"), gh.mean("x3"), gh.posterior("x1")])
def test_halving_the_error_widens_by_the_square_root_of_two(query):
    widths = [
        gh.bounds(kernel_model(2, 3, 3, 10.0), query, delta=delta).width
        for delta in (0.02, 0.01, 0.005, 0.0025)
    ]

    for narrow, wide in pairwise(widths):
        assert wide / narrow == pytest.approx(math.sqrt(2), rel=0.06)


def test_wider_networks_guarantee_more():
    guaranteed = [gh.bounds(model3(), "x0", width=w).bound for w in range(4, 120)]

    assert (np.diff(guaranteed) <= 1e-12).all()


def test_width_and_error_are_inverse():
    wished = gh.bounds(model3(), gh.mean("x2"), delta=0.01)
    given = gh.bounds(model3(), gh.mean("x2"), width=wished.width)

    assert given.bound == wished.bound
    assert gh.bounds(model3(), gh.mean("x2"), width=wished.width - 1).bound > 0.01
    assert (wished.budget, given.budget) == ("equal-width", "given")
    assert given.delta is None


def test_log_odds_need_smaller_networks():
    model = coupled_model(4, 3.0)
    direct, usual = (gh.bounds(model, "x0", log_odds=flag) for flag in (True, False))

    assert direct.width < usual.width / 1.5
    assert direct.parameters < usual.parameters
    assert {layer.net for layer in direct.layers} == {"symbols", "log-odds"}


def test_means_scale_with_the_state_values():
    def bound(scale):
        model = gh.GHM(
            states=3,
            branching=(2,),
            tables=[np.eye(3) + 0.5],
            state_values=scale * np.array([1.0, 2.0, 4.0]),
        )
        return gh.bounds(model, gh.mean("x1"), width=20).bound

    assert bound(10.0) == pytest.approx(10 * bound(1.0))


def test_rounding_is_counted():
    exact, double, single = (
        gh.bounds(model3(), "x0", width=90, dtype=dtype).bound
        for dtype in ("real", "float64", "float32")
    )

    assert exact < double < exact + 1e-10
    assert exact + 1e-6 < single < exact + 1e-2


def test_default_is_one_percent_given_the_leaves():
    found = gh.bounds(model3(), "x0")

    assert (found.delta, found.given, found.query) == (0.01, ("x2",), "posterior(x0)")


def test_noisy_observations_need_a_net_at_the_leaves():
    symbols = gh.bounds(model3(), "x0", width=30)
    noisy = gh.bounds(model3(), "x0", width=30, given=gh.noisy("x2", sigma=0.3))

    assert symbols.layers[0].net == "symbols"
    assert noisy.layers[0].net == "exp-log"
    assert math.isinf(noisy.layers[0].reach)
    assert noisy.bound > symbols.bound
    assert noisy.theorem is None


def test_noise_level_does_not_matter():
    one, other = (
        gh.bounds(model3(), gh.mean("x2"), given=given)
        for given in (gh.noisy("x2", sigma=0.3), gh.localized("x2", time=7.0))
    )

    assert one == other


def test_bounded_evidence_needs_less_width():
    free, bounded = (
        gh.bounds(model3(), gh.mean("x2"), evidence_span=span) for span in (math.inf, 0.5)
    )

    assert bounded.width < free.width
    assert "at most 0.5" in repr(bounded)


def test_graphs_are_models_and_their_classes_are_discovered():
    graph = nx.DiGraph([("a", "b"), ("a", "c"), ("c", "d"), ("c", "e"), ("c", "f")])
    for node in graph:
        graph.nodes[node]["states"] = 2
    for _, _, edge in graph.edges(data=True):
        edge["potential"] = [[0.9, 0.1], [0.2, 0.8]]
    found = gh.bounds(graph, "a", delta=0.01)

    assert found.bound <= 0.01
    assert len(found.layers) < graph.number_of_edges()


def test_index_maps_are_exact_one_way_and_summed_the_other():
    model = gh.Model("rules")
    root = model.root("root", 2)
    rule = root.children("rule", 1, 4, potential=gh.ParentOf([0, 0, 1, 1]), prior=[1, 2, 2, 1])
    rule.children("leaf", 1, 2, potential=gh.ChildOf([0, 1, 0, 1]))
    found = gh.bounds(model, "root", given="leaf", evidence_span=5.0, dtype="real")

    assert [layer.net for layer in found.layers] == ["exact", "exp-log"]
    assert found.layers[0].error == 0
    assert found.paper_width is None


def test_report_names_layers_totals_paper_and_assumptions():
    text = repr(gh.bounds(model3(3), gh.mean("x3"), delta=0.01))

    for words in (
        "Bounds of model 'ghm', mean(x3) given x3: error of each posterior mean <= 0.00",
        "x3 -> x2",
        "x2 -> x3",
        "accumulated",
        "(equal-width)",
        "parameters",
        "arXiv:2404.18444, Theorem 6: width",
        "times ours",
        "holds: 2, entries of the tables lie in [1/K, K] (K = 3",
    ):
        assert words in text


def test_html_has_the_same_table():
    html = gh.bounds(model3(), "x0")._repr_html_()

    assert html.startswith("<table><caption>Bounds of model &#x27;ghm&#x27;")
    assert "<td>x1 -&gt; x0</td><td>exp-log</td>" in html


def test_long_reports_show_the_first_and_the_last_layers():
    tree = nx.path_graph(60, create_using=nx.DiGraph)
    for node in tree:
        tree.nodes[node]["states"] = 2
    for _, _, edge in tree.edges(data=True):
        edge["potential"] = [[2, 1], [1, 2]]
    found = gh.bounds(tree, "0", width=9)

    text = repr(found)
    assert "(19 more layers)" in text
    assert len(text.splitlines()) < 50
    for shown in (found.layers[0], found.layers[-1]):
        assert shown.message in text


def test_accumulated_error_ends_in_the_bound():
    found = gh.bounds(kernel_model(1, 3, 3, 3.0), "x0", width=40, dtype="real")

    assert found.layers[-1].accumulated == found.bound


ZEROS = gh.GHM(states=2, branching=(2, 2), tables=[np.eye(2) + 1, np.eye(2)], state_values=[0, 1])


@pytest.mark.parametrize("query", [gh.posterior("x0"), gh.mean("x2")])
def test_zeros_are_refused_with_the_reason_and_the_cure(query):
    with pytest.raises(QueryError, match=r"no finite network.*zeros.*softened.*evidence_span"):
        gh.bounds(ZEROS, query)

    softened = gh.bounds(ZEROS, query, evidence_span=math.log(1 / 1e-3))
    assert softened.bound <= 0.01
    assert "fails: 2" in repr(softened)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delta": 0.0}, "delta must be finite and > 0, got 0.0"),
        ({"delta": -1.0}, "delta must be finite"),
        ({"delta": math.nan}, "delta must be finite"),
        ({"delta": 0.1, "width": 9}, "not both"),
        ({"delta": "small"}, "delta must be finite and > 0, got 'small'"),
        ({"width": 0}, r"width must be a whole number in 1\.\."),
        ({"width": 9.5}, r"width must be a whole number"),
        ({"width": 3}, r"width=3 is too small.*at least 4 units"),
        ({"width": 50, "budget": "min-flops"}, "pass delta= instead"),
        ({"budget": "cheap"}, "unknown budget 'cheap'; known: equal-width, min-parameters"),
        ({"dtype": "bfloat16"}, "unknown dtype 'bfloat16'; known: real, float64, float32"),
        ({"evidence_span": 0.0}, "evidence_span must be > 0"),
        ({"given": "x7"}, "given: unknown class 'x7'; the model has x0, x1, x2"),
        ({"given": gh.noisy("x1", sigma=1)}, "numeric state values"),
        ({"delta": 1e-15}, "out of reach"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(QueryError, match=words):
        gh.bounds(model3(), "x0", **options)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (gh.posterior("y"), "unknown class 'y'"),
        (gh.mean("x0"), "no numeric values"),
        (gh.log_evidence(), "no bound for the query 'log_evidence'"),
        (gh.edge("x1"), "no bound for the query 'edge'"),
    ],
)
def test_wrong_queries_are_refused(query, words):
    with pytest.raises(QueryError, match=words):
        gh.bounds(model3(), query)


def test_free_tables_are_refused():
    with pytest.raises(ModelError, match="free tables"):
        gh.bounds(gh.GHM(states=2, branching=(2,)), "x0")


def test_impossible_models_are_refused():
    model = gh.GHM(states=2, branching=(2,), tables=[[[0, 1], [0, 0]]], prior=[0, 1])

    with pytest.raises(ModelError, match="no state of x0 can occur"):
        gh.bounds(model, "x0")


def test_networks_that_cannot_be_made_here_are_spoken_of(monkeypatch):
    expected = gh.bounds(model3(), "x0").width

    def refuse(forest, steps):
        raise ResourceError("too large")

    monkeypatch.setattr("ghmpp.approximation.bounds.layer_weights", refuse)
    assert gh.bounds(model3(), "x0").width == expected
