"""Enumeration against a plain loop over configurations in rational numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from ghmpp.errors import EvidenceError, ModelError, ResourceError
from ghmpp.verification.answers import Answer
from ghmpp.verification.enumeration import configurations, enumeration, exact_enumeration
from ghmpp.verification.recursion import log_mass
from tests.tolerances import ENUMERATION
from tests.vectors import BINARY, FLAT, MIXED, MODELS, ZEROS, Case, RationalModel
from tests.verification.forests import chain, forest_of, random_logs, two_trees

CASES = [(model, case) for model in MODELS for case in model.cases]
NAMES = [f"{model.name}-{k}-{case.kind}" for model in MODELS for k, case in enumerate(model.cases)]


def log_of(number: Fraction) -> float:
    return math.log(number.numerator) - math.log(number.denominator)


def in_logs(case: Case) -> np.ndarray:
    logs = [[log_of(x) if x else -math.inf for x in leaf] for leaf in case.likelihood]
    return np.array([logs])


def layer(answer: Answer, model: RationalModel) -> list[np.ndarray]:
    return [answer.posteriors[f"x{level}"][0] for level in range(len(model.states))]


@pytest.mark.parametrize(("model", "case"), CASES, ids=NAMES)
def test_enumeration_agrees_with_rational_numbers(model: RationalModel, case: Case) -> None:
    leaf = f"x{len(model.branching)}"
    answer = enumeration(forest_of(model), {leaf: in_logs(case)})

    assert answer.log_evidence is not None
    total = sum(mass for _, mass in model.support)
    assert answer.log_partition == pytest.approx(log_of(total), rel=ENUMERATION)
    if case.mass == 0:
        assert answer.log_evidence[0] == -np.inf
        assert all((array == 0).all() for array in answer.posteriors.values())
        return
    assert answer.log_evidence[0] == pytest.approx(
        log_of(case.mass / total), rel=ENUMERATION, abs=ENUMERATION
    )
    assert np.allclose(
        answer.means[leaf][0], np.array(case.means, dtype=float), rtol=0, atol=ENUMERATION
    )
    for found, truth in zip(layer(answer, model), case.posteriors, strict=True):
        assert np.allclose(found, np.array(truth, dtype=float), rtol=0, atol=ENUMERATION)


@pytest.mark.parametrize(("model", "case"), CASES, ids=NAMES)
def test_exact_enumeration_equals_rational_numbers(model: RationalModel, case: Case) -> None:
    leaf = f"x{len(model.branching)}"
    answer = exact_enumeration(
        forest_of(model, exact=True), {leaf: np.array([case.likelihood], dtype=object)}
    )

    assert answer.mass is not None
    assert answer.mass[0] == case.mass
    if case.mass > 0:
        assert answer.means[leaf][0].tolist() == list(case.means)
        for found, truth in zip(layer(answer, model), case.posteriors, strict=True):
            assert found.tolist() == [list(node) for node in truth]


def test_floats_are_read_as_the_rationals_that_they_are() -> None:
    forest = forest_of(FLAT)
    answer = exact_enumeration(forest)

    data = forest.data["x0->x1"]
    expected = sum(
        Fraction(data[0, r, a]) * Fraction(data[1, r, b])
        for r in range(3)
        for a in range(3)
        for b in range(3)
    )
    assert answer.mass is not None
    assert answer.mass[0] == expected


def test_edges_sum_to_the_posteriors_of_both_ends() -> None:
    forest = two_trees()
    answer = enumeration(forest, random_logs(forest, 3))

    for name, edge in forest.edges.items():
        pairs = answer.edges[name]
        assert np.allclose(pairs.sum(axis=2), answer.posteriors[name], atol=ENUMERATION)
        above = np.repeat(answer.posteriors[edge.parent], edge.fanout, axis=1)
        assert np.allclose(pairs.sum(axis=3), above, atol=ENUMERATION)


def test_a_chain_has_one_edge_less_than_nodes() -> None:
    assert enumeration(chain(5)).edges["z"].shape == (1, 4, 2, 2)


def test_results_are_in_the_order_of_the_user() -> None:
    order = (2, 0, 3, 1)
    plain, moved = two_trees(), two_trees(order)
    logs = random_logs(plain, 2)
    tree = enumeration(plain, logs)
    user_logs = dict(logs)
    user_logs["day"] = np.empty_like(logs["day"])
    user_logs["day"][:, list(order)] = logs["day"]

    user = enumeration(moved, user_logs)
    for found, expected in (
        (user.posteriors, tree.posteriors),
        (user.edges, tree.edges),
        (user.means, tree.means),
        (user.choice, tree.choice),
    ):
        assert np.array_equal(found["day"][:, list(order)], expected["day"])


def test_the_choice_has_the_best_mass_of_all() -> None:
    forest = forest_of(ZEROS)
    answer = enumeration(forest)

    best = max(mass for _, mass in ZEROS.support)
    assert answer.best is not None
    assert answer.best[0] == pytest.approx(log_of(best), abs=ENUMERATION)
    assert log_mass(forest, answer.choice)[0] == pytest.approx(answer.best[0], abs=ENUMERATION)


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_rows_of_a_batch_are_independent(batch: int) -> None:
    forest = forest_of(BINARY)
    logs = random_logs(forest, batch)
    answer = enumeration(forest, logs)

    assert answer.posteriors["x2"].shape == (batch, 4, 2)
    for row in range(batch):
        alone = enumeration(forest, {name: each[row : row + 1] for name, each in logs.items()})
        assert np.array_equal(alone.posteriors["x2"][0], answer.posteriors["x2"][row])


def test_the_number_of_configurations_is_counted_exactly() -> None:
    assert configurations(forest_of(MIXED)) == 3 * 2**3 * 4**3


@pytest.mark.parametrize("oracle", [enumeration, exact_enumeration])
def test_too_many_configurations_are_refused_with_the_number(oracle: object) -> None:
    assert callable(oracle)
    with pytest.raises(ResourceError, match=r"1,536 configurations exceed limit=1,000"):
        oracle(forest_of(MIXED), limit=1000)


def test_numbers_with_many_digits_are_rounded() -> None:
    with pytest.raises(ResourceError, match=r"about 10\^6021 configurations"):
        enumeration(chain(20_000))


@pytest.mark.parametrize("oracle", [enumeration, exact_enumeration])
def test_a_model_without_mass_is_refused(oracle: object) -> None:
    assert callable(oracle)
    forest = forest_of(FLAT)
    forest.data["x0"][:] = 0.0
    with pytest.raises(ModelError, match=r"no configuration of positive mass"):
        oracle(forest)


def test_a_free_table_is_named() -> None:
    forest = forest_of(FLAT)
    del forest.data["x0->x1"]
    with pytest.raises(ModelError, match=r"not complete: free tables x0->x1"):
        enumeration(forest)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"y": np.zeros((1, 2, 3))}, r"unknown class 'y'.*x0"),
        ({"x1": np.zeros((1, 3, 3))}, r"'x1'.*\(1, 2, 3\).*got \(1, 3, 3\)"),
        ({"x1": np.zeros((2, 3))}, r"'x1'.*got \(2, 3\)"),
        ({"x0": np.zeros((2, 1, 3)), "x1": np.zeros((3, 2, 3))}, r"share one batch"),
    ],
)
def test_likelihoods_that_do_not_fit_are_refused(
    evidence: dict[str, np.ndarray], words: str
) -> None:
    with pytest.raises(EvidenceError, match=words):
        enumeration(forest_of(FLAT), evidence)
