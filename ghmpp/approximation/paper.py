r"""The widths of the paper's own theorems, to set ours against.

As printed, Theorem 3 takes :math:`D = 4 \lceil S^2 K^2 d\, 3^L / \delta \rceil` and Theorem 6
:math:`D = 4 \lceil S^3 K^2 d\, 18^L / \delta \rceil`; their proofs need :math:`S (\lceil 2 X / S
\rceil + 1) + 1` with X inside the brackets, which is more when X is small.
"""

from __future__ import annotations

import math
from fractions import Fraction

from ghmpp.models.forest import Forest


def theorem_3_width(states: int, bound: float, leaves: int, depth: int, delta: float) -> int:
    """Width for classification with error ``delta`` in log posteriors (Theorem 3, repaired).

    Parameters
    ----------
    states
        S, the largest number of states.
    bound
        K: all entries lie in [1/K, K]; finite.
    leaves, depth
        d and L.
    delta
        Error, > 0.

    Examples
    --------
    >>> theorem_3_width(2, 1.5, leaves=4, depth=2, delta=0.01)
    129600
    """
    return _width(states**2 * leaves * 3**depth, states, bound, delta)


def theorem_6_width(states: int, bound: float, leaves: int, depth: int, delta: float) -> int:
    """Width for denoising with error ``delta`` in posterior means (Theorem 6, repaired).

    Parameters
    ----------
    states, bound, leaves, depth
        As in :func:`theorem_3_width`; the states have the values 1 .. S.
    delta
        Error in the units of the values, > 0.

    Examples
    --------
    >>> theorem_6_width(2, 1.5, leaves=4, depth=2, delta=0.01)
    9331200
    """
    return _width(states**3 * leaves * 18**depth, states, bound, delta)


def _width(count: int, states: int, bound: float, delta: float) -> int:
    """Both requirements, in whole numbers, which may be larger than any float."""
    # As it is written, 0.01 is a hundredth.
    needed = count * Fraction(repr(float(bound))) ** 2 / Fraction(repr(float(delta)))
    return max(4 * math.ceil(needed), states * (math.ceil(2 * needed / states) + 1) + 1)


def largest_entry(forest: Forest) -> float:
    """The smallest K with the entries of all tables, each at its best scale, in [1/K, K].

    inf where a potential has zeros (index maps have); at least 1.
    """
    found = 1.0
    for edge in forest.edges.values():
        table = forest.data[edge.key]
        if edge.kind != "table" or table.min() <= 0:
            return math.inf
        for row in table:
            found = max(found, math.sqrt(float(row.max()) / float(row.min())))
    return found
