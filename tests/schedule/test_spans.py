"""How far numbers may fall: the bound holds in a run, and rescales go only where it allows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.encode import from_likelihood
from ghmpp.backends.kernels import Linear
from ghmpp.backends.network import Network
from ghmpp.backends.reference import run
from ghmpp.backends.run import Run
from ghmpp.models.model import Model
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.ir import (
    Choose,
    Exclude,
    Message,
    Normalize,
    Readout,
    Schedule,
    Spread,
)
from ghmpp.schedule.passes import place_normalization, prune, relax_normalization
from ghmpp.schedule.spans import NODE_DECADES, Fall, Spans
from tests.strategies import models
from tests.tolerances import EXACT


def u_net(model: gh.Model) -> Schedule:
    """Posteriors of the last class given itself, one rescale per node and pass."""
    forest = model.forest()
    leaf = list(forest.variables)[-1]
    wanted = [("posterior", block.name) for block in forest.class_blocks(leaf)]
    return prune(place_normalization(build_schedule(forest, wanted, [leaf])))


def rescales(schedule: Schedule) -> int:
    return sum(isinstance(op, Normalize) for op in schedule.ops)


@given(model=models(limit=3000), seed=st.integers(0, 100))
def test_relaxing_keeps_results_and_legality(model, seed):
    schedule = u_net(model)
    leaf = list(model.forest().variables)[-1]
    group = model.forest().variables[leaf]
    shape = (2, group.nodes, len(group.states))
    leaves = {leaf: np.random.default_rng(seed).normal(size=shape)}

    relaxed = relax_normalization(schedule)

    check_schedule(relaxed)
    before, after = (run(s, leaves, LogFloat("sum")) for s in (schedule, relaxed))
    for key, found in before.items():
        np.testing.assert_allclose(after[key], found, rtol=0, atol=EXACT)


@given(model=models(limit=3000))
def test_relaxing_stays_within_float32(model):
    schedule = u_net(model)
    spans = Spans.of(model.forest())

    relaxed = relax_normalization(schedule)

    limit = max(NODE_DECADES["float32"], spans.node_decades(schedule))
    assert spans.peak_decades(relaxed) <= limit


def ones(depth: int) -> gh.Model:
    """Ten states and tables of ones: every message falls by one decade."""
    return gh.GHM(
        states=(10,) * (depth + 1), branching=(2,) * depth, tables=[np.ones((10, 10))] * depth
    )


def test_peak_adds_up_message_by_message():
    """Two levels without a rescale: 2 at the inner nodes, 2 (2 + 1) = 6 at the root."""
    forest = ones(2).forest()
    bare = build_schedule(forest, [("posterior", "x0")], ["x2"])

    assert Spans.of(forest).peak_decades(bare) == pytest.approx(6)
    assert Spans.of(forest).peak_decades(place_normalization(bare)) == pytest.approx(2)


def test_shallow_models_need_no_rescale_and_deep_ones_keep_some():
    assert rescales(relax_normalization(u_net(ones(2)))) == 0

    deep = u_net(ones(8))
    assert 0 < rescales(relax_normalization(deep)) < rescales(deep)


def test_nothing_is_dropped_where_float32_is_too_small_anyway():
    model = gh.GHM(states=(10, 10, 10), branching=(40, 2), tables=[np.ones((10, 10))] * 2)
    schedule = u_net(model)

    assert relax_normalization(schedule) is schedule


def test_nothing_is_dropped_before_tables_are_known():
    schedule = u_net(gh.GHM(states=(2, 2, 2), branching=(2, 2)))

    assert relax_normalization(schedule) is schedule


def test_a_table_that_changes_later_changes_the_domain():
    model = ones(2)
    network = gh.compile(model, gh.posterior("x2"), given="x2").network(dtype="float32")
    assert network.domain.dtype == "float32"

    with torch.no_grad():
        network.potentials["x0->x1"][0, 3, 4] = 1e-15
    assert network.domain.dtype == "float64"


def answers(model: Model, *kinds: str) -> Schedule:
    """Results about every block, rescaled once per node and pass."""
    forest = model.forest()
    wanted = [
        (kind, block)
        for kind in kinds
        for block in forest.blocks
        if kind == "posterior" or block in forest.edges
    ]
    return prune(place_normalization(build_schedule(forest, wanted, list(forest.variables))))


def falls(schedule: Schedule, seed: int) -> dict[int, float]:
    """Decades below 1 of the largest entry of each value at its worst node, sharp evidence."""
    rng = np.random.default_rng(seed)
    network = Network(schedule)
    forest, kernel = schedule.forest, Linear()
    leaves = {}
    for name, variable in forest.variables.items():
        shape = (variable.nodes, 20, len(variable.states))
        sharp = np.where(rng.random(shape) < 0.3, 1.0, 10.0 ** -rng.uniform(0, 60, size=shape))
        sharp[..., rng.integers(shape[-1])] = 1.0
        leaves[name] = from_likelihood(kernel, torch.tensor(sharp), torch.float64)
    run = Run(network.setting(tracked=False), leaves, 20)
    found = {}
    for op in schedule.ops:
        run.values[op.out] = run.result(op, ())
        if not isinstance(op, Readout | Choose):
            # What travels on an edge has its ranks first, then its states.
            edge = isinstance(op, Exclude | Spread) or (
                isinstance(op, Message) and op.toward == "root" and forest.edges[op.edge].fanout > 1
            )
            found[op.out] = -float(run.values[op.out].amax(int(edge)).log10().min())
    return found


@settings(max_examples=30)
@given(
    model=models(limit=500, zeros=False, maps=False),
    relaxed=st.booleans(),
    seed=st.integers(0, 100),
)
def test_no_value_falls_further_than_the_tables_allow(model, relaxed, seed):
    schedule = answers(model, "posterior", "edge")
    schedule = relax_normalization(schedule) if relaxed else schedule
    predicted = Spans.of(schedule.forest).falls(schedule)

    for value, decades in falls(schedule, seed).items():
        assert decades <= predicted[value].largest + 1e-9


def test_scales_that_are_read_stay():
    forest = gh.GHM(states=(3, 3, 3), branching=(2, 2)).initialise(0).forest()
    wanted = [("posterior", "x2"), ("log_evidence", "")]
    schedule = prune(place_normalization(build_schedule(forest, wanted, ["x2"])))
    kept = [op for op in relax_normalization(schedule).ops if isinstance(op, Normalize)]

    assert sum(op.scale is not None for op in kept) == sum(
        isinstance(op, Normalize) and op.scale is not None for op in schedule.ops
    )


@pytest.mark.parametrize("kind", ["edge", "counts"])
def test_what_a_readout_multiplies_counts(kind):
    """A cavity, a table and a value from below, none of them rescaled, are one product."""
    model = gh.GHM(states=(10,) * 4, branching=(2, 2, 2), tables=[np.ones((10, 10))] * 3)
    schedule = relax_normalization(answers(model, kind))
    predicted = Spans.of(schedule.forest).falls(schedule)

    for op in schedule.ops:
        if isinstance(op, Readout):
            expected = sum(predicted[source].largest for source in op.sources) + 1.0
            assert predicted[op.out].largest == pytest.approx(expected)
            assert expected <= NODE_DECADES["float32"]


@pytest.mark.parametrize("fall", [Fall(2.0, 5.0), Fall(1.5, math.inf), Fall.evenly(3.0)])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_power_is_the_product_of_equal_factors(fall, count):
    assert fall.times(count) == Fall.product([fall] * count)


def test_number_of_children_costs_nothing():
    star = gh.GHM(states=(2, 2), branching=(10**15,), tables=[np.ones((2, 2))])

    assert Spans.of(star.forest()).peak_decades(u_net(star)) > 10**14


def test_an_index_map_falls_by_its_longest_sum():
    model = Model()
    top = model.root("a", 5)
    top.children("b", 2, 100, potential=gh.ParentOf(np.repeat(np.arange(5), 20)), prior=[1.0] * 100)
    top.children("c", 1, 2, potential=gh.ChildOf([0, 0, 0, 1, 1]))
    spans = Spans.of(model.forest())

    assert spans.segments == {
        "a->b": pytest.approx(np.log10(20)),
        "a->c": pytest.approx(np.log10(3)),
    }
    assert spans.edge_decades() == pytest.approx(np.log10(20))
