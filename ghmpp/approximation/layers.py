"""What each layer of a network guarantees and costs, in the words of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ghmpp.approximation.costs import distinct, layer_flops, layer_parameters
from ghmpp.approximation.propagate import Propagated, StepBound
from ghmpp.approximation.report import LayerBounds
from ghmpp.approximation.routes import LayerKey, Routes
from ghmpp.models.forest import Forest


def describe_layers(routes: Routes, found: Propagated) -> tuple[LayerBounds, ...]:
    """One record per layer, in the order in which messages are sent."""
    grouped: dict[LayerKey, list[tuple[StepBound, float]]] = {}
    for bound, message in zip(found.steps, found.messages, strict=True):
        grouped.setdefault(bound.step.layer, []).append((bound, message))
    return tuple(
        _layer(routes.forest, key, [b for b, _ in pairs], max(m for _, m in pairs))
        for key, pairs in grouped.items()
    )


def _layer(
    forest: Forest, key: LayerKey, bounds: Sequence[StepBound], accumulated: float
) -> LayerBounds:
    nets = [net for bound in bounds for net in bound.nets if net is not None]
    toward, parent, child = key
    ends = (child, parent) if toward == "root" else (parent, child)
    own = distinct(bounds)
    shapes = [bound.step.kernels[row].shape for bound, row in own]
    looked_up = max((max(sending, receiving) + 1 for receiving, sending in shapes), default=0)
    return LayerBounds(
        message=" -> ".join(ends),
        toward=toward,
        net=_kind(bounds),
        nets=len(own),
        nodes=sum(forest.blocks[bound.step.edge.child].nodes for bound in bounds),
        width=max((max(net.widths) for net in nets), default=looked_up),
        knots=(
            max((net.segments[0] for net in nets), default=0),
            max((net.segments[1] for net in nets), default=0),
        ),
        contraction=max(float(bound.contractions.max()) for bound in bounds),
        reach=max(max(bound.reaches) for bound in bounds),
        error=max(float(bound.errors.max()) for bound in bounds),
        floating=max((net.floating for net in nets), default=0.0),
        accumulated=accumulated,
        parameters=layer_parameters(bounds),
        flops=layer_flops(forest, bounds),
    )


def _kind(bounds: Sequence[StepBound]) -> str:
    """Constructions of a layer, in words."""
    kinds: dict[str, None] = {}
    for bound in bounds:
        for kernel, net in zip(bound.step.kernels, bound.nets, strict=True):
            if net is not None:
                kinds[net.kind] = None
            elif not bound.step.informed:
                kinds["constant"] = None
            elif kernel.gather:
                kinds["exact"] = None
            else:
                kinds["symbols" if bound.step.symbols else "constant"] = None
    return ", ".join(kinds)
