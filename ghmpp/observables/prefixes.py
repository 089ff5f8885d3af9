"""The next token given all before it: what an autoregressive model should learn."""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import EvidenceError, ImpossibleEvidenceError
from ghmpp.inference.answering import Reaction
from ghmpp.inference.queries import Inference
from ghmpp.inference.tokens import portions, token_class
from ghmpp.models.convert import as_model
from ghmpp.models.lookup import MISSING
from ghmpp.models.observations import Observation, observe
from ghmpp.schedule.domain import Precision


def prefix_posteriors(
    model: object,
    x: object,
    *,
    variable: str | None = None,
    dtype: Precision = "float64",
    on_impossible: Reaction = "raise",
) -> FloatArray:
    """Exact posterior of every token given the tokens before it.

    Parameters
    ----------
    model
        A complete model, or what :class:`~ghmpp.inference.queries.Inference` takes.
    x
        Sequences, shape (batch, positions): states by name or index, missing ones -1 or NaN (they
        are summed out).
    variable
        The class of the tokens; None = the only class of leaves.
    dtype
        Precision of the results.
    on_impossible
        "raise" refuses sequences with a prefix of probability zero; "flag" gives zeros after it.

    Returns
    -------
    array of shape (batch, positions, states), linear
        Entry ``[b, t, a]`` is ``P(x_t = a | x_0 .. x_{t-1})`` of sequence b; at t = 0 nothing is
        given. Of complete sequences the logs of the entries at the tokens themselves sum to the
        log evidence.

    Raises
    ------
    EvidenceError
        If ``x`` does not fit the class.
    ImpossibleEvidenceError
        Naming the sequence and the position, if a prefix has probability zero.
    QueryError
        If the model has no such class, or several classes of leaves.

    Notes
    -----
    Every prefix is a row of one batch in which the rest is missing.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM((2, 2), (3,), [[[0.9, 0.1], [0.1, 0.9]]])
    >>> prefix_posteriors(model, [[0, 0, 1]])[0].round(3)
    array([[0.5 , 0.5 ],
           [0.82, 0.18],
           [0.89, 0.11]])
    """
    known = as_model(model)
    tokens = token_class(known, variable)
    given = observe(tokens, x)
    if given.kind != "states":
        raise EvidenceError(
            f"prefix_posteriors: x must be states of {tokens.name!r}, shape (batch, "
            f"{tokens.nodes}), not a {given.kind.replace('_', ' ')}."
        )
    states: IntArray = np.asarray(given.array)
    count = tokens.nodes
    earlier = np.tri(count, k=-1, dtype=bool)
    rows = np.where(earlier, states[:, None], MISSING).reshape(-1, count)
    position = np.tile(np.arange(count), len(states))
    engine = Inference(known, dtype=dtype, on_impossible="flag")
    found: FloatArray = np.empty((len(rows), len(tokens.states)))
    for part in portions(len(rows), tokens):
        seen = {tokens.name: Observation("states", rows[part])}
        beliefs = engine.posteriors(seen, classes=[tokens.name])
        if on_impossible == "raise" and not beliefs.possible.all():
            _refuse(part.start + int(np.argmin(beliefs.possible)), count)
        all_tokens = beliefs[tokens.name].reshape(-1, count, len(tokens.states))
        found[part] = all_tokens[np.arange(len(all_tokens)), position[part]]
    return found.reshape(len(states), count, -1)


def _refuse(row: int, count: int) -> None:
    sequence, position = divmod(row, count)
    raise ImpossibleEvidenceError(
        f"prefix_posteriors: sequence {sequence} is impossible from token {position - 1} on: "
        f"nothing of positive probability begins like this. Check x, or use on_impossible='flag'.",
        (sequence,),
    )
