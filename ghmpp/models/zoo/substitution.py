"""Substitution processes: how a state changes along a branch of a phylogeny."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, read_only
from ghmpp.errors import ModelError

BASES = ("A", "C", "G", "T")
"""The states of DNA, in the order of all tables; A and G are purines, C and T pyrimidines."""

# Shares of rates and probabilities up to which they count as equal.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Substitution:
    """A stationary Markov process in continuous time on the states of a site.

    Made by :func:`substitution`, :func:`jc69`, :func:`k80`, :func:`f81` and :func:`hky85`.

    Parameters
    ----------
    name
        Name in reports.
    states
        State names.
    rates
        The matrix Q, shape (states, states), axes (from, to): rates >= 0 apart from the diagonal,
        rows sum to 0; one substitution is expected in a unit of branch length.
    frequencies
        Stationary distribution, shape (states,), positive, sums to 1.
    """

    name: str
    states: tuple[Hashable, ...]
    rates: FloatArray
    frequencies: FloatArray

    @property
    def reversible(self) -> bool:
        """Whether the process looks the same backwards in time (detailed balance)."""
        flow = self.frequencies[:, None] * self.rates
        return bool(np.abs(flow - flow.T).max() <= ROUNDING * np.abs(flow).max())

    def transition(self, length: float, rate: float = 1.0) -> FloatArray:
        """Probabilities of the state at the end of a branch, ``expm(Q * rate * length)``.

        Parameters
        ----------
        length
            Of the branch, in expected substitutions per site, finite and >= 0.
        rate
            Factor on all rates, finite and >= 0.

        Returns
        -------
        array of shape (states, states), axes (at the start, at the end), rows sum to 1

        Raises
        ------
        ModelError
            If length or rate is negative or not finite.

        Examples
        --------
        >>> jc69().transition(0.1)[0].round(4)
        array([0.9064, 0.0312, 0.0312, 0.0312])
        """
        from scipy.linalg import expm

        if not (np.isfinite(length) and length >= 0 and np.isfinite(rate) and rate >= 0):
            raise ModelError(
                f"{self.name}: branch length and rate must be finite and >= 0, got length="
                f"{length!r}, rate={rate!r}."
            )
        # Rounding may leave what is 0 slightly negative, and rows slightly off 1.
        table: FloatArray = np.maximum(expm(self.rates * (length * rate)), 0.0)
        table /= table.sum(axis=1, keepdims=True)
        return table

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{state}: {share:.3g}"
            for state, share in zip(self.states, self.frequencies, strict=True)
        )
        return f"Substitution {self.name}, {shares}"


def substitution(
    rates: ArrayLike, *, states: Sequence[Hashable] = BASES, name: str = "substitution"
) -> Substitution:
    """A process from any rates, scaled to one expected substitution per unit of branch length.

    Parameters
    ----------
    rates
        Shape (states, states), axes (from, to), >= 0 and finite, any scale; the diagonal is not
        read. Every state must be reachable from every other.
    states
        State names.
    name
        Name in reports.

    Raises
    ------
    ModelError
        If the shape is wrong, a rate is negative or not finite, or the states do not communicate.

    Examples
    --------
    >>> wheel = substitution([[0, 2, 0], [0, 0, 1], [1, 0, 0]], states="abc")
    >>> wheel.frequencies, wheel.reversible
    (array([0.2, 0.4, 0.4]), False)
    """
    from scipy.sparse.csgraph import connected_components

    matrix = np.array(rates, dtype=np.float64)
    count = len(states)
    if matrix.shape != (count, count) or count < 2:
        raise ModelError(
            f"{name}: rates must have shape ({count}, {count}), axes (from, to), for the states "
            f"{tuple(states)}, at least 2 of them; got shape {matrix.shape}."
        )
    np.fill_diagonal(matrix, 0.0)
    if not (np.isfinite(matrix).all() and matrix.min() >= 0):
        raise ModelError(f"{name}: rates between states must be finite and >= 0.")
    if connected_components(matrix > 0, connection="strong")[0] > 1:
        raise ModelError(f"{name}: some state can never be reached from another; add a rate.")
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    frequencies = _stationary(matrix)
    expected = -float(frequencies @ np.diag(matrix))
    return Substitution(name, tuple(states), read_only(matrix / expected), read_only(frequencies))


def jc69() -> Substitution:
    r"""Jukes and Cantor (1969): all bases and all substitutions alike.

    .. math:: P_{ij}(t) = \tfrac14 + (1_{i=j} - \tfrac14) e^{-4t/3}

    Examples
    --------
    >>> jc69()
    Substitution JC69, A: 0.25, C: 0.25, G: 0.25, T: 0.25
    """
    return _exchange("JC69", 1.0, np.full(4, 0.25))


def k80(kappa: float) -> Substitution:
    """Kimura (1980): transitions (A-G, C-T) ``kappa`` times as fast as transversions.

    Raises
    ------
    ModelError
        If ``kappa`` is not positive and finite.

    Examples
    --------
    >>> k80(2.0).rates[0]
    array([-1.  ,  0.25,  0.5 ,  0.25])
    """
    return _exchange("K80", kappa, np.full(4, 0.25))


def f81(frequencies: ArrayLike) -> Substitution:
    r"""Felsenstein (1981): a base is replaced by one drawn from the base frequencies.

    .. math:: P_{ij}(t) = \pi_j + (1_{i=j} - \pi_j) e^{-\beta t},
              \quad \beta = 1 / (1 - \textstyle\sum_i \pi_i^2)

    Parameters
    ----------
    frequencies
        Of A, C, G and T, shape (4,), positive; divided by their sum.

    Raises
    ------
    ModelError
        If the frequencies are not four positive numbers.

    Examples
    --------
    >>> f81([4, 1, 1, 4])
    Substitution F81, A: 0.4, C: 0.1, G: 0.1, T: 0.4
    """
    return _exchange("F81", 1.0, _frequencies("F81", frequencies))


def hky85(kappa: float, frequencies: ArrayLike) -> Substitution:
    """Hasegawa, Kishino and Yano (1985): base frequencies, and transitions at another rate.

    Parameters
    ----------
    kappa
        Rate of transitions (A-G, C-T) relative to transversions, positive; 1 gives F81.
    frequencies
        Of A, C, G and T, shape (4,), positive; divided by their sum. Equal ones give K80.

    Raises
    ------
    ModelError
        If ``kappa`` is not positive and finite, or the frequencies are not four positive numbers.

    References
    ----------
    Z. Yang, Molecular Evolution: A Statistical Approach, Oxford 2014, chapter 1.

    Examples
    --------
    >>> process = hky85(2.0, [0.3, 0.2, 0.2, 0.3])
    >>> float(-(process.frequencies @ process.rates.diagonal()).round(12)), process.reversible
    (1.0, True)
    """
    return _exchange("HKY85", kappa, _frequencies("HKY85", frequencies))


def gamma_rates(shape: float, categories: int = 4) -> FloatArray:
    """Rates of sites in equally probable classes: means of the slices of a gamma law.

    Parameters
    ----------
    shape
        Shape of the gamma law with mean 1, positive: small where rates differ much.
    categories
        Number of classes K, at least 1.

    Returns
    -------
    array of shape (K,), increasing, with mean 1

    Raises
    ------
    ModelError
        If ``shape`` is not positive and finite, or ``categories < 1``.

    References
    ----------
    Z. Yang, J. Mol. Evol. 39 (1994), 306-314.

    Examples
    --------
    >>> gamma_rates(0.5, 4).round(4)
    array([0.0334, 0.2519, 0.8203, 2.8944])
    """
    from scipy.special import gammainc, gammaincinv

    if not (np.isfinite(shape) and shape > 0) or categories < 1:
        raise ModelError(
            f"gamma_rates: needs a positive shape and categories >= 1, got shape={shape!r}, "
            f"categories={categories!r}."
        )
    cuts = gammaincinv(shape, np.arange(categories + 1) / categories)
    return np.asarray(categories * np.diff(gammainc(shape + 1, cuts)), dtype=np.float64)


def _exchange(name: str, kappa: float, frequencies: FloatArray) -> Substitution:
    """The process whose rate to a base is its frequency, times kappa for a transition."""
    if not (np.isfinite(kappa) and kappa > 0):
        raise ModelError(f"{name}: kappa must be finite and positive, got {kappa!r}.")
    factors = np.ones((4, 4))
    for first, second in (("A", "G"), ("C", "T")):
        pair = BASES.index(first), BASES.index(second)
        factors[pair] = factors[pair[::-1]] = kappa
    made = substitution(factors * frequencies, name=name)
    return replace(made, frequencies=read_only(frequencies))


def _frequencies(name: str, given: ArrayLike) -> FloatArray:
    frequencies = np.asarray(given, dtype=np.float64)
    positive = np.isfinite(frequencies).all() and (frequencies > 0).all()
    if frequencies.shape != (4,) or not positive:
        raise ModelError(
            f"{name}: frequencies must be four positive numbers, for A, C, G, T; got {given!r}."
        )
    return read_only(frequencies / frequencies.sum())


def _stationary(rates: FloatArray) -> FloatArray:
    """The distribution that the process does not change: pi Q = 0."""
    count = len(rates)
    system = np.vstack([rates.T / np.abs(rates).max(), np.ones(count)])
    found = np.linalg.lstsq(system, np.eye(count + 1)[count], rcond=None)[0]
    return np.asarray(found, dtype=np.float64)
