"""The builder: legal, level by level, linear in branches, and nothing that nobody asked for."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.models.forest import Forest
from ghmpp.models.potentials import ChildOf
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Evidence,
    Exclude,
    Message,
    Normalize,
    Pool,
    Readout,
    Schedule,
    Spread,
)
from ghmpp.schedule.passes import prune
from ghmpp.schedule.values import sources
from tests.schedule.plans import digits, forest_of, islands, scenes
from tests.strategies import models


def kinds(schedule: Schedule) -> Counter[type]:
    """How many instructions of each type."""
    return Counter(map(type, schedule.ops))


def denoiser(branching: tuple[int, ...]) -> Schedule:
    """A U-Net on a regular tree of two states."""
    forest = gh.GHM(states=(2,) * (len(branching) + 1), branching=branching).forest()
    leaf = f"x{len(branching)}"
    return build_schedule(forest, [("posterior", leaf)], [leaf])


@settings(max_examples=20)
@given(model=models(limit=500), data=st.data())
def test_every_schedule_is_legal(model, data):
    forest = model.forest()
    wanted = [("posterior", block) for block in forest.blocks]
    wanted += [(kind, child) for child in forest.edges for kind in ("edge", "counts")]
    asked = data.draw(st.lists(st.sampled_from([*wanted, ("log_evidence", "")]), unique=True))
    observed = data.draw(st.lists(st.sampled_from(list(forest.variables)), unique=True))

    check_schedule(build_schedule(forest, asked, observed))


def test_instructions_grow_with_levels_and_not_with_nodes():
    small, large = denoiser((2, 2)), denoiser((50, 40))
    levels = [len(denoiser((2,) * depth).ops) for depth in (2, 3, 4, 5)]

    assert kinds(small) == kinds(large)
    assert levels[1] - levels[0] == levels[2] - levels[1] == levels[3] - levels[2]


def test_instructions_grow_linearly_with_the_branches_of_one_node():
    sizes = []
    for branches in (10, 20, 30):
        classes = [("root", None, 1, 2), *((f"b{k}", "root", 2, 2) for k in range(branches))]
        forest = forest_of(*classes)
        wanted = [("posterior", name) for name in forest.blocks]
        sizes.append(len(build_schedule(forest, wanted, list(forest.blocks)).ops))

    assert sizes[2] - sizes[1] == sizes[1] - sizes[0]


def test_only_the_log_evidence_needs_no_way_down():
    schedule = build_schedule(digits(), [("log_evidence", "")], ["pixel"])

    assert all(op.toward == "root" for op in schedule.ops if isinstance(op, Message))
    assert not kinds(schedule) & Counter({Exclude: 1, Spread: 1, Normalize: 1})


def test_evidence_enters_at_the_observed_classes_alone():
    schedule = build_schedule(scenes(), [("log_evidence", "")], ["part", "object"])

    assert {op.block for op in schedule.ops if isinstance(op, Evidence)} == {"part", "object"}


def test_an_only_child_is_spread_to_and_siblings_exclude_each_other():
    schedule = build_schedule(scenes(), [("posterior", "part")], ["part"])
    edges = {kind: {op.edge for op in schedule.ops if isinstance(op, kind)} for kind in (Spread,)}

    assert edges[Spread] == {"texture", "light"}
    assert {op.edge for op in schedule.ops if isinstance(op, Exclude)} == {"object", "part"}
    assert {op.edge for op in schedule.ops if isinstance(op, Pool)} == {"object", "part"}


def test_the_log_evidence_reads_every_root():
    schedule = build_schedule(islands(), [("log_evidence", "")], ["b"])
    (readout,) = (op for op in schedule.ops if isinstance(op, Readout))

    assert readout.roots == len(readout.sources) == len(islands().roots)


def test_a_variable_about_which_nothing_is_known_is_a_product_of_nothing():
    forest: Forest = forest_of(("lonely", None, 1, 3), prior=False)
    schedule = build_schedule(forest, [("posterior", "lonely")], [])

    assert [op for op in schedule.ops if isinstance(op, Combine)] == [Combine("lonely", (), 0)]


@pytest.mark.parametrize(("how", "semiring"), [("argmax", "max"), ("sample", "sum")])
def test_every_block_chooses_after_its_parent(how, semiring):
    forest = scenes()
    wanted = [("choice", name) for name in forest.blocks]
    schedule = build_schedule(forest, wanted, ["part"], semiring=semiring, choose=how)
    choices = {op.block: op for op in schedule.ops if isinstance(op, Choose)}

    check_schedule(schedule)
    assert list(choices) == list(forest.blocks)
    for name, op in choices.items():
        edge = forest.edges.get(name)
        assert op.how == how
        assert op.parent == (None if edge is None else choices[edge.parent].out)


def clique(children: int) -> Forest:
    """A root of four states, and children that are functions of it."""
    model = gh.Model()
    root = model.root("clique", 4, prior=[1, 2, 3, 4])
    for k in range(children):
        root.children(f"v{k}", 1, 2, potential=ChildOf([0, k % 2, 1, 1]))
    return model.forest()


def test_children_that_are_functions_are_read_from_one_posterior_of_their_parent():
    names = [f"v{k}" for k in range(6)]
    schedule = build_schedule(clique(6), [("posterior", name) for name in names], names)

    products = [op for op in schedule.ops if isinstance(op, Combine) and op.block == "clique"]
    assert len(products) == 1
    spread = {op.source for op in schedule.ops if isinstance(op, Spread)}
    assert spread == {products[0].out}
    joint = build_schedule(clique(6), [("edge", name) for name in names], names)
    assert len([op for op in joint.ops if isinstance(op, Combine) and op.block == "clique"]) > 6


def test_children_that_are_functions_say_nothing_unless_something_is_known_of_them():
    schedule = build_schedule(clique(3), [("posterior", "clique")], ["v1"])
    used = {value for op in prune(schedule).ops for value in sources(op)}

    sent = [op for op in prune(schedule).ops if isinstance(op, Message)]
    assert [op.edge for op in sent] == ["v1"]
    assert sent[0].out in used
