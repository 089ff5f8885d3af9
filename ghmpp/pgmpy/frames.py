"""Predictions and samples as data frames: the look-alikes of the methods of pgmpy's models."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import QueryError
from ghmpp.models.lookup import MISSING
from ghmpp.pgmpy.network import Evidence
from ghmpp.pgmpy.plans import Pattern
from ghmpp.pgmpy.rows import Rows, frame_of, network_of, parts_of, repeated, state_index
from ghmpp.pgmpy.vocabulary import VirtualEvidence

if TYPE_CHECKING:
    import pandas as pd


def predict_probability(
    model: object, data: pd.DataFrame, *, show_progress: bool = True
) -> pd.DataFrame:
    """The distribution of every missing variable given the rest of its row.

    All rows run together, whatever is missing where: a missing entry sends no message.

    Parameters
    ----------
    model
        A pgmpy model; or one of this package's engines, whose compiled model is used again.
    data
        A row per case and a column per variable, states by name; entries may be missing (NaN),
        and so may columns. Row labels are kept.
    show_progress
        Whether to show a bar over the rows, after two seconds (never where ``pgmpy.config`` says
        no).

    Returns
    -------
    DataFrame
        Columns ``variable_state`` for each variable that is missing anywhere, in the order of the
        model; of a row where it is observed, 1 for its state.

    Raises
    ------
    UsageError
        If ``data`` is no data frame.
    QueryError
        If nothing is missing, or a column is no variable or comes twice.
    UnknownStateError
        If an entry is no state of its variable.
    ImpossibleEvidenceError
        If rows have probability zero; with their labels.

    Notes
    -----
    What differs from ``DiscreteBayesianNetwork.predict_probability``: missing entries within
    columns are allowed, undirected models too; columns come in the order of the model; the cost
    does not grow exponentially with the number of missing variables.

    Examples
    --------
    >>> import pandas as pd
    >>> from pgmpy.factors.discrete import TabularCPD
    >>> from pgmpy.models import DiscreteBayesianNetwork
    >>> network = DiscreteBayesianNetwork([("rain", "wet")])
    >>> network.add_cpds(
    ...     TabularCPD("rain", 2, [[0.8], [0.2]]),
    ...     TabularCPD("wet", 2, [[0.9, 0.1], [0.1, 0.9]], evidence=["rain"], evidence_card=[2]),
    ... )
    >>> predict_probability(network, pd.DataFrame({"wet": [0, 1]}), show_progress=False).round(3)
       rain_0  rain_1
    0   0.973   0.027
    1   0.308   0.692
    """
    import pandas as pd

    rows = Rows(network_of(model), data)
    found: dict[str, list[FloatArray]] = {known.ours: [] for known in rows.missing}
    for part, seen in rows.parts(show_progress):
        beliefs = rows.engine.posteriors(seen, classes=list(found))
        rows.check(part, beliefs.possible)
        for name in found:
            found[name].append(beliefs[name])
    names = [f"{known.name}_{state}" for known in rows.missing for state in known.states]
    columns = [np.concatenate(parts) for parts in found.values()]
    return pd.DataFrame(np.concatenate(columns, axis=1), index=data.index, columns=names)


def predict(
    model: object,
    data: pd.DataFrame,
    *,
    stochastic: bool = False,
    seed: int | None = None,
    show_progress: bool = True,
) -> pd.DataFrame:
    """The data with missing entries filled in: jointly the most probable, or drawn.

    Parameters
    ----------
    model, data, show_progress
        As for :func:`predict_probability`.
    stochastic
        Whether to draw from the joint distribution of what is missing, row by row.
    seed
        Of the draws; None = another every time.

    Returns
    -------
    DataFrame
        The columns of the data, then those that were missing in the order of the model. Of
        equally probable completions any.

    Raises
    ------
    UsageError, QueryError, UnknownStateError, ImpossibleEvidenceError
        As for :func:`predict_probability`.

    Notes
    -----
    What differs from ``DiscreteBayesianNetwork.predict``: rows run in a batch instead of one
    query for each different row, so there is no ``algo`` and no ``n_jobs``; undirected models are
    allowed.
    """
    import pandas as pd

    rows = Rows(network_of(model), data)
    names = [known.ours for known in rows.missing]
    seeds = np.random.default_rng(seed)
    found: dict[str, list[IntArray]] = {name: [] for name in names}
    for part, seen in rows.parts(show_progress):
        if stochastic:
            drawn = rows.engine.posterior_sample(seen, 1, int(seeds.integers(2**31)), classes=names)
            states = {name: found[:, 0] for name, found in drawn.items()}
        else:
            states = rows.engine.map(seen, classes=names)
        rows.check(part, next(iter(states.values())) != MISSING)
        for name in names:
            found[name].append(states[name])
    columns: dict[Hashable, pd.Series[Any]] = {
        name: data.iloc[:, place] for place, name in enumerate(data.columns)
    }
    for known in rows.missing:
        names_of = state_index(known).take(np.concatenate(found[known.ours]))
        columns[known.name] = pd.Series(names_of, index=data.index)
    return frame_of(columns)


def simulate(
    model: object,
    n_samples: int = 10,
    evidence: Evidence | None = None,
    virtual_evidence: VirtualEvidence | None = None,
    *,
    include_latents: bool = False,
    seed: int | None = None,
    show_progress: bool = True,
) -> pd.DataFrame:
    """Independent samples of all variables given evidence, exact and without rejections.

    Parameters
    ----------
    model, show_progress
        As for :func:`predict_probability`.
    n_samples
        Rows of the result.
    evidence, virtual_evidence
        As for :meth:`ghmpp.pgmpy.elimination.VariableElimination.query`.
    include_latents
        Whether to keep the variables in ``model.latents``.
    seed
        Equal seeds give equal samples; None = others every time.

    Returns
    -------
    DataFrame
        A categorical column per variable, with the names of the states, in the order of the
        model.

    Raises
    ------
    QueryError, EvidenceError
        If ``n_samples`` is below 1, or evidence is unknown or wrong.
    ImpossibleEvidenceError
        If the evidence has probability zero (pgmpy looks for such a sample without end).

    Notes
    -----
    What differs from ``DiscreteBayesianNetwork.simulate``: exact posterior samples instead of
    rejected ones; the columns come in order, and virtual evidence leaves none behind; undirected
    models are allowed; there is no ``do``, ``virtual_intervention``, ``missing_prob`` or
    ``partial_samples``.
    """
    import pandas as pd

    if n_samples < 1:
        raise QueryError(f"simulate: n_samples must be at least 1, got {n_samples}.")
    network = network_of(model)
    seen = network.read(evidence, virtual_evidence)
    latents = () if include_latents else getattr(getattr(model, "model", model), "latents", ())
    kept = [known for name, known in network.vocabulary.variables.items() if name not in latents]
    names = [known.ours for known in kept if known.ours not in seen.hard]
    if not names:
        raise QueryError("simulate: every variable is observed or latent; nothing is left to draw.")
    pattern = Pattern(tuple((name,) for name in names), tuple(seen.hard), tuple(seen.soft))
    plan = network.plans.compiled(pattern)
    seeds = np.random.default_rng(seed)
    found: dict[str, list[IntArray]] = {name: [] for name in names}
    for part in parts_of(n_samples, show_progress):
        given = repeated(plan, seen, part.stop - part.start)
        drawn = plan.engine.posterior_sample(given, 1, int(seeds.integers(2**31)), classes=names)
        if (drawn[names[0]] == MISSING).any():
            raise seen.impossible()
        for name in names:
            found[name].append(drawn[name][:, 0])
    states = {name: np.full(n_samples, state) for name, state in seen.hard.items()}
    states |= {name: np.concatenate(parts) for name, parts in found.items()}
    return frame_of(
        {
            known.name: pd.Series(
                pd.Categorical.from_codes(states[known.ours], categories=state_index(known))
            )
            for known in kept
        }
    )
