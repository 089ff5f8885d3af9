"""Gradient and curvature of the log evidence in the parameters, and Fisher information."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ghmpp.errors import QueryError
from ghmpp.models.channels import Given
from ghmpp.models.convert import as_model
from ghmpp.observables.coordinates import Coordinates, differentiable
from ghmpp.observables.scores import (
    drawn,
    log_evidence_parts,
    read_given,
    read_rows,
    weighted_scores,
)
from ghmpp.schedule.build import LOG_EVIDENCE

if TYPE_CHECKING:
    from pandas import DataFrame


def log_evidence_gradient(
    model: object,
    evidence: object = None,
    *,
    parameters: Collection[str] | None = None,
    coordinates: Coordinates = "log",
) -> DataFrame:
    r"""Gradient of the log evidence in the parameters: the score of each row.

    .. math:: \frac{\partial}{\partial \log \psi_i} \log \frac{Z(e)}{Z()} = E[N_i \mid e] - E[N_i]

    with :math:`N_i` the number of uses of an entry.

    Parameters
    ----------
    model
        A complete model, or what :class:`~ghmpp.inference.queries.Inference` takes.
    evidence
        As in :meth:`~ghmpp.inference.queries.Inference.posteriors`.
    parameters
        Names of symbols and keys of tables and priors; None = all.
    coordinates
        Of table entries: "log" or "log-odds", see :mod:`ghmpp.observables.coordinates`.

    Returns
    -------
    DataFrame
        One row per row of evidence, one column per parameter.

    Raises
    ------
    QueryError
        If a parameter is unknown.
    EvidenceError
        If evidence does not fit the model, or (``ImpossibleEvidenceError``) has probability 0.
    ModelError
        If the model is not complete.

    Examples
    --------
    A biased coin, seen once:

    >>> import ghmpp as gh
    >>> model = gh.Model("coin")
    >>> coin = model.root("coin", ["heads", "tails"], prior=[0.7, 0.3])
    >>> log_evidence_gradient(model, {"coin": ["heads", "tails"]}).round(3)
       log coin[heads]  log coin[tails]
    0              0.3             -0.3
    1             -0.7              0.7
    """
    from pandas import DataFrame

    known = as_model(model)
    observations, batch = read_rows(known, evidence)
    found = differentiable(known, [LOG_EVIDENCE], observations, parameters, coordinates)
    scores = np.concatenate(
        [found.slopes(logs) for logs in log_evidence_parts(known, found, observations, batch)]
        or [np.zeros((0, len(found.names)))]
    )
    return DataFrame(scores, columns=list(found.names))


def log_evidence_hessian(
    model: object,
    evidence: object = None,
    *,
    parameters: Collection[str] | None = None,
    coordinates: Coordinates = "log",
) -> DataFrame:
    """Second derivatives of the log evidence, summed over the rows of the evidence.

    Parameters and errors are those of :func:`log_evidence_gradient`.

    Returns
    -------
    DataFrame
        Parameters by parameters, symmetric. In "log" coordinates: the covariance of the uses of
        entries given the evidence minus that without, summed over rows.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.Model("coin")
    >>> coin = model.root("coin", ["heads", "tails"], prior=[0.7, 0.3])
    >>> log_evidence_hessian(model, {"coin": ["heads"]}, coordinates="log-odds").round(3)
                               log coin[heads] / [tails]
    log coin[heads] / [tails]                      -0.21
    """
    from pandas import DataFrame

    known = as_model(model)
    observations, batch = read_rows(known, evidence)
    found = differentiable(known, [LOG_EVIDENCE], observations, parameters, coordinates)
    total = np.zeros((len(found.names), len(found.names)))
    for logs in log_evidence_parts(known, found, observations, batch):
        total += found.curvature(logs.sum())
    symmetric = (total + total.T) / 2
    return DataFrame(symmetric, index=list(found.names), columns=list(found.names))


def fisher_information(
    model: object,
    given: str | Given | Sequence[str | Given] | None = None,
    *,
    samples: int | None = None,
    seed: int = 0,
    parameters: Collection[str] | None = None,
    coordinates: Coordinates = "log",
) -> DataFrame:
    r"""Fisher information of one observation about the parameters.

    .. math:: F_{ij} = E\left[\partial_i \log p(x)\, \partial_j \log p(x)\right]

    Parameters
    ----------
    model, parameters, coordinates
        As in :func:`log_evidence_gradient`.
    given
        What is observed: names of classes, or ``gh.noisy(...)``, ``gh.localized(...)``; None =
        the states of all leaves.
    samples
        None sums over all states of what is observed; a number takes the mean over as many
        samples of the model.
    seed
        Of the samples.

    Returns
    -------
    DataFrame
        Parameters by parameters, symmetric, positive semidefinite.

    Raises
    ------
    QueryError
        If ``given`` or a parameter is unknown, ``samples`` is below 1 or is missing for noisy
        observations.
    ResourceError
        If there are too many states to sum over.
    ModelError
        If the model is not complete.

    Examples
    --------
    One over the variance of a Bernoulli variable, in its log-odds its variance:

    >>> import ghmpp as gh
    >>> model = gh.Model("coin")
    >>> coin = model.root("coin", ["heads", "tails"], prior=[0.7, 0.3])
    >>> fisher_information(model, coordinates="log-odds").round(3)
                               log coin[heads] / [tails]
    log coin[heads] / [tails]                       0.21
    """
    from pandas import DataFrame

    known = as_model(model)
    items = read_given(known.forest(), given)
    names = [item.variable for item in items]
    found = differentiable(known, [LOG_EVIDENCE], names, parameters, coordinates)
    total = np.zeros((len(found.names), len(found.names)))
    if samples is None:
        if noisy := [item.variable for item in items if item.channel is not None]:
            raise QueryError(
                f"fisher_information: noisy values of {noisy[0]!r} cannot be enumerated; pass "
                "samples=."
            )
        for _, scores in weighted_scores(known, found, names):
            total += scores.T @ scores
    else:
        observations = drawn(known, items, samples, seed)
        for logs in log_evidence_parts(known, found, observations, samples):
            scores = found.slopes(logs)
            total += scores.T @ scores / samples
    return DataFrame(total, index=list(found.names), columns=list(found.names))
