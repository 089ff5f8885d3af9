"""A result of the paper as a formula: numbers in, a number out, and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from numbers import Rational, Real
from typing import TYPE_CHECKING, Literal

from ghmpp.errors import QueryError

if TYPE_CHECKING:
    import sympy

Status = Literal["as stated", "corrected", "reconstructed", "not used"]

# What each letter stands for; all are > 0. Letters in WHOLE are whole numbers.
LETTERS: Mapping[str, str] = {
    "A": "log is approximated on [1/A, A]",
    "A_p": "constant of a covering number",
    "B": "bound on the operator norms of the weights, >= 1",
    "B_p": "diameter of an index set",
    "C": "a constant that the paper leaves open",
    "D": "width of the hidden layers",
    "Delta": "radius of the balls of a cover",
    "K": "entries of the tables lie in [1/K, K]",
    "L": "depth",
    "S": "states",
    "d": "leaves",
    "d_p": "dimension of an index set",
    "delta": "error",
    "epsilon": "root of the wished D_2^2",
    "eta": "probability of failure",
    "m": "children per node",
    "m_1": "children per node, summed over the levels",
    "n": "samples",
    "r": "radius of a ball",
    "sigma": "sub-Gaussian parameter of a value",
    "sigma_prime": "sub-Gaussian parameter of a difference, per distance",
    "z": "largest modulus of the noisy values",
}
WHOLE = frozenset({"D", "L", "S", "d", "m", "m_1", "n"})
_LATEX = {"m_1": r"\lVert \underline{m} \rVert_1", "sigma_prime": r"\sigma'", "Delta": r"\Delta"}


@dataclass(frozen=True, slots=True)
class Result:
    """One result of arXiv:2404.18444.

    Parameters
    ----------
    name
        Its name there.
    quantity
        What the formula gives, in words.
    formula
        In the letters of :data:`LETTERS`, as sympy reads it; repaired where it was wrong.
    status
        Whether the formula is the printed one.
    erratum
        What was wrong, or how it was reconstructed; empty if nothing.
    printed
        The printed formula, where another one is right.
    assumes
        When it holds.

    Examples
    --------
    >>> flat = Result("Lemma 4", "squared distance", "(exp(delta) - 1)**2")
    >>> round(flat.value(delta=0.1), 6)
    0.011061
    >>> print(flat.latex())
    \\left(e^{\\delta} - 1\\right)^{2}
    """

    name: str
    quantity: str
    formula: str
    status: Status = "as stated"
    erratum: str = ""
    printed: str = ""
    assumes: str = "Assumptions 1 and 2"

    @property
    def expression(self) -> sympy.Expr:
        """The formula as a sympy expression."""
        return _read(self.formula)

    @property
    def printed_expression(self) -> sympy.Expr:
        """The formula as the paper prints it; the same where it is right."""
        return _read(self.printed or self.formula)

    @property
    def letters(self) -> tuple[str, ...]:
        """Letters of the formula, in alphabetical order."""
        return tuple(sorted(str(symbol) for symbol in self.expression.free_symbols))

    def value(self, **numbers: float) -> float:
        """The formula at given numbers: a float, or an int where it is whole.

        Decimals are read as they are written: 0.01 is a hundredth.

        Parameters
        ----------
        numbers
            One for each letter, > 0.

        Raises
        ------
        QueryError
            If a letter is missing or unknown, or a number is not finite and > 0.
        """
        import sympy

        self._check(numbers)
        found = self.expression.subs(
            {_symbol(name): _exact(number) for name, number in numbers.items()}
        )
        return int(found) if found.is_Integer else float(sympy.N(found))

    def latex(self) -> str:
        """The formula in LaTeX, with the paper's letters."""
        import sympy

        names = {_symbol(letter): written for letter, written in _LATEX.items()}
        text: str = sympy.latex(self.expression, symbol_names=names)
        return text

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _check(self, numbers: Mapping[str, float]) -> None:
        where, letters = f"{self.name} ({self.quantity})", self.letters
        missing = [letter for letter in letters if letter not in numbers]
        if missing:
            means = "; ".join(f"{letter}: {LETTERS[letter]}" for letter in missing)
            raise QueryError(f"{where}: value needs {means}.")
        if unknown := [name for name in numbers if name not in letters]:
            raise QueryError(f"{where}: unknown {unknown[0]!r}; it has {', '.join(letters)}.")
        for name, number in numbers.items():
            numeric = isinstance(number, Real) and not isinstance(number, bool)
            if not (numeric and 0 < number < math.inf):
                raise QueryError(f"{where}: {name} must be finite and > 0, got {number!r}.")
            if name in WHOLE and number != int(number):
                raise QueryError(f"{where}: {name} must be a whole number, got {number!r}.")


def _symbol(name: str) -> sympy.Symbol:
    import sympy

    whole = {"integer": True} if name in WHOLE else {}
    return sympy.Symbol(name, positive=True, **whole)


@lru_cache(maxsize=256)
def _read(formula: str) -> sympy.Expr:
    import sympy

    return sympy.sympify(formula, locals={name: _symbol(name) for name in LETTERS})


def _exact(number: float) -> sympy.Rational:
    import sympy

    exact = number if isinstance(number, Rational) else Fraction(repr(float(number)))
    return sympy.Rational(int(exact.numerator), int(exact.denominator))
