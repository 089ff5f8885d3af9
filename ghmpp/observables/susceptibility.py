"""How jointly leaves change when a sample is drawn again from what is left of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError


def change_correlations(x: ArrayLike, y: ArrayLike) -> FloatArray:
    r"""Covariance of the changes of leaves, over pairs of samples.

    .. math:: C_{ij} = \langle \sigma_i \sigma_j \rangle - \langle \sigma_i \rangle
              \langle \sigma_j \rangle, \qquad \sigma_i = \pm 1

    where +1 means that leaf i is the same in both samples, -1 that it has changed.

    Parameters
    ----------
    x
        States of the leaves, shape (batch, leaves).
    y
        Samples drawn given noisy ``x``: (batch, leaves), or (batch, n, leaves) as
        :meth:`ghmpp.inference.queries.Inference.posterior_sample` gives them.

    Returns
    -------
    array of shape (leaves, leaves)

    Raises
    ------
    QueryError
        If the shapes do not fit, or there is no sample.

    Examples
    --------
    >>> change_correlations([[0, 0], [1, 1]], [[0, 0], [2, 2]])
    array([[1., 1.],
           [1., 1.]])
    """
    before, after = np.asarray(x), np.asarray(y)
    if after.ndim == before.ndim + 1:
        before = before[:, None]
    if before.ndim not in (2, 3) or before.size == 0 or not _fit(before.shape, after.shape):
        raise QueryError(
            f"change_correlations: x must have shape (batch, leaves) and y (batch, leaves) or "
            f"(batch, n, leaves), got {np.shape(x)} and {np.shape(y)}."
        )
    signs = np.where(after == before, 1.0, -1.0).reshape(-1, after.shape[-1])
    signs -= signs.mean(axis=0)
    covariance: FloatArray = signs.T @ signs / len(signs)
    return covariance


def susceptibility(x: ArrayLike, y: ArrayLike) -> float:
    r"""The mean number of leaves that change together, :math:`\sum_{ij} C_{ij} / \sum_i C_{ii}`.

    It is 1 where leaves change independently of each other, and diverges with the depth of a
    Random Hierarchy Model at the noise where the root is lost.

    Parameters
    ----------
    x, y
        As in :func:`change_correlations`.

    Returns
    -------
    float
        1 also where no leaf ever changes, or all always do.

    Raises
    ------
    QueryError
        If the shapes do not fit, or there is no sample.

    References
    ----------
    .. [1] A. Sclocchi, A. Favero, N. I. Levi, M. Wyart, Probing the latent hierarchical structure
       of data via diffusion models, arXiv:2410.13770.

    Examples
    --------
    >>> susceptibility([[0, 0], [1, 1]], [[0, 0], [2, 2]])
    2.0
    """
    covariance = change_correlations(x, y)
    alone = float(np.trace(covariance))
    return float(covariance.sum()) / alone if alone > 0 else 1.0


def _fit(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether the shapes agree, up to the axis of the samples."""
    return len(before) == len(after) and before[0] == after[0] and before[-1] == after[-1]
