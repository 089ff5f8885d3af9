"""One row at a time without torch: a schedule as a short list of numpy calls.

For a single row the calls cost more than the arithmetic, so the plan makes few of them: whatever
no evidence reaches is computed once, when the plan is made, and whatever the states of a few
observed variables decide is tabulated over all these states, so that a run looks it up
(:mod:`ghmpp.backends.small_lowering`). What is left is straight-line numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray

Kernel: TypeAlias = Callable[[FloatArray], FloatArray]
Slot: TypeAlias = int


@dataclass(frozen=True, slots=True, eq=False)
class LookUp:
    """Fills a slot from a table with an axis for each of some hard classes, states last."""

    out: Slot
    table: FloatArray
    pick: Callable[[Sequence[int]], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Fills a slot by a function of one other slot, or by its product with a second one."""

    out: Slot
    source: Slot
    kernel: Kernel | None
    factor: Slot = -1


@dataclass(frozen=True, eq=False)
class SmallPlan:
    """What :func:`~ghmpp.backends.small_lowering.lower` makes of a schedule.

    Parameters
    ----------
    hard, soft
        Observed classes, in the order in which :meth:`run` takes their evidence.
    decades
        How many decades the likelihoods of all soft classes together may span.
    slots
        Constants, and room for what a run computes; those of the soft classes come first.
    look_ups, steps
        What a run does, in order.
    posteriors
        Slot of the unnormalised posterior by class.
    masses
        Slots of the mass of every tree, (1,).
    log_scale
        What scaling took from the log of the mass.
    """

    hard: tuple[str, ...]
    soft: tuple[str, ...]
    decades: float
    slots: tuple[FloatArray, ...]
    look_ups: tuple[LookUp, ...]
    steps: tuple[Step, ...]
    posteriors: Mapping[str, Slot]
    masses: tuple[Slot, ...]
    log_scale: float

    def run(
        self, states: Sequence[int], likelihoods: Sequence[FloatArray] = ()
    ) -> tuple[dict[str, FloatArray], float]:
        """Posteriors by class, (states,), and the log of the mass that agrees with the evidence.

        Parameters
        ----------
        states
            Index of the state of every hard class.
        likelihoods
            Likelihoods of every soft class, (states,), largest entry 1, spanning at most
            ``decades`` decades together.

        Returns
        -------
        posteriors, log mass
            Zeros and -inf where the evidence is impossible.
        """
        slots = list(self.slots)
        slots[: len(likelihoods)] = likelihoods
        for look_up in self.look_ups:
            slots[look_up.out] = look_up.table[look_up.pick(states)]
        for step in self.steps:
            if step.kernel is None:
                slots[step.out] = slots[step.source] * slots[step.factor]
            else:
                slots[step.out] = step.kernel(slots[step.source])
        mass = math.prod(float(slots[slot][0]) for slot in self.masses)
        if mass == 0.0:
            nothing = {name: np.zeros_like(slots[k]) for name, k in self.posteriors.items()}
            return nothing, -math.inf
        found = {name: slots[k] / slots[k].sum() for name, k in self.posteriors.items()}
        return found, math.log(mass) + self.log_scale
