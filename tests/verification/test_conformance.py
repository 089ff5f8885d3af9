"""Emitted networks obey all laws, and every law finds the fault that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ghmpp as gh
from ghmpp.backends.network import Network
from ghmpp.compiler import Program
from ghmpp.errors import ConversionError
from ghmpp.models.queries import Query, edge
from ghmpp.verification.conformance import conformance
from ghmpp.verification.laws import LAWS
from tests import strategies


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs with one to three queries and up to two given classes."""
    model = draw(strategies.models(limit=200, wide=True))
    variables = model.variables
    children = {child for _, child in model.template.edges}
    queries: list[Query] = [gh.log_evidence()]
    queries += [gh.posterior(name) for name in variables]
    queries += [gh.mean(name) for name in variables if variables[name].values is not None]
    queries += [edge(name) for name in sorted(children)]
    asked = draw(st.lists(st.sampled_from(queries), min_size=1, max_size=3, unique=True))
    given = []
    for name in draw(st.lists(st.sampled_from(list(variables)), max_size=2, unique=True)):
        noisy = variables[name].values is not None and draw(st.booleans())
        given.append(gh.noisy(name, sigma=0.7) if noisy else name)
    return gh.compile(model, asked, given)


@settings(max_examples=15)
@given(program=programs())
def test_every_emitted_network_obeys_the_laws(program: Program) -> None:
    conformance(program.network(), rows=2).raise_if_failed()


@settings(max_examples=5)
@given(program=programs())
def test_networks_in_single_precision_obey_the_laws(program: Program) -> None:
    conformance(program.network(dtype="float32"), rows=2).raise_if_failed()


def network() -> Network:
    model = gh.GHM(
        states=(2, 2, 3),
        branching=(1, 2),
        tables=[[[2, 1], [1, 3]], [[[2, 1, 0], [1, 1, 3]], [[1, 2, 1], [4, 0, 1]]]],
        state_values=[0.0, 1.0, 3.0],
    )
    queries = [gh.posterior("x0"), gh.mean("x2"), gh.log_evidence()]
    return gh.compile(model, queries, given="x2").network()


def test_all_laws_apply_to_a_network_with_evidence() -> None:
    report = conformance(network())

    assert report.passed
    assert not report.skipped
    assert {check.engine for check in report.checks} == set(LAWS)


def test_laws_that_do_not_apply_are_listed() -> None:
    model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 3]]])
    reasons = {
        each.engine: each.reason
        for each in conformance(gh.compile(model, gh.posterior("x0"))).skipped
    }

    assert reasons["missing is marginal"] == "the network is given nothing."
    assert "gradient of log evidence" in reasons


Outputs = tuple[Tensor, ...]
Fault = Callable[[Network, Outputs, Tensor], Outputs]


def each(change: Callable[[Tensor], Tensor]) -> Fault:
    return lambda network, outputs, x: tuple(change(output) for output in outputs)


def counted(network: Network, outputs: Outputs, x: Tensor) -> Outputs:
    network.calls = getattr(network, "calls", 0) + 1  # type: ignore[assignment]
    return tuple(output + 1e-3 * network.calls for output in outputs)


def marked(network: Network, outputs: Outputs, x: Tensor) -> Outputs:
    mark = float(network.potentials["x0->x1"].sum() == network.potentials["x0->x1"].numel())
    return tuple(output + mark for output in outputs)


FAULTS: dict[str, Fault] = {
    "posteriors sum to 1": each(lambda output: 1.01 * output),
    "deterministic": counted,
    "rows are independent": each(lambda output: output + 1e-3 * len(output)),
    "chunks": lambda network, outputs, x: tuple(
        output + 1e-3 * (network.chunk == 1) for output in outputs
    ),
    "precision": lambda network, outputs, x: tuple(
        output + 1e-3 * (network.dtype == torch.float32) for output in outputs
    ),
    "missing is uninformative": lambda network, outputs, x: tuple(
        output + 1e-3 * float((x == -1).any()) for output in outputs
    ),
    "missing is marginal": each(lambda output: output**2),
    "impossible evidence": each(lambda output: torch.where(output == 0, torch.nan, output)),
    "states reversed": lambda network, outputs, x: (
        outputs[0] + torch.tensor([1e-3, -1e-3]),
        *outputs[1:],
    ),
    "siblings reversed": lambda network, outputs, x: (
        outputs[0],
        outputs[1] + 1e-3 * float(network.schedule.forest.variables["x2"].order is not None),
        outputs[2],
    ),
    "gradient of log evidence": each(lambda output: 1.001 * output),
}


@pytest.mark.parametrize("law", FAULTS)
def test_every_law_finds_its_fault(law: str) -> None:
    fault = FAULTS[law]

    class Faulty(Network):
        def forward(self, *inputs: Tensor, **channel: float) -> Any:
            return fault(self, super().forward(*inputs, **channel), inputs[0])

    subject = network()
    subject.__class__ = Faulty
    failed = {check.engine for check in conformance(subject).failures}

    assert law in failed


def test_a_state_dict_that_is_not_loaded_is_found() -> None:
    class Forgetful(Network):
        def load_state_dict(self, *arguments: Any, **options: Any) -> Any:
            return None

    subject = network()
    subject.__class__ = Forgetful

    assert {check.engine for check in conformance(subject).failures} == {"state_dict"}


def test_the_network_is_not_changed() -> None:
    subject = network()
    before = {key: value.clone() for key, value in subject.state_dict().items()}
    conformance(subject)

    assert subject.chunk is None
    assert subject.dtype == torch.float64
    assert all(torch.equal(before[key], value) for key, value in subject.state_dict().items())


def test_other_objects_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"expected a network or a program, got a Linear"):
        conformance(torch.nn.Linear(1, 1))
