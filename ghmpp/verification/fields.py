"""Networks of fields against two other ways to run their schedule.

What such a network computes is an iteration, which is exact only in special cases; so it is not
compared with the model's law, but with the definition of its instructions. Noise is left out on
both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ConversionError
from ghmpp.models.channels import Channel, Given
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.observations import LogLikelihoods, Observed
from ghmpp.schedule.ir import Couple, Noise, Op, Repeat, Term
from ghmpp.schedule.passes import unrolled
from ghmpp.verification.answers import Answer
from ghmpp.verification.subjects import Subject, answer_of

if TYPE_CHECKING:
    from ghmpp.backends.network import Network

Logs: TypeAlias = Mapping[str, FloatArray]
# Networks with more instructions are not written out.
UNROLLED = 3_000


def silenced(network: Network) -> Network:
    """The network itself; of an exact one that draws noise, one that draws none.

    Raises
    ------
    ConversionError
        If it approximates and draws noise.
    """
    from ghmpp.backends.network import Network

    schedule = network.schedule
    quiet = replace(schedule, ops=tuple(map(_quiet, schedule.ops)))
    if quiet.ops == schedule.ops:
        return network
    if network.family == "relu":
        raise ConversionError(
            "verify: the network draws noise and approximates; verify the one of the query "
            "gh.code, which has the same layers without noise."
        )
    quiet = replace(quiet, forest=network.current_forest())
    return Network(quiet, dtype=network.dtype, given=network.given, answers=network.answers)


def _quiet(op: Op) -> Op:
    match op:
        case Noise(block=block, source=source, out=out):
            return Couple(block, (Term(source),), out)
        case Repeat(body=body):
            return replace(op, body=tuple(map(_quiet, body)))
        case _:
            return op


def draw_field_evidence(
    forest: Forest, given: Sequence[Given], rows: int, seed: int
) -> dict[str, dict[str, object]]:
    """Evidence by kind, as a user would pass it.

    - "hard": random states; "soft": random log-likelihoods, normal with standard deviation 2;
    - "noisy": random state values through the channel, one in four missing;
    - "large": the same, ten times as large.

    Real variables are normal numbers throughout; "large" ones ten times as large.
    """
    rng = np.random.default_rng(seed)
    variables = {item.variable: forest.variables[item.variable] for item in given}
    channels = {item.variable: item.channel for item in given}

    def batch(
        of_states: Callable[[VariableClass], object], scale: float = 1.0
    ) -> dict[str, object]:
        return {
            name: scale * rng.normal(size=(rows, each.nodes)) if each.real else of_states(each)
            for name, each in variables.items()
        }

    def states(each: VariableClass) -> AnyArray:
        return np.asarray(each.states)[rng.integers(0, len(each.states), (rows, each.nodes))]

    def soft(each: VariableClass) -> LogLikelihoods:
        return LogLikelihoods(rng.normal(scale=2.0, size=(rows, each.nodes, len(each.states))))

    def seen(each: VariableClass, scale: float) -> object:
        channel = channels[each.name]
        if channel is None or each.values is None:
            return soft(each)
        return _through(channel, each.values, (rows, each.nodes), scale, rng)

    return {
        "hard": batch(states),
        "soft": batch(soft),
        "noisy": batch(lambda each: seen(each, 1.0)),
        "large": batch(lambda each: seen(each, 10.0), 10.0),
    }


def _through(
    channel: Channel,
    values: FloatArray,
    shape: tuple[int, int],
    scale: float,
    rng: np.random.Generator,
) -> Observed:
    """Values seen through a channel, some missing."""
    x = values[rng.integers(0, len(values), shape)]
    sample = getattr(channel, "sample", None)
    z = scale * (x if sample is None else sample(x, rng))
    return Observed(np.where(rng.random(shape) < 0.25, np.nan, z), channel)


def _reference(subject: Subject, logs: Logs) -> Answer:
    """The numpy interpreter, by the definition of every instruction."""
    from ghmpp.backends.algebras import LogFloat
    from ghmpp.backends.reference import run

    network = subject.network
    assert network is not None
    schedule = replace(network.schedule, forest=network.current_forest())
    found = run(schedule, logs, LogFloat())
    rows = max((len(each) for each in logs.values()), default=1)
    whole = {key: np.broadcast_to(each, (rows, *each.shape[1:])) for key, each in found.items()}
    return answer_of(whole)


def _unrolled(subject: Subject, logs: Logs) -> Answer:
    """The network with its repetitions written out, as it is exported."""
    import torch

    from ghmpp.backends.plain.network import PlainNetwork

    network = subject.network
    assert network is not None
    steps = len(unrolled(network.schedule).ops)
    if steps > UNROLLED:
        raise ConversionError(f"has {steps:,} instructions, of which {UNROLLED:,} are written out.")
    plain = PlainNetwork(network)
    inputs = [
        torch.as_tensor(logs[name][..., 0] if network.variables[name].real else np.exp(logs[name]))
        for name in (item.variable for item in network.given)
    ]
    with torch.no_grad():
        results = plain(*inputs)
    outputs = results if isinstance(results, tuple) else (results,)
    variables = network.variables
    named = zip(network.answers, outputs, strict=True)
    return answer_of(
        {
            key: each.numpy()[:, None] if variables[key[1]].nodes == 1 else each.numpy()
            for key, each in named
        }
    )


FIELD_ENGINES: Mapping[str, Callable[[Subject, Logs], Answer]] = {
    "reference": _reference,
    "unrolled": _unrolled,
}
