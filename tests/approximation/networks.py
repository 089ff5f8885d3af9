"""The network that bounds speak about, run in numpy node by node; and random evidence for it."""

from __future__ import annotations

import numpy as np

from ghmpp.approximation.message import make_net
from ghmpp.approximation.propagate import propagate
from ghmpp.approximation.routes import find_routes
from ghmpp.approximation.symbols import SymbolNet


def certified(forest, targets, observed, width, domain, *, symbols=()):
    """Routes and bounds of a network in which every layer has one width."""
    routes = find_routes(forest, targets, observed, symbols=symbols)
    return routes, propagate(routes, dict.fromkeys(routes.layers, width), domain)


def run(forest, bounds, logs, *, dtype=None, send=None):
    """Log beliefs of every block, (batch, nodes, states), with each message sent by its net.

    ``logs`` has the log-likelihoods by block. Without ``bounds.nets`` a message is exact. With
    ``dtype``, the ReLU units themselves are evaluated, and everything is computed in it. ``send``
    sends messages instead, of (step, row, h) over all states.
    """
    own = {
        name: _own(forest, block, logs).astype(dtype or float)
        for name, block in forest.blocks.items()
    }
    up, down = {}, {}
    for bound in bounds.steps:
        step = bound.step
        edge, parents = step.edge, forest.parent_nodes(step.edge)
        sent = []
        for node in range(forest.blocks[edge.child].nodes):
            if step.toward == "root":
                h = _from_below(forest, own, edge.child, node, up)
            else:
                h = _from_below(forest, own, edge.parent, parents[node], up, (edge.child, node))
                if edge.parent in down:
                    h = h + down[edge.parent][:, parents[node]]
            row = node % len(step.kernels)
            if send is not None:
                sent.append(send(step, row, h))
            else:
                sent.append(_send(step, row, bound, h[:, step.sending], dtype))
        (up if step.toward == "root" else down)[edge.child] = np.stack(sent, axis=1)
    beliefs = {}
    for name in bounds.beliefs:
        nodes = range(forest.blocks[name].nodes)
        below = [_from_below(forest, own, name, k, up) for k in nodes]
        beliefs[name] = np.stack(below, axis=1) + down.get(name, 0.0)
    return beliefs


def exact(bounds):
    """The same messages without nets."""
    from dataclasses import replace

    steps = tuple(replace(bound, nets=(None,) * len(bound.nets)) for bound in bounds.steps)
    return replace(bounds, steps=steps)


def span_error(found, true):
    """Largest span of the difference of log beliefs at each node, over the possible states."""
    with np.errstate(invalid="ignore"):
        difference = np.where(np.isfinite(true), found - true, np.nan)
    return (np.nanmax(difference, axis=-1) - np.nanmin(difference, axis=-1)).max(axis=0)


def log_softmax(logs):
    shifted = logs - logs.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _own(forest, block, logs):
    batch = len(next(iter(logs.values()))) if logs else 1
    total = np.zeros((batch, block.nodes, block.states))
    if block.unary is not None:
        stack = forest.data[block.unary]
        with np.errstate(divide="ignore"):
            total = total + np.log(stack[np.arange(block.nodes) % len(stack)])
    return total + logs.get(block.name, 0.0)


def _from_below(forest, own, name, node, up, skipped=None):
    """What a node knows by itself and from its children, or all but one of them."""
    total = own[name][:, node]
    for edge in forest.children[name]:
        if edge.child in up:
            for child in np.flatnonzero(forest.parent_nodes(edge) == node):
                if (edge.child, child) != skipped:
                    total = total + up[edge.child][:, child]
    return total


def _send(step, row, bound, h, dtype):
    kernel = step.kernels[row]
    full = np.full((len(h), step.receiving.shape[1]), -np.inf, dtype=h.dtype)
    sized = bound.nets[row]
    if sized is None:
        full[:, step.receiving[row]] = kernel.send(h)
        return full
    net = make_net(kernel, bound.reaches[row], sized)
    if isinstance(net, SymbolNet):
        h = np.where((h == 0).sum(-1) == 1, h.argmax(-1), h.shape[-1])
    if dtype is None:
        full[:, step.receiving[row]] = net(h)
    else:
        full[:, step.receiving[row]] = net.dense(h, dtype)
    return full


def adversarial_logs(rng, batch, nodes, states, *, span=np.inf):
    """Evidence of all sizes: flat, gentle, ambiguous between two states, and huge."""
    logs = rng.normal(size=(batch, nodes, states))
    sizes = rng.choice([0.0, 0.3, 1.0, 3.0, 10.0, 100.0, 1e3], size=(batch, nodes, 1))
    logs = logs * sizes
    top = logs.max(axis=-1, keepdims=True)
    tied = rng.random((batch, nodes, 1)) < 0.3
    logs = np.where(tied & (rng.random(logs.shape) < 0.5), top + 0.1 * rng.normal(), logs)
    logs = logs - logs.max(axis=-1, keepdims=True)
    if np.isfinite(span):
        logs = np.maximum(logs, -span)
    return logs
