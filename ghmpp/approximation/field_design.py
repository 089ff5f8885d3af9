"""How large nets of fields must be, and for which inputs: from a width, or from a wished error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ghmpp.approximation.field_certificate import FieldCertificate, Holding, certify
from ghmpp.approximation.field_errors import Inputs, field_errors
from ghmpp.approximation.field_nets import (
    EXACT,
    CurveNet,
    FieldNet,
    ProductNet,
    Range,
    make_local,
    make_product,
    read_net,
)
from ghmpp.approximation.field_plan import FieldPlan, net_name
from ghmpp.approximation.message import ROUNDOFF
from ghmpp.errors import QueryError
from ghmpp.schedule.functions import Function
from ghmpp.schedule.ir import Gate, Local, Op, Schedule
from ghmpp.schedule.passes import flat

# Knots beyond which no more are tried for a wished error.
MOST_KNOTS = 1 << 16
LEAST_KNOTS = 3
DEFAULT_DELTA = 0.01
_TRIES = 8


def design_fields(
    schedule: Schedule,
    *,
    width: int | None,
    delta: float | None,
    evidence_span: float,
    dtype: str,
) -> Holding:
    """The nets of a schedule of fields.

    Parameters
    ----------
    schedule
        Of fields.
    width
        Knots of each function; squares and products get as many segments or more.
    delta
        Or the wished bound, of which the narrowest nets are taken; 0.01 if neither is given.
    evidence_span
        Largest difference of log-likelihoods, and size of observed numbers; inf for any.
    dtype
        Precision of the numbers, "float64" or "float32".

    Raises
    ------
    QueryError
        If both or impossible sizes are given, a function has no net, or the error is out of reach.
    """
    if width is not None and delta is not None:
        raise QueryError("network: give width= or delta=, not both.")
    if width is not None and (width != int(width) or width < LEAST_KNOTS):
        raise QueryError(f"network: width must be at least {LEAST_KNOTS} knots, got {width!r}.")
    if delta is not None and not 0 < delta < math.inf:
        raise QueryError(f"network: delta must be finite and > 0, got {delta!r}.")
    if not evidence_span > 0:
        raise QueryError(f"network: evidence_span must be > 0, got {evidence_span!r}.")
    found = _Design(schedule, evidence_span, dtype)
    if width is not None:
        return found.holding(int(width))
    return found.narrowest(DEFAULT_DELTA if delta is None else delta)


class _Design:
    """Nets of any width for one schedule."""

    def __init__(self, schedule: Schedule, evidence_span: float, dtype: str) -> None:
        self.plan, self.span, self.dtype = FieldPlan.of(schedule), evidence_span, dtype
        self.ops = {net_name(op): op for op in _approximated(schedule.ops)}
        data = schedule.forest.data
        self.numbers = {
            key: np.asarray(data[key]).astype(dtype) for key in schedule.forest.field_keys
        }

    def holding(self, width: int) -> Holding:
        """What a network of a width holds, in its precision."""
        nets = {name: _stored(net, self.dtype) for name, net in self._nets(width).items()}
        tensors = {f"couplings.{key}": array for key, array in self.numbers.items()}
        for name, net in nets.items():
            tensors |= {
                f"{name}.{key}": array.astype(self.dtype) for key, array in net.arrays().items()
            }
        numbers = {key: array.astype(np.float64) for key, array in self.numbers.items()}
        return Holding(self.plan, nets, numbers, tensors)

    def narrowest(self, delta: float) -> Holding:
        """The narrowest nets with a bound."""
        width, bounds = LEAST_KNOTS, {}

        def bound(width: int) -> float:
            if width not in bounds:
                bounds[width] = certify(self.holding(width), self.span, self.dtype).bound
            return bounds[width]

        if not self.ops:
            self._require(bound(width), delta, width)
            return self.holding(width)
        while bound(width) > delta and width < MOST_KNOTS:
            width = min(4 * width, MOST_KNOTS)
        self._require(bound(width), delta, width)
        low, high = width // 4, width
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if bound(middle) <= delta else (middle, high)
        return self.holding(max(high, LEAST_KNOTS))

    def _require(self, bound: float, delta: float, width: int) -> None:
        """Refuse what is out of reach."""
        if bound <= delta:
            return
        budgets = certify(self.holding(width), self.span, self.dtype).budgets
        worst = max(budgets, key=lambda each: each.euclid)
        raise QueryError(
            f"network: delta={delta:g} is out of reach: with {width:,} knots the bound is still "
            f"{bound:.3g} (after {worst.name!r}: {worst.euclid:.3g}). Maps whose norm is at least "
            "1 multiply errors in every round; take fewer rounds, a larger delta, or width=. In "
            "float32 rounding alone may be more: dtype='float64'."
        )

    def _nets(self, width: int) -> dict[str, FieldNet]:
        """Nets that are good for all inputs they meet, which their own errors widen."""
        nets: dict[str, FieldNet] = {}
        unit = ROUNDOFF[self.dtype] if math.isfinite(self.span) else 0.0
        inputs = Inputs(self.span, unit, trial=True)
        for _ in range(_TRIES):
            reach = field_errors(self.plan, nets, inputs).reach
            if nets and all(_good(net, reach[name]) for name, net in nets.items()):
                return nets
            nets = {name: _make(op, width, reach[name]) for name, op in self.ops.items()}
            if all(isinstance(net, CurveNet) and net.limit is None for net in nets.values()):
                return nets
        raise QueryError(
            f"network: with {width} knots the inputs of {', '.join(nets)} grow without end; take "
            "more knots or fewer rounds."
        )


def _approximated(ops: Sequence[Op]) -> Iterator[Local | Gate]:
    """Instructions that nets stand for, those inside repetitions once."""
    for op in flat(ops):
        if isinstance(op, Gate) or (isinstance(op, Local) and _bent(op.function)):
            yield op


def _bent(function: Function) -> bool:
    """Whether a function of a field is not piecewise linear."""
    return function.name not in (*EXACT, "log_odds", "spin_logs")


def _make(op: Local | Gate, width: int, reach: tuple[Range, ...]) -> FieldNet:
    if isinstance(op, Local):
        return make_local(op.function, width, reach[0])
    return make_product(net_name(op), width, (reach[0][1], reach[1][1]))


def _good(net: FieldNet, reach: tuple[Range, ...]) -> bool:
    """Whether a net's error holds for what it meets."""
    if isinstance(net, ProductNet):
        return all(each[1] <= bound for each, bound in zip(reach, net.bounds, strict=True))
    return net.domain[0] <= reach[0][0] and reach[0][1] <= net.domain[1]


def _stored(net: FieldNet, dtype: str) -> FieldNet:
    """The net with its numbers rounded."""
    arrays: Mapping[str, np.ndarray] = {
        key: array.astype(dtype) for key, array in net.arrays().items()
    }
    return read_net("net", net, arrays)


def certified(holding: Holding, evidence_span: float, dtype: str) -> FieldCertificate:
    """The certificate of a design.

    Raises
    ------
    QueryError
        If nothing is guaranteed.
    """
    found = certify(holding, evidence_span, dtype)
    if not math.isfinite(found.bound):
        raise QueryError(
            f"network: the nets guarantee nothing in {dtype}; say how large observations are with "
            "evidence_span=, take a larger width, fewer rounds, or dtype='float64'."
        )
    return found
