"""Networks of the families that approximate, from a schedule and the plan of its nets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ghmpp.approximation.bounds import NetworkPlan
from ghmpp.approximation.certificate import certify_weights
from ghmpp.approximation.field_design import certified, design_fields
from ghmpp.approximation.weights import layer_weights
from ghmpp.backends.families.family import (
    FAMILIES,
    Exact,
    Family,
    FamilyName,
    Relu,
    Trainable,
    Unfrozen,
)
from ghmpp.backends.families.free_fields import FreeFields
from ghmpp.backends.families.piecewise_fields import ReluFields
from ghmpp.backends.network import Network
from ghmpp.backends.origin import Origin
from ghmpp.backends.prepare import PRECISIONS
from ghmpp.backends.results import OutputKey
from ghmpp.errors import QueryError
from ghmpp.models.channels import Given
from ghmpp.schedule.ir import Schedule


@dataclass(frozen=True, slots=True)
class Emitter:
    """What all networks of a program share.

    Parameters
    ----------
    schedule, given, answers
        What is computed, from what, and which results in which order.
    dtype, device, chunk, origin
        Of the network.
    """

    schedule: Schedule
    given: tuple[Given, ...]
    answers: tuple[OutputKey, ...]
    dtype: torch.dtype
    device: str
    chunk: int | None
    origin: Origin | None = None

    def exact(self) -> Network:
        """The potentials themselves."""
        return self._network(Exact())

    def relu(self, plan: NetworkPlan) -> Network:
        """Nets with a certificate, which is derived from their rounded weights."""
        weights = layer_weights(plan.forest, plan.propagated.steps)
        certificate = certify_weights(plan, weights)
        return self._network(Relu(plan.propagated.steps, weights, certificate))

    def random(self, width: int, seed: int) -> Network:
        """Free nets that start at random.

        Raises
        ------
        QueryError
            If the width is below 2: one unit is constant.
        """
        if width < 2:
            raise QueryError(f"network: width must be at least 2, got {width}.")
        hard = {item.variable for item in self.given if item.channel is None}
        generator = torch.Generator().manual_seed(seed)
        return self._network(Trainable(width, hard, generator))

    def unfrozen(self, plan: NetworkPlan) -> Network:
        """Free nets that start as ReLU nets with proved errors."""
        weights = layer_weights(plan.forest, plan.propagated.steps)
        return self._network(Unfrozen(Relu(plan.propagated.steps, weights)))

    def fields(
        self,
        family: FamilyName,
        *,
        init: str,
        seed: int,
        width: int | None,
        delta: float | None,
        evidence_span: float,
    ) -> Network:
        """The network of a schedule of fields.

        Raises
        ------
        QueryError
            If an option is of another family, or no nets have the wished error.
        """
        if family != "relu" and not (width is None and delta is None):
            raise QueryError(
                f"network: width= and delta= say how finely 'relu' approximates functions; this "
                f"one is {family!r}."
            )
        if family == "exact":
            return self.exact()
        if family == "trainable":
            generator = torch.Generator().manual_seed(seed) if init == "random" else None
            return self._network(FreeFields(generator))
        precision = PRECISIONS[self.dtype]
        held = design_fields(
            self.schedule, width=width, delta=delta, evidence_span=evidence_span, dtype=precision
        )
        return self._network(ReluFields(held, certified(held, evidence_span, precision)))

    def _network(self, family: Family) -> Network:
        network = Network(
            self.schedule,
            dtype=self.dtype,
            device=self.device,
            chunk=self.chunk,
            given=self.given,
            answers=self.answers,
            family=family,
        )
        network.origin = self.origin
        return network


STARTS = ("random", "relu")
# Options of nets that are planned, and what they are when nobody asks.
_PLANNING: Mapping[str, object] = {
    "delta": None,
    "width": None,
    "budget": "equal-width",
    "construction": "tight",
    "evidence_span": math.inf,
}


def check_options(
    family: str, init: str, options: Mapping[str, object], *, fields: bool = False
) -> None:
    """Refuse unknown families, and options that a family does not have.

    ``fields`` says whether there are no messages, and so no ways to plan nets for them.

    Raises
    ------
    QueryError
        Naming what is known, or the families that have the option.
    """
    for what, found, known in (("family", family, FAMILIES), ("init", init, STARTS)):
        if found not in known:
            names = ", ".join(map(repr, known))
            raise QueryError(f"network: unknown {what} {found!r}; known: {names}.")
    planned = [name for name in ("budget", "construction") if options[name] != _PLANNING[name]]
    if fields and planned:
        raise QueryError(f"network: {planned[0]}= is for nets that stand for messages.")
    if family == "relu" or (family, init) == ("trainable", "relu"):
        return
    allowed = ("width",) if family == "trainable" else ()
    for name, value in options.items():
        if value != _PLANNING[name] and name not in allowed:
            raise QueryError(
                f"network: {name}= is for nets that stand for messages: family 'relu', or "
                f"'trainable' with init='relu'; this one is {family!r}."
            )
