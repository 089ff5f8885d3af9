r"""A message as a network of two hidden ReLU layers, and the proved error of it.

``l(sum_j Psi_ij p(h_j))`` with the nets p for exp and l for log; the matrix between the hidden
layers stays factored, so a net of width D has of the order of S D numbers and not D squared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.approximation.gaps import log_gap
from ghmpp.approximation.kernels import Kernel
from ghmpp.approximation.log_odds import LARGEST_BEND, LogOddsNet, log_odds_error
from ghmpp.approximation.paper_nets import LemmaSizes, UniformExpNet
from ghmpp.approximation.piecewise import ExpNet, LogNet
from ghmpp.approximation.symbols import SymbolNet, exact_symbols

# "tight" is ours; "paper" is that of arXiv:2404.18444, Lemmas 8 to 16, repaired.
Construction = Literal["tight", "paper"]
NetKind = Literal["exp-log", "log-odds", "paper", "paper-symbols"]
# Unit roundoff; "real" leaves the floating-point term out.
ROUNDOFF = {"real": 0.0, "float64": 2.0**-53, "float32": 2.0**-24}
SMALLEST_REACH = 1e-9
# Beyond it, e^-reach comes close to what float64 cannot hold.
LARGEST_REACH = 600.0
# Wider nets have the same error in float64.
_LARGEST_COUNT = 10**300


@dataclass(frozen=True, slots=True)
class Sized:
    """Sizes of a net and what they guarantee, without its weights.

    Parameters
    ----------
    kind
        Construction.
    segments
        Chords of (exp, log), or of the log-odds function and 0.
    widths
        Units of the two hidden layers, with the shared constant unit; the paper's have idle ones.
    error
        Bound on the span of (net - exact message), for all inputs of the domain, in exact
        arithmetic; dimensionless.
    floating
        What rounding may add, to first order.
    """

    kind: NetKind
    segments: tuple[int, int]
    widths: tuple[int, int]
    error: float
    floating: float


def size_net(
    kernel: Kernel,
    reach: float,
    width: int,
    *,
    roundoff: float = 0.0,
    terms: int = 1,
    two_state: bool = True,
    construction: Construction = "tight",
    symbols: bool = False,
) -> Sized | None:
    r"""The best net of at most ``width`` units per hidden layer; None if none is that narrow.

    The error of every coordinate lies in :math:`[-\delta_1, \log(1 + \kappa)]`, so its span is at
    most :math:`\delta_1 + \log(1 + \kappa)` (sharpens Lemmas 11 and 13 of arXiv:2404.18444).

    Parameters
    ----------
    kernel
        Potential and direction; neither a gather nor constant.
    reach
        Largest span of the input; inf where unbounded, and then ``kernel`` must be positive.
    width
        Units per hidden layer.
    roundoff
        Unit roundoff of the arithmetic; 0 for exact.
    terms
        Number of vectors that were added up to the input.
    two_state
        Whether the log-odds construction may be used between two-state variables.
    construction
        "paper" for the net that Lemma 13 takes in a layer of this width, for any reach.
    symbols
        Whether the paper's net is that of Lemma 15, for observed states.
    """
    if construction == "paper":
        return _size_paper(kernel, width, roundoff, terms, symbols)
    reach = _domain(reach)
    if math.isinf(reach) and not kernel.positive:
        return None  # a wider layer before it, of smaller error, may not reach as far
    found = _size_exp_log(kernel, reach, width, roundoff, terms)
    bend = kernel.diameter / 2
    if not (two_state and kernel.shape == (2, 2) and bend < LARGEST_BEND and width >= 3):
        return found
    low, high = log_odds_domain(kernel, reach)
    error = log_odds_error(width - 1, bend, low, high)
    floating = log_odds_rounding(roundoff, width, bend, terms)
    if found is not None and found.error + found.floating <= error + floating:
        return found
    return Sized("log-odds", (width - 1, 0), (width, 3), error, floating)


def _size_exp_log(
    kernel: Kernel, reach: float, width: int, roundoff: float, terms: int
) -> Sized | None:
    receiving, sending = kernel.shape
    exp, log = (width - 1) // sending, (width - 1) // receiving
    if min(exp, log) < 1:
        return None
    grown, start = _exp_error(exp, kernel.log_ratio, reach)
    log_range = float(np.log(kernel.sums / row_lows(kernel, reach, start)).max())
    lost = log_gap(log_range / log) * (1 + 1e-12)
    offsets = float(np.ptp(np.log(row_lows(kernel, reach, start))))
    units = exp + log + sending
    floating = exp_log_rounding(roundoff, units, terms, start, log_range, offsets)
    widths = (sending * exp + 1, receiving * log + 1)
    return Sized("exp-log", (exp, log), widths, grown + lost, floating)


def exp_log_rounding(
    roundoff: float, units: int, terms: int, start: float, log_range: float, offsets: float
) -> float:
    """Span error that rounding adds to a net for exp and log, to first order.

    Parameters
    ----------
    roundoff, terms
        As for :func:`size_net`.
    units
        Numbers that are added up on the way of one input: units of exp and of log, and states.
    start, log_range, offsets
        First knot of exp, log of the range of the sums, and span of the offsets.
    """
    steps = units + 12 + 2 * terms * abs(start)
    return 2 * roundoff * (steps * (1 + log_range) + offsets)


def log_odds_rounding(roundoff: float, width: int, bend: float, terms: int) -> float:
    """Span error that rounding adds to a net of the log-odds, to first order."""
    return 2 * roundoff * (width + 8 + 4 * bend) * (1 + bend) * (1 + terms)


def _size_paper(
    kernel: Kernel, width: int, roundoff: float, terms: int, symbols: bool
) -> Sized | None:
    """The net of Lemma 13, or of Lemma 15, with its error by our formulas: at most the paper's."""
    if not kernel.positive or width < 2 * max(kernel.shape) + 1:
        return None
    sizes = lemma_sizes(kernel, width)
    if symbols:
        log = sizes.leaf_log
        floating = 2 * roundoff * (log.segments + 12) * (1 + 2 * math.log(log.bound))
        return Sized("paper-symbols", (0, log.segments), (width, width), log.error, floating)
    exp, log = sizes.exp, sizes.log
    steps = exp.steps + log.segments + kernel.shape[1] + 12 + 2 * terms * math.log(exp.steps)
    floating = 2 * roundoff * steps * (1 + 2 * math.log(log.bound))
    error = exp.growth(kernel.log_ratio) + log.error
    return Sized("paper", (exp.steps - 1, log.segments), (width, width), error, floating)


def lemma_sizes(kernel: Kernel, width: int) -> LemmaSizes:
    """The paper's nets for a table without zeros, at its best scale."""
    low, high = _entries(kernel)
    return LemmaSizes(max(kernel.shape), math.sqrt(high / low), min(width, _LARGEST_COUNT))


def _entries(kernel: Kernel) -> tuple[float, float]:
    """Smallest and largest entry of a table."""
    assert kernel.weights is not None
    return float(kernel.weights.min()), float(kernel.weights.max())


@lru_cache(maxsize=65536)
def _exp_error(segments: int, log_ratio: float, reach: float) -> tuple[float, float]:
    """Error of an exp net, and its first knot."""
    net = ExpNet(segments, log_ratio, reach)
    return net.error, float(net.knots[0])


def _domain(reach: float) -> float:
    """The reach that a net is made for."""
    return math.inf if reach > LARGEST_REACH else max(reach, SMALLEST_REACH)


def row_lows(kernel: Kernel, reach: float, start: float) -> FloatArray:
    """Smallest weighted sum of each row: one entry of p is 1, the others at least its least."""
    least = math.exp(max(-reach, start))
    found: FloatArray = (1 - least) * kernel.least + least * kernel.sums
    return found


def log_odds_domain(kernel: Kernel, reach: float) -> tuple[float, float]:
    """Range of the centred log-odds of inputs of span ``reach``."""
    centre = _centre(kernel)
    return centre - reach, centre + reach


def _centre(kernel: Kernel) -> float:
    """Shift of the log-odds that centres them."""
    assert kernel.weights is not None
    logs = np.log(kernel.weights)
    return float(logs[:, 1].sum() - logs[:, 0].sum()) / 2


@dataclass(frozen=True, slots=True, eq=False)
class ExpLogNet:
    """The net of two layers; call it on inputs of any maximum, shape (..., sending states)."""

    kernel: Kernel
    exp: ExpNet | UniformExpNet
    log: LogNet
    lows: FloatArray

    def __call__(self, h: FloatArray) -> FloatArray:
        """The message up to its exact shift, (..., receiving states), by segment index."""
        top = h.max(axis=-1, keepdims=True)
        total = self.kernel.total(self.exp(h - top)) / self.lows
        found: FloatArray = self.log(total) + np.log(self.lows) + top
        return found

    def dense(self, h: FloatArray, dtype: type[np.floating] = np.float64) -> AnyArray:
        """The same by its ReLU units, every operation in ``dtype``; normalised, maximum 0."""
        at = h.astype(dtype)
        p = self.exp.units()(at - at.max(axis=-1, keepdims=True), dtype)
        assert self.kernel.weights is not None
        scaled = (self.kernel.weights / self.lows[:, None]).astype(dtype)
        offsets = np.log(self.lows) - np.log(self.lows).max()
        found: AnyArray = self.log.units()(p @ scaled.T, dtype) + offsets.astype(dtype)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class TwoStateNet:
    """The net of a message between two-state variables, by log-odds."""

    net: LogOddsNet
    centre: float
    offset: float
    turned: bool

    def __call__(self, h: FloatArray) -> FloatArray:
        """The message with first entry 0: (..., 2) -> (..., 2)."""
        return self._pair(self.net(h[..., 1] - h[..., 0] + self.centre))

    def dense(self, h: FloatArray, dtype: type[np.floating] = np.float64) -> AnyArray:
        """The same by its ReLU units, every operation in ``dtype``."""
        at = h.astype(dtype)
        return self._pair(self.net.dense(at[..., 1] - at[..., 0] + dtype(self.centre), dtype))

    def _pair(self, odds: AnyArray) -> AnyArray:
        second = odds * odds.dtype.type(-1 if self.turned else 1) + odds.dtype.type(self.offset)
        return np.stack([np.zeros_like(second), second], axis=-1)


Net: TypeAlias = ExpLogNet | TwoStateNet | SymbolNet


def make_net(kernel: Kernel, reach: float, sized: Sized) -> Net:
    """The net that :func:`size_net` described: ``h (..., sending) -> (..., receiving)``.

    It has a method ``dense`` that evaluates the ReLU units themselves. A net for observed states
    takes integers instead.
    """
    if sized.kind in ("paper", "paper-symbols"):
        return _make_paper(kernel, sized)
    reach = _domain(reach)
    if sized.kind == "log-odds":
        assert kernel.weights is not None
        logs = np.log(kernel.weights)
        offset = float(logs[1].sum() - logs[0].sum()) / 2
        turned = bool(logs[1, 1] - logs[0, 1] < logs[1, 0] - logs[0, 0])
        odds = LogOddsNet(sized.segments[0], kernel.diameter / 2, *log_odds_domain(kernel, reach))
        # A table that turns the order of states sends -phi.
        return TwoStateNet(odds, _centre(kernel), offset, turned)
    exp = ExpNet(sized.segments[0], kernel.log_ratio, reach)
    lows = row_lows(kernel, reach, float(exp.knots[0]))
    log_range = float(np.log(kernel.sums / lows).max())
    return ExpLogNet(kernel, exp, LogNet(sized.segments[1], log_range), lows)


def _make_paper(kernel: Kernel, sized: Sized) -> ExpLogNet | SymbolNet:
    r"""The net of Lemma 14, or of Lemma 16 at the integers.

    With the table at its best scale, :math:`\bar\Psi = \Psi / c` in [1/K, K], Lemma 14 is
    :math:`l(\bar\Psi p(h)) = l'(A \bar\Psi p(h)) - \log A`, l' the same net on [1, A^2].
    """
    sizes = lemma_sizes(kernel, sized.widths[0])
    low, high = _entries(kernel)
    scale = math.sqrt(low * high)
    if sized.kind == "paper":
        lows = np.full(kernel.shape[0], scale / sizes.log.bound)
        return ExpLogNet(kernel, sizes.exp, sizes.log.scaled, lows)
    logs = exact_symbols(kernel).logs.copy()  # the paper has no missing symbols: exact
    assert kernel.weights is not None
    logs[:-1] = sizes.leaf_log(kernel.weights.T / scale) + math.log(scale)
    return SymbolNet(logs)
