"""Exact entries as JSON, and back without evaluating any text as code.

==========================  =====================================================
entry                       JSON
==========================  =====================================================
``Fraction(2, 3)``          ``"2/3"``
sympy expression            ``[head, argument, ...]``, heads from a fixed list
Integer, Rational in it     ``5``, ``"2/3"``
Symbol, Float in it         ``["Symbol", name]``, ``["Float", "p/q", bits]``
pi, E, ...; true, false     ``["constant", "pi"]``; ``true``, ``false``
==========================  =====================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeAlias, cast

from ghmpp.errors import FormatError
from ghmpp.models.expressions import Scalar, Symbol

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

CONSTANTS = ("pi", "E", "EulerGamma", "GoldenRatio")
# fmt: off
HEADS = frozenset([
    "Abs", "Add", "And", "Equality", "GreaterThan", "Heaviside", "KroneckerDelta", "LessThan",
    "Max", "Min", "Mod", "Mul", "Not", "Or", "Piecewise", "Pow", "StrictGreaterThan",
    "StrictLessThan", "Unequality", "acos", "acosh", "asin", "asinh", "atan", "atanh", "binomial",
    "ceiling", "cos", "cosh", "erf", "erfc", "exp", "factorial", "floor", "gamma", "log",
    "loggamma", "sign", "sin", "sinh", "tan", "tanh",
])
# fmt: on


def encode(value: Scalar) -> Json:
    """An exact entry as JSON.

    Raises
    ------
    FormatError
        If the expression uses a function that is not on the list.

    Examples
    --------
    >>> import sympy
    >>> encode(sympy.exp(-2 * sympy.Symbol("beta")))
    ['exp', ['Mul', -2, ['Symbol', 'beta']]]
    >>> encode(Fraction(2, 3))
    '2/3'
    """
    return str(value) if isinstance(value, Fraction) else _encode(value)


def decode(tree: Json, symbols: Mapping[str, Symbol]) -> Scalar:
    """The entry that :func:`encode` wrote.

    Parameters
    ----------
    tree
        JSON.
    symbols
        The symbols that may occur, by name.

    Raises
    ------
    FormatError
        If the JSON is not one that :func:`encode` writes.

    Examples
    --------
    >>> import sympy
    >>> decode(["exp", ["Mul", -2, ["Symbol", "beta"]]], {"beta": sympy.Symbol("beta")})
    exp(-2*beta)
    """
    if isinstance(tree, str):
        return Fraction(tree)
    return cast(Scalar, _decode(tree, symbols))


def encode_symbol(symbol: Symbol) -> dict[str, Json]:
    """What is assumed about a symbol, such as ``positive: true``."""
    return dict(cast(Any, symbol).assumptions0)


def decode_symbol(name: str, assumptions: Mapping[str, bool]) -> Symbol:
    """The symbol with this name and these assumptions."""
    import sympy

    return cast(Symbol, sympy.Symbol(name, **assumptions))


def _encode(value: Any) -> Json:
    """An expression inside an entry."""
    import sympy

    if isinstance(value, sympy.Integer):
        return int(value)
    if isinstance(value, sympy.Rational):
        return f"{value.p}/{value.q}"
    if isinstance(value, sympy.Float):
        exact = sympy.Rational(value)
        return ["Float", f"{exact.p}/{exact.q}", int(value._prec)]
    if type(value) is sympy.Symbol:
        return ["Symbol", str(value.name)]
    if value in (sympy.true, sympy.false):
        return bool(value)
    for constant in CONSTANTS:
        if value == getattr(sympy, constant):
            return ["constant", constant]
    if isinstance(value, sympy.functions.elementary.piecewise.ExprCondPair):
        return ["pair", *map(_encode, value.args)]
    head = type(value).__name__
    if head not in HEADS or value.func is not getattr(sympy, head):
        raise FormatError(
            f"a formula with {head} cannot be saved ({value}); known functions: "
            f"{', '.join(sorted(HEADS))}. Bind its symbols and give numbers instead."
        )
    return [head, *map(_encode, value.args)]


def _decode(tree: Json, symbols: Mapping[str, Symbol]) -> Any:
    """The expression inside an entry."""
    import sympy

    match tree:
        case bool():
            return sympy.true if tree else sympy.false
        case int():
            return sympy.Integer(tree)
        case str():
            return sympy.Rational(*map(int, tree.split("/")))
        case ["Symbol", str(name)] if name in symbols:
            return symbols[name]
        case ["Float", str(ratio), int(bits)]:
            exact = sympy.Rational(*map(int, ratio.split("/")))
            return sympy.Float(exact, precision=bits)
        case ["constant", str(name)] if name in CONSTANTS:
            return getattr(sympy, name)
        case ["pair", value, condition]:
            return (_decode(value, symbols), _decode(condition, symbols))
        case [str(head), *arguments] if head in HEADS:
            return getattr(sympy, head)(*(_decode(item, symbols) for item in arguments))
    raise FormatError(f"not a formula: {str(tree)[:80]}")
