"""Passes change how a schedule computes, never what; checked with the reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.leaves import in_tree_order
from ghmpp.backends.reference import execute, run
from ghmpp.backends.reference_machine import prepare
from ghmpp.models.forest import Forest
from ghmpp.models.model import Model
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.domain import choose_domain
from ghmpp.schedule.ir import Combine, Evidence, Message, Normalize, Schedule
from ghmpp.schedule.passes import place_normalization, prune, relax_normalization
from ghmpp.schedule.values import results, sources
from tests.schedule.plans import digits, scenes
from tests.strategies import Evidence as Drawn
from tests.strategies import evidence, models
from tests.tolerances import ENUMERATION


def all_results(forest: Forest, observed: list[str], semiring: str = "sum") -> Schedule:
    """Every result, without normalisation."""
    wanted = [("log_evidence", "")]
    for block in forest.blocks.values():
        wanted.append(("posterior", block.name))
        if forest.variables[block.variable].values is not None:
            wanted.append(("mean", block.name))
        if block.unary is not None:
            wanted.append(("unary_counts", block.name))
    wanted += [(kind, child) for child in forest.edges for kind in ("edge", "counts")]
    return build_schedule(forest, wanted, observed, semiring=semiring)


def leaves(model: Model, observed: Drawn) -> dict[str, np.ndarray]:
    """Log-likelihoods in tree order."""
    return {name: in_tree_order(x, model.variables[name]) for name, x in observed.logs.items()}


def assert_same(first: Schedule, second: Schedule, seen: dict[str, np.ndarray]) -> None:
    """The results of the second are among those of the first."""
    before = run(first, seen, LogFloat(first.semiring))
    after = run(second, seen, LogFloat(second.semiring))
    for key, found in after.items():
        np.testing.assert_allclose(found, before[key], rtol=ENUMERATION, atol=ENUMERATION)


@settings(max_examples=15)
@given(data=st.data(), semiring=st.sampled_from(["sum", "max"]))
def test_normalization_changes_no_result(data, semiring):
    model = data.draw(models(limit=500))
    observed = data.draw(evidence(model))
    built = all_results(model.forest(), list(observed.logs), semiring)

    normal = place_normalization(built)

    check_schedule(normal)
    assert_same(built, normal, leaves(model, observed))


@settings(max_examples=15)
@given(data=st.data())
def test_pruning_changes_no_kept_result(data):
    model = data.draw(models(limit=500))
    observed = data.draw(evidence(model))
    normal = place_normalization(all_results(model.forest(), list(observed.logs)))
    keep = data.draw(st.lists(st.sampled_from(list(normal.outputs)), min_size=1, unique=True))

    pruned = prune(normal, keep)

    check_schedule(pruned)
    assert set(pruned.outputs) == set(keep)
    assert len(pruned.ops) <= len(normal.ops)
    assert_same(normal, pruned, leaves(model, observed))


@settings(max_examples=15)
@given(data=st.data(), with_evidence=st.booleans())
def test_relaxing_changes_no_result(data, with_evidence):
    model = data.draw(models(limit=500))
    observed = data.draw(evidence(model))
    normal = place_normalization(all_results(model.forest(), list(observed.logs)))
    pruned = prune(normal, [k for k in normal.outputs if with_evidence or k[0] != "log_evidence"])

    relaxed = relax_normalization(pruned)

    check_schedule(relaxed)
    assert_same(pruned, relaxed, leaves(model, observed))


@settings(max_examples=10)
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_the_domain_is_all_that_choosing_one_changes(data, dtype):
    model = data.draw(models(limit=500))
    normal = place_normalization(all_results(model.forest(), []))

    chosen = choose_domain(normal, dtype)

    check_schedule(chosen)
    assert (chosen.ops, chosen.outputs) == (normal.ops, normal.outputs)
    assert chosen.domain is not None


@settings(max_examples=10)
@given(data=st.data())
def test_what_is_sent_has_largest_entry_one_or_is_evidence(data):
    model = data.draw(models(limit=500))
    observed = data.draw(evidence(model))
    schedule = place_normalization(all_results(model.forest(), list(observed.logs)))
    machine = prepare(schedule, leaves(model, observed), LogFloat())
    writers = {value: op for op in schedule.ops for value in results(op)}
    for _ in execute(machine, schedule.ops):
        pass

    for op in schedule.ops:
        if not isinstance(op, Message) or op.toward == "leaves":
            continue
        writer = writers[op.source]
        assert isinstance(writer, Normalize | Evidence | Combine)
        if isinstance(writer, Normalize):
            largest = machine.values[op.source].max(axis=-1)
            assert np.isin(largest, [0.0, -np.inf]).all()


def test_a_unet_that_keeps_the_root_alone_is_the_convnet():
    forest = gh.GHM(states=(3, 4, 5, 2), branching=(2, 1, 3)).forest()
    wanted = [("posterior", "x0"), ("posterior", "x3"), ("edge", "x2"), ("log_evidence", "")]
    unet = place_normalization(build_schedule(forest, wanted, ["x3"]))
    convnet = prune(place_normalization(build_schedule(forest, wanted[:1], ["x3"])))

    pruned = prune(unet, [("posterior", "x0")])

    assert pruned.ops == convnet.ops
    assert pruned.outputs == convnet.outputs
    assert all(op.toward == "root" for op in pruned.ops if isinstance(op, Message))


def test_scales_that_nobody_reads_are_dropped():
    wanted = [("posterior", "digit"), ("log_evidence", "")]
    normal = place_normalization(build_schedule(digits(), wanted, ["pixel"]))

    kept, dropped = prune(normal), prune(normal, [("posterior", "digit")])

    assert any(isinstance(op, Normalize) and op.scale is not None for op in kept.ops)
    assert all(op.scale is None for op in dropped.ops if isinstance(op, Normalize))


def test_values_are_numbered_in_the_order_of_writing():
    pruned = prune(place_normalization(all_results(scenes(), ["part"])), [("edge", "part")])
    written = [value for op in pruned.ops for value in results(op)]

    assert written == list(range(len(written)))


def test_pruning_twice_is_pruning_once():
    once = prune(place_normalization(all_results(scenes(), ["part"])))

    assert prune(once) == once


def test_pruning_leaves_nothing_unread():
    pruned = prune(place_normalization(all_results(scenes(), ["part"])), [("mean", "part")])
    read = {value for op in pruned.ops for value in sources(op)} | set(pruned.outputs.values())

    assert all(op.out in read for op in pruned.ops)


@pytest.mark.parametrize("keep", [[], [("posterior", "unknown")]])
def test_nothing_kept_leaves_nothing(keep):
    assert prune(place_normalization(all_results(scenes(), ["part"])), keep).ops == ()


def rules_of(ranks: int) -> Model:
    """Two levels of rules with zeros, some of them written by several symbols."""
    rng = np.random.default_rng(ranks)
    shape = (3,) * (ranks + 1)
    tables = [rng.uniform(size=shape) * (rng.random(shape) < 0.6) for _ in range(2)]
    return gh.GHM(3, (ranks, ranks), [gh.Rules.from_table(table) for table in tables])


@pytest.mark.parametrize("ranks", [2, 3])
def test_values_of_rules_are_not_rescaled_before_they_are_summed(ranks):
    model = rules_of(ranks)
    forest = model.forest()
    wanted = [("posterior", name) for name in model.variables] + [("log_evidence", "")]
    pruned = prune(place_normalization(build_schedule(forest, wanted, ["x2"])))
    relaxed = relax_normalization(pruned)

    check_schedule(relaxed)
    rescaled = [{op.block for op in s.ops if isinstance(op, Normalize)} for s in (pruned, relaxed)]
    assert rescaled[0] >= {"x1 rule", "x2 rule", "x1", "x0"}
    assert rescaled[1].isdisjoint({"x1 rule", "x2 rule"})
    assert rescaled[1] >= {"x1", "x0"}
    seen = {"x2": np.log(np.random.default_rng(0).uniform(size=(4, ranks**2, 3)))}
    assert_same(pruned, relaxed, seen)
