from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.algebras import Exact, LogFloat
from ghmpp.backends.reference import first_impossible, run, step
from ghmpp.backends.reference_machine import Machine, prepare
from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Exclude,
    Message,
    Normalize,
    Op,
    Pool,
    Schedule,
    Spread,
    Unary,
)
from ghmpp.schedule.passes import place_normalization
from tests.backends.small_forests import (
    FORESTS,
    LOG_EVIDENCE,
    Class,
    Truth,
    brute_force,
    chain,
    configurations,
    everything,
    grow,
    likelihoods,
    logs,
    mass,
)
from tests.tolerances import EXACT, SIGMAS


@pytest.fixture(params=FORESTS)
def forest(request: pytest.FixtureRequest) -> Forest:
    return FORESTS[request.param]


@pytest.fixture
def leaves(forest: Forest) -> dict[str, ObjectArray]:
    return likelihoods(forest)


@pytest.mark.parametrize("name", [name for name in FORESTS if "index" in name])
def test_one_observed_class_reaches_all_others_through_index_maps(name):
    """Also siblings that have nothing to say themselves, and functions of their parents."""
    forest = FORESTS[name]
    for observed, seen in likelihoods(forest, batch=1).items():
        wanted = [("posterior", block) for block in forest.blocks]
        schedule = build_schedule(forest, wanted, [observed])
        expected = brute_force(forest, {observed: seen}, 1).posterior
        for (_, block), found in run(schedule, {observed: seen}, Exact()).items():
            assert (found == expected[block]).all(), (observed, block)


@pytest.fixture
def truth(forest: Forest, leaves: dict[str, ObjectArray]) -> Truth:
    return brute_force(forest, leaves, 3)


# Most probable configurations and samples


def chosen_masses(
    forest: Forest, choices: Mapping[tuple[str, str], AnyArray], leaves: Mapping[str, AnyArray]
) -> list[Fraction]:
    """Mass of the chosen configuration of every row."""
    batch = next(iter(leaves.values())).shape[0]
    return [
        mass(
            forest,
            {name: tuple(choices["choice", name][row]) for name in forest.blocks},
            {name: array[row] for name, array in leaves.items()},
        )
        for row in range(batch)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("algebra", [Exact("max"), LogFloat("max")], ids=["exact", "floats"])
def test_argmax_choices_have_the_largest_mass(forest, leaves, truth, algebra):
    wanted = [("choice", name) for name in forest.blocks]
    schedule = build_schedule(forest, wanted, list(leaves), semiring="max")
    given = leaves if isinstance(algebra, Exact) else logs(leaves)
    found = run(place_normalization(schedule), given, algebra)

    assert chosen_masses(forest, found, leaves) == pytest.approx(truth.best, rel=EXACT)


def test_max_evidence_is_the_largest_mass(forest, leaves, truth):
    schedule = build_schedule(forest, [LOG_EVIDENCE], list(leaves), semiring="max")

    assert run(schedule, leaves, Exact("max"))[LOG_EVIDENCE].tolist() == truth.best


def test_samples_have_the_posterior_of_whole_configurations():
    forest = FORESTS["a table per rank"]
    one = {"x": likelihoods(forest, batch=1)["x"] + Fraction(1, 6)}
    draws = 20_000
    wanted = [("choice", name) for name in forest.blocks]
    schedule = build_schedule(forest, wanted, ["x"], choose="sample")
    given = {"x": np.repeat(logs(one)["x"], draws, axis=0)}
    found = run(schedule, given, LogFloat(), rng=np.random.default_rng(0))

    drawn = np.concatenate([found["choice", name] for name in forest.blocks], axis=1)
    total = float(brute_force(forest, one, 1).total[0])
    for each in configurations(forest):
        probability = float(mass(forest, each, {"x": one["x"][0]})) / total
        states = [state for block in each.values() for state in block]
        frequency = (drawn == states).all(axis=1).mean()
        deviation = np.sqrt(probability * (1 - probability) / draws)
        assert abs(frequency - probability) <= SIGMAS * deviation + 1 / draws


def test_samples_never_have_probability_zero():
    forest = FORESTS["many zeros"]
    leaves = {"x": np.ones((500, 4, 2), object)}
    wanted = [("choice", name) for name in forest.blocks]
    schedule = build_schedule(forest, wanted, ["x"], choose="sample")
    found = run(schedule, logs(leaves), LogFloat(), rng=np.random.default_rng(0))

    assert all(weight > 0 for weight in chosen_masses(forest, found, leaves))


# Impossible evidence


def identity_tree() -> Forest:
    """A root with four children that copy its state through two middle nodes."""
    forest = grow(Class("r", 2), Class("y", 2, "r", 2), Class("x", 2, "y", 2))
    copy = np.eye(2)[None]
    return Forest(
        "copies",
        forest.variables,
        forest.blocks,
        forest.edges,
        {"r->y": copy, "y->x": copy},
    )


def hard(*rows: tuple[int, ...]) -> AnyArray:
    """Log-likelihoods of observed binary states."""
    return LogFloat().lift(np.eye(2)[np.array(rows)])


def test_impossible_rows_are_zero_and_minus_infinity():
    forest = identity_tree()
    leaves = {"x": hard((0, 0, 0, 0), (0, 0, 1, 1))}
    found = run(everything(forest, leaves), leaves, LogFloat())

    assert found[LOG_EVIDENCE].tolist() == [0.0, -np.inf]
    assert found["posterior", "r"].tolist() == [[[1.0, 0.0]], [[0.0, 0.0]]]
    assert found["counts", "y"].tolist() == [[[2.0, 0.0], [0.0, 0.0]]]


def test_impossible_evidence_is_located_where_it_arises():
    forest = identity_tree()
    leaves = {"x": hard((0, 0, 0, 0), (0, 0, 0, 1), (1, 1, 0, 0))}
    schedule = everything(forest, leaves)

    assert first_impossible(schedule, leaves) == [(1, "y", 1), (2, "r", 0)]


def test_evidence_that_allows_no_state_is_located_at_its_node():
    forest = identity_tree()
    leaves = {"x": hard((0, 0, 0, 0))}
    leaves["x"][0, 2] = -np.inf

    assert first_impossible(everything(forest, leaves), leaves) == [(0, "x", 2)]


def test_a_state_without_parent_is_located_at_the_child():
    forest = identity_tree()
    tables = {"y->x": np.array([[[1.0, 0.0], [1.0, 0.0]]])}
    leaves = {"x": hard((0, 0, 0, 1))}

    assert first_impossible(everything(forest, leaves), leaves, data=tables) == [(0, "x", 3)]


def test_possible_evidence_is_located_nowhere(forest):
    leaves = {name: array + 1 for name, array in likelihoods(forest).items()}

    assert first_impossible(everything(forest, leaves), logs(leaves)) == []


# Long chains


@pytest.mark.slow
def test_long_chains_neither_recurse_nor_underflow():
    length = 10_000
    forest = chain(length, 2)
    schedule = place_normalization(build_schedule(forest, [LOG_EVIDENCE], []))
    (found,) = run(schedule, {}, LogFloat())[LOG_EVIDENCE]

    prior, step_, emit = (LogFloat().numbers(forest.data[key])[0] for key in ("z", "z->z", "z->x"))
    weight, expected = emit.sum(axis=1), 0.0
    for _ in range(length - 1):
        prior = (prior * weight) @ step_
        expected += np.log(prior.sum())
        prior = prior / prior.sum()
    expected += np.log(prior @ weight)
    assert found == pytest.approx(expected, rel=EXACT)


# One instruction at a time, by hand


def machine(forest: Forest, **values: list[list[int]]) -> Machine:
    """A machine of one row of exact numbers, in which value k is the argument vk."""
    ready = prepare(Schedule(forest, ()), {}, Exact())
    for name, rows in values.items():
        ready.values[int(name[1:])] = np.array([rows], object)
    return ready


def written(ready: Machine, op: Op) -> list[object]:
    """What an instruction writes, without the batch axis."""
    (result,) = step(ready, op)
    return list(result[0].tolist())


PAIR = Forest(
    "pair",
    grow(Class("r", 2, nodes=2), Class("x", 3, "r", 3)).variables,
    grow(Class("r", 2, nodes=2), Class("x", 3, "r", 3)).blocks,
    grow(Class("r", 2, nodes=2), Class("x", 3, "r", 3)).edges,
    {"r->x": np.array([[[1, 2, 3], [0, 1, 0]]]), "r": np.array([[5, 7]])},
)
MESSAGES = [[1, 2], [3, 0], [5, 7], [0, 0], [1, 1], [2, 3]]


def test_message_toward_the_root_sums_over_child_states():
    ready = machine(PAIR, v0=[[1, 0, 0], [0, 1, 1], [1, 1, 1]] * 2)

    assert written(ready, Message("x", "root", 0, 1)) == [[1, 0], [5, 1], [6, 1]] * 2


def test_message_toward_the_leaves_sums_over_parent_states():
    ready = machine(PAIR, v0=[[1, 0], [0, 1], [10, 100]] * 2)

    assert written(ready, Message("x", "leaves", 0, 1)) == [[1, 2, 3], [0, 1, 0], [10, 120, 30]] * 2


def test_children_take_the_rows_of_the_stack_in_turn():
    wide = grow(Class("r", 1), Class("x", 1, "r", 4, rows=2))
    ready = machine(Forest("f", wide.variables, wide.blocks, wide.edges, {}), v0=[[1]] * 4)
    ready.lifted["r->x"] = np.array([[[2]], [[3]]], object)

    assert written(ready, Message("x", "root", 0, 1)) == [[2], [3], [2], [3]]


@pytest.mark.parametrize(
    ("kind", "index", "toward", "sent", "received"),
    [
        ("child_of", (1, 0, 1), "root", [5, 7], [7, 5, 7]),
        ("child_of", (1, 0, 1), "leaves", [1, 2, 4], [2, 5]),
        ("parent_of", (2, 0), "root", [5, 7], [7, 0, 5]),
        ("parent_of", (2, 0), "leaves", [1, 2, 4], [4, 1]),
    ],
)
def test_index_maps_gather_one_way_and_sum_segments_the_other(kind, index, toward, sent, received):
    forest = grow(Class("r", 3), Class("x", 2, "r", kind=kind, index=(index,)))
    ready = machine(forest, v0=[sent])

    assert written(ready, Message("x", toward, 0, 1)) == [received]


def test_pool_multiplies_siblings():
    assert written(machine(PAIR, v0=MESSAGES), Pool("x", 0, 1)) == [[15, 0], [0, 0]]


def test_exclude_multiplies_all_siblings_but_the_child_itself():
    expected = [[15, 0], [5, 14], [3, 0], [2, 3], [0, 0], [0, 0]]

    assert written(machine(PAIR, v0=MESSAGES), Exclude("x", None, 0, 1)) == expected


def test_exclude_starts_from_the_context_of_the_parent():
    ready = machine(PAIR, v0=MESSAGES, v1=[[2, 1], [1, 10]])
    expected = [[30, 0], [10, 14], [6, 0], [2, 30], [0, 0], [0, 0]]

    assert written(ready, Exclude("x", 1, 0, 2)) == expected


def test_spread_repeats_each_parent():
    ready = machine(PAIR, v0=[[1, 2], [3, 4]])

    assert written(ready, Spread("x", 0, 1)) == [[1, 2]] * 3 + [[3, 4]] * 3


def test_combine_multiplies_values():
    ready = machine(PAIR, v0=[[1, 2], [3, 4]], v1=[[5, 6], [0, 1]])

    assert written(ready, Combine("r", (0, 1), 2)) == [[5, 12], [0, 4]]


def test_combining_nothing_gives_ones():
    assert written(machine(PAIR), Combine("r", (), 0)) == [[1, 1], [1, 1]]


def test_unary_repeats_one_row_for_all_nodes():
    assert written(machine(PAIR), Unary("r", "r", 0)) == [[5, 7], [5, 7]]


def test_normalize_divides_by_the_largest_and_returns_its_log():
    ready = prepare(Schedule(PAIR, ()), {}, LogFloat())
    ready.values[0] = np.array([[[1.0, 3.0], [-np.inf, -np.inf]]])
    value, scale = step(ready, Normalize("r", 0, 1, scale=2))

    assert value.tolist() == [[[-2.0, 0.0], [-np.inf, -np.inf]]]
    assert scale.tolist() == [[3.0, -np.inf]]


def test_choices_follow_the_parent():
    ready = machine(PAIR, v0=[[1, 1, 1]] * 6)
    ready.values[1] = np.array([[0, 1]])

    assert written(ready, Choose("x", 0, 1, "argmax", 2)) == [2, 2, 2, 1, 1, 1]


def test_sampling_needs_a_generator():
    schedule = build_schedule(FORESTS["one node"], [("choice", "r")], [], choose="sample")

    with pytest.raises(QueryError, match="rng"):
        run(schedule, {}, LogFloat())
