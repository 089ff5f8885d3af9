r"""From the errors of single messages to the error of what a query answers, on any forest.

With E the span error of what a node knows from below, Q that of a message toward the root, U that
of a message toward the leaves, and per message the contraction tau and the net's own error eps:

.. math::
    Q_c &= \tau_c E_c + \epsilon_c, \qquad E_v = \sum_{c \in C(v)} Q_c, \\
    U_c &= \tau_c \Big(U_v + \sum_{c' \in C(v) \setminus c} Q_{c'}\Big) + \epsilon_{up,c}.

Proof idea: sums and normalisation add and keep spans; an exact message contracts them by tau
(Birkhoff-Hopf), so ``net(h') - f(h) = [net(h') - f(h')] + [f(h') - f(h)]`` gives the rest. The
factors 3^L and 18^L of Theorems 3 and 6 of arXiv:2404.18444 become products of tau.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.flow import Flow
from ghmpp.approximation.message import ROUNDOFF, Construction, Sized, size_net
from ghmpp.approximation.routes import LayerKey, Routes, Step, unary_spans
from ghmpp.errors import QueryError

_ROUNDING = 1 + 1e-12
# Log-probabilities this far below the largest may come out as 0 in a precision.
LOWEST = {"float32": 80.0, "float64": 700.0}


@dataclass(frozen=True, slots=True)
class Domain:
    """What the nets have to be good for.

    Parameters
    ----------
    evidence_span
        Largest span of the log-likelihoods at an observed node; inf where unbounded.
    dtype
        Arithmetic whose rounding is counted: "float32", "float64", or "real" for none.
    two_state
        Whether messages between two-state variables may use the log-odds construction.
    construction
        Knots of the nets: "tight", or "paper" for those of arXiv:2404.18444.
    """

    evidence_span: float = math.inf
    dtype: str = "float64"
    two_state: bool = True
    construction: Construction = "tight"


@dataclass(frozen=True, slots=True)
class StepBound:
    """What holds for the messages of one step.

    Parameters
    ----------
    step
        The messages.
    nets
        By row: sizes of the net; None for exact messages.
    reaches
        By row: largest span of the input.
    contractions, errors
        By row: tau and eps (with rounding), dimensionless.
    """

    step: Step
    nets: tuple[Sized | None, ...]
    reaches: tuple[float, ...]
    contractions: FloatArray
    errors: FloatArray

    def looks_up(self, row: int) -> bool:
        """Whether a message is sent by an exact net for observed states."""
        step = self.step
        return step.symbols and step.informed and not step.kernels[row].gather


@dataclass(frozen=True, slots=True)
class Propagated:
    """Errors on a whole forest.

    Parameters
    ----------
    steps
        Bounds of each step, in order.
    sent
        By step: span error of the message of each child node, accumulated, shape (children,).
    beliefs
        By target block: span error of the log belief of each node, shape (nodes,).
    """

    steps: tuple[StepBound, ...]
    sent: tuple[FloatArray, ...]
    beliefs: Mapping[str, FloatArray]

    @property
    def messages(self) -> tuple[float, ...]:
        """Largest accumulated span error of the messages of each step."""
        return tuple(float(sent.max(initial=0.0)) for sent in self.sent)


def propagate(routes: Routes, widths: Mapping[LayerKey, int], domain: Domain) -> Propagated | None:
    """Bounds of every message and belief when each layer has its width.

    Returns
    -------
    Propagated or None
        None where a layer is too narrow for any net.

    Raises
    ------
    QueryError
        If no finite network exists: evidence without bound meets a potential with zeros.
    """
    spans = Spans(routes, domain)
    bounds = []
    for step in routes.steps:
        reaches = spans.reaches(step)
        nets = []
        for row, reach in enumerate(reaches):
            net = None
            if _needs_net(step, row, reach, domain):
                width = widths.get(step.layer, 0)
                net = _size(step, row, reach, width, spans.terms(step), domain)
                if net is None:
                    return None
            nets.append(net)
        bounds.append(spans.send(step, reaches, nets))
    return accumulate(routes, bounds, [bound.errors for bound in bounds], read=spans.readouts())


def accumulate(
    routes: Routes,
    bounds: Sequence[StepBound],
    errors: Sequence[FloatArray],
    own: Mapping[str, FloatArray] | None = None,
    read: Mapping[str, FloatArray] | None = None,
) -> Propagated:
    """The recursions for given errors of single messages, by step and row; linear in them.

    Parameters
    ----------
    routes, bounds
        The messages, and what holds for them.
    errors
        By step and row: errors to use instead of those of ``bounds``.
    own
        By block: span errors of unary potentials, (1 or nodes,); 0 where missing.
    read
        By target block: what reading a belief out adds, (nodes,); 0 where missing.
    """
    known, added = own or {}, read or {}
    flow = Flow(routes, lambda name: known.get(name, np.zeros(1)))
    for bound, single in zip(bounds, errors, strict=True):
        step = bound.step
        rows = np.arange(routes.forest.blocks[step.edge.child].nodes) % len(single)
        taus, arriving = bound.contractions[rows], flow.arriving(step)
        passed = np.where(taus > 0, taus * np.where(taus > 0, arriving, 0.0), 0.0)
        flow.put(step, (passed + single[rows]) * _ROUNDING)
    sent = tuple(flow.sent(bound.step) for bound in bounds)
    beliefs = {name: flow.belief(name) + added.get(name, 0.0) for name in routes.targets}
    return Propagated(tuple(bounds), sent, beliefs)


class Spans:
    """Bounds on the spans of what is sent, step by step: what they demand of the nets."""

    def __init__(self, routes: Routes, domain: Domain) -> None:
        self.routes, self.domain = routes, domain
        self.flow = Flow(routes, self.own)
        self.known: dict[str, FloatArray] = {}

    def own(self, block: str) -> FloatArray:
        """Span of the own evidence and unary potential of a block, (1 or nodes,)."""
        if block not in self.known:
            forest = self.routes.forest
            found = unary_spans(forest, forest.blocks[block])
            if forest.blocks[block].variable in self.routes.observed:
                found = found + self.domain.evidence_span
            self.known[block] = found
        return self.known[block]

    def reaches(self, step: Step) -> list[float]:
        """By row: largest span of an input of the message."""
        rows = len(step.kernels)
        arriving = np.where(step.mixed, np.inf, self.flow.arriving(step))
        found = arriving.reshape(-1, rows).max(axis=0) if arriving.size else np.zeros(rows)
        return [float(reach) for reach in found]

    def terms(self, step: Step) -> int:
        """Number of vectors that are added up to an input."""
        return 2 + sum(edge.fanout for edge in self.routes.forest.children[step.edge.parent])

    def exact_error(self, step: Step, reach: float) -> float:
        """What rounding may add to the span of a message that no net sends."""
        if not step.informed or step.symbols:
            return 0.0
        return float(sum_rounding(self.domain, self.terms(step), np.array(reach)))

    def readouts(self) -> dict[str, FloatArray]:
        """By target block: what rounding may add to the span of a log belief, (nodes,)."""
        found = {}
        for name in self.routes.targets:
            terms = 3 + sum(edge.fanout for edge in self.routes.forest.children[name])
            found[name] = sum_rounding(self.domain, terms, self.flow.belief(name))
        return found

    def send(
        self,
        step: Step,
        reaches: Sequence[float],
        nets: Sequence[Sized | None],
        errors: Sequence[float] | None = None,
    ) -> StepBound:
        """What holds for the messages of a step; later steps build on it.

        Parameters
        ----------
        step, reaches, nets
            The messages; by row, the spans of their inputs and their nets.
        errors
            By row: span errors of single messages instead of those of the nets.
        """
        if errors is None:
            errors = [
                self.exact_error(step, reach) if net is None else net.error + net.floating
                for net, reach in zip(nets, reaches, strict=True)
            ]
        sent = np.array(
            [
                kernel.sent_span(reach) + error
                for kernel, reach, error in zip(step.kernels, reaches, errors, strict=True)
            ]
        )
        children = self.routes.forest.blocks[step.edge.child].nodes
        self.flow.put(step, sent[np.arange(children) % len(sent)])
        taus = [0.0 if kernel.constant else kernel.contraction for kernel in step.kernels]
        # What a constant table sends varies by no more than its diameter.
        varying = [
            kernel.diameter if step.informed and kernel.constant and min(kernel.shape) > 1 else 0.0
            for kernel in step.kernels
        ]
        return StepBound(
            step, tuple(nets), tuple(reaches), np.array(taus), np.array(errors) + varying
        )


def sum_rounding(domain: Domain, terms: int, span: FloatArray) -> FloatArray:
    """Span error of the rounded sum of ``terms`` vectors of some span, to first order.

    Entries further below the largest than a precision can tell from 0 do not count.
    """
    roundoff, lowest = ROUNDOFF[domain.dtype], LOWEST.get(domain.dtype, math.inf)
    if not roundoff:
        return np.zeros_like(span)
    found: FloatArray = 2 * roundoff * terms * (np.minimum(span, lowest) + 1)
    return found


def _needs_net(step: Step, row: int, reach: float, domain: Domain) -> bool:
    """Whether a message is approximated; refuse the ones that no finite network sends."""
    kernel = step.kernels[row]
    if not step.informed or kernel.gather:
        return False
    if step.symbols and kernel.weights is not None:
        if not kernel.positive:
            raise QueryError(_no_network(step, "an observed state"))
        return domain.construction == "paper" and not kernel.constant
    if not kernel.constant and math.isinf(reach) and not kernel.positive:
        raise QueryError(_no_network(step, "evidence without bound"))
    return not kernel.constant


def _size(
    step: Step, row: int, reach: float, width: int, terms: int, domain: Domain
) -> Sized | None:
    """The net of a message; None where none is so narrow."""
    return size_net(
        step.kernels[row],
        reach,
        width,
        roundoff=ROUNDOFF[domain.dtype],
        terms=terms,
        two_state=domain.two_state and step.sending.size == 2 and step.receiving.shape[1] == 2,
        construction=domain.construction,
        symbols=step.symbols,
    )


def _no_network(step: Step, what: str) -> str:
    kind = "the table has" if step.edge.kind == "table" else "the index map is a table with"
    return (
        f"bounds: no finite network exists for the message {step.name}: {kind} zeros, and {what} "
        "can rule states out, so log-probabilities reach -inf, which no finite ReLU network "
        "does. Observe through a softened channel, in which every state keeps a likelihood of at "
        "least eps times the largest (gh.observables.softened), and pass evidence_span=log(1 / "
        "eps); or make the zeros small and positive."
    )
