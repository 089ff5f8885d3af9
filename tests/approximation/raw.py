"""Nets from their stored numbers alone, in numpy: the formulas that say what the numbers mean."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from ghmpp.approximation.bounds import plan_network
from ghmpp.approximation.message import make_net, size_net
from ghmpp.approximation.weights import (
    WEIGHTS,
    _exp_log,
    _log_odds,
    layer_weights,
)


class Both:
    """A step between states that all can occur."""

    def __init__(self, kernel):
        self.sending = np.ones(kernel.shape[1], dtype=bool)
        self.receiving = np.ones((1, kernel.shape[0]), dtype=bool)


def net_of(kernel, reach, width, *, two_state=False):
    """A net and its closed form: kind, stacked weights of one net, sizes."""
    sized = size_net(kernel, reach, width, two_state=two_state, roundoff=2.0**-53)
    net = make_net(kernel, reach, sized)
    if sized.kind == "log-odds":
        return "log_odds", stacked("log_odds", _log_odds(net)), sized
    return "exp_log", stacked("exp_log", _exp_log(net, Both(kernel), 0)), sized


def stacked(kind, arrays):
    return WEIGHTS[kind](**{name: np.asarray(array)[None] for name, array in arrays.items()})


def changed(weights, name, place, factor):
    """The same numbers, but one of them times a factor."""
    return with_number(weights, name, place, getattr(weights, name).flat[place] * factor)


def with_number(weights, name, place, number):
    """The same numbers, but one of them another."""
    arrays = {each.name: getattr(weights, each.name).copy() for each in fields(weights)}
    arrays[name].flat[place] = number
    return type(weights)(**arrays)


def rounded_to(weights, dtype):
    """The same numbers, rounded, in float64."""
    return type(weights)(
        **{
            each.name: getattr(weights, each.name).astype(dtype).astype(np.float64)
            for each in fields(weights)
        }
    )


def evaluate(weights, net, h, *, sending=None, receiving=None, dtype=np.float64):
    """The message of a net by its units: h (batch, sending states) -> (batch, receiving states)."""
    one = type(
        "One", (), {e.name: getattr(weights, e.name)[net].astype(dtype) for e in fields(weights)}
    )
    kind = next(kind for kind, each in WEIGHTS.items() if isinstance(weights, each))
    relu = lambda x: np.maximum(x, dtype(0))  # noqa: E731
    h = h.astype(dtype)
    if kind == "symbols":
        top = h == h.max(axis=1, keepdims=True)
        index = np.where(top.sum(axis=1) == 1, top.argmax(axis=1), h.shape[1])
        return one.values[index]
    if kind == "log_odds":
        x = (h[:, 1] - h[:, 0] + one.centre)[:, None]
        f = one.left_constant + relu(x - one.left_knots) @ one.left_slopes
        g = one.right_constant - relu(one.right_knots - x) @ one.right_slopes
        odds = one.middle - relu(one.middle - f) + relu(g - one.middle)
        return np.stack([0 * odds, one.sign * odds + one.offset], axis=1)
    rows = slice(None) if receiving is None else receiving
    columns = slice(None) if sending is None else sending
    h = h[:, columns]
    u = (h - h.max(axis=1, keepdims=True))[..., None]
    p = one.exp_constant + relu(u - one.exp_knots) @ one.exp_slopes
    y = (p @ one.inner[rows][:, columns].T)[..., None]
    sent = one.log_constant - relu(one.log_knots - y) @ one.log_slopes + one.offsets[rows]
    found = np.full((len(h), len(one.offsets)), dtype(-np.inf))
    found[:, rows] = sent
    return found


def planned(model, query, given=None, **options):
    """A plan, and its layers."""
    plan = plan_network(model, query, given, **options)
    return plan, layer_weights(plan.forest, plan.propagated.steps)


def sender(forest, layers, dtype=np.float64):
    """What sends messages by stored numbers, for :func:`tests.approximation.networks.run`."""

    def send(step, row, h):
        layer = layers[step.toward, forest.blocks[step.edge.child].variable]
        chosen = layer.chosen[step.edge.child][row]
        masks = {"sending": step.sending, "receiving": step.receiving[row]}
        if chosen is None:
            full = np.full((len(h), len(step.receiving[row])), -np.inf, dtype=dtype)
            full[:, step.receiving[row]] = step.kernels[row].send(h[:, step.sending])
            return full
        return evaluate(layer.nets[chosen[0]], chosen[1], h, dtype=dtype, **masks)

    return send
