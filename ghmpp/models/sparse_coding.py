"""Sparse coding and other linear-factor models: real signals made of few atoms, seen in noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, read_only
from ghmpp.errors import ModelError, QueryError, ResourceError
from ghmpp.models.channels import Gaussian, Given, Localization, noisy, read_given
from ghmpp.models.declared import EngineName, Options
from ghmpp.models.entries import real_numbers
from ghmpp.models.forest import Forest
from ghmpp.models.queries import Query
from ghmpp.models.sampling import require_draws
from ghmpp.models.spins_forest import Draft

SIGNAL: Final = "x"
CODE: Final = "theta"
# Configurations that are summed over.
MOST = 2_000_000
ROW_ENTRIES = 4_000_000


@dataclass(frozen=True, slots=True)
class Noise:
    """What is seen is ``scale x + noise`` with this variance; ``total`` is that given the code."""

    scale: float
    variance: float
    total: float


@dataclass(frozen=True, eq=False, repr=False)
class SparseCoding:
    r"""Signals ``x = A theta + eps`` with independent factors theta and noise eps.

    Seen in noise as :math:`z = \lambda x + \sigma g`, the factors given z are pairwise coupled
    sites: with :math:`s^2 = \lambda^2\tau^2 + \sigma^2`, couplings
    :math:`-(\lambda^2 / s^2) A^T A`, fields :math:`(\lambda / s^2) A^T z`, and their prior. The
    posterior mean of the signal follows from that of the factors [1]_,

    .. math:: m(z) = \frac{\lambda \tau^2}{s^2} z + \frac{\sigma^2}{s^2} A\, E[\theta \mid z].

    The class "x" must be given, as ``gh.noisy("x", ...)``, ``gh.localized("x", ...)`` or without
    noise; the means of "x" and of "theta" can be asked. The couplings depend on the noise, so a
    program serves the noise level that it is compiled for.

    Parameters
    ----------
    dictionary
        A, shape (signal, factors): one atom for each column; finite.
    noise
        tau, standard deviation of eps; finite, >= 0.
    prior
        Values of a factor and their weights: two arrays (values,), weights >= 0. Factors with
        values -1, 0 and 1 that are mostly 0 give sparse codes.
    name
        Name in reports.

    Raises
    ------
    ModelError
        If shapes do not fit, or a number is out of range.

    References
    ----------
    .. [1] S. Mei, Y. Wu, Deep networks as denoising algorithms, arXiv:2309.11420.

    Examples
    --------
    >>> SparseCoding([[1.0, 0.0], [0.6, 0.8]], 0.1, prior=([-1, 0, 1], [0.1, 0.8, 0.1]))
    SparseCoding 'sparse coding': x: 2 real numbers, theta: 2 factors with values -1, 0, 1
    """

    dictionary: FloatArray
    noise: float
    values: FloatArray
    weights: FloatArray
    name: str

    def __init__(
        self,
        dictionary: ArrayLike,
        noise: float,
        prior: tuple[ArrayLike, ArrayLike],
        *,
        name: str = "sparse coding",
    ) -> None:
        atoms = real_numbers(dictionary, "SparseCoding: dictionary")
        if atoms.ndim != 2 or 0 in atoms.shape or not np.isfinite(atoms).all():
            raise ModelError(
                f"SparseCoding: dictionary must be finite numbers of shape (signal, factors), got "
                f"shape {atoms.shape}."
            )
        if not (isinstance(noise, (int, float)) and math.isfinite(noise) and noise >= 0):
            raise ModelError(f"SparseCoding: noise must be finite and >= 0, got {noise!r}.")
        if not isinstance(prior, (tuple, list)) or len(prior) != 2:
            raise ModelError(f"SparseCoding: prior must be (values, weights), got {prior!r:.80}.")
        values, weights = (real_numbers(part, "SparseCoding: prior") for part in prior)
        good = values.ndim == 1 and values.shape == weights.shape and values.size > 0
        if not good or not np.isfinite(values).all() or len(set(values)) != len(values):
            raise ModelError(
                "SparseCoding: prior must be different finite values and one weight for each, got "
                f"shapes {values.shape} and {weights.shape}."
            )
        if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.sum() > 0):
            raise ModelError("SparseCoding: weights of the prior must be finite, >= 0, not all 0.")
        kept = weights > 0
        for key, array in (
            ("dictionary", atoms),
            ("values", values[kept]),
            ("weights", weights[kept] / weights.sum()),
        ):
            object.__setattr__(self, key, read_only(array))
        object.__setattr__(self, "noise", float(noise))
        object.__setattr__(self, "name", name)

    def forest(self, given: tuple[Given, ...] = ()) -> Forest:
        """Couplings between the factors, and from and to the signal, for the noise of "x".

        Raises
        ------
        QueryError
            If something else than the signal is given, or it is not, or nothing is random.
        """
        seen, atoms = self.seen(given), self.dictionary
        squares = seen.scale**2 / seen.total * atoms.T @ atoms
        draft = Draft(self.name)
        draft.real(SIGNAL, len(atoms))
        draft.real(CODE, atoms.shape[1])
        draft.data[f"{CODE} prior"] = read_only(np.stack([self.values, np.log(self.weights)]))
        draft.constant(f"{CODE} curvature", CODE, np.diag(squares))
        draft.between(CODE, SIGNAL, seen.scale / seen.total * atoms.T)
        draft.between(CODE, CODE, np.diag(np.diag(squares)) - squares)
        share = seen.scale * self.noise**2 / seen.total
        draft.diagonal(f"{SIGNAL} estimate", SIGNAL, np.full(len(atoms), share))
        draft.between(SIGNAL, CODE, seen.variance / seen.total * atoms)
        return draft.forest()

    def seen(self, given: Sequence[Given]) -> Noise:
        """How the signal is seen.

        Raises
        ------
        QueryError
            As :meth:`forest`.
        """
        named = [item.variable for item in given]
        if named != [SIGNAL]:
            raise QueryError(
                f"model {self.name!r}: exactly {SIGNAL!r} must be given, as its couplings depend "
                f"on the noise; got {', '.join(named) or 'nothing'}."
            )
        match given[0].channel:
            case None:
                scale, variance = 1.0, 0.0
            case Gaussian(sigma=sigma, scale=scale):
                variance = sigma**2
            case Localization(time=time):
                scale, variance = time, time
            case _:
                raise QueryError(
                    f"given {SIGNAL!r}: signals are seen in Gaussian noise, gh.noisy(...) or "
                    "gh.localized(...), or without."
                )
        total = scale**2 * self.noise**2 + variance
        if total <= 0:
            raise QueryError(
                f"given {SIGNAL!r}: without noise in the signal (noise=0) and its observation the "
                "factors have no density; give one of the two some noise."
            )
        return Noise(scale, variance, total)

    def solver(self, query: Query, given: tuple[Given, ...]) -> tuple[EngineName, Options]:
        """TAP."""
        return "tap", {}

    def question(self) -> tuple[Query, tuple[Given, ...]]:
        """The mean of the signal, seen in noise of standard deviation 1."""
        return Query("mean", SIGNAL), (noisy(SIGNAL, sigma=1.0),)

    def require_complete(self) -> None:
        """All numbers are there: nothing is free in this declaration."""

    def sample(self, n: int, seed: int = 0) -> dict[str, FloatArray]:
        """Independent factors "theta" (n, factors) and signals "x" (n, signal).

        Raises
        ------
        ModelError
            If ``n`` is negative.
        """
        require_draws(n)
        rng = np.random.default_rng(seed)
        theta = rng.choice(self.values, (n, self.dictionary.shape[1]), p=self.weights)
        clean = theta @ self.dictionary.T
        return {CODE: theta, SIGNAL: clean + self.noise * rng.standard_normal(clean.shape)}

    def exact_means(self, z: ArrayLike, given: Given) -> dict[str, FloatArray]:
        """Posterior means of "theta" and "x" by a sum over all codes.

        Parameters
        ----------
        z
            What was seen, (batch, signal).
        given
            How.

        Raises
        ------
        ResourceError
            If there are more than two million codes.
        ModelError
            If ``z`` is not finite or has another shape.
        QueryError
            As :meth:`forest`.
        """
        seen, factors = self.seen(read_given(given)), self.dictionary.shape[1]
        count = len(self.values) ** factors
        if count > MOST:
            raise ResourceError(
                f"model {self.name!r}: {count:,} codes exceed {MOST:,}; use gh.TAP()."
            )
        observed = real_numbers(z, f"model {self.name!r}: z")
        if (
            observed.ndim != 2
            or observed.shape[1] != len(self.dictionary)
            or not np.isfinite(observed).all()
        ):
            raise ModelError(
                f"model {self.name!r}: z must be finite and have shape (batch, "
                f"{len(self.dictionary)}), got shape {observed.shape}."
            )
        codes = np.array(list(itertools.product(range(len(self.values)), repeat=factors)))
        theta = self.values[codes]
        prior = np.log(self.weights)[codes].sum(1)
        clean = seen.scale * theta @ self.dictionary.T
        constant = prior - (clean**2).sum(1) / (2 * seen.total)
        rows = max(1, ROW_ENTRIES // count)
        found = []
        for start in range(0, len(observed), rows):
            logs = observed[start : start + rows] @ clean.T / seen.total + constant
            weights = np.exp(logs - logs.max(1, keepdims=True))
            found.append(weights @ theta / weights.sum(1, keepdims=True))
        code = np.concatenate(found) if found else np.zeros((0, factors))
        share = seen.scale * self.noise**2 * observed + seen.variance * code @ self.dictionary.T
        return {CODE: code, SIGNAL: share / seen.total}

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def __repr__(self) -> str:
        signal, factors = self.dictionary.shape
        listed = ", ".join(f"{value:g}" for value in self.values)
        return (
            f"SparseCoding {self.name!r}: {SIGNAL}: {signal} real numbers, {CODE}: {factors} "
            f"factors with values {listed}"
        )
