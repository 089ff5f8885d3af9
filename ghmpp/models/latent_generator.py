"""Generators: smooth feed-forward networks as numbers, read from torch modules without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np

from ghmpp._arrays import FloatArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.entries import real_numbers

Activation = Literal["tanh", "sigmoid", "softplus"]


def _sigmoid(x: FloatArray) -> FloatArray:
    return 0.5 + 0.5 * np.tanh(x / 2)


_FORMULAS: Mapping[str, tuple[Callable[[FloatArray], FloatArray], Callable[..., FloatArray]]] = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
    "softplus": (lambda x: np.logaddexp(0, x), _sigmoid),
}
# Why functions that networks often use cannot be part of a generator.
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("relu", "relu6", "leakyrelu", "prelu", "rrelu", "threshold", "abs", "maxpool1d"),
            *("softshrink", "hardshrink", "hardtanh", "hardsigmoid", "hardswish", "maxpool2d"),
        ),
        "is not differentiable where its pieces meet",
    ),
    **dict.fromkeys(("sgn", "sign", "step"), "jumps, and has no slope elsewhere"),
    **dict.fromkeys(("elu", "selu", "celu"), "has a second derivative that jumps"),
}


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer, ``f(W x + b + S u)``; u is what the layer before got.

    Parameters
    ----------
    weight
        W, (outputs, inputs).
    bias
        b, (outputs,).
    activation
        f, at every output; None for none.
    skip
        S, (outputs, inputs of the layer before), or None. Two layers with a skip are a residual
        block ``M z + U f(V z)``.
    """

    weight: FloatArray
    bias: FloatArray
    activation: Activation | None = None
    skip: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Generator:
    """A map G from latent to observed vectors, with its derivatives.

    Parameters
    ----------
    layers
        From the latent vector to the observed one.

    Examples
    --------
    >>> generator = read_generator([([[2.0]], [0.0], "tanh")])
    >>> generator(np.zeros((1, 1))), generator.jacobian(np.zeros((1, 1)))
    (array([[0.]]), array([[[2.]]]))
    """

    layers: tuple[Layer, ...]

    @property
    def inputs(self) -> int:
        """Latent dimension."""
        return int(self.layers[0].weight.shape[1])

    @property
    def outputs(self) -> int:
        """Observed dimension."""
        return len(self.layers[-1].bias)

    @property
    def linear(self) -> bool:
        """Whether no layer has an activation."""
        return all(layer.activation is None for layer in self.layers)

    def __call__(self, z: FloatArray) -> FloatArray:
        """G(z), (..., observed), of latent vectors (..., latent)."""
        *_, (_, _, x) = self._forward(z)
        return x

    def jacobian(self, z: FloatArray) -> FloatArray:
        """Derivatives of G, (..., observed, latent)."""
        above, now = None, np.broadcast_to(np.eye(self.inputs), (*z.shape[:-1], *[self.inputs] * 2))
        for layer, slope, _ in self._forward(z):
            through = layer.weight @ now
            if layer.skip is not None and above is not None:
                through = through + layer.skip @ above
            above, now = now, slope[..., None] * through
        return now

    def gradient(self, z: FloatArray, x: FloatArray) -> FloatArray:
        """Gradient of ``|G(z) - x|^2 / 2``, by one pass forward and one back: (..., latent)."""
        run = list(self._forward(z))
        # What flows back into the output of a layer, and into that of the layer before it.
        back, before = run[-1][2] - x, np.zeros(1)
        for layer, slope, _ in reversed(run):
            inner = slope * back
            back = inner @ layer.weight + before
            before = np.zeros(1) if layer.skip is None else inner @ layer.skip
        return back

    def _forward(self, z: FloatArray) -> Iterator[tuple[Layer, FloatArray, FloatArray]]:
        """Layer by layer: the slope of its activation, and its output."""
        above, now = z, z
        for layer in self.layers:
            inner = now @ layer.weight.T + layer.bias
            if layer.skip is not None:
                inner = inner + above @ layer.skip.T
            value, slope = inner, np.ones_like(inner)
            if layer.activation is not None:
                function, derivative = _FORMULAS[layer.activation]
                value, slope = function(inner), derivative(inner)
            above, now = now, value
            yield layer, slope, value


def read_generator(source: object) -> Generator:
    """A generator from a torch module, or from numbers.

    Parameters
    ----------
    source
        An ``nn.Sequential``, nested or not, of ``Linear``, ``Tanh``, ``Sigmoid``, ``Softplus``
        and ``Identity``; or a list of ``(weight, bias, activation)``, with arrays (outputs,
        inputs) and (outputs,) (or None), "tanh", "sigmoid", "softplus" or None, and as a fourth
        entry, if wanted, the ``skip`` of :class:`Layer`.

    Raises
    ------
    ModelError
        If a layer is not differentiable or unknown (it is named), or sizes do not fit.
    """
    if isinstance(source, Generator):
        return source
    if isinstance(source, (list, tuple)):
        rows = cast("Sequence[object]", source)
        layers = [_from_numbers(number, row) for number, row in enumerate(rows)]
    else:
        layers = _from_modules(_flat(source))
    if not layers:
        raise ModelError("generator: needs at least one linear layer, got none.")
    _require_fit(layers)
    return Generator(tuple(layers))


def _from_numbers(number: int, row: object) -> Layer:
    if not isinstance(row, (list, tuple)) or not 2 <= len(row) <= 4:
        raise ModelError(
            f"generator: layer {number} must be (weight, bias, activation), or with a fourth "
            f"entry, skip; got {row!r:.80}."
        )
    weight, bias, activation, skip = (*row, None, None)[:4]
    matrix = _numbers(f"weight of layer {number}", weight, 2)
    shift = np.zeros(len(matrix)) if bias is None else bias
    return Layer(
        matrix,
        _numbers(f"bias of layer {number}", shift, 1),
        None if activation is None else _activation(str(activation)),
        None if skip is None else _numbers(f"skip of layer {number}", skip, 2),
    )


def _flat(module: object) -> Iterator[object]:
    """The parts of nested sequences of modules."""
    if type(module).__name__ == "Sequential":
        for part in cast("Iterable[object]", module):
            yield from _flat(part)
    else:
        yield module


def _from_modules(modules: Iterable[object]) -> list[Layer]:
    layers: list[Layer] = []
    for module in modules:
        kind = type(module).__name__
        if kind == "Identity":
            continue
        if kind == "Linear":
            layers.append(_linear(module, len(layers)))
            continue
        activation = _activation(kind)
        if activation == "softplus" and getattr(module, "beta", 1) != 1:
            raise ModelError("generator: Softplus must have beta=1; scale the weights instead.")
        if not layers:
            raise ModelError(f"generator: {kind} must come after a Linear layer.")
        last = layers.pop()
        layers.append(Layer(last.weight, last.bias, last.activation or activation))
        if last.activation is not None:
            size = len(last.bias)
            layers.append(Layer(np.eye(size), np.zeros(size), activation))
    return layers


class _Tensor(Protocol):
    def detach(self) -> _Tensor: ...
    def cpu(self) -> _Tensor: ...
    def double(self) -> _Tensor: ...
    def numpy(self) -> FloatArray: ...


def _linear(module: object, number: int) -> Layer:
    weight, bias = (_array(getattr(module, name)) for name in ("weight", "bias"))
    return _from_numbers(number, (weight, bias, None))


def _array(tensor: _Tensor | None) -> FloatArray | None:
    return None if tensor is None else tensor.detach().cpu().double().numpy()


def _activation(name: str) -> Activation:
    """The name of a smooth function; others are refused, with the reason if it is known."""
    plain = name.lower().replace("_", "")
    if plain in _FORMULAS:
        return cast("Activation", plain)
    reason = _REFUSED.get(plain)
    if reason is not None:
        raise ModelError(
            f"generator: {name} {reason}; Langevin steps follow the gradient of the generator, and "
            "arXiv:2107.04652 (Assumption 2) needs three derivatives. Use Tanh, Sigmoid or "
            "Softplus."
        )
    raise ModelError(
        f"generator: unknown layer {name!r}; known: Linear, Tanh, Sigmoid, Softplus, Identity, "
        "in a Sequential."
    )


def _numbers(what: str, given: object, axes: int) -> FloatArray:
    found = real_numbers(given, f"generator: {what}")
    if found.ndim != axes or found.size == 0 or not np.isfinite(found).all():
        raise ModelError(
            f"generator: {what} must be a finite array with {axes} axes, got shape {found.shape}"
            f"{'' if np.isfinite(found).all() else ' with NaN or infinity'}."
        )
    return cast("FloatArray", read_only(found))


def _require_fit(layers: Sequence[Layer]) -> None:
    """Refuse layers that do not follow on each other."""
    sizes = [layers[0].weight.shape[1]]
    for number, layer in enumerate(layers):
        wanted = (len(layer.bias), sizes[-1])
        if layer.weight.shape != wanted:
            raise ModelError(
                f"generator: weight of layer {number} must have shape {wanted} (outputs, inputs), "
                f"got {layer.weight.shape}."
            )
        if layer.skip is not None:
            if number == 0:
                raise ModelError("generator: the first layer has no layer before, so no skip.")
            if layer.skip.shape != (len(layer.bias), sizes[-2]):
                raise ModelError(
                    f"generator: skip of layer {number} must have shape "
                    f"{(len(layer.bias), sizes[-2])}, got {layer.skip.shape}."
                )
        sizes.append(len(layer.bias))
