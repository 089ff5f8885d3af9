"""Exact inference in one call."""

from __future__ import annotations

from ghmpp.inference.answering import Reaction
from ghmpp.inference.beliefs import Beliefs
from ghmpp.inference.queries import Inference
from ghmpp.schedule.domain import Precision


def infer(
    model: object,
    evidence: object = None,
    *,
    dtype: Precision = "float64",
    device: str = "cpu",
    on_impossible: Reaction = "raise",
) -> Beliefs:
    """Exact posteriors of every variable of a model given evidence.

    Parameters
    ----------
    model, evidence, dtype, device, on_impossible
        As in :class:`~ghmpp.inference.queries.Inference`; build that once for many calls.

    Raises
    ------
    ModelError, ConversionError, QueryError
        As :class:`~ghmpp.inference.queries.Inference`.
    EvidenceError, ImpossibleEvidenceError, ResourceError
        As :meth:`~ghmpp.inference.queries.Inference.posteriors`.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.Model("coin")
    >>> coin = model.root("coin", ["fair", "biased"], prior=[0.5, 0.5])
    >>> toss = coin.children("toss", 3, ["h", "t"], potential=[[0.5, 0.5], [0.9, 0.1]])
    >>> beliefs = gh.infer(model, {"toss": [["h", "h", "h"]]})
    >>> beliefs["coin"].round(3)
    array([[0.146, 0.854]])
    >>> beliefs.log_evidence.round(3)
    array([-0.851])
    """
    engine = Inference(model, dtype=dtype, device=device, on_impossible=on_impossible)
    return engine.posteriors(evidence)
