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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.message import ROUNDOFF, Sized, size_net
from ghmpp.approximation.routes import LayerKey, Routes, Step, unary_spans
from ghmpp.errors import QueryError
from ghmpp.models.forest import Edge

_ROUNDING = 1 + 1e-12


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
    """

    evidence_span: float = math.inf
    dtype: str = "float64"
    two_state: bool = True


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


@dataclass(frozen=True, slots=True)
class Propagated:
    """Errors on a whole forest.

    Parameters
    ----------
    steps
        Bounds of each step, in order; None where a layer is too narrow for any net.
    messages
        Largest span error of the messages of each step, accumulated.
    beliefs
        By target block: span error of the log belief of each node, shape (nodes,).
    """

    steps: tuple[StepBound, ...]
    messages: tuple[float, ...]
    beliefs: Mapping[str, FloatArray]


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
    spans = _Spans(routes, domain)
    bounds = []
    for step in routes.steps:
        found = spans.pass_step(step, widths.get(step.layer, 0))
        if found is None:
            return None
        bounds.append(found)
    return accumulate(routes, bounds, [bound.errors for bound in bounds])


def accumulate(
    routes: Routes, bounds: Sequence[StepBound], errors: Sequence[FloatArray]
) -> Propagated:
    """The recursions for given errors of single messages, by step and row; linear in them."""
    flow = _Flow(routes)
    messages = []
    for bound, own in zip(bounds, errors, strict=True):
        step = bound.step
        rows = np.arange(routes.forest.blocks[step.edge.child].nodes) % len(own)
        sent = bound.contractions[rows] * flow.arriving(step) + own[rows]
        sent = sent * _ROUNDING if step.informed else 0 * sent
        flow.put(step, sent)
        messages.append(float(sent.max(initial=0.0)))
    beliefs = {name: flow.belief(name) for name in routes.targets}
    return Propagated(tuple(bounds), tuple(messages), beliefs)


@dataclass(slots=True)
class _Flow:
    """Numbers that add up at nodes: one for each message, summed over siblings and edges."""

    routes: Routes
    own: Callable[[str], FloatArray] = lambda name: np.zeros(1)
    up: dict[str, FloatArray] = field(default_factory=dict)
    down: dict[str, FloatArray] = field(default_factory=dict)
    totals: dict[str, FloatArray] = field(default_factory=dict)

    def put(self, step: Step, sent: FloatArray) -> None:
        """Remember what each child node sent, or was sent."""
        (self.up if step.toward == "root" else self.down)[step.edge.child] = sent

    def arriving(self, step: Step) -> FloatArray:
        """Sum at the sending end of each message, (children,)."""
        edge, forest = step.edge, self.routes.forest
        if step.toward == "root":
            total = self.own(edge.child) + self.pooled(edge.child)
            return np.broadcast_to(total, (forest.blocks[edge.child].nodes,))
        base = self.own(edge.parent) + self.down.get(edge.parent, np.zeros(1))
        base = np.broadcast_to(base, (forest.blocks[edge.parent].nodes,))
        return (base + 0.0)[forest.parent_nodes(edge)] + self.siblings(edge)

    def pooled(self, block: str) -> FloatArray:
        """Sum of all messages from below, (nodes,)."""
        if block not in self.totals:
            forest = self.routes.forest
            total = np.zeros(forest.blocks[block].nodes)
            for edge in forest.children[block]:
                if edge.child in self.up:
                    np.add.at(total, forest.parent_nodes(edge), self.up[edge.child])
            self.totals[block] = total
        return self.totals[block]

    def siblings(self, edge: Edge) -> FloatArray:
        """Sum of the messages from below to the parent of each child, but its own; (children,)."""
        forest = self.routes.forest
        above, nodes = forest.parent_nodes(edge), forest.blocks[edge.parent].nodes
        total, endless = np.zeros(nodes), np.zeros(nodes, dtype=np.int64)
        for each in forest.children[edge.parent]:
            if each.child in self.up:
                sent = self.up[each.child]
                finite = np.where(np.isfinite(sent), sent, 0.0)
                np.add.at(total, forest.parent_nodes(each), finite)
                np.add.at(endless, forest.parent_nodes(each), np.isinf(sent))
        own = self.up.get(edge.child, np.zeros(len(above)))
        others = total[above] - np.where(np.isfinite(own), own, 0.0)
        # The difference may have lost to rounding what the sum is large by.
        others = np.maximum(others, 0.0) + (0 if edge.single else 1e-14) * total[above]
        found: FloatArray = np.where(endless[above] - np.isinf(own) > 0, np.inf, others)
        return found

    def belief(self, block: str) -> FloatArray:
        """Sum of everything at a block, (nodes,)."""
        nodes = self.routes.forest.blocks[block].nodes
        total = self.own(block) + self.pooled(block) + self.down.get(block, np.zeros(1))
        return np.broadcast_to(total, (nodes,)) + 0.0


class _Spans:
    """Bounds on the spans of what is sent, step by step, with what they demand of the nets."""

    def __init__(self, routes: Routes, domain: Domain) -> None:
        self.routes, self.domain = routes, domain
        self.flow = _Flow(routes, self.own)
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

    def pass_step(self, step: Step, width: int) -> StepBound | None:
        """Bounds of one step; None where its width is too small."""
        rows = len(step.kernels)
        arriving = np.where(step.mixed, np.inf, self.flow.arriving(step))
        reaches = arriving.reshape(-1, rows).max(axis=0) if arriving.size else np.zeros(rows)
        terms = 2 + sum(edge.fanout for edge in self.routes.forest.children[step.edge.parent])
        sized: list[Sized | None] = []
        for row in range(rows):
            if not self.needs_net(step, row, float(reaches[row])):
                sized.append(None)
            elif net := self.size(step, row, float(reaches[row]), width, terms):
                sized.append(net)
            else:
                return None
        errors = np.array([0.0 if net is None else net.error + net.floating for net in sized])
        taus = np.array([kernel.contraction for kernel in step.kernels])
        constant = np.array([kernel.constant for kernel in step.kernels])
        taus[constant] = 0.0
        sizes = [k.diameter if k.constant and min(k.shape) > 1 else 0.0 for k in step.kernels]
        sent = [
            kernel.sent_span(float(reach)) + error
            for kernel, reach, error in zip(step.kernels, reaches, errors, strict=True)
        ]
        children = self.routes.forest.blocks[step.edge.child].nodes
        self.flow.put(step, np.array(sent)[np.arange(children) % rows])
        return StepBound(step, tuple(sized), tuple(map(float, reaches)), taus, errors + sizes)

    def needs_net(self, step: Step, row: int, reach: float) -> bool:
        """Whether a message is approximated; refuse the ones that no finite network sends."""
        kernel = step.kernels[row]
        if not step.informed or kernel.gather:
            return False
        if step.symbols and kernel.weights is not None:
            if not kernel.positive:
                raise QueryError(_no_network(step, "an observed state"))
            return False
        if not kernel.constant and math.isinf(reach) and not kernel.positive:
            raise QueryError(_no_network(step, "evidence without bound"))
        return not kernel.constant

    def size(self, step: Step, row: int, reach: float, width: int, terms: int) -> Sized | None:
        """The net of a message; None where none is so narrow."""
        return size_net(
            step.kernels[row],
            reach,
            width,
            roundoff=ROUNDOFF[self.domain.dtype],
            terms=terms,
            two_state=self.domain.two_state,
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
