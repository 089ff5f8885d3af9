"""Deviations: the worst one, and the place where it is."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.verification.answers import Answer, Deviation, compare, deviation, join


def test_the_worst_deviation_comes_with_its_place() -> None:
    expected = np.zeros((2, 3, 4))
    found = expected.copy()
    found[1, 2, 3] = 0.25
    found[0, 0, 0] = -0.125

    assert deviation("posterior", "pixel", found, expected) == Deviation(
        "posterior", 0.25, "pixel: row 1, node 2, state 3"
    )


def test_large_sizes_count_relatively_and_small_ones_absolutely() -> None:
    expected = np.array([-1000.0, 0.001])

    for change, worst in ((np.array([0.5, 0.0]), 0.5 / 1000), (np.array([0.0, 0.5]), 0.5)):
        assert deviation("log evidence", "", expected + change, expected).worst == worst


@pytest.mark.parametrize(
    ("found", "expected", "worst"),
    [
        (-np.inf, -np.inf, 0.0),
        (-np.inf, 0.0, np.inf),
        (0.0, -np.inf, np.inf),
        (np.nan, 0.0, np.inf),
        (0.0, np.nan, np.inf),
    ],
)
def test_infinities_agree_only_with_themselves(found: float, expected: float, worst: float) -> None:
    pair = np.array([found]), np.array([expected])

    assert deviation("log evidence", "", *pair).worst == worst


def test_other_shapes_deviate_by_infinity() -> None:
    one = deviation("mean", "pixel", np.zeros((2, 3)), np.zeros((2, 4)))

    assert one.worst == np.inf
    assert one.where == "pixel: (2, 3) for (2, 4)"


def test_an_empty_batch_deviates_by_nothing() -> None:
    assert deviation("mean", "pixel", np.zeros((0, 3)), np.zeros((0, 3))).worst == 0


def test_posteriors_of_impossible_rows_are_not_compared() -> None:
    logs = np.array([-np.inf, -1.0])
    expected = Answer(log_evidence=logs, posteriors={"a": np.zeros((2, 1, 2))})
    found = Answer(log_evidence=logs, posteriors={"a": np.array([[[0.3, 0.7]], [[0.1, 0.0]]])})

    assert list(compare(found, expected)) == [
        Deviation("log evidence", 0.0, "row 0"),
        Deviation("posterior", 0.1, "a: row 1, node 0, state 0"),
    ]


def test_an_oracle_may_answer_for_some_rows_only() -> None:
    expected = Answer(posteriors={"a": np.zeros((1, 1, 2))}, rows=np.array([2]))
    found = Answer(posteriors={"a": np.arange(6.0).reshape(3, 1, 2)})

    assert list(compare(found, expected)) == [
        Deviation("posterior", 5.0, "a: row 2, node 0, state 1")
    ]


def test_rows_may_have_names() -> None:
    expected = Answer(log_evidence=np.zeros(2), means={"a": np.zeros((2, 1))})
    found = Answer(log_evidence=np.array([0.0, 1.0]), means={"a": np.array([[1.0], [0.0]])})

    assert list(compare(found, expected, ["hard[0]", "soft[0]"])) == [
        Deviation("log evidence", 1.0, "row soft[0]"),
        Deviation("mean", 1.0, "a: row hard[0], node 0"),
    ]


def test_joined_answers_have_all_rows_and_the_sum_of_the_counts() -> None:
    one, two = (
        Answer(
            log_evidence=np.full(rows, -1.0),
            log_partition=3.0,
            posteriors={"a": np.full((rows, 1, 2), 0.5)},
            counts={"a": np.full((1, 2), float(rows))},
            best=np.full(rows, -2.0),
        )
        for rows in (1, 2)
    )
    both = join([one, two])

    assert join([one]) is one
    assert both.log_partition == 3.0
    assert both.posteriors["a"].shape == (3, 1, 2)
    assert both.counts["a"].tolist() == [[3.0, 3.0]]
    assert both.best is not None
    assert both.best.tolist() == [-2.0] * 3


def test_what_one_answer_lacks_is_left_out_of_the_joined() -> None:
    one = Answer(
        edges={"a": np.zeros((1, 1, 2, 2))}, counts={"a": np.ones((1, 2))}, best=np.ones(1)
    )
    both = join([one, Answer()])

    assert both.edges == {}
    assert both.counts == {}
    assert both.best is None


def test_tables_and_unaries_are_counted_apart() -> None:
    expected = Answer(counts={"a->b": np.ones((1, 2, 2)), "a": np.ones((1, 2))})
    found = Answer(counts={"a->b": np.ones((1, 2, 2)), "a": np.array([[1.0, 3.0]])})

    assert list(compare(found, expected)) == [
        Deviation("counts", 0.0, "a->b: table 0, parent state 0, state 0"),
        Deviation("unary counts", 2.0, "a: table 0, state 1"),
    ]


def test_what_one_side_lacks_is_not_compared() -> None:
    assert list(compare(Answer(), Answer(log_partition=1.0, best=np.zeros(1)))) == []
