from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.algebras import Exact, LogFloat
from ghmpp.backends.reference import run
from ghmpp.backends.reference_machine import prepare
from ghmpp.backends.reference_readouts import readout
from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import Readout, Schedule
from ghmpp.schedule.passes import place_normalization
from tests.backends.small_forests import (
    FORESTS,
    LOG_EVIDENCE,
    Class,
    Truth,
    brute_force,
    configurations,
    everything,
    grow,
    likelihoods,
    logs,
)
from tests.tolerances import ENUMERATION, EXACT


@pytest.fixture(params=FORESTS)
def forest(request: pytest.FixtureRequest) -> Forest:
    return FORESTS[request.param]


@pytest.fixture
def leaves(forest: Forest) -> dict[str, ObjectArray]:
    return likelihoods(forest)


@pytest.fixture
def truth(forest: Forest, leaves: dict[str, ObjectArray]) -> Truth:
    return brute_force(forest, leaves, 3)


@pytest.fixture
def exact(forest: Forest, leaves: dict[str, ObjectArray]) -> dict[tuple[str, str], AnyArray]:
    return run(everything(forest, leaves), leaves, Exact())


@pytest.fixture
def floats(forest: Forest, leaves: dict[str, ObjectArray]) -> dict[tuple[str, str], AnyArray]:
    return run(everything(forest, leaves), logs(leaves), LogFloat())


def possible(truth: Truth) -> list[bool]:
    return [total > 0 for total in truth.total]


def test_exact_evidence_is_the_sum_over_configurations(exact, truth):
    assert exact[LOG_EVIDENCE].tolist() == truth.total


def test_exact_posteriors_are_those_of_enumeration(exact, truth, forest):
    for block in forest.blocks:
        rows = possible(truth)
        assert (exact["posterior", block][rows] == truth.posterior[block][rows]).all()


def test_exact_edge_posteriors_are_those_of_enumeration(exact, truth, forest):
    for edge in forest.edges:
        rows = possible(truth)
        assert (exact["edge", edge][rows] == truth.edge[edge][rows]).all()


def test_exact_means_weigh_state_values(exact, truth, forest):
    for block in forest.blocks.values():
        values = np.array([Fraction(state, 2) for state in range(block.states)])
        rows = possible(truth)
        expected = (truth.posterior[block.name][rows] * values).sum(axis=-1)
        assert (exact["mean", block.name][rows] == expected).all()


def test_exact_counts_sum_edges_that_share_a_row(forest):
    leaves = {name: array + 1 for name, array in likelihoods(forest).items()}
    truth = brute_force(forest, leaves, 3)
    found = run(everything(forest, leaves), leaves, Exact())

    for name, edge in forest.edges.items():
        by_row = [truth.edge[name][:, k :: edge.rows].sum(axis=(0, 1)) for k in range(edge.rows)]
        assert (found["counts", name] == np.array(by_row)).all()


def test_exact_unary_counts_sum_nodes_that_share_a_row(forest):
    leaves = {name: array + 1 for name, array in likelihoods(forest).items()}
    truth = brute_force(forest, leaves, 3)
    found = run(everything(forest, leaves), leaves, Exact())

    for block in forest.blocks.values():
        if block.unary is not None:
            rows = block.unary_rows
            all_nodes = truth.posterior[block.name]
            by_row = [all_nodes[:, k::rows].sum(axis=(0, 1)) for k in range(rows)]
            assert (found["unary_counts", block.name] == np.array(by_row)).all()


def test_floats_agree_with_exact_arithmetic(floats, exact):
    for key in exact.keys() - {LOG_EVIDENCE}:
        np.testing.assert_allclose(
            floats[key], exact[key].astype(float), rtol=ENUMERATION, atol=ENUMERATION
        )


def test_log_evidence_is_the_log_of_the_exact_evidence(floats, truth):
    with np.errstate(divide="ignore"):
        expected = np.log(np.array(truth.total, float))

    np.testing.assert_allclose(floats[LOG_EVIDENCE], expected, rtol=ENUMERATION)


def test_floats_are_never_nan(floats):
    assert not any(np.isnan(array).any() for array in floats.values())


def test_normalization_changes_nothing(forest, leaves):
    wanted = [LOG_EVIDENCE, *(("posterior", name) for name in forest.blocks)]
    schedule = build_schedule(forest, wanted, list(leaves))
    scaled = run(place_normalization(schedule), logs(leaves), LogFloat())
    plain = run(schedule, logs(leaves), LogFloat())

    for key in schedule.outputs:
        np.testing.assert_allclose(scaled[key], plain[key], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("name", ["three branches", "two roots", "chain"])
def test_ones_count_configurations(name):
    forest = FORESTS[name]
    ones = {key: np.ones(array.shape, np.int64) for key, array in forest.data.items()}
    schedule = build_schedule(forest, [LOG_EVIDENCE], [])
    (count,) = run(schedule, {}, Exact(), data=ones)[LOG_EVIDENCE]

    assert count == sum(1 for _ in configurations(forest))
    assert isinstance(count, int)


def test_counting_does_not_overflow():
    forest = grow(Class("r", 4), Class("x", 4, "r", 100))
    ones = {"r->x": np.ones((1, 4, 4), np.int64)}
    schedule = build_schedule(forest, [LOG_EVIDENCE], [])

    assert run(schedule, {}, Exact(), data=ones)[LOG_EVIDENCE].tolist() == [4**101]


def test_log_evidence_multiplies_root_totals_and_scales():
    forest = grow(Class("r", 2, nodes=2))
    machine = prepare(Schedule(forest, ()), {}, Exact())
    machine.values[0] = np.array([[[1, 2], [3, 4]]], object)
    machine.values[1] = np.array([[2, 5]], object)
    total = readout(machine, Readout("log_evidence", "", (0, 1), 2, roots=1))

    assert total.tolist() == [3 * 7 * 2 * 5]


def test_means_need_state_values():
    forest = FORESTS["one node"]
    nameless = {"r": type(forest.variables["r"])("r", ("a", "b", "c"), None, 1, ("r",))}
    forest = Forest("names", nameless, forest.blocks, forest.edges, forest.data)
    schedule = build_schedule(forest, [("mean", "r")], [])

    with pytest.raises(QueryError, match="states of 'r' have no values"):
        run(schedule, {}, LogFloat())
