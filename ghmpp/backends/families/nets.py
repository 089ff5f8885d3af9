"""The nets of the ReLU family: equal in value to their units, but found by segment lookup.

Inputs and outputs are natural logs with the axes (ranks, states, parents, batch); the index of a
net for each message is that of :mod:`ghmpp.backends.families.stacks`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ghmpp._arrays import FloatArray
from ghmpp.approximation.weights import ExpLogWeights, LogOddsWeights, SymbolWeights, named
from ghmpp.backends.families.lookup import falling, rising
from ghmpp.backends.families.spacing import Spacing
from ghmpp.backends.families.stacks import (
    Nets,
    observed_symbol,
    pick,
    pick_rows,
    pick_states,
    times,
)
from ghmpp.backends.families.stages import Dense, Stage

# Stands for -inf where a product with slope 0 is wanted; every net is constant there.
FARTHEST = -1e30


def _numbers(parameter: Tensor) -> FloatArray:
    found: FloatArray = parameter.detach().double().cpu().numpy()
    return found


class ExpLogNets(Nets):
    """Nets ``l(inner p(h)) + offsets``: see :class:`ghmpp.approximation.weights.ExpLogWeights`.

    Parameters
    ----------
    weights
        The numbers.
    log_ratios
        log rho by net, by which the knots of exp are spaced; not finite where they are
        equispaced or otherwise.
    dtype
        Precision.
    """

    exp_knots: Tensor
    exp_slopes: Tensor
    exp_constant: Tensor
    inner: Tensor
    log_knots: Tensor
    log_slopes: Tensor
    log_constant: Tensor
    offsets: Tensor

    def __init__(self, weights: ExpLogWeights, log_ratios: FloatArray, dtype: torch.dtype) -> None:
        super().__init__(named(weights), dtype)
        self._log_ratios = log_ratios

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """Messages of inputs whose largest entry is 0; -inf is allowed."""
        if self.by_units():
            return self._by_units(x, index)
        if self.changed():
            self._prepare(x)
        function = None if len(self.inner) == 1 else index[:, None, :, None]
        p = self._exp.at(*self._exp_segment(x, index, function), function)
        y = times(self.inner, index, p)
        found = self._log.at(y, self._log_segment(y, index, function), function)
        return found + pick_states(self.offsets, index)

    def _by_units(self, x: Tensor, index: Tensor) -> Tensor:
        """The same by all ReLU units."""
        knots, slopes = pick_rows(self.exp_knots, index), pick_rows(self.exp_slopes, index)
        p = ((x[..., None] - knots).relu() * slopes).sum(-1) + pick(self.exp_constant, index)
        y = times(self.inner, index, p)
        knots, slopes = pick_rows(self.log_knots, index), pick_rows(self.log_slopes, index)
        found = pick(self.log_constant, index) - ((knots - y[..., None]).relu() * slopes).sum(-1)
        return found + pick_states(self.offsets, index)

    def _prepare(self, like: Tensor) -> None:
        """Lines of exp and log, and the constants of the formulas that find their segments."""
        knots, slopes = _numbers(self.exp_knots), _numbers(self.exp_slopes)
        exp = rising(knots, slopes, _numbers(self.exp_constant))
        log = falling(
            _numbers(self.log_knots), _numbers(self.log_slopes), _numbers(self.log_constant)
        )
        self._exp, self._log = exp.like(like), log.like(like)
        self._find_exp = Spacing.of_exp(exp, self._log_ratios, like)
        self._find_log = Spacing.of_log(log, like)

    def _exp_segment(
        self, x: Tensor, index: Tensor, function: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Inputs that are finite, and their segments."""
        x = x.clamp_min(FARTHEST)
        if self._find_exp is None:
            return x, self._exp.search(x, function)
        return x, self._find_exp.segment(x, index)

    def _log_segment(self, y: Tensor, index: Tensor, function: Tensor | None) -> Tensor:
        if self._find_log is None:
            return self._log.search(y, function)
        return self._find_log.segment(y, index)

    def dense(self, net: int) -> Dense:
        """One net as affine maps: units of exp, sums, units of log, sums."""
        receiving, sending = self.inner.shape[1:]
        like = self.inner
        eyes = [torch.eye(n, dtype=like.dtype, device=like.device) for n in (sending, receiving)]
        exp, log = self.exp_knots[net], self.log_knots[net]
        one = torch.ones_like
        first = torch.kron(eyes[0], one(exp)[:, None])
        total = torch.kron(eyes[0], self.exp_slopes[net][None])
        second = -torch.kron(eyes[1], one(log)[:, None])
        last = -torch.kron(eyes[1], self.log_slopes[net][None])
        inner = self.inner[net]
        return Dense(
            "logs",
            (
                Stage(first, -exp.repeat(sending), True),
                Stage(inner @ total, inner.sum(1) * self.exp_constant[net], False),
                Stage(second, log.repeat(receiving), True),
                Stage(last, self.log_constant[net] + self.offsets[net], False),
            ),
        )


class LogOddsNets(Nets):
    """Nets of the log-odds of two states: see :class:`ghmpp.approximation.weights.LogOddsWeights`.

    Parameters
    ----------
    weights
        The numbers.
    dtype
        Precision.
    """

    centre: Tensor
    left_knots: Tensor
    left_slopes: Tensor
    left_constant: Tensor
    right_knots: Tensor
    right_slopes: Tensor
    right_constant: Tensor
    middle: Tensor
    sign: Tensor
    offset: Tensor

    def __init__(self, weights: LogOddsWeights, dtype: torch.dtype) -> None:
        super().__init__(named(weights), dtype)

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """Messages of inputs that are finite in at least one state of each node."""
        odds = (x[:, 1:] - x[:, :1]).clamp(FARTHEST, -FARTHEST)
        odds = odds + pick(self.centre, index)
        halves = self._by_units(odds, index) if self.by_units() else self._by_lines(odds, index)
        middle = pick(self.middle, index)
        left, right = (each.relu() for each in (middle - halves[0], halves[1] - middle))
        second = pick(self.sign, index) * (middle - left + right) + pick(self.offset, index)
        return torch.cat((torch.zeros_like(second), second), 1)

    def _by_lines(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        if self.changed():
            left = [_numbers(p) for p in (self.left_knots, self.left_slopes, self.left_constant)]
            right = [
                _numbers(p) for p in (self.right_knots, self.right_slopes, self.right_constant)
            ]
            self._lines = [lines.like(x) for lines in (rising(*left), falling(*right))]
        function = None if len(self.centre) == 1 else index[:, None, :, None]
        first, second = self._lines
        return (
            first.at(x, first.search(x, function), function),
            second.at(x, second.search(x, function), function),
        )

    def _by_units(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        knots, slopes = pick_rows(self.left_knots, index), pick_rows(self.left_slopes, index)
        left = ((x[..., None] - knots).relu() * slopes).sum(-1)
        knots, slopes = pick_rows(self.right_knots, index), pick_rows(self.right_slopes, index)
        right = ((knots - x[..., None]).relu() * slopes).sum(-1)
        return (
            pick(self.left_constant, index) + left,
            pick(self.right_constant, index) - right,
        )

    def dense(self, net: int) -> Dense:
        """One net as affine maps: log-odds, units of both halves, their joint, the pair."""
        left, right = self.left_slopes[net], self.right_slopes[net]
        zero, like = torch.zeros_like, self.centre
        signs = torch.cat((torch.ones_like(left), -torch.ones_like(right)))
        first = signs[:, None] * torch.tensor([[-1.0, 1.0]], dtype=like.dtype, device=like.device)
        knots = torch.cat((self.left_knots[net], self.right_knots[net]))
        middle, sign = self.middle[net], self.sign[net]
        second = torch.stack((torch.cat((-left, zero(right))), torch.cat((zero(left), -right))))
        rest = torch.stack((middle - self.left_constant[net], self.right_constant[net] - middle))
        last = torch.stack((torch.stack((-sign, sign)) * 0, torch.stack((-sign, sign))))
        bias = torch.stack((middle * 0, sign * middle + self.offset[net]))
        return Dense(
            "logs",
            (
                Stage(first, signs * (self.centre[net] - knots), True),
                Stage(second, rest, True),
                Stage(last, bias, False),
            ),
        )


class SymbolNets(Nets):
    """Nets of observed states: see :class:`ghmpp.approximation.weights.SymbolWeights`.

    Parameters
    ----------
    weights
        The numbers.
    dtype
        Precision.
    """

    values: Tensor
    symbols = True

    def __init__(self, weights: SymbolWeights, dtype: torch.dtype) -> None:
        super().__init__(named(weights), dtype)

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """Messages of evidence that is 0 at the observed state and -inf elsewhere, or all 0."""
        symbol = observed_symbol(x)  # (ranks, parents, batch)
        picked = self.values[0] if len(self.values) == 1 else self.values[index]
        if picked.ndim == 2:
            return picked[symbol].movedim(-1, 1)
        ranks, parents = (torch.arange(n, device=x.device) for n in symbol.shape[:2])
        parents = parents if picked.shape[1] > 1 else parents * 0
        return picked[ranks[:, None, None], parents[:, None], symbol].movedim(-1, 1)

    def dense(self, net: int) -> Dense:
        """One net as affine maps of the integer: units at the integers, then sums above 0."""
        values = self.values[net]
        low = values.amin(0)
        slopes = values.diff(dim=0)
        kinks = torch.cat((slopes[:1], slopes.diff(dim=0)))
        at = torch.arange(len(slopes), dtype=values.dtype, device=values.device)
        one = torch.ones_like(at)[:, None]
        eye = torch.eye(len(low), dtype=values.dtype, device=values.device)
        return Dense(
            "symbol",
            (
                Stage(one, -at, True),
                Stage(kinks.T.contiguous(), values[0] - low, True),
                Stage(eye, low, False),
            ),
        )
