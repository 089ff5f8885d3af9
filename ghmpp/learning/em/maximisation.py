"""The M-step: new parameters from expected counts, and the Dirichlet prior on tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.learning.em.ascent import climb
from ghmpp.learning.em.expectation import Expectation
from ghmpp.learning.em.formulas import Formulas
from ghmpp.learning.em.learnable import BoolArray, totals


def new_table(
    counts: FloatArray,
    smoothing: float,
    allowed: BoolArray,
    before: FloatArray,
    group: IntArray | None = None,
) -> FloatArray:
    r"""Row-stochastic tables that maximise ``sum (counts + smoothing) log table``.

    .. math:: T(s, a) = \frac{n(s, a) + \alpha}{\sum_b n(s, b) + \alpha}

    Parameters
    ----------
    counts
        Expected counts, >= 0; the last axis is normalised.
    smoothing
        Pseudo count alpha >= 0 of every allowed entry.
    allowed
        Entries that may be positive, same shape.
    before
        Tables of the same shape; rows without counts stay what they were.
    group
        Group of each state where groups of states sum to 1 instead of rows, (states,).

    Examples
    --------
    >>> counts = np.array([[3.0, 1.0], [0.0, 0.0]])
    >>> new_table(counts, 0.0, np.ones((2, 2), dtype=bool), np.full((2, 2), 0.5))
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    """
    weights = counts + smoothing * allowed
    sums = totals(weights, group)
    table: FloatArray = np.divide(weights, sums, out=before.copy(), where=sums > 0)
    return table


def log_prior(table: FloatArray, smoothing: float, allowed: BoolArray) -> float:
    """Log Dirichlet density of a table up to a constant, over the allowed entries."""
    if smoothing == 0:
        return 0.0
    with np.errstate(divide="ignore"):
        return smoothing * float(np.log(table[allowed]).sum())


def new_symbols(
    formulas: Formulas,
    before: FloatArray,
    counts: Mapping[str, FloatArray],
    rows: int,
    *,
    partition: Expectation | None,
    data: Mapping[str, AnyArray],
) -> FloatArray:
    r"""Values of the symbols that raise the expected complete log-likelihood.

    .. math:: Q(\theta) = \sum_k n_k \cdot \log \psi_{k, \theta} - N \log Z(\theta)

    Its gradient compares the counts that the data ask for with those that the model expects.

    Parameters
    ----------
    formulas
        The potentials with symbols.
    before
        Values to start from, shape (symbols,).
    counts
        Expected counts by potential key.
    rows
        Number N of rows in the data.
    partition
        The model without evidence, where log Z depends on the symbols; None where it is 0.
    data
        All other potentials by key.
    """

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        return symbol_slope(formulas, x, counts, rows, partition=partition, data=data)

    return symbol_values(formulas, climb(objective, symbol_coordinates(formulas, before)))


def symbol_coordinates(formulas: Formulas, theta: FloatArray) -> FloatArray:
    """Free coordinates of values of the symbols: logs of those that are positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(formulas.positive, np.log(theta), theta)


def symbol_values(formulas: Formulas, x: FloatArray) -> FloatArray:
    """Values of the symbols, from :func:`symbol_coordinates`."""
    with np.errstate(over="ignore"):
        return np.where(formulas.positive, np.exp(x), x)


def symbol_slope(
    formulas: Formulas,
    x: FloatArray,
    counts: Mapping[str, FloatArray],
    rows: int,
    *,
    partition: Expectation | None,
    data: Mapping[str, AnyArray],
) -> tuple[float, FloatArray]:
    """The expected complete log-likelihood of :func:`new_symbols`, and its gradient.

    Parameters
    ----------
    x
        Coordinates of the symbols; value -inf where they make no potentials.
    formulas, counts, rows, partition, data
        As for :func:`new_symbols`.

    Notes
    -----
    Where the counts were found at ``x`` itself, it is the gradient of the log evidence.
    """
    theta = symbol_values(formulas, x)
    weights = formulas.weights(theta)
    if weights is None:
        return -np.inf, np.zeros_like(x)
    value, gradient = _complete(formulas, theta, weights, counts)
    if partition is not None:
        alone = partition({**data, **formulas.potentials(weights)})
        value -= rows * alone.log_partition
        gradient -= rows * _complete(formulas, theta, weights, alone.counts)[1]
    return value, np.where(formulas.positive, theta, 1.0) * gradient


def _complete(
    formulas: Formulas,
    theta: FloatArray,
    weights: Mapping[str, FloatArray],
    counts: Mapping[str, FloatArray],
) -> tuple[float, FloatArray]:
    """``sum counts log potential`` over all formulas, and its gradient, shape (symbols,)."""
    value, gradient = 0.0, np.zeros(len(theta))
    slopes = formulas.slopes(theta)
    for key, stack in weights.items():
        used = counts[key] > 0
        if (stack[used] == 0).any():
            return -np.inf, gradient
        value += float(counts[key][used] @ np.log(stack[used]))
        gradient += slopes[key][:, used] @ (counts[key][used] / stack[used])
        if key in formulas.conditional:
            totals, sums = counts[key].sum(-1).ravel(), stack.sum(-1).ravel()
            value -= float(totals @ np.log(sums))
            gradient -= slopes[key].sum(-1).reshape(len(theta), -1) @ (totals / sums)
    return (value, gradient) if np.isfinite(gradient).all() else (-np.inf, gradient)
