"""Whether mean field has more than one fixed point for given evidence, found by trying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ghmpp._arrays import BoolArray, FloatArray
from ghmpp.errors import QueryError
from ghmpp.models.channels import Given, read_given
from ghmpp.models.declaration import read_count
from ghmpp.models.evidence import read_evidence
from ghmpp.models.spectrum import spectrum
from ghmpp.models.spins_overlap import onsager

if TYPE_CHECKING:
    from ghmpp.models.spins import PairwiseSpins

Map = Literal["naive", "constant"]


@dataclass(frozen=True, slots=True, eq=False)
class FixedPoints:
    """Means that the iteration reaches from different starts, for each row of evidence.

    Parameters
    ----------
    up, zero, down
        From m = +1, 0 and -1: (batch, sites), in the order of the sites.
    gap
        Largest difference between two of them in any site, (batch,).
    moving
        Whether the iteration had not settled in a row when it ended, (batch,).
    limit
        Gaps above it count.
    """

    up: FloatArray
    zero: FloatArray
    down: FloatArray
    gap: FloatArray
    moving: BoolArray
    limit: float

    @property
    def several(self) -> BoolArray:
        """Rows with two fixed points at least, (batch,)."""
        return np.asarray(self.gap > self.limit)

    @property
    def share(self) -> float:
        """Share of these rows; 0 where there are none."""
        return float(self.several.sum()) / max(1, len(self.gap))

    def __repr__(self) -> str:
        rows = len(self.gap)
        found = int(self.several.sum())
        text = f"FixedPoints: {found} of {rows} rows have two fixed points or more"
        if found:
            text += f", up to {self.gap.max():.3g} apart; the start decides which is found"
        if self.moving.any():
            text += f"; {int(self.moving.sum())} rows had not settled"
        return text


def fixed_points(
    spins: PairwiseSpins,
    evidence: object = None,
    *,
    given: str | Given | Sequence[str | Given] = (),
    onsager_term: Map = "naive",
    steps: int = 2000,
    tolerance: float = 1e-10,
    limit: float = 1e-4,
) -> FixedPoints:
    """Iterate ``m = tanh(B m + a)`` from m = +1, 0 and -1, and compare.

    Parameters
    ----------
    spins
        The model.
    evidence
        As for :func:`ghmpp.infer`: by class, states, likelihoods or values with their channel.
    given
        For "constant": what is observed and how, which says the noise level of K.
    onsager_term
        "naive" for B = A, "constant" for B = A - K.
    steps
        Most steps; rows that still move by more than ``tolerance`` then are reported.
    tolerance
        A row has settled when no site moves by more.
    limit
        Fixed points that differ by more in some site are two.

    Raises
    ------
    EvidenceError
        If the evidence does not fit.
    QueryError
        If ``onsager_term`` is unknown or a class of ``given`` is.
    ModelError
        If ``steps`` is no whole number of at least 1.

    Examples
    --------
    >>> from ghmpp.models.spins import PairwiseSpins
    >>> fixed_points(PairwiseSpins.curie_weiss(12, 1.6))
    FixedPoints: 1 of 1 rows have two fixed points or more, up to 1.69 apart; the start decides \
which is found
    """
    if onsager_term not in get_args(Map):
        known = ", ".join(map(repr, get_args(Map)))
        raise QueryError(f"fixed_points: unknown onsager_term={onsager_term!r}; known: {known}.")
    read_count(steps, "steps", "fixed_points")
    matrix = spins.couplings
    if onsager_term == "constant":
        matrix = matrix - np.diag(onsager(matrix, spins.fields, spins.ratios(read_given(given))))
    found, batch = read_evidence(evidence, spins.variables, default=next(iter(spins.classes)))
    fields = np.tile(spins.fields, (batch, 1))
    for name, seen in found.items():
        logs = seen.log_likelihood(spins.variables[name])
        with np.errstate(invalid="ignore"):
            odds = np.where(logs[..., 0] == logs[..., 1], 0.0, (logs[..., 1] - logs[..., 0]) / 2)
        fields[:, list(spins.classes[name])] += odds
    damping = spectrum(matrix).damping

    def reach(start: float) -> tuple[FloatArray, BoolArray]:
        return _iterate(
            lambda m: damping * m + (1 - damping) * np.tanh(m @ matrix + fields),
            np.full((batch, len(matrix)), start),
            steps,
            tolerance,
        )

    (up, one), (zero, two), (down, three) = (reach(start) for start in (1.0, 0.0, -1.0))
    ends = np.stack([up, zero, down])
    gap = (ends.max(0) - ends.min(0)).max(1)
    return FixedPoints(up, zero, down, gap, one | two | three, limit)


def _iterate(
    step: Callable[[FloatArray], FloatArray], m: FloatArray, steps: int, tolerance: float
) -> tuple[FloatArray, BoolArray]:
    """The means when they have settled, and which rows have not."""
    moving = np.ones(len(m), dtype=bool)
    for _ in range(steps):
        new = step(m)
        moving = np.abs(new - m).max(1, initial=0.0) > tolerance
        m = new
        if not moving.any():
            break
    return m, moving
