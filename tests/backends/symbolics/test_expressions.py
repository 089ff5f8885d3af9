from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp

from ghmpp.backends.symbolics.expressions import Printer
from ghmpp.backends.symbolics.functions import needed
from ghmpp.errors import QueryError
from tests.backends.symbolics.printed import CC, build
from tests.tolerances import EXACT

b, p = sp.Symbol("b"), sp.Symbol("p", positive=True)
# Positive at b = -0.7, p = 0.3.
EXPRESSIONS = [
    sp.Integer(3),
    sp.sqrt(2),
    sp.exp(-2 * b),
    sp.exp(b) + sp.exp(-b),
    2 * sp.exp(b) / 3 + p**2,
    1 - p,
    p * (1 - p) * sp.exp(b / 2),
    sp.cosh(b),
    p ** sp.Rational(3, 2) / (1 + p),
    sp.Max(p, sp.exp(b)),
    sp.Min(p, -b),
    sp.Abs(b) + sp.tanh(p) ** 2,
    (1 + b**2) ** (-b),
    1 + sp.sin(b) * sp.cos(p) / 2,
    sp.log(1 + p),
    sp.exp(sp.exp(b)),
    -b,
]
AT = {"b": -0.7, "p": 0.3}
NAMES = {"b": "b", "p": "p"}


def truth(expression: sp.Expr) -> float:
    """The log, in 40 digits."""
    with mpmath.workdps(40):
        return float(mpmath.log(mpmath.mpf(expression.evalf(40, subs={b: AT["b"], p: AT["p"]}))))


def evaluated(language: str, text: str, at: dict[str, float]) -> float:
    import torch

    module = {"numpy": "import numpy as np", "torch": "import torch"}[language]
    source = "\n".join([module, "inf = float('inf')", *needed(language, text), f"result = {text}"])
    numbers = {name: torch.tensor(x, dtype=torch.float64) for name, x in at.items()}
    space: dict[str, object] = dict(numbers if language == "torch" else at)
    exec(source, space)
    return float(space["result"])  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["numpy", "torch"])
@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_logs_of_expressions_in_python(expression, language):
    text = Printer(language, NAMES).log(expression)

    assert evaluated(language, text, AT) == pytest.approx(truth(expression), rel=EXACT, abs=EXACT)


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_logs_of_expressions_in_c(tmp_path):
    printer = Printer("C", NAMES)
    entries = ", ".join(map(printer.log, EXPRESSIONS))
    size = len(EXPRESSIONS)
    main = (
        f"void all(double b, double p, double *out)\n{{\n    double x[] = {{{entries}}};\n"
        f"    for (int i = 0; i < {size}; i++) out[i] = x[i];\n}}\n"
    )
    source = "\n\n".join(["#include <math.h>", *needed("C", main), main])
    library, found = build(tmp_path, {"logs": source}), np.empty(size)
    import ctypes

    pointer = found.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    library.all(*(ctypes.c_double(AT[name]) for name in ("b", "p")), pointer)
    np.testing.assert_allclose(found, [truth(each) for each in EXPRESSIONS], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("language", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (sp.exp(b) + sp.exp(-b), 1e3),
        (sp.cosh(b), 1e3 - np.log(2)),
        (3 * sp.exp(-b) * (1 + sp.exp(b)), np.log(3)),
    ],
    ids=str,
)
def test_large_couplings_do_not_overflow(expression, expected, language):
    text = Printer(language, NAMES).log(expression)

    assert evaluated(language, text, {"b": 1e3}) == pytest.approx(expected, rel=EXACT)


def test_zero_is_minus_infinity():
    assert Printer("numpy", {}).log(sp.Integer(0)) == "-inf"
    assert Printer("C", {}).log(sp.Integer(0)) == "-INFINITY"


def test_numbers_in_c_are_exact():
    assert float.fromhex(Printer("C", {}).log(sp.Rational(1, 3))) == float(
        sp.log(sp.Rational(1, 3))
    )


@pytest.mark.parametrize("language", ["numpy", "torch", "C"])
def test_unknown_functions_are_refused_with_those_known(language):
    with pytest.raises(QueryError, match=rf"zeta has no {language} form .* known are exp, log"):
        Printer(language, NAMES).log(sp.zeta(b))


def test_complex_numbers_are_refused():
    with pytest.raises(QueryError, match="is not a real number"):
        Printer("numpy", NAMES).log(1 + b * sp.I)
