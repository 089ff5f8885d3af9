"""Entries of potentials that are kept exactly: fractions and sympy expressions.

This module is the only place of the declaration that touches sympy, and only when an expression
has reached it, so that numeric models never load sympy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Protocol, TypeAlias, TypeGuard, cast

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, ObjectArray
from ghmpp.errors import ModelError


class Expression(Protocol):
    """What we use of a sympy expression."""

    @property
    def free_symbols(self) -> set[Symbol]: ...

    @property
    def is_negative(self) -> bool | None: ...

    def xreplace(self, rule: Mapping[object, object]) -> Expression: ...

    def atoms(self, *types: type) -> set[Expression]: ...

    def evalf(self, digits: int) -> Expression: ...

    def has(self, *patterns: object) -> bool: ...

    def __float__(self) -> float: ...


class Symbol(Expression, Protocol):
    """What we use of a sympy symbol."""

    @property
    def name(self) -> str: ...

    @property
    def is_positive(self) -> bool | None: ...


Scalar: TypeAlias = Fraction | Expression

# A float in a formula is written as a fraction when its binary denominator is at most this, so
# that ``s / 2`` reads 1/2; the value is the same.
READABLE_DENOMINATOR = 1024


def is_expression(value: object) -> TypeGuard[Expression]:
    """Whether the value is a sympy object (never imports sympy)."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and isinstance(value, sympy.Basic)


def exact_scalar(value: object, place: str) -> Scalar:
    """The value as a fraction, or as a sympy expression when it is not rational.

    Floats become the fraction that they are in float64.

    Raises
    ------
    ModelError
        If the value is not a finite real number or a sympy expression; ``place`` is named.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, (bool, np.bool_)):
        return Fraction(int(value))
    if isinstance(value, (Rational, np.integer)):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, (float, np.floating, Decimal, Real)):
        number = float(value)
        if not np.isfinite(number):
            raise ModelError(f"{place}: entries must be finite, found {value}.")
        return Fraction(value) if isinstance(value, Decimal) else Fraction(number)
    if is_expression(value):
        return _rational(_readable(value), place)
    raise ModelError(
        f"{place}: expected a number or a sympy expression, found {value!r} "
        f"of type {type(value).__name__}."
    )


def exact_entries(entries: AnyArray, place: str) -> ObjectArray:
    """The array with every entry as in :func:`exact_scalar`, same shape."""
    return _map(exact_scalar, entries, place)


def symbols_of(entries: AnyArray, place: str) -> dict[str, Symbol]:
    """Free symbols of all entries by name, sorted by name.

    Raises
    ------
    ModelError
        If two different symbols have the same name.
    """
    if entries.dtype != object:
        return {}
    found: dict[str, Symbol] = {}
    for symbol in {s for value in entries.flat if is_expression(value) for s in value.free_symbols}:
        add_symbol(found, symbol, place)
    return dict(sorted(found.items()))


def add_symbol(found: dict[str, Symbol], symbol: Symbol, place: str) -> None:
    """Add a symbol to those found so far; two different ones must not share a name."""
    known = found.setdefault(symbol.name, symbol)
    if known != symbol:
        raise ModelError(
            f"{place}: two different symbols are called {symbol.name!r} (their assumptions "
            f"differ, such as positive=True); create the symbol once and use it everywhere."
        )


def substitute(entries: ObjectArray, values: Mapping[str, Scalar], place: str) -> ObjectArray:
    """The entries with bound symbols replaced by their exact values, floats made rational."""
    symbols = symbols_of(entries, place)
    rule: dict[object, object] = {
        symbol: _to_sympy(values[name]) for name, symbol in symbols.items() if name in values
    }

    def replace(value: object, place: str) -> Scalar:
        if not is_expression(value):
            return cast(Fraction, value)
        floats = {atom: _to_sympy(Fraction(float(atom))) for atom in _floats(value)}
        return _rational(value.xreplace(floats | rule), place)

    return _map(replace, entries, place, stacked=True)


def to_float(entries: ObjectArray, place: str) -> FloatArray:
    """Entries without symbols as float64, correctly rounded.

    Raises
    ------
    ModelError
        If an entry is complex, undefined or too large for float64.
    """

    def convert(value: object, place: str) -> float:
        try:
            if is_expression(value):
                return float(value.evalf(20))
            return float(cast(Fraction, value))
        except (TypeError, OverflowError) as error:
            raise ModelError(f"{place}: {value} is not a float64 number ({error}).") from None

    return np.asarray(_map(convert, entries, place, stacked=True), dtype=np.float64)


def _map(
    function: Callable[[object, str], object],
    entries: AnyArray,
    place: str,
    *,
    stacked: bool = False,
) -> ObjectArray:
    """Apply a function of entry and place to each distinct entry once; formulas often repeat.

    ``stacked`` says that the first axis counts tables, which is not named where there is one.
    """
    results = np.empty(entries.shape, dtype=object)
    seen: dict[object, object] = {}
    for position, value in enumerate(entries.astype(object).flat):
        key = value if isinstance(value, Hashable) else id(value)
        if key not in seen:
            at = tuple(map(int, np.unravel_index(position, entries.shape)))
            at = at[1:] if stacked and len(entries) == 1 else at
            seen[key] = function(value, f"{place}, entry {at}" if at else place)
        results.flat[position] = seen[key]
    return results


def _floats(value: Expression) -> set[Expression]:
    """The floating-point numbers in an expression."""
    import sympy

    return value.atoms(sympy.Float)


def _to_sympy(value: Scalar) -> object:
    import sympy

    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return value


def _readable(value: Expression) -> Expression:
    """Floats with a small binary denominator as fractions: ``exp(-x/2)``, not ``exp(-0.5*x)``."""
    rule: dict[object, object] = {}
    for atom in _floats(value):
        number = Fraction(float(atom)) if np.isfinite(float(atom)) else None
        if number is not None and number.denominator <= READABLE_DENOMINATOR:
            rule[atom] = _to_sympy(number)
    return value.xreplace(rule) if rule else value


def _rational(value: Expression, place: str) -> Scalar:
    """A sympy number as a fraction; any other expression as it is."""
    import sympy

    if isinstance(value, sympy.Rational):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, sympy.logic.boolalg.BooleanAtom):
        return Fraction(int(bool(value)))
    if value.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        raise ModelError(f"{place}: entries must be finite, found {value}.")
    if isinstance(value, sympy.Float):
        return Fraction(float(value))
    return value
