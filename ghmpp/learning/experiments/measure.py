"""Losses of networks row by row, with the exact posterior beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp._arrays import FloatArray
from ghmpp.compiler import Program, compile
from ghmpp.errors import QueryError
from ghmpp.inference.estimates import Estimate, mean_of
from ghmpp.learning.training.draws import Inputs
from ghmpp.learning.training.rows import (
    answers,
    configurations,
    drawn,
    enumerated,
    only_query,
    require_count,
)
from ghmpp.models.forest import VariableClass
from ghmpp.models.queries import log_evidence, posterior


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Losses by row, averaged over the nodes of the class that is asked for.

    Parameters
    ----------
    weights
        Probability of each row, shape (rows,), where all inputs are rows; None for draws.
    spread
        Bayes risk of the square loss given each row: of a posterior ``1 - sum p^2``, of a mean
        the posterior variance.
    entropy
        Bayes risk of the cross-entropy given each row, nats; None for a mean.
    distance
        By network: squared distance from the exact answer.
    divergence
        By network: Kullback-Leibler divergence from the exact posterior, nats; empty for a mean.
    """

    weights: FloatArray | None
    spread: FloatArray
    entropy: FloatArray | None
    distance: tuple[FloatArray, ...]
    divergence: tuple[FloatArray, ...]

    @property
    def rows(self) -> int:
        """Number of inputs."""
        return len(self.spread)

    def mean(self, losses: FloatArray) -> Estimate:
        """Mean of a quantity (rows,)."""
        if self.weights is not None:
            return Estimate(float(self.weights @ losses), 0.0)
        return mean_of(losses)


def measure(
    program: Program,
    networks: Sequence[nn.Module],
    n: int,
    seed: int,
    channel: Mapping[str, float],
    where: str,
) -> Measured:
    """Losses of networks on the same inputs: ``n`` draws, or all inputs if there are no more.

    Raises
    ------
    QueryError
        If the program, ``n`` or what a network answers does not fit; ``where`` says who asks.
    EvidenceError
        If a channel parameter is unknown or out of range.
    """
    query, count = only_query(program, where), require_count(n, where)
    exact = _Exact(program, program.model.variables[query.variable])
    total = configurations(program)
    exhaustive = total is not None and total <= count
    rows = enumerated(program) if exhaustive else drawn(program, count, seed, channel)
    parts = [
        _losses(exact, query.kind, networks, inputs, weights, channel, where)
        for inputs, weights in exact.weighted(rows, exhaustive)
    ]
    return Measured(
        np.concatenate([part.weights for part in parts if part.weights is not None])
        if exhaustive
        else None,
        np.concatenate([part.spread for part in parts]),
        np.concatenate([part.entropy for part in parts if part.entropy is not None])
        if query.kind == "posterior"
        else None,
        tuple(map(np.concatenate, zip(*(part.distance for part in parts), strict=True))),
        tuple(map(np.concatenate, zip(*(part.divergence for part in parts), strict=True))),
    )


class _Exact:
    """Exact posteriors of the class that is asked for."""

    def __init__(self, program: Program, variable: VariableClass) -> None:
        self.variable = variable
        self._program = program
        asked = posterior(variable.name)
        self._posterior = compile(program.model, asked, program.given).network()

    def posterior(self, inputs: Inputs, channel: Mapping[str, float]) -> FloatArray:
        """Posteriors (rows, nodes, states)."""
        return _shaped(answers(self._posterior, inputs, channel), self._shape(len(inputs[0])))

    def weighted(
        self, rows: Iterator[Inputs], exhaustive: bool
    ) -> Iterator[tuple[Inputs, FloatArray | None]]:
        """Rows with their probabilities, without impossible ones; draws have none."""
        if not exhaustive:
            yield from ((inputs, None) for inputs in rows)
            return
        evidence = compile(self._program.model, log_evidence(), self._program.given).network()
        for inputs in rows:
            weights = answers(evidence, inputs, {}).exp().numpy()
            possible = torch.as_tensor(weights > 0)
            if possible.any():
                yield tuple(x[possible] for x in inputs), weights[weights > 0]

    def _shape(self, rows: int) -> tuple[int, int, int]:
        return rows, self.variable.nodes, len(self.variable.states)


def _losses(
    exact: _Exact,
    kind: str,
    networks: Sequence[nn.Module],
    inputs: Inputs,
    weights: FloatArray | None,
    channel: Mapping[str, float],
    where: str,
) -> Measured:
    truth = exact.posterior(inputs, channel)
    if kind == "mean":
        values = exact.variable.values
        assert values is not None  # or the program had not been compiled
        means = truth @ values
        found = [_answer(each, inputs, channel, means.shape, where) for each in networks]
        spread = np.clip(truth @ values**2 - means**2, 0, None).mean(1)
        distance = tuple(((each - means) ** 2).mean(1) for each, _ in found)
        return Measured(weights, spread, None, distance, ())
    found = [_answer(each, inputs, channel, truth.shape, where) for each in networks]
    return Measured(
        weights,
        1 - (truth**2).sum(2).mean(1),
        -_times_log(truth, truth).sum(2).mean(1),
        tuple(((each - truth) ** 2).sum(2).mean(1) for each, _ in found),
        tuple(_divergence(truth, each, least) for each, least in found),
    )


def _answer(
    network: nn.Module,
    inputs: Inputs,
    channel: Mapping[str, float],
    shape: tuple[int, ...],
    where: str,
) -> tuple[FloatArray, float]:
    """What a network says, in the shape of the truth, and its precision's least normal number."""
    raw = answers(network, inputs, channel)
    name = type(network).__name__
    bare = (shape[0], *shape[2:]) if shape[1] == 1 else shape
    if tuple(raw.shape) not in (shape, bare) or not raw.is_floating_point():
        raise QueryError(
            f"{where}: {name} must answer with real numbers of shape {bare}, got "
            f"{tuple(raw.shape)}, {raw.dtype}."
        )
    found = _shaped(raw, shape)
    if not np.isfinite(found).all():
        raise QueryError(f"{where}: {name} answers with numbers that are not finite.")
    if len(shape) == 3 and not (
        (found >= 0).all()
        and np.allclose(found.sum(2), 1, atol=4 * torch.finfo(raw.dtype).eps ** 0.5)
    ):
        raise QueryError(
            f"{where}: {name} must answer with probabilities that sum to 1 over the last axis; "
            "take the softmax of logits, or the exponential of logarithms."
        )
    return found, torch.finfo(raw.dtype).tiny


def _shaped(answer: Tensor, shape: tuple[int, ...]) -> FloatArray:
    found: FloatArray = answer.double().cpu().numpy().reshape(shape)
    return found


def _divergence(truth: FloatArray, answer: FloatArray, least: float) -> FloatArray:
    """Kullback-Leibler divergence, mean over nodes.

    Probabilities that the answer's precision cannot hold do not count: their terms vanish with
    them, and their 0 in the answer is rounding. What is larger and answered with 0 is infinite.
    """
    held = np.where(truth >= least, truth, 0.0)
    terms = _times_log(truth, truth) - _times_log(held, answer)
    found: FloatArray = np.clip(terms.sum(2), 0, None).mean(1)
    return found


def _times_log(weights: FloatArray, x: FloatArray) -> FloatArray:
    """``weights log x`` with ``0 log 0 = 0``; -inf where x alone is 0."""
    logs = np.full(x.shape, -np.inf)
    np.log(x, out=logs, where=x > 0)
    found: FloatArray = np.where(weights > 0, weights * np.where(weights > 0, logs, 0.0), 0.0)
    return found
