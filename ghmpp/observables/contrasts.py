"""Which states of a root are compared: read, checked, and their log-odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import BoolArray, FloatArray, IntArray
from ghmpp.errors import ImpossibleEvidenceError, QueryError
from ghmpp.inference.arguments import only
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.lookup import MISSING, state_array, state_indices
from ghmpp.observables.partitions import require_states


@dataclass(frozen=True, eq=False)
class Contrast:
    """States of a root against others, for some rows.

    Parameters
    ----------
    root
        The class of the root.
    states
        Code of the state of each row, (batch,).
    others
        Codes of the other state of each row; None = all others.
    first
        Number of the first row, for messages.
    """

    root: VariableClass
    states: IntArray
    others: IntArray | None
    first: int

    @property
    def sides(self) -> tuple[BoolArray, BoolArray]:
        """Whether each state is on the one side or the other, (batch, states).

        Raises
        ------
        QueryError
            If a state is compared with itself or with none.
        """
        codes = np.arange(len(self.root.states))
        this = codes == self.states[:, None]
        that = ~this if self.others is None else codes == self.others[:, None]
        bad = np.flatnonzero((this & that).any(axis=1) | ~that.any(axis=1))
        if len(bad):
            raise QueryError(
                f"relevance: row {bad[0] + self.first} compares a state of {self.root.name!r} with "
                "itself, or it is the only one; name another one with against=."
            )
        return this, that

    def log_odds(self, logs: FloatArray) -> FloatArray:
        """Log-odds under unnormalised log probabilities (batch or 1, states).

        Raises
        ------
        ImpossibleEvidenceError
            If they are infinite.
        """
        this, that = (
            np.logaddexp.reduce(np.where(side, logs, -np.inf), axis=1) for side in self.sides
        )
        with np.errstate(invalid="ignore"):
            odds: FloatArray = this - that
        bad = np.flatnonzero(~np.isfinite(odds))
        if len(bad):
            found = (bad + self.first).tolist()
            raise ImpossibleEvidenceError(
                f"relevance: the log-odds of {self.root.name!r} = "
                f"{self.root.states[self.states[bad[0]]]!r} in row {found[0]} are infinite: the "
                "state, or all that it is compared with, is impossible. Choose state= and "
                "against= among those that are possible.",
                tuple(found),
            )
        return odds


def read_root(forest: Forest, variable: str | None) -> VariableClass:
    """The class that is explained.

    Raises
    ------
    QueryError
        If it is no root, or there are several and none is chosen.
    ModelError
        If the model has real-valued variables.
    """
    require_states(forest, "relevance")
    roots = [forest.blocks[name].variable for name in forest.roots]
    name = only(roots, "relevance of a root", variable)
    if name not in roots:
        raise QueryError(
            f"relevance: {name!r} is no root of the model; the roots are {', '.join(roots)}."
        )
    return forest.variables[name]


def read_states(root: VariableClass, given: object, batch: int) -> IntArray | None:
    """States of the root by index, one per row; None where none are given."""
    if given is None:
        return None
    codes = state_indices(root, state_array(root, given))
    if codes.ndim > 1 or (codes.ndim == 1 and len(codes) not in (1, batch)):
        raise QueryError(
            f"relevance: states of {root.name!r} must be one for all rows or one per row "
            f"({batch}), got shape {codes.shape}."
        )
    if (codes == MISSING).any():
        raise QueryError(f"relevance: a state of {root.name!r} is missing; name one of its states.")
    return np.broadcast_to(codes, (batch,))
