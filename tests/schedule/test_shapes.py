"""Inferred shapes against the arrays that the reference interpreter makes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given

from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.models.forest import Forest
from ghmpp.models.model import Model
from ghmpp.schedule.ir import Message, Normalize, Schedule
from ghmpp.schedule.shapes import Shape, value_shapes
from ghmpp.schedule.values import results
from tests import strategies
from tests.schedule.plans import decoder, denoiser, everything, find, islands, mapped, scenes

BATCH = 2
PLANS: dict[str, Callable[[], Schedule]] = {
    "every result": lambda: everything(scenes()),
    "two trees": lambda: everything(islands()),
    "gather": lambda: everything(mapped("child_of")),
    "segment sum": lambda: everything(mapped("parent_of")),
    "most probable configuration": lambda: decoder("argmax"),
}


def ones(forest: Forest) -> dict[str, np.ndarray]:
    """Evidence that says nothing: log-likelihoods 0."""
    return {
        variable.name: np.zeros((BATCH, variable.nodes, len(variable.states)))
        for variable in forest.variables.values()
    }


def assert_shapes_are_those_of_the_results(schedule: Schedule) -> None:
    shapes = value_shapes(schedule)
    found = run(schedule, ones(schedule.forest), LogFloat(schedule.semiring))

    assert set(found) == set(schedule.outputs)
    for key, value in schedule.outputs.items():
        batch = (BATCH,) if shapes[value].batched else ()
        assert found[key].shape == (*batch, *shapes[value].axes), key


@pytest.mark.parametrize("name", PLANS)
def test_shapes_of_results(name: str) -> None:
    assert_shapes_are_those_of_the_results(PLANS[name]())


@given(strategies.models())
def test_shapes_of_the_results_of_a_drawn_model(model: Model) -> None:
    assert_shapes_are_those_of_the_results(everything(model.forest()))


def test_every_value_has_a_shape() -> None:
    schedule = everything(scenes())

    written = [value for op in schedule.ops for value in results(op)]
    assert list(value_shapes(schedule)) == written


def test_a_message_has_one_row_per_child_with_the_states_of_the_parent() -> None:
    schedule = denoiser()
    message = schedule.ops[find(schedule, Message)]

    assert value_shapes(schedule)[message.out] == Shape("message", "pixel", (16, 5))


def test_a_scale_is_one_number_per_node() -> None:
    schedule = denoiser()
    op = schedule.ops[find(schedule, Normalize)]
    assert isinstance(op, Normalize)
    assert op.scale is not None

    scale = value_shapes(schedule)[op.scale]
    nodes = schedule.forest.blocks[op.block].nodes
    assert (scale.kind, scale.axes, scale.nodes, scale.states) == ("scale", (nodes,), nodes, 1)


def test_the_log_evidence_is_one_number_per_row() -> None:
    schedule = denoiser()

    shape = value_shapes(schedule)[schedule.outputs["log_evidence", ""]]
    assert (shape.axes, shape.nodes, shape.states, shape.entries) == ((), 1, 1, 1)
