"""What can be said about inference on spins before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ghmpp.models.cavities import arrows, contraction, longest_path
from ghmpp.models.channels import Given
from ghmpp.models.spectrum import Spectrum, spectrum
from ghmpp.models.spins_overlap import onsager
from ghmpp.models.spins_width import EXACT_WIDTH, Width, couplings_width

if TYPE_CHECKING:
    from ghmpp.models.spins import PairwiseSpins


@dataclass(frozen=True, slots=True, repr=False)
class SpinsReport:
    r"""Spectrum of the couplings, what it guarantees, and what engines will do.

    Naive mean field and TAP solve ``m = tanh(B m + a)`` with B = A and B = A - K. Two facts are
    used: where the largest eigenvalue of B is below 1, the free energy is strictly convex and has
    one stationary point; where the operator norm of B is below 1, the map itself contracts,
    since tanh has slopes of at most 1.

    Parameters
    ----------
    title
        The model, and what is given.
    naive, tap
        Spectra of A, and of A - K with the constant correction K at the noise level of what is
        given, see :func:`ghmpp.models.spins_overlap.onsager`.
    naive_damping, tap_damping
        Shares of the old value that :class:`.NaiveMeanField` takes, and :class:`.TAP` with the
        constant correction.
    messages
        Rate at which messages of belief propagation contract; 0 on trees, which it solves.
    tree
        Whether the couplings form a forest.
    width
        Bounds of the treewidth.
    """

    title: str
    naive: Spectrum
    tap: Spectrum
    naive_damping: float
    tap_damping: float
    messages: float
    tree: bool
    width: Width

    @property
    def unique(self) -> bool:
        """Whether naive mean field is guaranteed to have one fixed point."""
        return self.naive.unique

    @property
    def converges(self) -> bool:
        """Whether its undamped map is guaranteed to contract."""
        return self.naive.norm < 1

    @property
    def exact(self) -> bool:
        """Whether exact inference is used unless another engine is asked for."""
        return self.width.exact

    def __repr__(self) -> str:
        lines = [f"SpinsReport {self.title}"]
        lines += _map_lines("naive mean field, m = tanh(A m + a)", self.naive, self.naive_damping)
        lines += _map_lines("TAP, constant, m = tanh((A - K) m + a)", self.tap, self.tap_damping)
        if self.tree:
            told = "exact: the couplings form a tree"
        elif self.messages < 1:
            told = f"one fixed point: messages contract, rate {self.messages:.3g} < 1"
        else:
            told = f"no guarantee: messages may stretch errors, rate {self.messages:.3g} >= 1"
        lines.append(f"  belief propagation: {told}")
        used = "used" if self.exact else "not used"
        lines.append(
            f"  exact inference: treewidth {self.width}; {used} by default (limit {EXACT_WIDTH})"
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def _map_lines(title: str, found: Spectrum, damping: float) -> list[str]:
    """What the spectrum of a map says, in words."""
    ends = f"eigenvalues in [{found.smallest:.4g}, {found.largest:.4g}], norm {found.norm:.4g}"
    unique = (
        "one fixed point: largest eigenvalue < 1"
        if found.unique
        else f"uniqueness not guaranteed: largest eigenvalue {found.largest:.4g} >= 1"
    )
    if found.norm < 1:
        going = "contracts without damping"
    elif found.rate(damping) < 1:
        going = f"undamped it may not converge (norm >= 1); damped by {damping:.3g} it does"
    else:
        going = f"convergence not guaranteed; damping {damping:.3g}"
    return [f"  {title}: {ends}", f"    {unique}", f"    {going}"]


def report(spins: PairwiseSpins, given: Sequence[Given]) -> SpinsReport:
    """The report of a model.

    Parameters
    ----------
    spins
        The model.
    given
        What is observed, whose noise level enters the constant correction.

    Raises
    ------
    QueryError
        If a class is unknown.

    Examples
    --------
    >>> from ghmpp.models.spins import PairwiseSpins
    >>> report(PairwiseSpins.curie_weiss(12, 1.6), ())
    SpinsReport of 'curie-weiss' given nothing
      naive mean field, m = tanh(A m + a): eigenvalues in [-0.1333, 1.467], norm 1.467
        uniqueness not guaranteed: largest eigenvalue 1.467 >= 1
        convergence not guaranteed; damping 0
      TAP, constant, m = tanh((A - K) m + a): eigenvalues in [-0.3289, 1.271], norm 1.271
        uniqueness not guaranteed: largest eigenvalue 1.271 >= 1
        convergence not guaranteed; damping 0
      belief propagation: no guarantee: messages may stretch errors, rate 1.33 >= 1
      exact inference: treewidth at most 11; used by default (limit 12)
    """
    matrix = spins.couplings
    correction = onsager(matrix, spins.fields, spins.ratios(tuple(given)))
    corrected = matrix - np.diag(correction)
    parts = [np.ix_(list(sites), list(sites)) for sites in spins.classes.values()]
    edges = arrows(matrix)
    tree = longest_path(edges) is not None
    seen = ", ".join(
        item.variable if item.channel is None else f"{item.variable} ~ {item.channel}"
        for item in given
    )
    return SpinsReport(
        f"of {spins.name!r} given {seen or 'nothing'}",
        spectrum(matrix),
        spectrum(corrected),
        max(spectrum(matrix[part]).damping for part in parts),
        max(spectrum(corrected[part]).damping for part in parts),
        0.0 if tree else contraction(edges),
        tree,
        couplings_width(matrix),
    )
