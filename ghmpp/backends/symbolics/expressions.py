"""Formulas of potentials as source text, in logarithms wherever that is possible.

The log of ``exp(x)`` is written as ``x``, that of a product as a sum, and that of a sum of
positive terms as ``logaddexp`` of their logs, so that large couplings do not overflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ghmpp.errors import QueryError

DIGITS = 25
# sympy's name, and that of the function in numpy, torch and C.
FUNCTIONS: Mapping[str, tuple[str, str, str]] = {
    "exp": ("np.exp", "torch.exp", "exp"),
    "log": ("log", "torch.log", "log"),
    "sin": ("np.sin", "torch.sin", "sin"),
    "cos": ("np.cos", "torch.cos", "cos"),
    "tan": ("np.tan", "torch.tan", "tan"),
    "sinh": ("np.sinh", "torch.sinh", "sinh"),
    "cosh": ("np.cosh", "torch.cosh", "cosh"),
    "tanh": ("np.tanh", "torch.tanh", "tanh"),
    "asin": ("np.arcsin", "torch.asin", "asin"),
    "acos": ("np.arccos", "torch.acos", "acos"),
    "atan": ("np.arctan", "torch.atan", "atan"),
    "Abs": ("np.abs", "torch.abs", "fabs"),
}
LANGUAGES = ("numpy", "torch", "C")


@dataclass(frozen=True)
class Printer:
    """Writes sympy expressions in one language.

    Parameters
    ----------
    language
        "numpy", "torch" or "C".
    names
        Identifiers of the symbols.
    """

    language: str
    names: Mapping[str, str]

    def number(self, value: float) -> str:
        """A constant, exactly."""
        if self.language != "C":
            return repr(value)
        if value in (float("inf"), float("-inf")):
            return "INFINITY" if value > 0 else "-INFINITY"
        return value.hex()

    def log(self, expression: Any) -> str:
        """The natural logarithm of an expression that is not negative.

        Raises
        ------
        QueryError
            If the expression has a function that the language does not have.

        Examples
        --------
        >>> import sympy
        >>> beta = sympy.Symbol("beta")
        >>> printer = Printer("numpy", {"beta": "beta"})
        >>> printer.log(sympy.exp(-beta) * 2 + sympy.exp(beta))
        'logaddexp(0.6931471805599453 - beta, beta)'
        """
        import sympy

        e = sympy.sympify(expression)
        real = {s: sympy.Symbol(s.name, real=True) for s in e.free_symbols if not s.is_real}
        return self._log(e.xreplace(real))

    def _log(self, e: Any) -> str:
        import sympy

        if not e.free_symbols:
            value = e.evalf(DIGITS)
            return self.number(
                float(sympy.log(value).evalf(DIGITS)) if value != 0 else -float("inf")
            )
        if isinstance(e, sympy.exp):
            return self.linear(e.args[0])
        if isinstance(e, sympy.cosh):
            return self._log(sympy.exp(e.args[0]) / 2 + sympy.exp(-e.args[0]) / 2)
        parts = sorted(e.args, key=sympy.default_sort_key)
        if e.is_Add and all(part.is_nonnegative for part in parts):
            text = self._log(parts[-1])
            for part in parts[-2::-1]:
                text = f"logaddexp({self._log(part)}, {text})"
            return text
        if e.is_Mul and all(part.is_nonnegative for part in parts):
            return _joined([self._log(part) for part in parts])
        if e.is_Pow and e.base.is_nonnegative:
            return f"{self._factor(e.exp)} * ({self._log(e.base)})"
        return self._call("log", [self.linear(e)])

    def linear(self, e: Any) -> str:
        """The expression itself."""
        import sympy

        if not e.free_symbols:
            value = e.evalf(DIGITS)
            if not value.is_real:
                raise QueryError(f"printed code: {e} is not a real number.")
            return self.number(float(value))
        if e.is_Symbol:
            return self.names[e.name]
        if e.is_Add:
            return _joined([self.linear(part) for part in e.args])
        if e.is_Mul:
            number, rest = e.as_coeff_Mul()
            if number == -1:
                return f"-{self._factor(rest)}"
            return " * ".join(self._factor(part) for part in e.args)
        if isinstance(e, sympy.exp):
            return self._call("exp", [self.linear(e.args[0])])
        if e.is_Pow:
            if self.language == "C":
                return f"pow({self.linear(e.base)}, {self.linear(e.exp)})"
            return f"{self._factor(e.base)} ** {self._factor(e.exp)}"
        if isinstance(e, (sympy.Max, sympy.Min)):
            return self._extreme("largest" if isinstance(e, sympy.Max) else "smallest", e.args)
        return self._call(type(e).__name__, [self.linear(part) for part in e.args])

    def _factor(self, e: Any) -> str:
        """An expression that may stand in a product or power."""
        text = self.linear(e)
        return (
            text
            if e.is_Symbol or e.is_Function or (e.is_number and e.is_nonnegative)
            else f"({text})"
        )

    def _extreme(self, name: str, parts: Any) -> str:
        *others, text = [self.linear(part) for part in parts]
        for other in others:
            text = f"{name}({other}, {text})"
        return text

    def _call(self, name: str, arguments: list[str]) -> str:
        if name not in FUNCTIONS:
            raise QueryError(
                f"printed code: {name} has no {self.language} form here; known are "
                f"{', '.join(FUNCTIONS)}, Max, Min and powers. Bind its symbols instead."
            )
        return f"{FUNCTIONS[name][LANGUAGES.index(self.language)]}({', '.join(arguments)})"


def _joined(terms: list[str]) -> str:
    """A sum in which minus signs are not doubled."""
    return " + ".join(terms).replace("+ -", "- ")
