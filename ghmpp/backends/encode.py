"""Evidence as likelihoods in the kernels' layout, with largest entry 1 per node.

Each function takes a class's observations in physical order, (nodes, batch) or
(nodes, batch, states), and returns a :class:`Leaf`. Likelihoods below ``e^-80`` (float32) or
``e^-700`` (float64) of the node's largest become exactly 0 in the linear domain: exponentials
that underflow are an order of magnitude slower, and their weight is below resolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import FloatArray
from ghmpp.backends.kernels import INFINITY, Kernel
from ghmpp.backends.memory import empty, room
from ghmpp.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class Grid:
    """Numeric state values, and the quickest way to find the one nearest to a position.

    Parameters
    ----------
    values
        State values, (states,).
    reach
        Largest minus smallest value.
    start, step
        First value and spacing of equispaced values (spacing 0: not equispaced).
    ordered, middle
        Values in increasing order, (states,), and the midpoints between them.
    chained
        Whether likelihoods can be built state by state: equispaced in order, and so few that
        rounding stays below what an exponential of its own would have.
    """

    values: Tensor
    reach: float
    start: float
    step: float
    ordered: Tensor
    middle: Tensor
    chained: bool

    @classmethod
    def of(cls, values: FloatArray, like: Tensor) -> Grid:
        """The grid of some state values, on the device of ``like``."""
        ordered = np.sort(values)
        steps = np.diff(ordered)
        even = steps.size > 0 and np.allclose(steps, steps[0], rtol=1e-12, atol=0)
        return cls(
            torch.tensor(values).to(like),
            float(ordered[-1] - ordered[0]),
            float(ordered[0]),
            float(steps[0]) if even else 0.0,
            torch.tensor(ordered).to(like),
            torch.tensor((ordered[1:] + ordered[:-1]) / 2).to(like),
            bool(even and (values == ordered).all() and len(values) <= LONGEST_CHAIN),
        )

    def nearest(self, z: Tensor, ratio: float) -> Tensor:
        """The state value nearest to each position ``ratio * z``."""
        if self.step == 0:
            return self.ordered[torch.bucketize((ratio * z).contiguous(), self.middle)]
        index = (z * (ratio / self.step)).sub_(self.start / self.step)
        index.round_().clamp_(0, len(self.ordered) - 1)
        return index.mul_(self.step).add_(self.start)


LONGEST_CHAIN, CHAIN_FROM = 32, 4096
FLOOR = {torch.float32: -80.0, torch.float64: -700.0}


@dataclass(frozen=True, slots=True)
class Leaf:
    """Likelihoods of a class: ``value`` (states, nodes, batch) in the kernel's domain, largest
    entry 1 per node; ``offset`` (batch,) float64, the sum of the logs of what was divided out;
    ``lost`` bounds what underflow may have dropped, relative to the largest entry.
    """

    value: Tensor
    offset: Tensor
    lost: float


def from_states(kernel: Kernel, x: Tensor, states: int, dtype: torch.dtype) -> Leaf:
    """Observed states, (nodes, batch), -1 for missing."""
    missing = x < 0
    like = torch.empty(0, dtype=dtype, device=x.device)
    value = empty(like, (states, *x.shape)).fill_(kernel.zero)
    value.scatter_(0, x.clamp(min=0).long()[None], kernel.one)
    if bool(missing.any()):
        value.masked_fill_(missing, kernel.one)
    return Leaf(value, x.new_zeros(x.shape[1], dtype=torch.float64), 0.0)


def from_likelihood(kernel: Kernel, x: Tensor, dtype: torch.dtype) -> Leaf:
    """Likelihoods (nodes, batch, states), linear, any scale."""
    x = x.movedim(-1, 0).contiguous()  # what follows runs along the batch
    least, most = x.detach().aminmax()
    if not bool((least >= 0) & (most < INFINITY)):
        raise EvidenceError("likelihoods must be finite numbers >= 0, found others.")
    largest = x.detach().amax(0)
    offset = largest.double().log().sum(0)
    divisor = torch.where(largest > 0, largest, 1.0)
    if kernel.is_log:
        # The logarithms are subtracted, because quotients underflow where logarithms do not.
        return Leaf(kernel.table(x.to(dtype)) - divisor.to(dtype).log(), offset, 0.0)
    value = torch.div(x, divisor, out=room(x, x.shape))
    return Leaf(value.to(dtype), offset, torch.finfo(dtype).tiny)


def from_log_likelihood(kernel: Kernel, x: Tensor, dtype: torch.dtype) -> Leaf:
    """Log-likelihoods (nodes, batch, states), -inf allowed."""
    x = x.movedim(-1, 0).contiguous()  # what follows runs along the batch
    largest = x.detach().amax(0)
    if not bool((largest < INFINITY).all()):
        raise EvidenceError("log-likelihoods must be finite or -inf, found NaN or +inf.")
    x = x - torch.where(largest > -INFINITY, largest, 0.0)
    return _leaf(kernel, x.to(dtype), largest.double().sum(0), float(x.detach().min()))


def from_quadratic(
    kernel: Kernel,
    z: Tensor,
    grid: Grid,
    coefficients: tuple[float, float],
    rest: Callable[[Tensor], Tensor] | None,
) -> Leaf:
    """Continuous observations (nodes, batch) with log-likelihood ``gain v z - curvature v^2/2``.

    Differences are taken to the state value nearest to the peak, so no digits cancel however
    large z is, and the largest entry is 1 without a reduction. NaN is a missing observation.

    Parameters
    ----------
    kernel
        Number domain; the dtype is that of ``z``.
    z
        Observations, (nodes, batch).
    grid
        State values, same dtype.
    coefficients
        Gain and curvature (> 0) of the channel.
    rest
        The part of the log-likelihood that no state changes, as a function of z; None leaves
        the offset out (it only serves the log evidence).
    """
    gain, curvature = coefficients
    nearest, slope = _nearest_and_slope(z, grid, coefficients)
    missing = None
    low, high = (float(end) for end in slope.detach().aminmax())
    if not math.isfinite(low + high):
        missing = torch.isnan(z.detach())
        z = torch.where(missing, 0.0, z)
        refuse_infinite(z)
        nearest, slope = _nearest_and_slope(z, grid, coefficients)
        low, high = (float(end) for end in slope.detach().aminmax())
    steepest = max(abs(low), abs(high))
    if not math.isfinite(steepest):
        raise EvidenceError(
            f"observed values up to {float(z.detach().abs().max()):g} leave the range of {z.dtype} "
            "in this channel; use dtype float64, or more noise."
        )
    offset = z.new_zeros(z.shape[1], dtype=torch.float64)
    if rest is not None:
        top = nearest.double()
        peak = top * (gain * z.double() - 0.5 * curvature * top) + rest(z)
        offset = (peak if missing is None else torch.where(missing, 0.0, peak)).sum(0)
    lowest = -grid.reach * (steepest + 0.5 * curvature * grid.reach)
    chained = grid.chained and lowest >= FLOOR[z.dtype] and z.numel() >= CHAIN_FROM
    if chained and missing is None and not kernel.is_log and not slope.requires_grad:
        return Leaf(_power_chain(grid, slope, nearest, curvature), offset, 0.0)
    values, shape = grid.values[:, None, None], (len(grid.values), *z.shape)
    step = torch.sub(values, nearest, out=room(z, shape))
    factor = torch.sub(slope, step, alpha=0.5 * curvature, out=room(z, shape))
    exponent = _product(factor, step)
    if missing is not None:
        exponent = _without(exponent, missing)
    return _leaf(kernel, exponent, offset, lowest)


def _nearest_and_slope(
    z: Tensor, grid: Grid, coefficients: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The state value nearest to the peak, and the slope of the log-likelihood there."""
    gain, curvature = coefficients
    nearest = grid.nearest(z.detach(), gain / curvature)
    return nearest, torch.sub(z, nearest, alpha=curvature / gain) * gain


def _power_chain(grid: Grid, slope: Tensor, nearest: Tensor, curvature: float) -> Tensor:
    """Likelihoods at equispaced state values: each is the one before times a changing ratio.

    The ratio itself shrinks by a constant from state to state, so two exponentials per node
    serve all states. Nothing may underflow on the way (the caller knows the lowest exponent).
    """
    first = grid.start - nearest
    bend = curvature * grid.step
    ratio = torch.sub(slope, first, alpha=curvature).sub_(0.5 * bend).mul_(grid.step).exp_()
    value = empty(slope, (len(grid.values), *slope.shape))
    states = value.unbind(0)
    torch.sub(slope, first, alpha=0.5 * curvature, out=states[0]).mul_(first).exp_()
    shrink, nothing = math.exp(-bend * grid.step), slope.new_zeros(())
    for k, (before, after) in enumerate(pairwise(states)):
        torch.addcmul(nothing, before, ratio, value=shrink**k, out=after)
    return value


def refuse_infinite(z: Tensor) -> None:
    """Refuse infinite observations; NaN is a missing one."""
    if bool(torch.isinf(z.detach()).any()):
        raise EvidenceError("observed values must be finite, or NaN where missing; found infinity.")


def _leaf(kernel: Kernel, exponent: Tensor, offset: Tensor, lowest: float) -> Leaf:
    """Leaf from log-likelihoods with largest entry 0 and no entry below ``lowest``."""
    if kernel.is_log:
        return Leaf(exponent, offset, 0.0)
    tracked = exponent.requires_grad
    floor = FLOOR[exponent.dtype]
    if lowest >= floor:
        return Leaf(exponent.exp() if tracked else exponent.exp_(), offset, 0.0)
    least = math.exp(floor)
    clamped = exponent.clamp(min=floor).exp() if tracked else exponent.clamp_(min=floor).exp_()
    value = torch.nn.functional.threshold(clamped, least * (1 + 1e-5), 0.0, inplace=not tracked)
    return Leaf(value, offset, least)


def _without(exponent: Tensor, missing: Tensor) -> Tensor:
    """Zero where an observation is missing, in the same memory where no gradient is wanted."""
    tracked = exponent.requires_grad
    return exponent.masked_fill(missing, 0.0) if tracked else exponent.masked_fill_(missing, 0.0)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Product, in the memory of the first operand where no gradient is wanted."""
    return first * second if first.requires_grad else first.mul_(second)
