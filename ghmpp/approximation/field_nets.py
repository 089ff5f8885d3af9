"""The nets that stand for functions and products of fields, and what is proved of each alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.approximation.curves import curve, smooth
from ghmpp.approximation.knots import Broken, proved_error, widest
from ghmpp.approximation.outward import Interval, exact
from ghmpp.approximation.sawtooth import hats_for, square_error
from ghmpp.errors import CertificateError, QueryError
from ghmpp.schedule.functions import Function, FunctionName, evaluate

Range = tuple[float, float]
SQUARES: tuple[FunctionName, ...] = ("square", "one_minus_square")
EXACT: tuple[FunctionName, ...] = ("relu", "soft")
# How far beyond the values that are reached nets go on, relatively.
MARGIN = 1e-3


@dataclass(frozen=True, eq=False)
class CurveNet:
    """A piecewise-linear net of a smooth function.

    Parameters
    ----------
    name
        The function.
    net
        Its knots, values and tails.
    limit
        c of the domain [-c, c] of atanh; None elsewhere.
    """

    name: FunctionName
    net: Broken
    limit: float | None = None

    @cached_property
    def error(self) -> float:
        """The largest error on the line, or on the domain."""
        low, high = self.domain
        return proved_error(curve(self.name, self.limit), self.net, low, high)

    @property
    def domain(self) -> Range:
        """Where the error holds."""
        return (-math.inf, math.inf) if self.limit is None else (-self.limit, self.limit)

    @property
    def size(self) -> str:
        """How large, in words."""
        return f"{len(self.net.knots)} knots"

    @property
    def scale(self) -> float:
        """Largest number that is added up, which rounding scales with."""
        return float(np.abs(self.net.values).max())

    def arrays(self) -> dict[str, AnyArray]:
        """What a layer holds."""
        return {"knots": self.net.knots, "values": self.net.values, "tails": self.net.tails}


@dataclass(frozen=True, eq=False)
class SquareNet:
    """``x^2`` on [-bound, bound] by hats, or 1 minus that.

    Parameters
    ----------
    name
        "square" or "one_minus_square".
    hats
        How many.
    bound
        Largest input in size.
    """

    name: FunctionName
    hats: int
    bound: float

    @property
    def error(self) -> float:
        """The largest error on the domain."""
        return float(np.nextafter(self.bound**2, math.inf)) * square_error(self.hats)

    @property
    def domain(self) -> Range:
        """Where the error holds."""
        return -self.bound, self.bound

    @property
    def size(self) -> str:
        """How large, in words."""
        return f"{self.hats} hats"

    @property
    def scale(self) -> float:
        """Largest number that is added up."""
        return self.bound**2 + 1

    def arrays(self) -> dict[str, AnyArray]:
        """What a layer holds."""
        return {"segments": np.array(2.0**self.hats), "bound": np.array(self.bound)}


@dataclass(frozen=True, eq=False)
class ProductNet:
    """Products by hats of factors up to two bounds in size."""

    hats: int
    bounds: tuple[float, float]

    @property
    def error(self) -> float:
        """The largest error on the domain."""
        return float(np.nextafter(self.bounds[0] * self.bounds[1], math.inf)) * square_error(
            self.hats
        )

    @property
    def size(self) -> str:
        """How large, in words."""
        return f"2 x {self.hats} hats"

    @property
    def scale(self) -> float:
        """Largest number that is added up."""
        return 2 * self.bounds[0] * self.bounds[1]

    def arrays(self) -> dict[str, AnyArray]:
        """What a layer holds."""
        return {"segments": np.array(2.0**self.hats), "bounds": np.array(self.bounds)}


FieldNet: TypeAlias = CurveNet | SquareNet | ProductNet


def make_local(function: Function, width: int, reach: Range) -> CurveNet | SquareNet:
    """The net of a function for the inputs that are met.

    Raises
    ------
    QueryError
        If the function has no net, or its inputs are not bounded as it needs.
    """
    name, size = function.name, max(-reach[0], reach[1])
    if name in SQUARES:
        if not math.isfinite(size):
            raise QueryError(_unbounded(name))
        return SquareNet(name, hats_for(width), max(size, 1e-9) * (1 + MARGIN))
    if not smooth(name):
        raise QueryError(
            f"network: the family 'relu' has no net for {name}, a function of more than one "
            "number; use the family 'exact'."
        )
    if name != "atanh":
        return CurveNet(name, widest(curve(name), width))
    if not size < 1:
        raise QueryError(
            "network: atanh is not bounded for inputs up to 1, so that no net has an error; the "
            "schedule must keep them below."
        )
    limit = min(size * (1 + MARGIN), (1 + size) / 2)
    return CurveNet(name, widest(curve(name, limit), width), limit)


def make_product(name: str, width: int, sizes: tuple[float, float]) -> ProductNet:
    """The net of a product for factors up to these sizes.

    Raises
    ------
    QueryError
        If a factor is not bounded.
    """
    if not all(map(math.isfinite, sizes)):
        raise QueryError(_unbounded(f"product {name!r}"))
    first, second = (max(size, 1e-9) * (1 + MARGIN) for size in sizes)
    return ProductNet(hats_for(width), (first, second))


def _unbounded(what: str) -> str:
    return (
        f"network: {what} needs bounded inputs, and these have no bound: they follow what is "
        "observed, or noise, or grow in every round. Say how large observations are with "
        "evidence_span=, take a larger width or fewer rounds, or use the family 'exact'."
    )


def read_net(name: str, like: FieldNet, arrays: Mapping[str, AnyArray]) -> FieldNet:
    """The net that stored arrays are, in place of the one that was certified.

    Raises
    ------
    CertificateError
        If an array is missing.
    """
    missing = like.arrays().keys() - arrays.keys()
    if missing:
        raise CertificateError(
            f"certificate: {name} has no {sorted(missing)[0]} among the weights."
        )
    read = {key: np.asarray(arrays[key], dtype=np.float64) for key in like.arrays()}
    match like:
        case CurveNet(name=function, limit=limit):
            return CurveNet(function, Broken(read["knots"], read["values"], read["tails"]), limit)
        case SquareNet(name=function):
            return SquareNet(function, _hats(read), float(read["bound"]))
        case ProductNet():
            first, second = map(float, read["bounds"])
            return ProductNet(_hats(read), (first, second))


def _hats(arrays: Mapping[str, FloatArray]) -> int:
    """Hats of a number of segments, which must be a power of 2; else none, with a large error."""
    segments = float(arrays["segments"])
    whole = segments >= 2 and math.log2(segments) == int(math.log2(segments))
    return int(math.log2(segments)) if whole else -100


def image(function: Function, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Range of a function, exactly computed, for inputs between ``low`` and ``high``."""
    name = function.name
    if name in EXACT:
        ends = evaluate(function, (low,)), evaluate(function, (high,))
        return np.nextafter(ends[0], -np.inf), np.nextafter(ends[1], np.inf)
    if name in SQUARES:
        most = np.nextafter(np.maximum(low**2, high**2), np.inf)
        least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(low**2, high**2))
        least = np.nextafter(least, -np.inf)
        return (least, most) if name == "square" else (1 - most, 1 - least)
    if name in ("tanh_slope", "sigmoid_slope"):
        return np.zeros_like(low), np.full_like(low, 1.0 if name == "tanh_slope" else 0.25)
    if name == "atanh" and not (np.abs(low).max() < 1 and np.abs(high).max() < 1):
        return np.full_like(low, -np.inf), np.full_like(low, np.inf)
    found = curve(name, 0.5 if name == "atanh" else None).value_enclosure
    return found(low).lo, found(high).hi


def steepest(function: Function, low: float, high: float) -> float:
    """Lipschitz constant of a function on a range, rounded up."""
    name, size = function.name, max(-low, high)
    if name in EXACT:
        return 1.0
    if name in SQUARES:
        return 2 * size
    if name == "atanh":
        if not size < 1:
            return math.inf
        rise: Interval = 1.0 / (1.0 - exact(size) * size)
        return float(rise.hi)
    return curve(name).steepest
