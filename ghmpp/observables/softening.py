"""Evidence between seen and hidden: beliefs in the leaves that noise softens."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.errors import EvidenceError


def softened(x: ArrayLike, noise: float, states: int) -> FloatArray:
    r"""Likelihoods that point at known leaves, softened by noise.

    .. math:: \nu_i(b) = (1 - \epsilon)\, 1\{b = x_i\} + \epsilon / v

    Parameters
    ----------
    x
        True states of the leaves, indices, shape (..., leaves).
    noise
        epsilon in [0, 1]: 0 shows the leaves, 1 hides them.
    states
        Number of states v.

    Returns
    -------
    array of shape (..., leaves, states), linear, sums to 1 over states

    Raises
    ------
    EvidenceError
        If ``noise`` does not lie in [0, 1] or an index is not one of a state.

    References
    ----------
    .. [1] A. Sclocchi, A. Favero, M. Wyart, PNAS 122 (2025), e2408799121 (epsilon process).

    Examples
    --------
    >>> softened([[2, 0]], noise=0.3, states=3)
    array([[[0.1, 0.1, 0.8],
            [0.8, 0.1, 0.1]]])
    """
    true = np.asarray(x)
    if not 0 <= noise <= 1:
        raise EvidenceError(f"softened: noise must lie in [0, 1], got {noise!r}.")
    if true.dtype.kind not in "iu" or (true.size and not 0 <= true.min() <= true.max() < states):
        raise EvidenceError(
            f"softened: x must hold state indices 0..{states - 1}, got dtype {true.dtype}"
            + (f" and values {true.min()}..{true.max()}." if true.size else ".")
        )
    beliefs: FloatArray = np.full((*true.shape, states), noise / states)
    np.put_along_axis(beliefs, true[..., None], 1 - noise + noise / states, axis=-1)
    return beliefs
