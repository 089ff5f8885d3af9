r"""Errors through a schedule of fields: ranges and norms of differences, value by value.

The exact schedule and its approximation run on the same inputs. A linear map stretches a
difference by its norm, a function by its Lipschitz constant, and its net adds its own error
:math:`\zeta` at each of n nodes, hence :math:`\zeta \sqrt n` in the Euclidean norm; a product needs
the ranges of its factors. Rounds of a repetition go on until nothing grows any more: with a norm
:math:`\alpha < 1` of what is repeated, L rounds add up to

.. math:: \zeta \sqrt n\, (1 + \alpha + \dots + \alpha^{L-1})
          = \zeta \sqrt n\, \frac{1 - \alpha^L}{1 - \alpha}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.field_forms import Atom, Known, gained
from ghmpp.approximation.field_nets import (
    EXACT,
    CurveNet,
    FieldNet,
    ProductNet,
    Range,
    SquareNet,
    image,
    steepest,
)
from ghmpp.approximation.field_plan import FieldPlan, linear_map, net_name
from ghmpp.schedule.functions import Function
from ghmpp.schedule.ir import (
    Couple,
    Evidence,
    Gate,
    Local,
    Noise,
    Op,
    Repeat,
    Value,
)

# Rounding of constants, and by source what that of a term is per size of its input.
Rounding: TypeAlias = tuple[FloatArray, list[tuple[Value, FloatArray]]]
# Rounds of a repetition after which ranges are guessed rather than followed.
PATIENCE = 12
# Numbers that are added up in a net: a few roundings of each.
ROUNDINGS = 16.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """For which inputs and arithmetic errors are bounded.

    Parameters
    ----------
    span
        Largest difference between the log-likelihoods of a node's two states, and largest size of
        observed numbers; inf for any.
    roundoff
        Unit of the arithmetic; 0 for exact arithmetic.
    numbers
        The numbers of couplings as they are stored, by key, where they are not the true ones.
    trial
        Whether nets count as good beyond their domains, while these are looked for.
    """

    span: float = math.inf
    roundoff: float = 0.0
    numbers: Mapping[str, FloatArray] = field(default_factory=dict)
    trial: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What one instruction has written, after the last round.

    Parameters
    ----------
    name
        In words, such as "tanh of x".
    net
        Its net; None for instructions that are exact.
    known
        Range and errors.
    """

    name: str
    net: FieldNet | None
    known: Known

    @property
    def matters(self) -> bool:
        """Whether there is a net, or an error."""
        return self.net is not None or self.known.euclid > 0


@dataclass
class FieldErrors:
    """Ranges and errors of all values, while a schedule is followed and afterwards.

    Parameters
    ----------
    plan
        The forms.
    nets
        By name of the layer, see :func:`.field_plan.net_name`; what has none is exact.
    inputs
        What is assumed.
    atoms
        What is known of the values that forms are made of.
    notes, reach, weights
        By value, name and net of the instruction that wrote it; by name, the inputs that nets have
        met; by sum, what rounding adds.
    """

    plan: FieldPlan
    nets: Mapping[str, FieldNet]
    inputs: Inputs
    atoms: dict[Atom, Known] = field(default_factory=dict)
    notes: dict[Value, tuple[str, FieldNet | None]] = field(default_factory=dict)
    reach: dict[str, tuple[Range, ...]] = field(default_factory=dict)
    weights: dict[Value, Rounding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        forest = self.plan.schedule.forest
        for coupling in forest.couplings.values():
            if coupling.kind == "constant":
                constant = np.asarray(forest.data[coupling.key], dtype=np.float64)
                self.atoms[coupling.name] = Known.between(constant, constant)

    def of(self, value: Value) -> Known:
        """Range and errors of a value."""
        return self.plan.forms[value].known(self.atoms)

    @property
    def written(self) -> list[Written]:
        """What instructions have written, after the last round."""
        return [Written(name, net, self.of(value)) for value, (name, net) in self.notes.items()]

    def run(self, ops: Sequence[Op]) -> None:
        """Follow some instructions."""
        for op in ops:
            match op:
                case Repeat():
                    self._repeat(op)
                case Couple():
                    self.atoms[op.out] = self._rounding(op)
                    self.notes[op.out] = (f"sum at {op.block}", None)
                case Evidence():
                    nodes = self._nodes(op.block)
                    self.atoms[op.out] = self._seen(nodes, self.inputs.span)
                case Noise():
                    source = self.of(op.source)
                    wide = np.full(len(source.low), np.inf)
                    self.atoms[op.out] = source.over(Known(-wide, wide, math.inf))
                case Local(function=Function(name="spin_logs")):
                    pass
                case Local():
                    self._local(op)
                case Gate():
                    self._gate(op)

    def _nodes(self, block: str) -> int:
        return self.plan.schedule.forest.blocks[block].nodes

    def _seen(self, nodes: int, size: float) -> Known:
        """An input, the same in both schedules."""
        return Known.between(np.full(nodes, -size), np.full(nodes, size))

    def _local(self, op: Local) -> None:
        function, source = op.function, self.of(op.sources[0])
        if function.name == "log_odds":
            rounding = gained(4 * self.inputs.roundoff, self.inputs.span)
            found = self._seen(len(source.low), self.inputs.span / 2)
            self.atoms[op.out] = self._more(found, rounding)
            return
        low, high = float(source.low.min()), float(source.high.max())
        self._met(net_name(op), ((low, high),))
        net = self.nets.get(net_name(op))
        assert not isinstance(net, ProductNet)
        own = self._own(net, (low, high))
        if function.name in EXACT:
            scale = max(-low, high) + function.parameter
            own = gained(2 * self.inputs.roundoff, scale)
        slope = steepest(function, low, high)
        start = float(np.abs(image(function, np.zeros(1), np.zeros(1))).max())
        known = Known(
            *image(function, source.low, source.high),
            start * math.sqrt(len(source.low)) * (1 + 2.0**-50) + gained(slope, source.norm),
            gained(slope, source.euclid),
            gained(slope, source.largest),
        )
        self.atoms[op.out] = self._more(known, own)
        self.notes[op.out] = (f"{function.name} at {op.block}", net)

    def _own(self, net: CurveNet | SquareNet | None, reach: Range) -> float:
        """What a net adds at each node."""
        if net is None:
            return 0.0
        low, high = net.domain
        if not (self.inputs.trial or low <= reach[0] <= reach[1] <= high):
            return math.inf
        return net.error + ROUNDINGS * self.inputs.roundoff * net.scale

    def _gate(self, op: Gate) -> None:
        first, second = (self.of(source) for source in op.sources)
        sizes = tuple(float(each.size.max()) for each in (first, second))
        self._met(net_name(op), tuple((-size, size) for size in sizes))
        net = self.nets.get(net_name(op))
        own = 0.0
        if isinstance(net, ProductNet):
            inside = all(size <= most for size, most in zip(sizes, net.bounds, strict=True))
            rounding = ROUNDINGS * self.inputs.roundoff * net.scale
            own = net.error + rounding if inside or self.inputs.trial else math.inf
        with np.errstate(invalid="ignore"):
            ends = [x * y for x in (first.low, first.high) for y in (second.low, second.high)]
        ends = [np.where(np.isnan(end), 0.0, end) for end in ends]
        known = Known(
            np.nextafter(np.minimum.reduce(ends), -np.inf),
            np.nextafter(np.maximum.reduce(ends), np.inf),
            min(gained(sizes[0], second.norm), gained(sizes[1], first.norm)),
            gained(sizes[0], second.euclid) + gained(sizes[1], first.euclid),
            gained(sizes[0], second.largest) + gained(sizes[1], first.largest),
        )
        self.atoms[op.out] = self._more(known, own)
        self.notes[op.out] = (f"product at {op.block}", net)

    def _met(self, name: str, reach: tuple[Range, ...]) -> None:
        """Widen what a net must be good for."""
        old = self.reach.get(name, reach)
        self.reach[name] = tuple(
            (min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(old, reach, strict=True)
        )

    @staticmethod
    def _more(known: Known, own: float) -> Known:
        """With an error of its own at each node."""
        root = math.sqrt(len(known.low))
        up = 1 + 2.0**-50
        return Known(
            known.low - own,
            known.high + own,
            (known.norm + own * root) * up,
            (known.euclid + own * root) * up,
            (known.largest + own) * up,
        ).tightened()

    def _rounding(self, op: Couple) -> Known:
        """What rounding of the numbers and of the arithmetic adds to a sum."""
        if op.out not in self.weights:
            self.weights[op.out] = self._rounding_weights(op)
        constant, weights = self.weights[op.out]
        own = constant
        for source, weight in weights:
            own = own + _through(weight, self.of(source).size)
        norm = float(np.linalg.norm(own)) * (1 + 2.0**-40)
        return Known(-own, own, norm, norm, float(own.max(initial=0.0)))

    def _rounding_weights(self, op: Couple) -> Rounding:
        """That of the constants, and by source how that of a term grows with its input."""
        forest, constant = self.plan.schedule.forest, np.zeros(self._nodes(op.block))
        unit, weights, up = self.inputs.roundoff, [], 1 + 2.0**-40
        for term in op.terms:
            coupling = None if term.coupling is None else forest.couplings[term.coupling]
            stored = None if coupling is None else self.inputs.numbers.get(coupling.key)
            if coupling is not None and coupling.kind == "constant":
                true = np.asarray(forest.data[coupling.key], dtype=np.float64)
                moved = 0.0 if stored is None else np.abs(stored - true)
                constant = constant + abs(term.scale) * up * (moved + 3 * unit * np.abs(true))
                continue
            found = linear_map(forest, term, len(constant))
            share = (np.count_nonzero(found.matrix, axis=1).max(initial=0) + 4) * unit
            weight = share * found.size
            if stored is not None:
                weight = weight + np.abs(
                    linear_map(forest, term, len(constant), stored).matrix - found.matrix
                )
            weight = weight * (abs(term.scale) * up * (1 + len(op.terms) * unit))
            if weight.any():
                weights.append((term.source or 0, weight))
        return constant, weights

    def _repeat(self, op: Repeat) -> None:
        """Ranges until they hold all rounds, then errors round by round."""
        inside = [self.of(each.start) for each in op.carried]
        ranges = self._ranges(op, [known.same() for known in inside])
        found = [known.over(hull) for known, hull in zip(inside, ranges, strict=True)]
        for _ in range(op.rounds):
            after = self._round(op, found)
            grown = any(
                new.euclid > old.euclid or new.largest > old.largest
                for new, old in zip(after, found, strict=True)
            )
            if not grown:  # nor will it in any later round
                break
            found = [new.over(hull) for new, hull in zip(after, ranges, strict=True)]
        for each, known in zip(op.carried, after, strict=True):
            self.atoms[each.out] = known

    def _round(self, op: Repeat, inside: Sequence[Known]) -> list[Known]:
        """One round from what is carried into it."""
        for each, known in zip(op.carried, inside, strict=True):
            self.atoms[each.inside] = known
        self.run(op.body)
        return [self.of(each.after) for each in op.carried]

    def _ranges(self, op: Repeat, start: list[Known]) -> list[Known]:
        """Ranges that what is carried never leaves in all rounds; errors are 0."""
        held = start
        for k in range(op.rounds):
            after = [known.same() for known in self._round(op, held)]
            if all(new.within(old) for new, old in zip(after, held, strict=True)):
                return held
            wider = [old.hull(new) for old, new in zip(held, after, strict=True)]
            if k % PATIENCE == PATIENCE - 1:
                met = dict(self.reach)
                guess = [_guess(old, new) for old, new in zip(held, wider, strict=True)]
                after = self._round(op, guess)
                if all(new.within(old) for new, old in zip(after, guess, strict=True)):
                    return guess
                self.reach = met
            held = wider
        return held


def _guess(old: Known, new: Known) -> Known:
    """Where ranges may end that have grown from one to the other."""
    with np.errstate(invalid="ignore"):
        below, above, longer = old.low - new.low, new.high - old.high, new.norm - old.norm
    far = 1e3
    return Known(new.low - far * below, new.high + far * above, new.norm + far * longer)


def _through(weights: FloatArray, size: FloatArray) -> FloatArray:
    """What weights make of sizes, of which some may be infinite."""
    finite = np.isfinite(size)
    found: FloatArray = weights @ np.where(finite, size, 0.0)
    return np.where((weights[:, ~finite] > 0).any(axis=1), np.inf, found)


def field_errors(plan: FieldPlan, nets: Mapping[str, FieldNet], inputs: Inputs) -> FieldErrors:
    """Ranges and errors of all values of a schedule, with given nets."""
    found = FieldErrors(plan, nets, inputs)
    found.run(plan.schedule.ops)
    return found
