"""What is to be trained, read from what a user passes: networks and models with their data."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias, get_args

from torch import nn

from ghmpp.backends.network import Network
from ghmpp.compiler import Program, compile
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.learning.em.data import read_data
from ghmpp.learning.em.networks import read_problem
from ghmpp.learning.em.task import make_task
from ghmpp.learning.training.arrays import Arrays
from ghmpp.learning.training.batches import Batch, Order
from ghmpp.learning.training.likelihood import Evidence, LikelihoodObjective
from ghmpp.learning.training.losses import (
    CrossEntropy,
    Custom,
    Denoising,
    Loss,
    LossLike,
    LossName,
    Square,
)
from ghmpp.learning.training.objectives import Judged, NetworkObjective
from ghmpp.learning.training.stream import Stream
from ghmpp.learning.training.streams import of, program_of
from ghmpp.models.channels import Given, LogLikelihood
from ghmpp.models.convert import as_model
from ghmpp.models.evidence import find_variable
from ghmpp.models.model import Model

# Rows of held-out data, and how many of them are judged at a time.
HELD_OUT_ROWS, JUDGED_ROWS = 4096, 1024
# Noise levels at which a network is judged, where they are drawn.
JUDGED_LEVELS = 8

BayesLike: TypeAlias = "bool | Model | None"


def network_problem(
    network: nn.Module,
    data: object,
    *,
    loss: LossLike,
    validation: object,
    bayes: BayesLike,
    bound: float | None,
    chunk: int | None,
    seed: int,
) -> NetworkObjective:
    """A copy of a network with its data and loss; arguments as for ``train``."""
    if not any(p.requires_grad for p in network.parameters()):
        raise QueryError(
            f"train: {type(network).__name__} has no weights that may change; pass one of the "
            'family "trainable", or the model itself to learn its tables.'
        )
    if bound is not None and not (isinstance(network, Network) and network.family == "trainable"):
        raise QueryError(
            "train: operator_norm_bound= is for networks of the family 'trainable'; leave it out."
        )
    source = _source(network, data, seed)
    if isinstance(source, Stream):
        _check_fit(network, source)
        judged = _stream_judged(source, validation, bayes)
    else:
        source, judged = _arrays_judged(network, source, validation, bayes, seed)
    module = copy.deepcopy(network)
    first = judged.batches[0] if judged is not None else source.batch(0, 1)
    read = read_loss(loss, first, source)
    return NetworkObjective(module, source, read, judged, bound=bound, chunk=chunk)


def model_problem(
    model: object,
    data: object,
    *,
    validation: object,
    bayes: BayesLike,
    start: object,
    target: str | Sequence[str] | None,
    seed: int,
) -> LikelihoodObjective:
    """A model with its data; arguments as for ``train``."""
    problem = read_problem(model, data, {})
    observations, rows = read_data(problem.model, problem.data, problem.evidence)
    found = Evidence(observations, rows)
    names = () if target is None else (target,) if isinstance(target, str) else tuple(target)
    for name in names:
        if find_variable(name, problem.model.variables)[0].name not in observations:
            raise EvidenceError(f"train: target {name!r} is not observed in the data.")
    if names and len(names) == len(observations):
        raise EvidenceError("train: all that is observed is a target; observe more, or less so.")
    held_out = None
    if isinstance(validation, int):
        if validation:
            found, held_out = _split(found, validation, seed)
    elif validation is not None:
        held_out = Evidence(*read_data(problem.model, validation, {}))
        if held_out.observations.keys() != found.observations.keys():
            raise EvidenceError(
                f"train: validation must have the classes of the data, "
                f"{', '.join(found.observations)}; got {', '.join(held_out.observations)}."
            )
    if isinstance(bayes, bool):
        raise QueryError("train: of a model's data, bayes= is the model that they come from.")
    task = make_task(problem.model, found.observations, found.rows, 0.0, problem.tie)
    first = task.initial(seed, None if start is None else as_model(start))
    law = None if bayes is None else as_model(bayes)
    return LikelihoodObjective(task, found, first, seed, held_out=held_out, law=law, targets=names)


def read_loss(loss: LossLike, batch: Batch, source: Stream | Arrays) -> Loss:
    """The loss that is meant.

    Raises
    ------
    QueryError
        If it is unknown, or does not fit the targets.
    """
    real = batch.target.is_floating_point()
    if loss is None:
        return Square() if real else CrossEntropy()
    if callable(loss):
        return Custom(loss)
    if loss == "square":
        return Square()
    if loss == "cross-entropy":
        if real:
            raise QueryError(
                "train: loss 'cross-entropy' needs states as targets (integers), got real values; "
                "use 'square', or ask for the posterior."
            )
        return CrossEntropy()
    if loss == "denoising":
        given = source.program.given if isinstance(source, Stream) else ()
        if not real or len(given) != 1 or given[0].channel is None:
            raise QueryError(
                "train: loss 'denoising' is for means given one noisy class, as in "
                "streams.noisy(...)."
            )
        return Denoising(lambda channel: _curvature(given[0], channel))
    known = ", ".join(map(repr, get_args(LossName)))
    raise QueryError(f"train: unknown loss {loss!r}; known: {known}, or a function.")


def _curvature(given: Given, channel: Any) -> float:
    """Signal over noise."""
    found = given.channel
    assert found is not None
    assert not isinstance(found, LogLikelihood)  # nothing is drawn through these
    return found.with_parameters(**channel).coefficients()[1]


def _source(network: nn.Module, data: object, seed: int) -> Stream | Arrays:
    if data is None:
        if not isinstance(network, Network):
            raise QueryError(
                f"train: what {type(network).__name__} is to learn is not known; pass data, such "
                "as streams.of(program)."
            )
        return of(network, seed=seed)
    if isinstance(data, Stream):
        return data
    return _arrays(network, data, seed)


def _arrays(network: nn.Module, data: object, seed: int) -> Arrays:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise EvidenceError(
            f"train: data must be a stream, such as streams.labelled(model), or a pair (inputs, "
            f"targets), got {type(data).__name__}."
        )
    inputs, target = data
    several = isinstance(inputs, tuple)
    found = Arrays(inputs if several else (inputs,), target, seed)
    if isinstance(network, Network) and network.answers[0][0] == "mean":
        found.target = found.target.to(network.dtype)  # whole numbers are values, too
    return found


def _check_fit(network: nn.Module, source: Stream) -> None:
    """Refuse a stream that is about something else than the network."""
    if not isinstance(network, Network):
        return
    program = source.program
    answers = ", ".join(f"{kind}({name})" for kind, name in network.answers)
    asked = ", ".join(f"{query.kind}({query.variable})" for query in program.queries)
    ours, theirs = (list(map(_seen, given)) for given in (network.given, program.given))
    if source.levels is not None:  # the network is told the level of each batch
        ours, theirs = ([each[:2] for each in found] for found in (ours, theirs))
    if answers == asked and ours == theirs:
        return
    listed = (", ".join(map(str, given)) for given in (network.given, program.given))
    raise QueryError(
        f"train: the network answers {answers} given {next(listed)}, but the data are {asked} "
        f"given {next(listed)}; make data of its own program: streams.of(network)."
    )


def _seen(given: Given) -> tuple[object, ...]:
    """The class, the kind of its channel, and the channel."""
    return given.variable, type(given.channel), given.channel


def _stream_judged(source: Stream, validation: object, bayes: BayesLike) -> Judged | None:
    """Held-out data of a stream's law."""
    program: Program | None = source.program
    if bayes is False:
        program = None
    elif isinstance(bayes, Model):
        program = compile(bayes, source.program.queries, source.program.given)
    if isinstance(validation, tuple):
        batches = Arrays(*_pair(validation), 0).all(JUDGED_ROWS)
        return Judged.of(batches, program, drawn=False)
    other = validation if isinstance(validation, Stream) else source.held_out()
    rows = HELD_OUT_ROWS if not isinstance(validation, int) else validation
    if rows == 0:
        return None
    levels = other.levels
    parts = -(-rows // JUDGED_ROWS)
    if levels is not None:
        parts = max(parts, len(levels) if isinstance(levels, tuple) else JUDGED_LEVELS)
    sizes = [rows // parts + (k < rows % parts) for k in range(parts)]
    return Judged.of([other.batch(k, size) for k, size in enumerate(sizes) if size], program)


def _arrays_judged(
    network: nn.Module, source: Arrays, validation: object, bayes: BayesLike, seed: int
) -> tuple[Arrays, Judged | None]:
    """The data that are trained on, and those that are held out."""
    if isinstance(validation, Stream):
        return source, _stream_judged(validation, validation, bayes)
    if validation is None or validation == 0:
        return source, None
    if isinstance(validation, int):
        source, held = source.split(validation)
    else:
        held = _arrays(network, validation, seed)
    program = None
    if isinstance(bayes, Model):
        own = program_of(network)  # type: ignore[arg-type]  # refuses other modules
        program = compile(bayes, own.queries, own.given)
    elif bayes:
        program = program_of(network)  # type: ignore[arg-type]  # refuses other modules
    return source, Judged.of(held.all(JUDGED_ROWS), program, drawn=False)


def _pair(data: tuple[object, object]) -> tuple[tuple[object, ...], object]:
    inputs, target = data
    return (inputs if isinstance(inputs, tuple) else (inputs,)), target


def _split(data: Evidence, rows: int, seed: int) -> tuple[Evidence, Evidence]:
    """Evidence without some rows chosen at random, and these."""
    if not 0 < rows < data.rows:
        raise EvidenceError(
            f"train: validation={rows} rows cannot be held out of {data.rows}; hold out fewer."
        )
    order = Order(data.rows, seed).rows(0, data.rows)
    return data.at(order[rows:]), data.at(order[:rows])
