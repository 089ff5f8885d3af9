"""Certificates: the error of a network, derived from its weights, to be checked at any time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ghmpp.approximation.asked import Problem, find_problem
from ghmpp.approximation.bounds import NetworkPlan, describe
from ghmpp.approximation.check import Check, Grown
from ghmpp.approximation.derive import derive, guaranteed, rounded, rounded_up
from ghmpp.approximation.error_budgets import (
    BeliefBudget,
    MessageBudget,
    belief_from_json,
    message_from_json,
    shortened,
)
from ghmpp.approximation.fingerprints import Difference, Fingerprint, compare, joint_sha256
from ghmpp.approximation.holdings import (
    held_differences,
    layers_from,
    model_fingerprints,
    place_of,
)
from ghmpp.approximation.json_files import broken, read_record, write_record
from ghmpp.approximation.message import ROUNDOFF
from ghmpp.approximation.propagate import Domain, Propagated
from ghmpp.approximation.report import Bounds, bounds_from_json, bounds_to_json
from ghmpp.approximation.stored import read_weights
from ghmpp.approximation.weights import LayerWeights, Place, place_name
from ghmpp.errors import CertificateError, GhmppError
from ghmpp.models.channels import Gaussian, Given
from ghmpp.models.queries import mean, posterior

FORMAT = "ghmpp-certificate"
VERSION = 1
# Errors that are derived on another machine may differ by this much.
_SLACK = 1e-9


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """A guaranteed error of the network with certain weights, and all that it takes to check it.

    The bound was derived from the weights themselves, as they are stored, and from the model's
    potentials, with outward rounding; how the weights were made does not matter.

    Parameters
    ----------
    bounds
        The guarantee as a report, with errors derived from the weights, the widths, the
        assumptions, and the width of the paper.
    query
        Kind and class that are asked for.
    given
        Observed classes, and whether through a channel.
    domain
        Inputs and arithmetic for which the bound holds.
    messages, beliefs
        What each message adds, and the error at each node that is asked for.
    tensors, sha256
        Fingerprints of the weights, one by one and together.
    model
        Fingerprints of the arrays of the model.

    Examples
    --------
    >>> import ghmpp as gh
    >>> from ghmpp.approximation.bounds import plan_network
    >>> from ghmpp.approximation.weights import arrays, layer_weights
    >>> model = gh.zoo.broadcast(2, 0.1)
    >>> plan = plan_network(model, "x0", delta=0.01)
    >>> layers = layer_weights(plan.forest, plan.propagated.steps)
    >>> certificate = certify_weights(plan, layers)
    >>> certificate.bound <= 0.01, certificate.check(arrays(layers), model).verdict
    (True, 'holds')
    """

    bounds: Bounds
    query: tuple[str, str]
    given: tuple[tuple[str, bool], ...]
    domain: Domain
    messages: tuple[MessageBudget, ...]
    beliefs: tuple[BeliefBudget, ...]
    tensors: tuple[Fingerprint, ...]
    sha256: str
    model: tuple[Fingerprint, ...]

    @property
    def bound(self) -> float:
        """The largest error of a log posterior, or of a posterior mean."""
        return self.bounds.bound

    def check(self, weights: object, model: object) -> Check:
        """Derive the bound anew, from weights and a model, and compare the weights.

        Parameters
        ----------
        weights
            Arrays or tensors by the names of ``network.state_dict()``, a network, or the path of
            a .safetensors file, a .onnx file or an export folder. Potentials among them are
            compared with the model's.
        model
            As for :func:`ghmpp.bounds`.

        Returns
        -------
        Check
            "holds", "weights differ, bound still holds", or "bound broken" with the places; true
            if the bound holds.

        Raises
        ------
        CertificateError
            If the certificate is for a model of another structure, or ``weights`` are none.
        FormatError
            If a file is missing or broken.
        MissingDependencyError
            If the package that reads a file is not installed.
        """
        problem = self._problem(model)
        found = read_weights(weights)
        if self.tensors and not found.keys() & {each.name for each in self.tensors}:
            raise CertificateError(
                f"certificate: holds of {self.tensors[0].name} and {len(self.tensors) - 1} other "
                f"arrays, but of these weights none has such a name; pass those of its network."
            )
        tensors, differences = compare(self.tensors, found)
        held, others = held_differences(problem, found, model)
        layers = layers_from(problem, tensors, [each.nets for each in self.messages])
        derived = derive(problem, layers, held)
        differ = (*differences, *others)
        return Check(
            self._subject,
            self.bound,
            guaranteed(problem, derived),
            differ,
            tuple(self._changed_model(problem)),
            tuple(self._grown(derived, [each.name for each in differ])),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate as JSON; an existing file is replaced at once or not at all.

        Raises
        ------
        MissingFolderError
            If the folder does not exist.
        OSError
            If the file cannot be written.
        """
        content = asdict(self) | {"bounds": bounds_to_json(self.bounds)}
        write_record(Path(path), FORMAT, VERSION, content)

    @staticmethod
    def load(path: str | PathLike[str]) -> Certificate:
        """Read a certificate that :meth:`save` wrote.

        Raises
        ------
        FormatError
            If the file is missing, broken, of another format or of a newer version.
        """
        content = read_record(Path(path), FORMAT, VERSION, "certificate")
        try:
            return _from_json(content)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise broken(Path(path), error) from error

    def __repr__(self) -> str:
        report = repr(self.bounds).removeprefix("Bounds of ")
        return f"Certificate of {report}\n  {self._weights}"

    def _repr_html_(self) -> str:
        return self.bounds._repr_html_() + f"<p>{self._weights}</p>"

    @property
    def _subject(self) -> str:
        return f"Certificate of model {self.bounds.model!r}, {self.bounds.query}"

    @property
    def _weights(self) -> str:
        numbers = sum(math.prod(each.shape) for each in self.tensors)
        return (
            f"weights: {len(self.tensors)} arrays, {numbers:,} numbers ({self.domain.dtype}), "
            f"SHA-256 {self.sha256}"
        )

    def _problem(self, model: object) -> Problem:
        """The messages on a model, which must be those that were certified."""
        given = [Given(name, Gaussian(1.0) if noisy else None) for name, noisy in self.given]
        kind, name = self.query
        query = mean(name) if kind == "mean" else posterior(name)
        try:
            problem = find_problem(model, query, given, self.domain)
        except GhmppError as error:
            raise CertificateError(f"{self._subject}: is for another model. {error}") from error
        steps = [
            (step.name, place_name(place_of(problem, step)), len(step.kernels))
            for step in problem.routes.steps
        ]
        certified = [(each.message, each.layer, len(each.nets)) for each in self.messages]
        for own, other in zip_longest(certified, steps):
            if own != other:
                words = [
                    "no more messages" if each is None else f"{each[0]} with {each[2]} potentials"
                    for each in (own, other)
                ]
                raise CertificateError(
                    f"{self._subject}: is for another model; expected {words[0]}, found {words[1]}."
                )
        return problem

    def _changed_model(self, problem: Problem) -> list[Difference]:
        now = {each.name: each for each in model_fingerprints(problem)}
        certified = {each.name: each for each in self.model}
        return [
            Difference(name, "missing" if name not in now else "not as certified")
            for name in sorted(now.keys() | certified.keys())
            if now.get(name) != certified.get(name)
        ]

    def _grown(self, derived: Propagated, names: Sequence[str]) -> list[Grown]:
        """Messages whose own error is larger than certified."""
        grown = []
        for budget, bound in zip(self.messages, derived.steps, strict=True):
            own = np.array(budget.own)
            worse = bound.errors > own * (1 + _SLACK) + 1e-15
            if worse.any():
                row = int(np.argmax(np.where(worse, bound.errors - own, -np.inf)))
                tensors = [name for name in names if name.startswith(f"{budget.layer}.")]
                grown.append(
                    Grown(budget.message, own[row], float(bound.errors[row]), tuple(tensors))
                )
        return grown


def certify_weights(plan: NetworkPlan, layers: Mapping[Place, LayerWeights]) -> Certificate:
    """Derive a certificate from the weights of a network, in the precision of the plan.

    Parameters
    ----------
    plan
        What the network is for.
    layers
        Its nets; their numbers are rounded to the precision first.

    Raises
    ------
    CertificateError
        If the weights guarantee nothing; it names the messages.
    """
    problem = plan.problem
    kept, layers = rounded(layers, problem.domain.dtype)
    derived = derive(problem, layers)
    bound = rounded_up(guaranteed(problem, derived))
    if not math.isfinite(bound):
        raise CertificateError(_nothing(problem, derived))
    bounds = describe(problem, derived, plan.bounds.delta, plan.bounds.budget)
    tensors = tuple(Fingerprint.of(name, array) for name, array in kept.items())
    return Certificate(
        replace(bounds, bound=bound),
        (problem.asked.kind, problem.asked.variable),
        tuple((item.variable, item.channel is not None) for item in problem.observed),
        problem.domain,
        tuple(_messages(problem, derived, layers)),
        tuple(BeliefBudget(name, shortened(own)) for name, own in derived.beliefs.items()),
        tensors,
        joint_sha256(tensors),
        model_fingerprints(problem),
    )


def _messages(
    problem: Problem, derived: Propagated, layers: Mapping[Place, LayerWeights]
) -> list[MessageBudget]:
    found = []
    for bound, sent in zip(derived.steps, derived.sent, strict=True):
        place = place_of(problem, bound.step)
        found.append(
            MessageBudget(
                bound.step.name,
                place_name(place),
                layers[place].chosen[bound.step.edge.child],
                tuple(map(float, bound.errors)),
                shortened(sent),
            )
        )
    return found


def _nothing(problem: Problem, derived: Propagated) -> str:
    lost = [bound.step.name for bound in derived.steps if not np.isfinite(bound.errors).all()]
    return (
        f"certificate: the weights of {', '.join(lost) or 'the network'} guarantee nothing in "
        f"{problem.domain.dtype}; numbers that are not finite, entries of opposite sign or 0, or "
        "potentials that the precision cannot hold have no bound. Take a finer dtype, or make the "
        "weights anew."
    )


def _from_json(content: dict[str, Any]) -> Certificate:
    """The certificate of the content of a file."""
    domain = content["domain"]
    if domain["evidence_span"] is None:
        domain["evidence_span"] = math.inf
    if domain["dtype"] not in ROUNDOFF or not float(domain["evidence_span"]) > 0:
        raise ValueError(f"there is no domain {domain!r}")
    tensors = tuple(map(Fingerprint.from_json, content["tensors"]))
    if joint_sha256(tensors) != content["sha256"]:
        raise ValueError("the fingerprints of the weights do not belong together")
    kind, variable = content["query"]
    return Certificate(
        bounds_from_json(content["bounds"]),
        (str(kind), str(variable)),
        tuple((str(name), bool(noisy)) for name, noisy in content["given"]),
        Domain(**domain),
        tuple(map(message_from_json, content["messages"])),
        tuple(map(belief_from_json, content["beliefs"])),
        tensors,
        content["sha256"],
        tuple(map(Fingerprint.from_json, content["model"])),
    )
