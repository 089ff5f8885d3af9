"""How tokens depend on each other: exactly from the model, and from samples."""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.inference.pairs import pair_probabilities as pair_probabilities
from ghmpp.inference.pairs import sampled_pair_probabilities as sampled_pair_probabilities


def token_correlations(pairs: FloatArray) -> FloatArray:
    r"""How far pairs of tokens are from independent, root mean square over states.

    .. math:: C_{ij} = \Big\langle \big( P(x_i = a, x_j = b) - P(x_i = a) P(x_j = b) \big)^2
              \Big\rangle_{a, b}^{1/2}

    Parameters
    ----------
    pairs
        Shape (tokens, tokens, states, states), see :func:`pair_probabilities`.

    Returns
    -------
    array of shape (tokens, tokens), >= 0
        Compare :func:`ghmpp.theory.token_correlation`. From n samples of independent tokens of
        S states about ``1 / (S sqrt(n))`` remains.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.broadcast(depth=2, flip=0.1)
    >>> token_correlations(pair_probabilities(model))[0].round(4)
    array([0.25  , 0.16  , 0.1024, 0.1024])
    """
    left = pairs.sum(axis=3)[..., :, None]
    right = pairs.sum(axis=2)[..., None, :]
    strength: FloatArray = np.sqrt(((pairs - left * right) ** 2).mean(axis=(2, 3)))
    return strength
