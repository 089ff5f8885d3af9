"""The iterations of a fit, and the check that none goes down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ghmpp.errors import LearningError

# Sums over rows and variables are rounded: the objective may fall by this share of its size.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Step:
    """Where a fit stands after an iteration.

    Parameters
    ----------
    restart
        Which of the runs, from 0.
    iteration
        Number of iterations done; 0 is the start.
    log_likelihood
        Log probability (density) of all data, natural log.
    log_prior
        Log Dirichlet density of the learned tables, up to a constant: the pseudo count times
        the sum of the logs of their entries.
    seconds
        Since the fit began.
    """

    restart: int
    iteration: int
    log_likelihood: float
    log_prior: float
    seconds: float

    @property
    def objective(self) -> float:
        """The sum of both, which never falls."""
        return self.log_likelihood + self.log_prior


def gain(steps: Sequence[Step], step: Step) -> float:
    """How much the objective rose since the last of some steps; infinite at the start.

    Raises
    ------
    LearningError
        If it fell.
    """
    if not steps or math.isinf(steps[-1].objective):
        return math.inf
    before, after = steps[-1].objective, step.objective
    if not after >= before - ROUNDING * (1 + abs(before)):
        raise LearningError(
            f"fit: the objective fell from {before:.12g} to {after:.12g} in iteration "
            f"{step.iteration}; exact EM never does, so this is a bug in ghmpp. The best model so "
            f"far is in EM.model_."
        )
    return after - before
