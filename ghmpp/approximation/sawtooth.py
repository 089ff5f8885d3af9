r"""Squares and products by sawtooth functions, which few ReLU units in many layers make.

With the hat ``g(x) = 1 - |1 - 2x|`` on [0, 1] and its compositions :math:`g_m` with itself,

.. math:: s_n(x) = x - \sum_{m=1}^n 4^{-m} g_m(x), \qquad 0 \le s_n(x) - x^2 \le 2^{-2n-2},

which is attained between any two neighbours of the 2^n + 1 points at which the square is exact:
:math:`s_n` is the interpolation between them, made of 3n units. A product is a difference of
squares,

.. math:: u v = b c \left[\left(\frac{|u/b + v/c|}{2}\right)^2 - \left(\frac{|u/b - v/c|}{2}
          \right)^2\right],

so that for u in [-b, b] and v in [-c, c] its error is at most :math:`b c\, 2^{-2n-2}`.

References
----------
.. [1] D. Yarotsky, Error bounds for approximations with deep ReLU networks, Neural Networks 94
   (2017), Proposition 2.
"""

from __future__ import annotations

import math

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError

# Beyond so many hats float64 tells no neighbours apart.
MOST_HATS = 24


def hats_for(width: int) -> int:
    """How many hats give at least ``width`` segments, at least 1.

    Raises
    ------
    QueryError
        If they are more than float64 can tell apart.

    Examples
    --------
    >>> hats_for(64), hats_for(65)
    (6, 7)
    """
    hats = max(1, math.ceil(math.log2(width)))
    if hats > MOST_HATS:
        raise QueryError(
            f"network: width must be at most {2**MOST_HATS:,} for squares, got {width}."
        )
    return hats


def square_error(hats: int) -> float:
    """The largest error on [0, 1], ``2^(-2n-2)``; exact."""
    return 2.0 ** (-2 * hats - 2)


def square(x: FloatArray, hats: int) -> FloatArray:
    """The interpolated square: by its segment, as nets are used.

    Parameters
    ----------
    x
        Any shape; beyond [0, 1] the first and last segments go on.
    hats
        n, at least 1.
    """
    count = 2.0**hats
    k = np.clip(np.floor(x * count), 0, count - 1)
    found: FloatArray = ((2 * k + 1) * x - k * (k + 1) / count) / count
    return found


def square_by_hats(x: FloatArray, hats: int) -> FloatArray:
    """The same by its units, as it is defined; x in [0, 1].

    Examples
    --------
    >>> x = np.linspace(0, 1, 7)
    >>> bool(abs(square_by_hats(x, 5) - square(x, 5)).max() < 1e-15)
    True
    """
    found, tooth = x, x
    for m in range(1, hats + 1):
        # 1 - |1 - 2x| as 2 ReLU(x) - 4 ReLU(x - 1/2) + 2 ReLU(x - 1)
        tooth = (
            2 * np.maximum(tooth, 0) - 4 * np.maximum(tooth - 0.5, 0) + 2 * np.maximum(tooth - 1, 0)
        )
        found = found - tooth / 4.0**m
    return found


def product(u: FloatArray, v: FloatArray, hats: int, bounds: tuple[float, float]) -> FloatArray:
    """The product net for u in [-b, b] and v in [-c, c], with ``bounds = (b, c)``.

    Examples
    --------
    >>> bool(abs(product(np.array(2.0), np.array(-3.0), 8, (3.0, 3.0)) + 6) < 9 * square_error(8))
    True
    """
    b, c = bounds
    x, y = u / b, v / c
    both = square(np.abs(x + y) / 2, hats) - square(np.abs(x - y) / 2, hats)
    return b * c * both
