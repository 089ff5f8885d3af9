"""How large formulas are, counted before anything is expanded.

A term is what :func:`sympy.expand` would write between two plus signs. Terms are counted by a run
of the reference interpreter on scalars that only know which terms they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.symbolic import Assignment
from ghmpp.schedule.ir import Readout

if TYPE_CHECKING:
    import sympy

# Products of two terms that are formed for one entry; beyond, only a bound is known.
MOST_PRODUCTS = 50_000
# Bits for the exponent of one symbol.
DIGIT = 40

Powers = Mapping[object, Fraction]


class TooManyTermsError(Exception):
    """More terms than are counted one by one."""


def merged(assignments: Iterable[Assignment]) -> tuple[Assignment, ...]:
    """Assignments without repetition: what is equal is written once and then referred to.

    Nodes that see equal evidence through equal potentials send equal messages, so that a regular
    model whose leaves are all seen alike needs one message per level. Results keep their names.

    Parameters
    ----------
    assignments
        In an order in which names are assigned before they are used.

    Returns
    -------
    tuple of Assignment
        In the same order; copies of other names are left out, unless they are results.
    """
    import sympy

    known: dict[object, sympy.Expr] = {}
    stands_for: dict[sympy.Symbol, sympy.Expr] = {}
    kept: list[Assignment] = []
    for each in assignments:
        expression = each.expression.xreplace(stands_for)
        value = expression if expression.is_Atom else known.get(expression)
        if value is not None:
            stands_for[sympy.Symbol(each.name)] = expression = value
        else:
            known[expression] = sympy.Symbol(each.name)
        if value is None or isinstance(each.op, Readout):
            kept.append(replace(each, expression=expression))
    return tuple(kept)


def operation_count(assignments: Iterable[Assignment]) -> int:
    """Additions, multiplications, divisions, powers and functions on all right-hand sides.

    A power counts once, whatever its exponent.

    Examples
    --------
    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> operation_count([Assignment("a", x * y + 1, None), Assignment("b", y**3, None)])
    3
    """
    return sum(int(each.expression.count_ops()) for each in assignments)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """The terms of a polynomial without their coefficients: a scalar of reference runs.

    A term is one integer, the sum of ``exponent * 2**(DIGIT * position of the symbol)``, so that
    products of terms are sums of integers. Numbers stand for the term without symbols.
    """

    codes: frozenset[int]

    def __add__(self, other: object) -> Terms:
        return Terms(self.codes | _codes(other))

    def __mul__(self, other: object) -> Terms:
        more = _codes(other)
        if len(self.codes) * len(more) > MOST_PRODUCTS:
            raise TooManyTermsError
        return Terms(frozenset(a + b for a in self.codes for b in more))

    __radd__, __rmul__ = __add__, __mul__


ONE = frozenset([0])


def _codes(scalar: Any) -> frozenset[int]:
    """Terms of a scalar; of a number, one or none."""
    if isinstance(scalar, Terms):
        return scalar.codes
    return ONE if scalar != 0 else frozenset()


def term_count(scalar: object) -> int:
    """Number of terms of a scalar; of a number other than zero, one."""
    return len(_codes(scalar))


def term_sets(arrays: Mapping[str, AnyArray]) -> dict[str, ObjectArray]:
    """Arrays of sympy expressions or exact numbers as arrays of :class:`Terms`.

    Exponents may be rational; ``exp(-4*beta)`` is a power of ``exp(beta)``.
    """
    powers = {
        name: [_powers_of_terms(entry) for entry in array.flat] for name, array in arrays.items()
    }
    every = [each for entries in powers.values() for terms in entries for each in terms]
    symbols = dict.fromkeys(base for each in every for base in each)
    whole = lcm(*(exponent.denominator for each in every for exponent in each.values()))
    shift = {base: DIGIT * position for position, base in enumerate(symbols)}

    def coded(each: Powers) -> int:
        return sum(int(exponent * whole) << shift[base] for base, exponent in each.items())

    found: dict[str, ObjectArray] = {}
    for name, array in arrays.items():
        found[name] = np.empty(array.shape, object)
        for position, terms in enumerate(powers[name]):
            found[name].flat[position] = Terms(frozenset(map(coded, terms)))
    return found


def term_numbers(arrays: Mapping[str, AnyArray]) -> dict[str, ObjectArray]:
    """For each entry the number of its terms: products of these bound the terms of a result."""
    counted = np.frompyfunc(term_count, 1, 1)
    sets = term_sets(arrays)
    return {name: np.asarray(counted(array), object) for name, array in sets.items()}


def _powers_of_terms(entry: Any) -> list[Powers]:
    """Exponents by base of every term of an expression; coefficients are left out."""
    import sympy

    expanded = _expand(sympy.sympify(entry))
    if expanded.is_zero:
        return []
    return [_powers(term) for term in sympy.Add.make_args(expanded)]


@cache
def _expand(expression: sympy.Expr) -> sympy.Expr:
    return expression.expand()


def _powers(term: sympy.Expr) -> Powers:
    """Exponents by base of one product."""
    import sympy

    found: dict[object, Fraction] = {}
    for factor in sympy.Mul.make_args(term):
        if not factor.free_symbols:
            continue
        base, exponent = factor.as_base_exp()
        number, rest = exponent.as_coeff_Mul()
        if not number.is_Rational:
            number, rest = sympy.S.One, exponent
        key = base**rest
        found[key] = found.get(key, Fraction(0)) + Fraction(int(number.p), int(number.q))
    return found
