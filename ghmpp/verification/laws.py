"""The laws that every emitted network must obey, whatever its messages are made of.

Most do not ask what a network computes, only that it computes one thing: the same for one row or
many, whole or in chunks, saved and loaded, with states or siblings reversed. A law yields the
deviations that it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.models.forest import Forest
from ghmpp.models.observations import LogLikelihoods
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.verification.answers import Answer, Deviation, compare, deviation, join
from ghmpp.verification.drawn import draw_evidence
from ghmpp.verification.fields import draw_field_evidence, silenced
from ghmpp.verification.gaussian import as_observed, draw_gaussian_evidence
from ghmpp.verification.recursion import log_recursion
from ghmpp.verification.relabel import reverse_siblings, reverse_states
from ghmpp.verification.subjects import (
    Asked,
    Subject,
    network_inputs,
    read_subject,
)

if TYPE_CHECKING:
    from ghmpp.backends.network import Network


@dataclass(frozen=True)
class Bench:
    """A network with batches of evidence by kind, and its own answers to them."""

    network: Network
    subject: Subject
    batches: Mapping[str, Asked]
    answers: Mapping[str, Answer]

    @classmethod
    def of(cls, network: Network, rows: int, seed: int) -> Bench:
        """Draw evidence and ask a copy of the network, without noise."""
        network = silenced(deepcopy(network))
        subject = read_subject(network)
        if subject.forest.gaussian:
            drawn = draw_gaussian_evidence(subject.forest, network.given, rows, seed)
        elif network.fields is None:
            drawn = draw_evidence(subject.forest, rows, seed, given=network.given)
        else:
            drawn = draw_field_evidence(subject.forest, network.given, rows, seed)
        batches = {kind: subject.read(evidence) for kind, evidence in drawn.items()}
        answers = {kind: subject.ask(asked) for kind, asked in batches.items()}
        return cls(network, subject, batches, answers)

    def read(self, logs: Mapping[str, FloatArray]) -> Asked:
        """Log-likelihoods as evidence; of real classes the numbers."""
        variables = self.subject.forest.variables
        channels = {item.variable: item.channel for item in self.network.given}

        def seen(name: str, each: FloatArray) -> object:
            if not variables[name].real:
                return LogLikelihoods(each)
            return each[..., 0] if each.shape[-1] == 1 else as_observed(each, channels[name])

        return self.subject.read({name: seen(name, each) for name, each in logs.items()})

    def same(self, network: Network) -> Iterator[Deviation]:
        """Compare another network's answers to all batches with this one's."""
        other = read_subject(network)
        for kind, asked in self.batches.items():
            yield from compare(other.ask(asked), self.answers[kind], _labels(kind, asked))

    def rebuilt(self, forest: Forest) -> Network:
        """A network for another forest of the same structure, from the same instructions."""
        schedule = replace(self.network.schedule, forest=forest)
        kind = type(self.network)
        return kind(schedule, dtype=self.network.dtype, given=self.network.given)


Law: TypeAlias = Callable[[Bench], Iterator[Deviation]]


def _normalised(bench: Bench) -> Iterator[Deviation]:
    """Posteriors sum to 1."""
    for kind, answer in bench.answers.items():
        for name, array in answer.posteriors.items():
            sums = array.sum(axis=-1)
            labels = _labels(kind, bench.batches[kind])
            yield deviation("sum", name, sums, np.ones_like(sums), labels)


def _deterministic(bench: Bench) -> Iterator[Deviation]:
    """The same input gives the same output."""
    yield from bench.same(bench.network)


def _one_by_one(bench: Bench) -> Iterator[Deviation]:
    """Rows do not see each other; an empty batch gives empty results."""
    for kind, asked in bench.batches.items():
        rows = range(asked.batch)
        each = [bench.subject.ask(bench.read(_rows(asked.logs, [row]))) for row in rows]
        if asked.logs:
            empty = bench.subject.ask(bench.read(_rows(asked.logs, [])))
            yield from compare(join([empty, *each]), bench.answers[kind], _labels(kind, asked))


def _chunks(bench: Bench) -> Iterator[Deviation]:
    """The number of rows that run together does not matter."""
    for chunk in (1, 3):
        network = deepcopy(bench.network)
        network.chunk = chunk
        yield from bench.same(network)


def _saved(bench: Bench) -> Iterator[Deviation]:
    """A state dictionary holds all that the network has learned."""
    import torch

    network = deepcopy(bench.network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
    network.load_state_dict(bench.network.state_dict())
    yield from bench.same(network)


def _precision(bench: Bench) -> Iterator[Deviation]:
    """Single and double precision agree."""
    single, double = deepcopy(bench.network).float(), deepcopy(bench.network).double()
    for kind, asked in bench.batches.items():
        found, expected = (read_subject(each).ask(asked) for each in (single, double))
        yield from compare(found, expected, _labels(kind, asked))


def _missing(bench: Bench) -> Iterator[Deviation]:
    """A missing node is a node with equal likelihoods."""
    for kind in ("none", "partial"):
        asked = bench.batches[kind]
        variables = bench.subject.forest.variables
        ones = {
            item.variable: np.zeros(
                (asked.batch, variables[item.variable].nodes, len(variables[item.variable].states))
            )
            for item in bench.network.given
        }
        found = bench.subject.ask(bench.read({**ones, **asked.logs}))
        yield from compare(found, bench.answers[kind], _labels(kind, asked))


def _marginal(bench: Bench) -> Iterator[Deviation]:
    """A missing node is the average over its states, weighted by their posterior."""
    name = bench.network.given[0].variable
    states = len(bench.subject.forest.variables[name].states)
    logs = {key: each[:1].copy() for key, each in bench.batches["soft"].logs.items()}
    logs[name][:, 0] = 0.0
    expected = bench.subject.ask(bench.read(logs))
    weights = log_recursion(bench.subject.forest, logs).posteriors[name][0, 0]

    split = {key: each.repeat(states, axis=0) for key, each in logs.items()}
    split[name][:, 0] = np.where(np.eye(states) == 1, 0.0, -np.inf)
    parts = bench.subject.ask(bench.read(split))
    total = None
    if parts.log_evidence is not None:
        total = np.logaddexp.reduce(parts.log_evidence, axis=0, keepdims=True)

    def average(fields: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        return {key: np.tensordot(weights, each, 1)[None] for key, each in fields.items()}

    found = Answer(
        log_evidence=total,
        posteriors=average(parts.posteriors),
        means=average(parts.means),
        edges=average(parts.edges),
    )
    yield from compare(found, expected, ["soft[0]"])


def _impossible(bench: Bench) -> Iterator[Deviation]:
    """Evidence of probability zero gives zeros in its tree and -inf; never NaN.

    Other rows of the batch do not notice.
    """
    name, forest = bench.network.given[0].variable, bench.subject.forest
    asked, answer = bench.batches["soft"], bench.answers["soft"]
    logs = {key: each.copy() for key, each in asked.logs.items()}
    logs[name][0, 0] = -np.inf

    def cleared(fields: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        tree = _root(forest, name)
        return {
            key: _first_row(each, 0.0) if _root(forest, key) == tree else each
            for key, each in fields.items()
        }

    expected = Answer(
        posteriors=cleared(answer.posteriors),
        means=cleared(answer.means),
        variances=cleared(answer.variances),
        edges=cleared(answer.edges),
    )
    found = bench.subject.ask(bench.read(logs))
    labels = _labels("soft", asked)
    yield from compare(found, expected, labels)
    if found.log_evidence is not None and answer.log_evidence is not None:
        truth = _first_row(answer.log_evidence, -np.inf)
        yield deviation("log evidence", "", found.log_evidence, truth, labels)


def _states(bench: Bench) -> Iterator[Deviation]:
    """Reversing the states of all classes reverses the results."""
    other = read_subject(bench.rebuilt(reverse_states(bench.subject.forest)))
    for kind, asked in bench.batches.items():
        found = other.ask(bench.read({name: each[..., ::-1] for name, each in asked.logs.items()}))
        found = replace(
            found,
            posteriors={name: each[..., ::-1] for name, each in found.posteriors.items()},
            edges={name: each[..., ::-1, ::-1] for name, each in found.edges.items()},
        )
        yield from compare(found, bench.answers[kind], _labels(kind, asked))


def _siblings(bench: Bench) -> Iterator[Deviation]:
    """Reversing siblings, with their tables, changes nothing in the user's order."""
    yield from bench.same(bench.rebuilt(reverse_siblings(bench.subject.forest)))


def _differentiable(bench: Bench) -> Iterator[Deviation]:
    """The gradient of the log evidence in the likelihoods gives the posteriors."""
    import torch

    asked = bench.batches["soft"]
    answer = bench.answers["soft"]
    if answer.log_evidence is None:
        return
    inputs = [x.double().requires_grad_() for x in network_inputs(bench.network, asked)]
    results = bench.network(*inputs)
    outputs = results if isinstance(results, tuple) else (results,)
    logs = outputs[bench.network.answers.index(LOG_EVIDENCE)]
    slopes = torch.autograd.grad(logs.sum(), inputs)
    truth = log_recursion(bench.subject.forest, asked.logs)
    found = {
        item.variable: (x * slope).detach().cpu().numpy()
        for item, x, slope in zip(bench.network.given, inputs, slopes, strict=True)
    }
    yield from compare(Answer(posteriors=found), truth, _labels("soft", asked))


LAWS: Mapping[str, Law] = {
    "posteriors sum to 1": _normalised,
    "deterministic": _deterministic,
    "rows are independent": _one_by_one,
    "chunks": _chunks,
    "state_dict": _saved,
    "precision": _precision,
    "missing is uninformative": _missing,
    "missing is marginal": _marginal,
    "impossible evidence": _impossible,
    "states reversed": _states,
    "siblings reversed": _siblings,
    "gradient of log evidence": _differentiable,
}
NEED_EVIDENCE = (
    "rows are independent",
    "missing is marginal",
    "impossible evidence",
    "gradient of log evidence",
)


OF_CLASSES = ("states reversed", "siblings reversed")
OF_MESSAGES = (
    "missing is uninformative",
    "missing is marginal",
    "impossible evidence",
    "states reversed",
    "siblings reversed",
    "gradient of log evidence",
)


OF_STATES = tuple(name for name in OF_MESSAGES if name != "siblings reversed")


def _labels(kind: str, asked: Asked) -> list[str]:
    return [f"{kind}[{row}]" for row in range(asked.batch)]


def _rows(logs: Mapping[str, FloatArray], rows: list[int]) -> dict[str, FloatArray]:
    return {name: each[rows] for name, each in logs.items()}


def _root(forest: Forest, variable: str) -> str:
    """Name of the root block above a class."""
    block = forest.variables[variable].blocks[0]
    while block in forest.edges:
        block = forest.edges[block].parent
    return block


def _first_row(array: AnyArray, value: float) -> AnyArray:
    """The array with its first row replaced."""
    changed = array.copy()
    changed[0] = value
    return changed
