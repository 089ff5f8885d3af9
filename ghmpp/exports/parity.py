"""How far the answers of an exported file are from those of its network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import AnyArray
from ghmpp.backends.network import Network
from ghmpp.backends.plain.inputs import shared_parameters
from ghmpp.models import gaussian_sampling
from ghmpp.models.channels import LogLikelihood
from ghmpp.models.sampling import sample

TOLERANCES: Mapping[torch.dtype, float] = {torch.float32: 5e-6, torch.float64: 1e-12}
# Rows of the batch that is traced, and of others, that no tracer has seen.
TRACED_ROWS, OTHER_ROWS = 3, 5
# Observed values that no state is near to; real variables follow what is observed, and logs of
# densities grow with its square.
FAR, FAR_FROM_REAL = 1e3, 10.0

Run: TypeAlias = Callable[[Sequence[Tensor], Mapping[str, float]], Sequence[AnyArray]]


@dataclass(frozen=True, slots=True)
class Probe:
    """Inputs to compare the answers at, and channel parameters that are not the network's own."""

    name: str
    inputs: tuple[Tensor, ...]
    channel: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deviation:
    """The largest disagreement that was found, and with which inputs."""

    error: float
    where: str


def probes(network: Network) -> tuple[Probe, ...]:
    """What to compare at, the same for the same network.

    Samples of the model (of a network of fields any states, and normal numbers) in one row and in
    several, with some and all of them missing; states that may be impossible; observed values far
    away, and at other noise.
    """
    rng = np.random.default_rng(0)
    forest = network.forest
    sampled: Mapping[str, AnyArray] = {}
    if network.fields is None:
        draw = gaussian_sampling.sample if forest.gaussian else sample
        sampled = draw(forest, OTHER_ROWS, rng)

    def inputs(
        states: Callable[[AnyArray, int], AnyArray],
        values: Callable[[AnyArray], AnyArray],
        rows: int,
    ) -> tuple[Tensor, ...]:
        found = []
        for given in network.given:
            variable = network.variables[given.variable]
            hidden = rng.integers(max(1, len(variable.states)), size=(OTHER_ROWS, variable.nodes))
            drawn = sampled.get(given.variable, hidden)[:rows]
            if variable.real and given.channel is None:
                numbers = values(rng.normal(size=(rows, variable.nodes)))  # none may be missing
                found.append(torch.tensor(np.nan_to_num(numbers), dtype=network.dtype))
            elif given.channel is None:
                found.append(torch.tensor(states(drawn, len(variable.states))))
            else:
                assert not isinstance(given.channel, LogLikelihood)
                x = drawn if variable.values is None else variable.values[drawn]
                z = given.channel.sample(x, rng)
                found.append(torch.tensor(values(z), dtype=network.dtype))
        return tuple(found)

    def thinned(x: AnyArray, missing: float) -> AnyArray:
        return np.where(rng.random(x.shape) < 0.5, missing, x)

    real = any(network.variables[given.variable].real for given in network.given)
    reach = FAR_FROM_REAL if real else FAR

    def far(z: AnyArray) -> AnyArray:
        return rng.choice([-reach, reach], z.shape) + z

    def as_drawn(x: AnyArray, states: int = 0) -> AnyArray:
        return x

    some = (lambda x, n: thinned(x, -1)), (lambda z: thinned(z, np.nan))
    none = (lambda x, n: x * 0 - 1), (lambda z: z * np.nan)
    found = [
        Probe("drawn from the model, 1 row", inputs(as_drawn, as_drawn, 1)),
        Probe(f"drawn from the model, {OTHER_ROWS} rows", inputs(as_drawn, as_drawn, OTHER_ROWS)),
        Probe("half of it missing", inputs(*some, OTHER_ROWS)),
        Probe("all of it missing", inputs(*none, 1)),
        Probe(
            f"any states, values near {reach:,.0f}",
            inputs(lambda x, n: rng.integers(-1, n, x.shape), far, OTHER_ROWS),
        ),
    ]
    own = shared_parameters(network.given)
    if own:
        other = {name: value / 2 for name, value in own.items()}
        found.append(Probe("other noise", inputs(as_drawn, as_drawn, OTHER_ROWS), other))
    return tuple(found)


def deviation(network: Network, run: Run, *, noise: bool = True) -> Deviation:
    """The largest disagreement of a runner with its network, over all probes and answers.

    ``noise`` says whether it takes channel parameters of the call.

    Absolute up to 1 and relative above; infinite where one is not a number, or infinite and the
    other is not.
    """
    worst = Deviation(0.0, "")
    for probe in probes(network):
        if probe.channel and not noise:
            continue
        with torch.no_grad():
            answers = network(*probe.inputs, **probe.channel)
        expected = answers if isinstance(answers, tuple) else (answers,)
        found = run(probe.inputs, probe.channel)
        for key, a, b in zip(network.answers, found, expected, strict=True):
            gap = _gap(np.asarray(a, np.float64), b.detach().double().cpu().numpy())
            if gap > worst.error or not worst.where:
                worst = Deviation(gap, f"{answer_name(*key)}: {probe.name}")
    return worst


def network_runner(network: Network) -> Run:
    """What runs another network."""

    def run(inputs: Sequence[Tensor], channel: Mapping[str, float]) -> Sequence[AnyArray]:
        with torch.no_grad():
            found = network(*inputs, **channel)
        return as_arrays(found)

    return run


def as_arrays(found: Tensor | Sequence[Tensor]) -> list[AnyArray]:
    """Answers as a list of numpy arrays."""
    several = [found] if isinstance(found, Tensor) else found
    return [np.asarray(each.detach().cpu().numpy()) for each in several]


def _gap(found: AnyArray, expected: AnyArray) -> float:
    if found.shape != expected.shape:
        return np.inf
    same = found == expected  # infinities too
    with np.errstate(invalid="ignore"):
        gaps = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    gaps = np.where(same, 0.0, np.where(np.isnan(gaps), np.inf, gaps))
    return float(gaps.max(initial=0.0))


def answer_name(kind: str, variable: str) -> str:
    """Name of an answer: ``"posterior(digit)"``, ``"log_evidence"``."""
    return f"{kind}({variable})" if variable else kind
