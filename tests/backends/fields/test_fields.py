"""Instructions on fields: the reference, torch, the plain network and unrolled schedules agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ghmpp._arrays import FloatArray
from ghmpp.backends.algebras import Exact, LogFloat
from ghmpp.backends.network import Network
from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.backends.reference import run
from ghmpp.backends.symbolics.program import SymbolicProgram
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.models.channels import Given
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.fields import FieldBuilder
from ghmpp.schedule.ir import Schedule, Term
from ghmpp.schedule.passes import prune, unrolled
from tests.schedule.random_fields import random_forest, random_schedule
from tests.tolerances import DIFFERENCES, EXACT, SIGMAS

BATCH = 3
GIVEN = (Given("x"), Given("z"))


Results = dict[tuple[str, str], FloatArray]


def inputs(schedule: Schedule, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    nodes = {name: each.nodes for name, each in schedule.forest.variables.items()}
    likelihoods = rng.uniform(0.1, 1.0, (BATCH, nodes["x"], 2))
    return torch.tensor(likelihoods), torch.tensor(rng.normal(size=(BATCH, nodes["z"])))


def reference(schedule: Schedule, x: torch.Tensor, z: torch.Tensor) -> Results:
    leaves = {"x": x.log().numpy(), "z": z.numpy()[..., None]}
    return {key: np.asarray(found) for key, found in run(schedule, leaves, LogFloat()).items()}


def answers(network: Network | PlainNetwork, x: torch.Tensor, z: torch.Tensor) -> Results:
    """By key; also of a class with one node with a node axis."""
    found = zip(network.answers, network(x, z), strict=True)
    nodes = {name: each.nodes for name, each in network.variables.items()}
    return {
        key: each.numpy().reshape(BATCH, nodes[key[1]], *each.shape[1 + (nodes[key[1]] > 1) :])
        for key, each in found
    }


@given(seed=st.integers(0, 2**32 - 1))
def test_torch_does_what_the_reference_defines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    schedule = random_schedule(rng)
    check_schedule(schedule)
    x, z = inputs(schedule, rng)
    expected = reference(schedule, x, z)

    network = Network(schedule, given=GIVEN)
    for found in (answers(network, x, z), answers(PlainNetwork(network), x, z)):
        assert found.keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_allclose(found[key], array, rtol=EXACT, atol=EXACT)


@given(seed=st.integers(0, 2**32 - 1))
def test_passes_keep_results(seed: int) -> None:
    rng = np.random.default_rng(seed)
    schedule = random_schedule(rng)
    x, z = inputs(schedule, rng)
    expected = reference(schedule, x, z)

    for changed in (unrolled(schedule), prune(schedule), prune(unrolled(schedule))):
        check_schedule(changed)
        found = reference(changed, x, z)
        for key, array in expected.items():
            np.testing.assert_array_equal(found[key], array)


@given(seed=st.integers(0, 2**32 - 1))
def test_gradients_reach_every_coupling_that_is_used(seed: int) -> None:
    rng = np.random.default_rng(seed)
    schedule = random_schedule(rng)
    x, z = inputs(schedule, rng)
    network = Network(schedule, given=GIVEN)
    assert network.fields is not None
    key, step = "dense z z", 1e-6
    numbers = network.fields.couplings[key].requires_grad_()

    def total() -> torch.Tensor:
        return torch.stack([answer.sum() for answer in network(x, z)]).sum()

    value = total()
    slope = torch.zeros(())
    if value.requires_grad:
        (slope,) = torch.autograd.grad(value, numbers, allow_unused=True)
        slope = torch.zeros(()) if slope is None else slope.flatten()[0]
    with torch.no_grad():
        numbers.view(-1)[0] += step
        high = total()
        numbers.view(-1)[0] -= 2 * step
        low = total()

    # A step across the corner of relu or soft has no slope; that is rare, and then both differ.
    difference = (high - low) / (2 * step)
    corner = abs((high + low - 2 * value) / step) > 1e-3
    assert corner or abs(difference - slope) <= DIFFERENCES * max(1.0, abs(slope))


def test_rounds_of_a_repetition_are_rounds_of_its_body() -> None:
    forest = random_forest(np.random.default_rng(0))
    build = FieldBuilder(forest)
    start = build.evidence("z")
    (found,) = build.repeat(5, [start], lambda z: [build.couple("z", Term(z, scale=0.5), start)])
    schedule = build.schedule([build.readout("mean", "z", found)])
    z = np.random.default_rng(1).normal(size=(2, forest.blocks["z"].nodes, 1))

    result = run(schedule, {"z": z}, LogFloat())["mean", "z"]

    np.testing.assert_allclose(result, z[..., 0] * (2 - 0.5**5), rtol=EXACT)


def test_no_rounds_are_no_instruction() -> None:
    build = FieldBuilder(random_forest(np.random.default_rng(0)))
    start = build.evidence("z")

    assert build.repeat(0, [start], lambda z: [z]) == [start]
    assert len(build.ops) == 1


def noisy() -> Network:
    build = FieldBuilder(random_forest(np.random.default_rng(2)))
    drawn = build.noise("z", build.evidence("z"), 0.5)
    return Network(build.schedule([build.readout("draw", "z", drawn)]), given=(Given("z"),))


def test_noise_has_its_deviation_and_its_seed() -> None:
    network = noisy()
    nodes = network.variables["z"].nodes
    z = torch.ones(40_000, nodes, dtype=torch.float64)

    drawn = network(z, seed=3) - z if nodes > 1 else network(z, seed=3)[:, None] - z
    assert torch.equal(network(z, seed=3), network(z, seed=3))
    assert not torch.equal(network(z, seed=3), network(z, seed=4))
    assert abs(drawn.mean()) < SIGMAS * 0.5 / drawn.numel() ** 0.5
    assert abs(drawn.std() - 0.5) < SIGMAS * 0.5 / (2 * drawn.numel()) ** 0.5


def test_noise_needs_a_seed() -> None:
    network = noisy()
    with pytest.raises(QueryError, match="seed="):
        network(torch.ones(1, network.variables["z"].nodes))
    ones = np.ones((1, network.variables["z"].nodes, 1))
    with pytest.raises(QueryError, match="rng="):
        run(network.schedule, {"z": ones}, LogFloat())


def test_noise_is_not_written_to_files() -> None:
    with pytest.raises(QueryError, match="draws noise"):
        PlainNetwork(noisy())


def test_fields_need_real_numbers() -> None:
    schedule = random_schedule(np.random.default_rng(0))
    with pytest.raises(QueryError, match="LogFloat"):
        run(schedule, {}, Exact())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_must_be_finite(value: float) -> None:
    schedule = random_schedule(np.random.default_rng(0))
    x, z = inputs(schedule, np.random.default_rng(0))
    z[0, 0] = value

    with pytest.raises(EvidenceError, match="finite"):
        Network(schedule, given=GIVEN)(x, z)


def test_what_is_no_message_has_no_formula_and_no_convolution() -> None:
    schedule = random_schedule(np.random.default_rng(0))
    with pytest.raises(QueryError, match="no formulas"):
        SymbolicProgram(schedule)
    with pytest.raises(QueryError, match="iterates on fields"):
        Network(schedule, given=GIVEN).as_convolutions()
