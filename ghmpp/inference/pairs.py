"""Joint distributions of pairs of tokens: exactly from the model, and from samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import QueryError
from ghmpp.inference.queries import Inference
from ghmpp.inference.tokens import portions, token_class
from ghmpp.models.convert import as_model
from ghmpp.models.lookup import MISSING
from ghmpp.models.observations import Observation
from ghmpp.schedule.domain import Precision


def pair_probabilities(
    model: object, *, variable: str | None = None, dtype: Precision = "float64"
) -> FloatArray:
    """Exact joint distribution of every pair of tokens.

    Parameters
    ----------
    model
        A complete model, or what :class:`~ghmpp.inference.queries.Inference` takes.
    variable
        The class of the tokens; None = the only class of leaves.
    dtype
        Precision of the inference.

    Returns
    -------
    array of shape (tokens, tokens, states, states), linear
        Entry ``[i, j, a, b]`` is ``P(x_i = a, x_j = b)``; for i = j a diagonal matrix.

    Raises
    ------
    QueryError
        If the model has no such class, or several classes of leaves.

    Notes
    -----
    ``P(x_i = a)`` times the posterior of all tokens given ``x_i = a``, one row for each i and a.

    Examples
    --------
    >>> import ghmpp as gh
    >>> pair_probabilities(gh.zoo.broadcast(depth=1, flip=0.1))[0, 1].round(3)
    array([[0.41, 0.09],
           [0.09, 0.41]])
    """
    known = as_model(model)
    tokens = token_class(known, variable)
    count, states = tokens.nodes, len(tokens.states)
    engine = Inference(known, dtype=dtype, on_impossible="flag")
    alone = engine.posteriors(classes=[tokens.name])[tokens.name].reshape(count, states)
    rows: IntArray = np.full((count, states, count), MISSING)
    rows[np.arange(count), :, np.arange(count)] = np.arange(states)
    rows = rows.reshape(-1, count)
    pairs: FloatArray = np.empty((count * states, count, states))
    for part in portions(len(rows), tokens):
        seen = {tokens.name: Observation("states", rows[part])}
        beliefs = engine.posteriors(seen, classes=[tokens.name])
        pairs[part] = beliefs[tokens.name].reshape(-1, count, states)
    pairs *= alone.reshape(-1, 1, 1)
    return np.ascontiguousarray(pairs.reshape(count, states, count, states).swapaxes(1, 2))


def sampled_pair_probabilities(x: ArrayLike, states: int) -> FloatArray:
    """Frequencies of pairs of states in samples.

    Parameters
    ----------
    x
        State indices, shape (samples, tokens).
    states
        Number of states.

    Returns
    -------
    array of shape (tokens, tokens, states, states), as :func:`pair_probabilities`

    Raises
    ------
    QueryError
        If there is no sample, or an index is not one of a state.

    Examples
    --------
    >>> sampled_pair_probabilities([[0, 1], [0, 1], [1, 1], [0, 0]], states=2)[0, 1]
    array([[0.25, 0.5 ],
           [0.  , 0.25]])
    """
    tokens = np.asarray(x)
    whole = tokens.dtype.kind in "iu" and tokens.ndim == 2 and tokens.size > 0
    if not whole or tokens.min() < 0 or tokens.max() >= states:
        raise QueryError(
            f"sampled_pair_probabilities: x must have shape (samples, tokens) and state indices "
            f"0..{states - 1}, got shape {tokens.shape} and dtype {tokens.dtype}."
        )
    samples, count = tokens.shape
    total: FloatArray = np.zeros((count * states, count * states))
    rows = max(1, 2**24 // (count * states))
    for start in range(0, samples, rows):
        shown = tokens[start : start + rows, :, None] == np.arange(states)
        flat = shown.reshape(-1, count * states).astype(np.float64)
        total += flat.T @ flat
    pairs = total.reshape(count, states, count, states) / samples
    return np.ascontiguousarray(pairs.swapaxes(1, 2))
