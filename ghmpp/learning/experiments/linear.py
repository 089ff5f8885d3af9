"""The best linear denoiser, from the exact moments of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.inference.moments import value_moments
from ghmpp.learning.training.draws import scale_and_noise
from ghmpp.learning.training.rows import only_query


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class LinearDenoiser:
    """The affine function of the observations with the least mean squared error.

    Parameters
    ----------
    weight
        Shape (nodes asked for, nodes observed): ``Cov(x, z) Cov(z)^-1``.
    bias
        Shape (nodes asked for,).
    risk
        Its mean squared error per node, exact; in squared units of the state values.
    """

    weight: FloatArray
    bias: FloatArray
    risk: float

    def __call__(self, z: ArrayLike) -> FloatArray:
        """Estimates (batch, nodes) from all observations (batch, nodes), class by class."""
        found: FloatArray = np.asarray(z, dtype=np.float64) @ self.weight.T + self.bias
        return found

    def __repr__(self) -> str:
        asked, observed = self.weight.shape
        return f"LinearDenoiser: {observed} observations -> {asked} means, square {self.risk:.4g}"


def linear_denoiser(program: Program, **channel: float) -> LinearDenoiser:
    """The best linear denoiser for a program's question, and its risk.

    Parameters
    ----------
    program
        One mean, given observations with noise.
    channel
        Channel parameters in place of the compiled ones.

    Raises
    ------
    QueryError
        If the program asks for something else, or is given states, or observations through a
        function.
    EvidenceError
        If a channel parameter is unknown or out of range.

    Notes
    -----
    The risk is ``tr(Cov(x) - Cov(x, z) Cov(z)^-1 Cov(z, x)) / d``. Between it and
    :func:`ghmpp.bayes_risk` lies what only a nonlinear denoiser can gain.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(2, (1,), [[[0.5, 0.5], [0.5, 0.5]]], state_values=[-1, 1])
    >>> gh.linear_denoiser(gh.compile(model, gh.mean("x1"), given=gh.noisy("x1", sigma=1.0)))
    LinearDenoiser: 1 observations -> 1 means, square 0.5
    """
    query = only_query(program, "linear_denoiser")
    if query.kind != "mean":
        raise QueryError(f"linear_denoiser: the program must ask for a mean, not a {query.kind}.")
    seen = [(each.variable, *scale_and_noise(each, **channel)) for each in program.given]
    names = list(dict.fromkeys([query.variable, *(name for name, _, _ in seen)]))
    mean, covariance = value_moments(program.model, names)
    nodes = {name: program.model.variables[name].nodes for name in names}
    starts = dict(zip(names, np.cumsum([0, *nodes.values()]).tolist(), strict=False))
    at = {name: np.arange(starts[name], starts[name] + nodes[name]) for name in names}

    wanted = at[query.variable]
    observed = np.concatenate([at[name] for name, _, _ in seen])
    scale = np.concatenate([np.full(nodes[name], scale) for name, scale, _ in seen])
    noise = np.concatenate([np.full(nodes[name], sigma**2) for name, _, sigma in seen])
    cross = covariance[np.ix_(wanted, observed)] * scale
    inner = covariance[np.ix_(observed, observed)] * np.outer(scale, scale) + np.diag(noise)
    weight = cross @ np.linalg.pinv(inner, hermitian=True)
    bias = mean[wanted] - weight @ (scale * mean[observed])
    least = np.trace(covariance[np.ix_(wanted, wanted)]) - np.sum(weight * cross)
    return LinearDenoiser(weight, bias, max(float(least), 0.0) / len(wanted))
