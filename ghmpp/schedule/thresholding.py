r"""Sparse codes by iterated thresholding, as schedules of fields; exact as ReLU networks.

Layers are blocks ``x0`` (observed), ``x1``, ..., with dictionaries ``D1``, ``D2``, ... as couplings
toward ``x0``, and weights :math:`\lambda_i` of :math:`|x_i|_1` as constant fields. The soft
threshold :math:`T_b(x) = \mathrm{ReLU}(x - b) - \mathrm{ReLU}(-x - b)` is piecewise linear, so the
ReLU networks of these schedules have no error.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import QueryError
from ghmpp.models.forest import Coupling, Forest
from ghmpp.schedule.build import Output
from ghmpp.schedule.fields import FieldBuilder, require_count
from ghmpp.schedule.ir import Schedule, Term, Value


@dataclass(frozen=True, slots=True)
class LayeredThresholding:
    r"""One thresholded product a layer, :math:`x_i = T_{\lambda_i}(D_i^\top x_{i-1})`.

    With nonnegative codes this is the forward pass of a network with ReLU and a bias.
    """

    def build(
        self, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> Schedule:
        """The schedule of the codes asked for; ``outputs`` are pairs ("code", layer)."""
        layers = _Layers.of("LayeredThresholding", forest, outputs, observed)
        codes = [layers.build.evidence("x0")]
        for layer in layers.numbers:
            pulled = layers.build.couple(f"x{layer}", Term(codes[-1], f"D{layer}", transposed=True))
            codes.append(layers.threshold(layer, pulled, 1.0))
        return layers.schedule(codes, outputs)


@dataclass(frozen=True, slots=True)
class ISTA:
    r"""Iterated soft thresholding, layer by layer (layered basis pursuit).

    Layer i minimises :math:`|x_{i-1} - D_i x_i|^2 / 2 + \lambda_i |x_i|_1`, given the code found
    for layer i - 1, by :math:`x_i \leftarrow T_{t \lambda_i}(x_i - t D_i^\top (D_i x_i - x_{i-1}))`
    from 0.

    Parameters
    ----------
    steps
        Steps for each layer, at least 1.
    step
        t, below :math:`2 / |D_i|^2` for every layer; None = :math:`1 / |D_i|^2`.
    """

    steps: int = 100
    step: float | None = None

    def __post_init__(self) -> None:
        require_count("ISTA", "steps", self.steps)

    def build(
        self, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> Schedule:
        """The schedule of the codes asked for; ``outputs`` are pairs ("code", layer)."""
        layers = _Layers.of("ISTA", forest, outputs, observed)
        codes = [layers.build.evidence("x0")]
        for layer in layers.numbers:
            most = 1 / layers.norm(layer)
            rate = most if self.step is None else self.step
            _require_rate("ISTA: step", rate, 2 * most, f"2 / |D{layer}|^2")
            codes.append(self._solve(layers, layer, codes[-1], rate))
        return layers.schedule(codes, outputs)

    def _solve(self, layers: _Layers, layer: int, seen: Value, rate: float) -> Value:
        build, block = layers.build, f"x{layer}"

        def body(x: Value) -> list[Value]:
            missed = build.couple(f"x{layer - 1}", Term(x, f"D{layer}"), Term(seen, scale=-1.0))
            back = Term(missed, f"D{layer}", transposed=True, scale=-rate)
            return [layers.threshold(layer, build.couple(block, x, back), rate)]

        return build.repeat(self.steps, [build.zero(block)], body)[0]


@dataclass(frozen=True, slots=True)
class MLISTA:
    r"""Multilayer iterated thresholding: all layers explain x0 at once.

    For two layers it minimises, up to a bias that falls with :math:`\rho`, :math:`|x_0 - D_1 D_2
    x_2|^2 / 2 + \lambda_1 |D_2 x_2|_1 + \lambda_2 |x_2|_1` by

    .. math:: x_2 \leftarrow T_{t \lambda_2}\left(x_2 - \tfrac{t}{\rho} D_2^\top (x_1 -
              T_{\rho \lambda_1}(x_1 - \rho D_1^\top (D_1 x_1 - x_0)))\right), \quad x_1 = D_2 x_2,

    from 0; one step is the forward pass of :class:`LayeredThresholding`, times t. More layers are
    nested in the same way, each with its own step size.

    Parameters
    ----------
    steps
        At least 1.
    rho
        Step size of the first layer, below :math:`1 / |D_1|^2`; None = 0.9 of that.
    step
        t, step size of the last layer, below :math:`1.5 \rho / |D_2|^2`, where the step is a
        cocoercive map; None = :math:`\rho / |D_2|^2`. Layers between have the default.
    """

    steps: int = 100
    rho: float | None = None
    step: float | None = None

    def __post_init__(self) -> None:
        require_count("MLISTA", "steps", self.steps)

    def build(
        self, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> Schedule:
        """The schedule of the codes asked for; ``outputs`` are pairs ("code", layer)."""
        layers = _Layers.of("MLISTA", forest, outputs, observed)
        build, rates, last = layers.build, self._rates(layers), layers.numbers[-1]
        seen = build.evidence("x0")

        def body(x: Value) -> list[Value]:
            guesses = layers.upward(x)
            better = seen
            for layer in layers.numbers:
                # What the layer above should have been, against what this one says of it.
                missed = build.couple(f"x{layer - 1}", guesses[layer - 1], Term(better, scale=-1.0))
                scale = -rates[layer] / rates[layer - 1]
                pull = Term(missed, f"D{layer}", transposed=True, scale=scale)
                moved = build.couple(f"x{layer}", guesses[layer], pull)
                better = layers.threshold(layer, moved, rates[layer])
            return [better]

        (x,) = build.repeat(self.steps, [build.zero(f"x{last}")], body)
        return layers.schedule(layers.upward(x), outputs)

    def _rates(self, layers: _Layers) -> list[float]:
        """Step sizes by layer; 1 for layer 0."""
        rates = [1.0]
        for layer in layers.numbers:
            most = rates[-1] / layers.norm(layer)
            if layer == 1:
                rates.append(0.9 * most if self.rho is None else self.rho)
                _require_rate("MLISTA: rho", rates[-1], most, "1 / |D1|^2")
            else:
                last = layer == layers.numbers[-1]
                rates.append(self.step if last and self.step is not None else most)
                _require_rate("MLISTA: step", rates[-1], 1.5 * most, f"1.5 rho / |D{layer}|^2")
        return rates


@dataclass(frozen=True, slots=True)
class LISTA:
    r"""The steps of :class:`ISTA` as layers with weights of their own, to be trained.

    Step k of layer i is :math:`x_i \leftarrow T_{b_k}(B_k x_{i-1} + S_k x_i)`; the exact network,
    and the trainable one with ``init="relu"``, has :math:`B_k = t D_i^\top`, :math:`S_k = I - t
    D_i^\top D_i` and :math:`b_k = t \lambda_i`, which is ISTA itself.

    Parameters
    ----------
    steps
        Steps for each layer, at least 1.
    """

    steps: int = 10

    def __post_init__(self) -> None:
        require_count("LISTA", "steps", self.steps)

    def build(
        self, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> Schedule:
        """The schedule of the codes asked for; ``outputs`` are pairs ("code", layer)."""
        layers = _Layers.of("LISTA", forest, outputs, observed)
        shown = {"D1"} if any(block == "x0" for _, block in outputs) else set()
        untied = _Untied(
            {name: forest.couplings[name] for name in shown},
            {name: forest.data[name] for name in shown},
        )
        for layer in layers.numbers:
            untied.add(layers, layer, self.steps)
        layers = replace(
            layers,
            build=FieldBuilder(replace(forest, couplings=untied.couplings, data=untied.data)),
        )
        build, codes = layers.build, [layers.build.evidence("x0")]
        for layer in layers.numbers:
            block, x = f"x{layer}", build.zero(f"x{layer}")
            for step in range(self.steps):
                terms = [Term(codes[-1], f"B{layer} {step}")]
                if step:
                    terms.append(Term(x, f"S{layer} {step}"))
                x = layers.split(layer, build.couple(block, *terms), f"b{layer} {step}")
            codes.append(x)
        return layers.schedule(codes, outputs)


@dataclass(frozen=True)
class _Untied:
    """Couplings with a copy of the weights for every step."""

    couplings: dict[str, Coupling]
    data: dict[str, AnyArray]

    def add(self, layers: _Layers, layer: int, steps: int) -> None:
        block, matrix = f"x{layer}", layers.dictionary(layer)
        rate = 1 / layers.norm(layer)
        inner = np.eye(matrix.shape[1]) - rate * matrix.T @ matrix
        bias = rate * layers.build.forest.data[f"threshold {layer}"]
        for step in range(steps):
            weights = {"B": (rate * matrix.T, f"x{layer - 1}"), "S": (inner, block)}
            for letter, (numbers, source) in list(weights.items())[: 2 if step else 1]:
                name = f"{letter}{layer} {step}"
                self.couplings[name] = Coupling(name, source, block, name)
                self.data[name] = numbers
            name = f"b{layer} {step}"
            self.couplings[name] = Coupling(name, block, block, name, "constant")
            self.data[name] = bias


@dataclass(frozen=True)
class _Layers:
    """The layers of a hierarchy, while their schedule is written."""

    build: FieldBuilder
    numbers: range

    @classmethod
    def of(
        cls, engine: str, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> _Layers:
        """Of a forest, for a question that can be answered.

        Raises
        ------
        QueryError
            If something else is asked, given, or modelled.
        """
        if "D1" not in forest.couplings:
            raise QueryError(f"{engine}: model {forest.name!r} is no hierarchy of dictionaries.")
        if set(observed) != {"x0"}:
            raise QueryError(
                f"{engine}: exactly 'x0' must be given, got {', '.join(observed) or 'nothing'}."
            )
        for kind, block in outputs:
            if kind != "code":
                raise QueryError(f"{engine}: cannot answer {kind} of {block!r}; ask for its code.")
        return cls(FieldBuilder(forest), range(1, len(forest.blocks)))

    def dictionary(self, layer: int) -> FloatArray:
        """(nodes, atoms)."""
        return np.asarray(self.build.forest.data[f"D{layer}"], dtype=np.float64)

    def norm(self, layer: int) -> float:
        """Largest squared singular value of a dictionary."""
        return float(np.linalg.norm(self.dictionary(layer), 2)) ** 2

    def threshold(self, layer: int, source: Value, rate: float) -> Value:
        """Soft threshold, or ReLU for nonnegative codes, at ``rate`` times the layer's weight."""
        block, forest = f"x{layer}", self.build.forest
        name = f"threshold {layer}"
        if forest.blocks[block].function == "relu":
            below = self.build.couple(block, source, Term(None, name, scale=-rate))
            return self.build.local(block, "relu", below)
        weight = float(forest.data[name][0])
        return self.build.local(block, "soft", source, parameter=rate * weight)

    def split(self, layer: int, source: Value, bias: str) -> Value:
        """The same at a bias of its own: the difference of two ReLUs."""
        block, minus = f"x{layer}", Term(None, bias, scale=-1.0)
        high = self.build.local(block, "relu", self.build.couple(block, source, minus))
        if self.build.forest.blocks[block].function == "relu":
            return high
        turned = self.build.couple(block, Term(source, scale=-1.0), minus)
        low = self.build.local(block, "relu", turned)
        return self.build.couple(block, high, Term(low, scale=-1.0))

    def upward(self, x: Value) -> list[Value]:
        """What the deepest code says of every layer, ``x0`` first, and that code itself."""
        values = [x]
        for layer in reversed(self.numbers):
            values.insert(0, self.build.couple(f"x{layer - 1}", Term(values[0], f"D{layer}")))
        return values

    def schedule(self, codes: list[Value], outputs: Collection[Output]) -> Schedule:
        """Read off the codes that were asked for; of ``x0``, what its code says of it."""
        if any(block == "x0" for _, block in outputs):
            codes = [self.build.couple("x0", Term(codes[1], "D1")), *codes[1:]]
        found = [self.build.readout("code", block, codes[int(block[1:])]) for _, block in outputs]
        return self.build.schedule(found)


def _require_rate(what: str, rate: float, below: float, formula: str) -> None:
    if not (isinstance(rate, (int, float)) and math.isfinite(rate) and 0 < rate < below):
        raise QueryError(
            f"{what} must be > 0 and below {formula} = {below:.6g}, else the steps need not "
            f"converge; got {rate!r}."
        )
