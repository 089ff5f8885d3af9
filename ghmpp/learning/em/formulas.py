"""Potentials with unbound symbols, as functions of the values of the symbols."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from ghmpp._arrays import FloatArray, IntArray, ObjectArray
from ghmpp.models.expressions import Symbol

Function = Callable[..., Sequence[float]]


class Formulas:
    """Entries and derivatives of all potentials with unbound symbols.

    Parameters
    ----------
    entries
        Stacks of expressions by potential key, in which only ``symbols`` are free.
    symbols
        The unbound symbols, in the order of the vectors of values.
    conditional
        Keys whose rows are divided by their sums: conditional probabilities of the child.
    """

    def __init__(
        self,
        entries: Mapping[str, ObjectArray],
        symbols: Sequence[Symbol],
        conditional: Collection[str],
    ) -> None:
        self.symbols = tuple(symbols)
        self.conditional = frozenset(conditional)
        self.positive = np.array([bool(symbol.is_positive) for symbol in symbols])
        distinct: dict[object, int] = {}
        self._index: dict[str, IntArray] = {}
        for key, stack in entries.items():
            places = [distinct.setdefault(entry, len(distinct)) for entry in stack.flat]
            self._index[key] = np.array(places, dtype=np.int64).reshape(stack.shape)
        self._values, self._derivatives = _compiled(tuple(distinct), self.symbols)

    def weights(self, theta: FloatArray) -> dict[str, FloatArray] | None:
        """Entries by key, linear, for values of the symbols; None where they are no potentials.

        Potentials are finite and >= 0, with a positive entry in every table (and, where rows
        are conditional, in every row).
        """
        found = _evaluated(self._values, theta)
        stacks = {key: found[index] for key, index in self._index.items()}
        if all(_allowed(stack, key in self.conditional) for key, stack in stacks.items()):
            return stacks
        return None

    def potentials(self, weights: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """The weights, where rows are conditional divided by their sums."""
        return {
            key: stack / stack.sum(-1, keepdims=True) if key in self.conditional else stack
            for key, stack in weights.items()
        }

    def slopes(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Derivatives of :meth:`weights` by key, shape (symbols, *stack)."""
        found = _evaluated(self._derivatives, theta).reshape(len(self.symbols), -1)
        return {key: found[:, index] for key, index in self._index.items()}


def _compiled(
    expressions: Sequence[object], symbols: Sequence[Symbol]
) -> tuple[Function, Function]:
    """Functions of the symbols: all expressions, and all their derivatives, symbol by symbol."""
    if not expressions:
        return _nothing, _nothing
    import sympy

    # As real numbers, so that derivatives of absolute values exist.
    real = [sympy.Dummy(s.name, real=True, positive=s.is_positive) for s in symbols]
    rule = dict(zip(symbols, real, strict=True))
    known = [sympy.sympify(expression).xreplace(rule) for expression in expressions]
    derivatives = [sympy.diff(expression, symbol) for symbol in real for expression in known]
    return (
        sympy.lambdify(real, known, modules=["numpy", "scipy"], cse=True),
        sympy.lambdify(real, derivatives, modules=["numpy", "scipy"], cse=True),
    )


def _nothing(*theta: float) -> Sequence[float]:
    return ()


def _evaluated(function: Function, theta: FloatArray) -> FloatArray:
    """Values of the function, NaN where they are not real."""
    with np.errstate(all="ignore"):
        found = np.array(function(*theta))
    if np.iscomplexobj(found):
        found = np.where(found.imag == 0, found.real, np.nan)
    return found.astype(np.float64)


def _allowed(stack: FloatArray, conditional: bool) -> bool:
    """Whether a stack has finite weights >= 0 with positive sums."""
    if not (np.isfinite(stack) & (stack >= 0)).all():
        return False
    sums = stack.sum(-1) if conditional else stack.reshape(len(stack), -1).sum(-1)
    return bool((sums > 0).all())
