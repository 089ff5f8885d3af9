"""How strongly two tokens of a Random Hierarchy Model depend on each other."""

from __future__ import annotations

from ghmpp.errors import ModelError


def token_correlation(v: int, m: int, s: int, height: int) -> float:
    r"""Root mean square of P(a, b) - P(a) P(b) over symbols a, b and over random rules.

    .. math:: C_h = \sqrt{\frac{1 - m / v^{s-1}}{v^3 m^{2h - 1}}}

    To leading order in 1/v, for rules drawn at random (:func:`ghmpp.models.zoo.random_hierarchy`).

    Parameters
    ----------
    v, m, s
        Symbols, rules of each symbol, children of each node; ``m * v <= v**s``.
    height
        Levels between the tokens and their nearest common ancestor, h >= 1: 1 for siblings.

    Returns
    -------
    float, dimensionless

    Raises
    ------
    ModelError
        If ``height < 1``, or there are fewer tuples than rules.

    References
    ----------
    .. [1] F. Cagnetta, M. Wyart, Towards a theory of how the structure of language is acquired
       by deep neural networks, NeurIPS 2024, arXiv:2406.00048.

    Examples
    --------
    >>> round(token_correlation(32, 8, 2, 1) / token_correlation(32, 8, 2, 2), 6)
    8.0
    """
    if height < 1:
        raise ModelError(f"token_correlation: height must be at least 1, got {height!r}.")
    if min(v, m, s) < 1 or m * v > v**s:
        raise ModelError(
            f"token_correlation: needs v, m, s >= 1 with m * v <= v**s, got v={v!r}, m={m!r}, "
            f"s={s!r}."
        )
    return float(((1 - m / v ** (s - 1)) / (v**3 * m ** (2 * height - 1))) ** 0.5)
