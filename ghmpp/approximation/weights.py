r"""The numbers of all nets of a network, layer by layer: what is stored and what is certified.

Each kind of net is a fixed formula in a few arrays. Nets of one layer are stacked along their
first axis; a message says which of them it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.approximation.kernels import Kernel
from ghmpp.approximation.message import ExpLogNet, TwoStateNet, make_net
from ghmpp.approximation.paper import require_memory
from ghmpp.approximation.propagate import StepBound
from ghmpp.approximation.relu import ReluUnits
from ghmpp.approximation.routes import Step
from ghmpp.approximation.symbols import SymbolNet, exact_symbols
from ghmpp.models.forest import Forest

# Toward the root or the leaves, class of the children: one layer of the network.
Place: TypeAlias = tuple[Literal["root", "leaves"], str]
Kind = Literal["exp_log", "log_odds", "symbols"]
# Which net sends a message: kind and index in the layer; None where the exact message is sent.
Chosen: TypeAlias = tuple[Kind, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class ExpLogWeights:
    r"""Nets ``l(sum_j inner_ij p(h_j)) + offset_i`` of inputs with largest entry 0.

    .. math::
        p(u) &= c + \sum_k a_k\, \mathrm{ReLU}(u - t_k), \\
        l(y) &= c' - \sum_k a'_k\, \mathrm{ReLU}(t'_k - y)

    G nets, S sending and R receiving states. States that cannot occur have zeros in ``inner``.
    Unused units have slope 0.

    Parameters
    ----------
    exp_knots, exp_slopes
        t and a, shape (G, units).
    exp_constant
        c, shape (G,).
    inner
        Shape (G, R, S), >= 0, linear.
    log_knots, log_slopes
        t' and a', shape (G, units).
    log_constant
        c', shape (G,).
    offsets
        Shape (G, R), natural logs.
    """

    exp_knots: FloatArray
    exp_slopes: FloatArray
    exp_constant: FloatArray
    inner: FloatArray
    log_knots: FloatArray
    log_slopes: FloatArray
    log_constant: FloatArray
    offsets: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LogOddsWeights:
    r"""Nets of messages between two states, by the log-odds ``x = h_1 - h_0 + centre``.

    .. math::
        \mathrm{odds} &= m - \mathrm{ReLU}(m - f(x)) + \mathrm{ReLU}(g(x) - m), \\
        f(x) &= c + \sum_k a_k\, \mathrm{ReLU}(x - t_k), \qquad
        g(x) = c' - \sum_k a'_k\, \mathrm{ReLU}(t'_k - x)

    and the message is ``(0, sign * odds + offset)``. A half that is empty has slopes 0 and the
    constant m.

    Parameters
    ----------
    centre, middle, sign, offset
        Shape (G,); sign is 1 or -1.
    left_knots, left_slopes, right_knots, right_slopes
        Units of f (t, a) and g (t', a'), shape (G, units).
    left_constant, right_constant
        c and c', shape (G,).
    """

    centre: FloatArray
    left_knots: FloatArray
    left_slopes: FloatArray
    left_constant: FloatArray
    right_knots: FloatArray
    right_slopes: FloatArray
    right_constant: FloatArray
    middle: FloatArray
    sign: FloatArray
    offset: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SymbolWeights:
    """Nets of an observed state: the message at each integer, and straight lines between.

    Parameters
    ----------
    values
        Message by observed state, natural logs, shape (G, symbols + 1, R); the last is that of a
        missing one.
    """

    values: FloatArray


NetWeights: TypeAlias = ExpLogWeights | LogOddsWeights | SymbolWeights
WEIGHTS: Mapping[Kind, type[NetWeights]] = {
    "exp_log": ExpLogWeights,
    "log_odds": LogOddsWeights,
    "symbols": SymbolWeights,
}


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """The nets of one layer, and which of them each message is sent by.

    Parameters
    ----------
    nets
        Stacks by kind.
    chosen
        By child block: for each row of its potential, the net.
    log_ratios
        Of each ``exp_log`` net, log rho, by which its knots are spaced (see
        :class:`ghmpp.approximation.piecewise.ExpNet`): where to look, no weight; shape (G,).
    """

    nets: Mapping[Kind, NetWeights]
    chosen: Mapping[str, tuple[Chosen, ...]]
    log_ratios: FloatArray


def layer_weights(forest: Forest, steps: Iterable[StepBound]) -> dict[Place, LayerWeights]:
    """The nets that bounds speak of, with their weights, by layer; equal nets are held once.

    Parameters
    ----------
    forest
        What the routes are on.
    steps
        The messages with the sizes of their nets.

    Raises
    ------
    ResourceError
        If this machine cannot hold them.
    """
    steps = list(steps)
    require_memory(steps)
    layers: dict[Place, _Builder] = {}
    for bound in steps:
        child = bound.step.edge.child
        place = (bound.step.toward, forest.blocks[child].variable)
        builder = layers.setdefault(place, _Builder())
        builder.chosen[child] = tuple(builder.choose(bound, row) for row in range(len(bound.nets)))
    return {place: builder.finished() for place, builder in layers.items()}


def arrays(layers: Mapping[Place, LayerWeights]) -> dict[str, FloatArray]:
    """All arrays by the names that they have in ``state_dict()``.

    Such as ``collect.pixel.exp_log.inner``.
    """
    return {
        f"{place_name(place)}.{kind}.{name}": array
        for place, layer in layers.items()
        for kind, nets in layer.nets.items()
        for name, array in named(nets).items()
    }


def named(nets: NetWeights) -> dict[str, FloatArray]:
    """The arrays of stacked nets, by name."""
    return {each.name: getattr(nets, each.name) for each in fields(nets)}


def with_arrays(
    layers: Mapping[Place, LayerWeights], values: Mapping[str, AnyArray]
) -> dict[Place, LayerWeights]:
    """The same layers with other numbers, by the names of :func:`arrays`; as float64.

    Raises
    ------
    KeyError
        If a name is missing.
    """
    return {
        place: LayerWeights(
            {
                kind: type(nets)(
                    **{
                        each.name: np.asarray(
                            values[f"{place_name(place)}.{kind}.{each.name}"], np.float64
                        )
                        for each in fields(nets)
                    }
                )
                for kind, nets in layer.nets.items()
            },
            layer.chosen,
            layer.log_ratios,
        )
        for place, layer in layers.items()
    }


def place_name(place: Place) -> str:
    """Name of the module of a layer."""
    toward, child = place
    return f"{'collect' if toward == 'root' else 'distribute'}.{child.replace('.', '_')}"


@dataclass(slots=True)
class _Builder:
    """Collects the nets of a layer, each once."""

    chosen: dict[str, tuple[Chosen, ...]] = field(default_factory=dict)
    parts: dict[Kind, list[dict[str, FloatArray]]] = field(default_factory=dict)
    known: dict[tuple[object, ...], Chosen] = field(default_factory=dict)
    log_ratios: list[float] = field(default_factory=list)
    # Kernels are told apart by identity, which holds while they are alive.
    kernels: list[Kernel] = field(default_factory=list)

    def choose(self, bound: StepBound, row: int) -> Chosen:
        """The net of a message, added if it is new."""
        step, sized = bound.step, bound.nets[row]
        kernel = step.kernels[row]
        if sized is None and not bound.looks_up(row):
            return None
        masks = (step.sending.tobytes(), step.receiving[row].tobytes())
        same = (id(kernel), None if sized is None else bound.reaches[row], sized, *masks)
        if same not in self.known:
            self.kernels.append(kernel)
            kind, part = _net_arrays(bound, row)
            found = self.parts.setdefault(kind, [])
            found.append(part)
            if kind == "exp_log":
                self.log_ratios.append(kernel.log_ratio)
            self.known[same] = (kind, len(found) - 1)
        return self.known[same]

    def finished(self) -> LayerWeights:
        """The stacks."""
        return LayerWeights(
            {
                kind: WEIGHTS[kind](**{name: _stacked(p[name] for p in parts) for name in parts[0]})
                for kind, parts in self.parts.items()
            },
            self.chosen,
            np.array(self.log_ratios),
        )


def _net_arrays(bound: StepBound, row: int) -> tuple[Kind, dict[str, FloatArray]]:
    """The numbers of the net of one message, over all states."""
    step, sized = bound.step, bound.nets[row]
    kernel = step.kernels[row]
    net = exact_symbols(kernel) if sized is None else make_net(kernel, bound.reaches[row], sized)
    if isinstance(net, SymbolNet):
        return "symbols", _symbols(net, step, row)
    if isinstance(net, TwoStateNet):
        return "log_odds", _log_odds(net)
    return "exp_log", _exp_log(net, step, row)


def _exp_log(net: ExpLogNet, step: Step, row: int) -> dict[str, FloatArray]:
    exp, log = net.exp.units(), net.log.units()
    inner = np.zeros((step.receiving.shape[1], len(step.sending)))
    reached = net.kernel.total(np.eye(net.kernel.shape[1])).T / net.lows[:, None]
    inner[np.ix_(step.receiving[row], step.sending)] = reached
    offsets = np.zeros(len(inner))
    offsets[step.receiving[row]] = np.log(net.lows) - np.log(net.lows).max()
    return {
        **_units("exp", exp),
        "inner": inner,
        **_units("log", log),
        "offsets": offsets,
    }


def _log_odds(net: TwoStateNet) -> dict[str, FloatArray]:
    convex, concave = net.net.halves()
    ends = net.net.values
    middle = 0.0 if convex and concave else float(ends[-1 if convex else 0])
    flat = ReluUnits(middle, np.zeros(0), np.zeros(0), 1, 1)
    return {
        "centre": np.array(net.centre),
        **_units("left", convex or flat),
        **_units("right", concave or flat),
        "middle": np.array(middle),
        "sign": np.array(-1.0 if net.turned else 1.0),
        "offset": np.array(net.offset),
    }


def _units(name: str, units: ReluUnits) -> dict[str, FloatArray]:
    return {
        f"{name}_knots": units.knots,
        f"{name}_slopes": units.weights,
        f"{name}_constant": np.array(units.constant),
    }


def _symbols(net: SymbolNet, step: Step, row: int) -> dict[str, FloatArray]:
    """The message by symbol; a symbol that cannot occur says as little as a missing one."""
    values = np.tile(net.logs[-1], (len(step.sending) + 1, 1))
    values[:-1][step.sending] = net.logs[:-1]
    whole = np.zeros((len(values), step.receiving.shape[1]))
    whole[:, step.receiving[row]] = values
    return {"values": whole}


def _stacked(parts: Iterable[FloatArray]) -> FloatArray:
    """Arrays along a new first axis, the shorter ones filled up with zeros: idle units."""
    found = list(parts)
    sizes = [max(each.shape[axis] for each in found) for axis in range(found[0].ndim)]
    stack = np.zeros((len(found), *sizes))
    for whole, each in zip(stack.reshape(len(found), *sizes, 1), found, strict=True):
        whole[tuple(map(slice, each.shape))] = each[..., None]
    return stack
