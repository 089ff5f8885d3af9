"""Operator norms of matrices, bounded from above whatever rounding does."""

from __future__ import annotations

import math

import numpy as np

from ghmpp._arrays import FloatArray

_ROUNDOFF = 2.0**-53


def spectral_bound(matrix: FloatArray) -> float:
    r"""An upper bound of the largest singular value, tight up to about ``n^2`` roundoffs.

    For any square V near an orthogonal one, and G = A'A,

    .. math:: \lambda_{\max}(G) \le \frac{\lambda_{\max}(V^\top G V)}{1 - |V^\top V - 1|_F},

    and Gershgorin's discs bound the numerator; V are computed eigenvectors.

    Parameters
    ----------
    matrix
        (rows, columns), finite.

    Examples
    --------
    >>> round(spectral_bound(np.array([[3.0, 0.0], [0.0, -4.0]])), 12)
    4.0
    """
    if matrix.size == 0 or not matrix.any():
        return 0.0
    scale = float(np.abs(matrix).max())
    a = matrix / scale
    if a.shape[0] < a.shape[1]:
        a = a.T
    gram = a.T @ a
    size, unit = len(gram), (len(a) + 4) * 1.01 * _ROUNDOFF
    whole = float((a**2).sum()) * (1 + unit * size)
    vectors = np.linalg.eigh(gram)[1]
    norm = float((vectors**2).sum()) * (1 + unit * size)
    turned = vectors.T @ gram @ vectors
    lost = 3 * unit * norm * whole
    skew = float(np.linalg.norm(vectors.T @ vectors - np.eye(size))) + unit * norm
    if not skew < 0.5:
        return frobenius_bound(matrix)
    discs = np.diag(turned) + np.abs(turned - np.diag(np.diag(turned))).sum(axis=1)
    largest = max(float(discs.max()) * (1 + 2 * unit * size), 0.0) + lost
    found = (largest / (1 - skew) + unit * whole) * (1 + 8 * _ROUNDOFF)
    return min(math.sqrt(found) * scale * (1 + 8 * _ROUNDOFF), frobenius_bound(matrix))


def frobenius_bound(matrix: FloatArray) -> float:
    """An upper bound of the root of the sum of squares."""
    scale = float(np.abs(matrix).max(initial=0.0))
    if scale == 0:
        return 0.0
    whole = float(((matrix / scale) ** 2).sum())
    return math.sqrt(whole) * scale * (1 + (matrix.size + 8) * _ROUNDOFF)


def row_bound(matrix: FloatArray) -> float:
    """An upper bound of the operator norm for largest entries: the largest sum of a row."""
    sums = np.abs(matrix).sum(axis=1)
    return float(float(sums.max(initial=0.0)) * (1 + (matrix.shape[1] + 2) * _ROUNDOFF))
