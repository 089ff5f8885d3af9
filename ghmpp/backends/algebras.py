"""The numbers that a schedule can run on: two operations, their neutral elements, a division.

The reference interpreter (:mod:`ghmpp.backends.reference`) knows of numbers only what
:class:`Algebra` says. Inference in floats, exact fractions, formulas and counting are one
program over different algebras.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Protocol

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray, ObjectArray
from ghmpp.errors import QueryError
from ghmpp.schedule.ir import Semiring


class Algebra(Protocol):
    """Scalars of a run; every method works on whole arrays.

    ``times`` and ``plus`` are numpy ufuncs (so that products, sums, running products and
    segment sums are ``reduce``, ``accumulate`` and ``at``); ``one`` and ``zero`` are their
    neutral elements. *Scalars* are what messages hold, *linear numbers* what results hold.
    """

    @property
    def semiring(self) -> Semiring:
        """Whether ``plus`` adds or takes the larger."""

    @property
    def times(self) -> np.ufunc:
        """Product of scalars."""

    @property
    def plus(self) -> np.ufunc:
        """Sum of scalars (sum-product) or the larger of two (max-product)."""

    @property
    def one(self) -> float:
        """Scalar that leaves products unchanged."""

    @property
    def zero(self) -> float:
        """Scalar that leaves sums unchanged: the weight of the impossible."""

    def numbers(self, array: AnyArray) -> AnyArray:
        """The same numbers in the algebra's own type (no logarithm is taken)."""

    def lift(self, array: AnyArray) -> AnyArray:
        """Linear numbers >= 0, such as potentials, as scalars."""

    def normalize(self, array: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Scalars (..., states) with their largest divided out, and the divisors (...)."""

    def shares(self, array: AnyArray, total: AnyArray) -> AnyArray:
        """Linear numbers ``array / total``; zero where the total is zero. Shapes broadcast."""

    def choose(self, array: AnyArray, rng: np.random.Generator | None) -> IntArray:
        """Index on the last axis: of the (first) largest, or drawn in proportion with ``rng``."""


@dataclass(frozen=True, slots=True)
class LogFloat:
    """Logarithms in float64, with a true -inf for zero; no operation gives NaN.

    Parameters
    ----------
    semiring
        "sum" adds probabilities, "max" takes the larger.

    Examples
    --------
    >>> algebra = LogFloat()
    >>> probabilities = algebra.plus(np.log(0.25), np.log(0.5))
    >>> round(float(np.exp(probabilities)), 12)
    0.75
    >>> algebra.lift(np.array([1.0, 0.0]))
    array([  0., -inf])
    """

    semiring: Semiring = "sum"
    times: ClassVar[np.ufunc] = np.add
    one: ClassVar[float] = 0.0
    zero: ClassVar[float] = -np.inf

    @property
    def plus(self) -> np.ufunc:
        """Log of the sum of exponentials, or the maximum."""
        return np.logaddexp if self.semiring == "sum" else np.maximum

    def numbers(self, array: AnyArray) -> FloatArray:
        """Numbers as float64; fractions and sympy numbers are rounded."""
        return np.asarray(array, np.float64)

    def lift(self, array: AnyArray) -> FloatArray:
        """Natural logarithms; those of zeros are -inf."""
        with np.errstate(divide="ignore"):
            logs: FloatArray = np.log(self.numbers(array))
        return logs

    def normalize(self, array: AnyArray) -> tuple[FloatArray, FloatArray]:
        """Subtract the largest of each last axis; where all are -inf the divisor is -inf."""
        largest = array.max(axis=-1)
        return array - np.where(largest == -np.inf, 0.0, largest)[..., None], largest

    def shares(self, array: AnyArray, total: AnyArray) -> FloatArray:
        """Exponentials of the differences."""
        ratios: FloatArray = np.exp(array - np.where(total == -np.inf, 0.0, total))
        return ratios

    def choose(self, array: AnyArray, rng: np.random.Generator | None) -> IntArray:
        """Largest of the logarithms; with ``rng``, of the logarithms plus Gumbel noise."""
        noisy = array if rng is None else array + rng.gumbel(size=array.shape)
        best: IntArray = np.argmax(noisy, axis=-1)
        return best


@dataclass(frozen=True, slots=True)
class Exact:
    """Linear numbers of any kind with ``+``, ``*`` and ``/``, in object arrays; nothing rounds.

    Fractions give exact probabilities, sympy expressions give formulas, and integers count
    configurations. Floats stand for the fractions that they are. Nothing is rescaled, so a
    log evidence is read out as the evidence itself.

    Parameters
    ----------
    semiring
        "sum" adds; "max" takes the larger (numbers only: formulas have no order).

    Examples
    --------
    >>> algebra = Exact()
    >>> halves = algebra.lift(np.array([0.5, 1.0]))
    >>> str(halves.sum())
    '3/2'
    >>> algebra.shares(halves, halves.sum()).tolist()
    [Fraction(1, 3), Fraction(2, 3)]
    """

    semiring: Semiring = "sum"
    times: ClassVar[np.ufunc] = np.multiply
    one: ClassVar[int] = 1
    zero: ClassVar[int] = 0

    @property
    def plus(self) -> np.ufunc:
        """Sum or maximum."""
        return np.add if self.semiring == "sum" else np.maximum

    def numbers(self, array: AnyArray) -> ObjectArray:
        """The numbers themselves; floats as exact fractions."""
        return np.asarray(_EXACT(np.asarray(array, object)), object)

    def lift(self, array: AnyArray) -> ObjectArray:
        """As :meth:`numbers`: scalars are linear numbers here."""
        return self.numbers(array)

    def normalize(self, array: AnyArray) -> tuple[ObjectArray, ObjectArray]:
        """The array itself and ones."""
        return array, np.full(array.shape[:-1], self.one, object)

    def shares(self, array: AnyArray, total: AnyArray) -> ObjectArray:
        """Quotients; of two integers, their fraction."""
        return np.asarray(_SHARE(array, total), object)

    def choose(self, array: AnyArray, rng: np.random.Generator | None) -> IntArray:
        """Largest numbers.

        Raises
        ------
        QueryError
            If ``rng`` is given: exact numbers are not drawn from.
        """
        if rng is not None:
            raise QueryError("Exact: cannot sample exact numbers; run the schedule on LogFloat().")
        best: IntArray = np.argmax(array, axis=-1)
        return best


def _exact(number: object) -> object:
    """A number as an exact one."""
    if isinstance(number, (float, np.floating)):
        return Fraction(float(number))
    return int(number) if isinstance(number, (bool, np.integer, np.bool_)) else number


def _share(part: Fraction, total: Fraction) -> Fraction:
    """The quotient, or the part itself (zero) when the total is zero."""
    if total == 0:
        return part
    both_whole = isinstance(part, int) and isinstance(total, int)
    return Fraction(part, total) if both_whole else part / total


_EXACT = np.frompyfunc(_exact, 1, 1)
_SHARE = np.frompyfunc(_share, 2, 1)
