"""Rows of evidence whose scores are wanted: read, enumerated or drawn, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError, ResourceError
from ghmpp.inference.impossible import impossible_evidence
from ghmpp.models.channels import Given, LogLikelihood
from ghmpp.models.evidence import read_evidence
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation
from ghmpp.observables.coordinates import Differentiable
from ghmpp.schedule.build import LOG_EVIDENCE

if TYPE_CHECKING:
    from torch import Tensor

# Rows whose gradients are computed together: each costs a pass over all of them.
ROWS = 32
CONFIGURATIONS = 20_000


def read_rows(model: Model, evidence: object) -> tuple[dict[str, Observation], int]:
    model.require_complete()
    forest = model.forest()
    default = forest.leaves[0] if len(forest.leaves) == 1 else None
    return read_evidence(evidence, forest.variables, default=default)


def log_evidence_parts(
    model: Model, found: Differentiable, observations: Mapping[str, Observation], batch: int
) -> Iterator[Tensor]:
    """The log evidence of a few rows at a time; impossible rows are refused."""
    refuse_impossible(model, found, observations)
    yield from _in_parts(found, observations, batch)


def _in_parts(
    found: Differentiable, observations: Mapping[str, Observation], batch: int
) -> Iterator[Tensor]:
    for start in range(0, batch, ROWS):
        yield found.answer(rows_of(observations, slice(start, start + ROWS)), LOG_EVIDENCE)


def refuse_impossible(
    model: Model, found: Differentiable, observations: Mapping[str, Observation]
) -> None:
    import torch

    with torch.no_grad():
        logs = found.network.evaluate(observations)[LOG_EVIDENCE]
    rows = (logs == -np.inf).nonzero().flatten().tolist()
    if rows:
        raise impossible_evidence(model.forest(), observations, rows)


def rows_of(observations: Mapping[str, Observation], rows: slice) -> dict[str, Observation]:
    return {
        name: Observation(each.kind, each.array[rows], each.channel)
        for name, each in observations.items()
    }


def weighted_scores(
    model: Model, found: Differentiable, observed: Sequence[str]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    r"""Probabilities and scores of all states of some classes that have positive probability.

    Yields
    ------
    probabilities, scores
        Shapes (rows,) and (rows, parameters); the scores are multiplied by
        :math:`\sqrt{p(x)}`, so that their products sum to the Fisher information.

    Raises
    ------
    ResourceError
        If there are too many.
    """
    variables = [model.forest().variables[name] for name in observed]
    count = prod(len(each.states) ** each.nodes for each in variables)
    if count > CONFIGURATIONS:
        size = f"{count:,}" if count < 10**15 else "more than 10^15"
        raise ResourceError(
            f"{size} states of {', '.join(observed)} exceed {CONFIGURATIONS:,}; observe fewer "
            "variables, or pass samples= where they may be drawn."
        )
    observations = _enumerated(variables)
    for logs in _in_parts(found, observations, count):
        values = np.exp(logs.detach().numpy())
        likely = np.flatnonzero(values)
        if len(likely):
            scores = found.slopes(logs[likely])
            yield values[likely], scores * np.sqrt(values[likely])[:, None]


def _enumerated(variables: Sequence[VariableClass]) -> dict[str, Observation]:
    """All joint states of some classes, one row each."""
    sizes = [len(each.states) for each in variables for _ in range(each.nodes)]
    rows = np.array(list(product(*map(range, sizes))), dtype=np.int64)
    ends = np.cumsum([each.nodes for each in variables])
    parts = np.split(rows, ends[:-1], axis=1)
    return {
        each.name: Observation("states", np.ascontiguousarray(part))
        for each, part in zip(variables, parts, strict=True)
    }


def drawn(model: Model, items: Sequence[Given], samples: int, seed: int) -> dict[str, Observation]:
    """Observations of samples of the model, through their channels."""
    if samples < 1:
        raise QueryError(f"fisher_information: samples must be at least 1, got {samples}.")
    states, rng = model.sample(samples, seed), np.random.default_rng([seed, 1])
    found = {}
    for item in items:
        values = model.forest().variables[item.variable].values
        if item.channel is None:
            found[item.variable] = Observation("states", states[item.variable])
        elif values is None or isinstance(item.channel, LogLikelihood):
            raise QueryError(
                f"fisher_information: {item.variable!r} cannot be drawn through {item.channel}; "
                "take numeric states and gh.noisy(...) or gh.localized(...)."
            )
        else:
            z = item.channel.sample(values[states[item.variable]], rng)
            found[item.variable] = Observation("values", z, item.channel)
    return found


def read_given(forest: Forest, given: str | Given | Sequence[str | Given] | None) -> list[Given]:
    items = forest.leaves if given is None else given
    listed = [items] if isinstance(items, (str, Given)) else list(items)
    found = [Given(item) if isinstance(item, str) else item for item in listed]
    for item in found:
        if item.variable not in forest.variables:
            raise QueryError(
                f"given: unknown class {item.variable!r}; the model has "
                f"{', '.join(forest.visible)}."
            )
    return found
