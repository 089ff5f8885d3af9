"""The ReLU family of schedules of fields: piecewise-linear functions, products by sawtooths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp.approximation.field_certificate import FieldCertificate, Holding
from ghmpp.approximation.field_nets import CurveNet, FieldNet, ProductNet, SquareNet, read_net
from ghmpp.backends.families.family import FamilyName
from ghmpp.backends.fields.layers import (
    GateLayer,
    LocalLayer,
    gate_layers,
    local_layers,
    local_name,
)
from ghmpp.backends.fields.parts import FieldLayers
from ghmpp.backends.messages import MessageLayer
from ghmpp.backends.prepare import Frame
from ghmpp.schedule.functions import Function
from ghmpp.schedule.ir import Direction, Local, Schedule
from ghmpp.schedule.passes import flat

# Stands for infinity, the log odds of a state that was observed.
FAR = 1e30


class PiecewiseLayer(LocalLayer):
    """A piecewise-linear function of one number, by the segment that it is in.

    Parameters
    ----------
    function
        What it stands for.
    net
        Its numbers.
    dtype
        Their precision.

    Attributes
    ----------
    knots, values, tails
        Points (knots,), and slopes left and right of all (2,); no gradient until asked.
    """

    def __init__(self, function: Function, net: CurveNet, dtype: torch.dtype) -> None:
        super().__init__(function)
        self.knots, self.values, self.tails = (
            _number(array, dtype) for array in net.arrays().values()
        )

    def forward(self, inputs: Sequence[Tensor], prior: Tensor | None, states: int) -> Tensor:
        """The function at every entry of the only input."""
        x = inputs[0].clamp(-FAR, FAR)
        knots, values, tails = (part.to(x.dtype) for part in (self.knots, self.values, self.tails))
        slopes = torch.cat((tails[:1], values.diff() / knots.diff(), tails[1:]))
        if torch.compiler.is_exporting():
            return self._by_units(x, knots, values, slopes)
        segment = torch.bucketize(x.detach(), knots.detach(), right=True)
        start = (segment - 1).clamp(min=0)
        return values[start] + slopes[segment] * (x - knots[start])

    @staticmethod
    def _by_units(x: Tensor, knots: Tensor, values: Tensor, slopes: Tensor) -> Tensor:
        """The same as ReLUs: each segment is a slope times a difference of two of them."""
        below, above = torch.relu(knots[0] - x), torch.relu(x - knots[-1])
        inside = torch.minimum(torch.maximum(x, knots[0]), knots[-1])
        ahead = torch.relu(inside.unsqueeze(-1) - knots)
        inner = slopes[1:-1] * (ahead[..., :-1] - ahead[..., 1:])
        return values[0] - slopes[0] * below + inner.sum(-1) + slopes[-1] * above

    def extra_repr(self) -> str:
        """The function, and how many knots."""
        return f"{super().extra_repr()}, {len(self.knots)} knots"


class SquareLayer(LocalLayer):
    """``x^2``, or 1 minus it, by a sawtooth net.

    Attributes
    ----------
    segments, bound
        2 to the number of hats, and the largest input in size, both ().
    """

    segments: Tensor
    bound: Tensor

    def __init__(self, function: Function, net: SquareNet, dtype: torch.dtype) -> None:
        super().__init__(function)
        _hold(self, net, dtype)

    def forward(self, inputs: Sequence[Tensor], prior: Tensor | None, states: int) -> Tensor:
        """The function at every entry of the only input."""
        x = inputs[0]
        bound = self.bound.to(x.dtype)
        found = bound.square() * interpolated_square(x.abs() / bound, self.segments.to(x.dtype))
        return 1 - found if self.function.name == "one_minus_square" else found


class ProductLayer(GateLayer):
    """Products by two sawtooth nets.

    Attributes
    ----------
    segments, bounds
        2 to the number of hats, (), and largest factors in size, (2,).
    """

    segments: Tensor
    bounds: Tensor

    def __init__(self, net: ProductNet, dtype: torch.dtype) -> None:
        super().__init__()
        _hold(self, net, dtype)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The product at every entry."""
        b, c = self.bounds.to(first.dtype)
        x, y, segments = first / b, second / c, self.segments.to(first.dtype)
        plus = interpolated_square((x + y).abs() / 2, segments)
        found: Tensor = b * c * (plus - interpolated_square((x - y).abs() / 2, segments))
        return found


def interpolated_square(x: Tensor, segments: Tensor) -> Tensor:
    """``x^2`` between equidistant points of [0, 1]: what hats add up to."""
    k = torch.minimum((x.detach() * segments).floor().clamp(min=0), segments - 1)
    return ((2 * k + 1) * x - k * ((k + 1) / segments)) / segments


def _number(array: object, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.tensor(np.asarray(array), dtype=dtype), requires_grad=False)


def _hold(layer: nn.Module, net: FieldNet, dtype: torch.dtype) -> None:
    for name, array in net.arrays().items():
        layer.register_buffer(name, torch.tensor(array, dtype=dtype))


class PiecewiseFields(FieldLayers):
    """The parts of a network of fields whose functions and products are nets.

    Parameters
    ----------
    schedule
        Of fields.
    held
        The nets.
    dtype
        Precision of all numbers.
    """

    def __init__(self, schedule: Schedule, held: Holding, dtype: torch.dtype) -> None:
        local, gates = dict(local_layers(schedule)), dict(gate_layers(schedule))
        for op in flat(schedule.ops):
            if isinstance(op, Local):
                name = local_name(op.function)
                match held.nets.get(name):
                    case CurveNet() as net:
                        local[name] = PiecewiseLayer(op.function, net, dtype)
                    case SquareNet() as net:
                        local[name] = SquareLayer(op.function, net, dtype)
        for name in gates:
            found = held.nets[name]
            assert isinstance(found, ProductNet)
            gates[name] = ProductLayer(found, dtype)
        super().__init__(schedule.forest, dtype, local, gates)
        self._held = held

    def holding(self) -> Holding:
        """What it holds now, for certificates."""
        layers = {name: self._layer(name) for name in self._held.nets}
        tensors = {f"couplings.{key}": _array(self.couplings[key]) for key in self._held.numbers}
        nets = {}
        for name, layer in layers.items():
            arrays = {key: _array(tensor) for key, tensor in layer.state_dict().items()}
            tensors |= {f"{name}.{key}": array for key, array in arrays.items()}
            nets[name] = read_net(name, self._held.nets[name], arrays)
        numbers = {
            key: _array(self.couplings[key]).astype(np.float64) for key in self._held.numbers
        }
        return Holding(self._held.plan, nets, numbers, tensors)

    def _layer(self, name: str) -> LocalLayer | GateLayer:
        return self.local[name] if name in self.local else self.gates[name]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


@dataclass(frozen=True, slots=True, eq=False)
class ReluFields:
    """Nets with proved errors in place of functions and products.

    Parameters
    ----------
    held
        The nets.
    certificate
        What is proved of them.
    """

    held: Holding
    certificate: FieldCertificate
    name: FamilyName = "relu"

    def layers(
        self, frame: Frame, toward: Direction, dtype: torch.dtype
    ) -> dict[str, MessageLayer]:
        """None: there are no messages."""
        return {}

    def fields(self, schedule: Schedule, dtype: torch.dtype) -> FieldLayers | None:
        """The nets."""
        return PiecewiseFields(schedule, self.held, dtype)
