from __future__ import annotations

import numpy as np
import pytest

from ghmpp.backends.algebras import Exact, LogFloat
from ghmpp.backends.reference import run
from ghmpp.errors import EvidenceError, ModelError, QueryError
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import Schedule
from tests.backends.small_forests import (
    FORESTS,
    LOG_EVIDENCE,
    Class,
    brute_force,
    everything,
    grow,
    likelihoods,
    logs,
)


@pytest.fixture(params=FORESTS)
def forest(request: pytest.FixtureRequest) -> Forest:
    return FORESTS[request.param]


def test_without_evidence_the_batch_is_one():
    forest = FORESTS["a table per rank"]
    found = run(everything(forest, {"x": ()}), {}, Exact())

    assert found["posterior", "x"].shape == (1, 4, 2)
    assert found[LOG_EVIDENCE].tolist() == brute_force(forest, {}, 1).total


def test_classes_without_an_entry_are_unobserved():
    forest = FORESTS["three branches"]
    leaves = {"x": likelihoods(forest)["x"]}
    everywhere = build_schedule(forest, [("posterior", "r")], ["x", "y", "w"])
    only_x = build_schedule(forest, [("posterior", "r")], ["x"])

    first, second = (run(each, leaves, Exact()) for each in (everywhere, only_x))
    assert (first["posterior", "r"] == second["posterior", "r"]).all()


def test_a_batch_of_one_repeats():
    forest = FORESTS["three branches"]
    leaves = likelihoods(forest)
    leaves["y"] = leaves["y"][:1]
    repeated = {**leaves, "y": np.repeat(leaves["y"], 3, axis=0)}
    schedule = everything(forest, leaves)

    first, second = (run(schedule, each, Exact()) for each in (leaves, repeated))
    assert all((first[key] == second[key]).all() for key in first)


def test_counts_count_every_row_even_where_nothing_was_observed():
    forest = grow(Class("r", 2), Class("x", 2, "r"), Class("t", 2))
    schedule = build_schedule(forest, [("counts", "x")], ["t"])
    found = run(schedule, {"t": np.ones((5, 1, 2), np.int64)}, Exact())

    assert found["counts", "x"].sum() == 5


@pytest.mark.parametrize("algebra", [Exact(), LogFloat()], ids=["exact", "floats"])
def test_an_empty_batch_gives_empty_results(forest, algebra):
    leaves = likelihoods(forest, batch=0)
    found = run(everything(forest, leaves), logs(leaves), algebra)

    assert found[LOG_EVIDENCE].shape == (0,)
    assert all(not array.any() for (kind, _), array in found.items() if kind == "counts")


def coin_schedule() -> Schedule:
    return build_schedule(FORESTS["one node"], [("posterior", "r")], ["r"])


@pytest.mark.parametrize(
    ("leaves", "message"),
    [
        ({"s": np.zeros((1, 1, 3))}, "unknown class 's'; known: r"),
        ({"r": np.zeros((1, 3))}, r"expected the shape \(batch, 1, 3\).*got \(1, 3\)"),
        ({"r": np.zeros((1, 1, 2))}, r"expected the shape \(batch, 1, 3\).*got \(1, 1, 2\)"),
        ({"r": np.full((1, 1, 3), np.nan)}, "NaN"),
        ({"r": np.full((1, 1, 3), np.inf)}, r"\+inf"),
    ],
)
def test_leaves_that_do_not_fit_are_refused(leaves, message):
    with pytest.raises(EvidenceError, match=message):
        run(coin_schedule(), leaves, LogFloat())


def test_batches_of_different_sizes_are_refused():
    forest = FORESTS["three branches"]
    leaves = likelihoods(forest)
    leaves["y"] = leaves["y"][:2]

    with pytest.raises(EvidenceError, match=r"one size.*x: 3, y: 2"):
        run(everything(forest, leaves), leaves, Exact())


def test_a_potential_without_values_is_named():
    free = FORESTS["one child"]
    forest = Forest("free", free.variables, free.blocks, free.edges, {"r": free.data["r"]})
    schedule = build_schedule(forest, [LOG_EVIDENCE], [])

    with pytest.raises(ModelError, match="not complete: free tables r->x"):
        run(schedule, {}, LogFloat())


def test_algebra_and_schedule_must_share_the_semiring():
    with pytest.raises(QueryError, match=r"semiring 'sum'.*pass LogFloat\('sum'\)"):
        run(coin_schedule(), {}, LogFloat("max"))
