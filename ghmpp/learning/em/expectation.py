"""The E-step: how often each entry of the learned potentials is expected to be used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.backends.network import Network
from ghmpp.inference.impossible import impossible_evidence
from ghmpp.models.forest import Forest
from ghmpp.models.observations import Observation
from ghmpp.schedule.build import LOG_EVIDENCE, Output
from ghmpp.schedule.domain import choose_domain
from ghmpp.schedule.plan import schedule_for


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What the E-step gives.

    Parameters
    ----------
    counts
        Expected number of uses of every entry, summed over the batch, by potential key; shaped
        like the stacks: (rows, parent states, child states), or (rows, states) for unaries.
    log_evidence
        Log probability of each row of evidence, (batch,), natural log.
    log_partition
        Log of the total mass without evidence; 0 for a directed model.
    """

    counts: Mapping[str, FloatArray]
    log_evidence: FloatArray
    log_partition: float


class Expectation:
    """The E-step of one model on one batch of evidence; the schedule is built once.

    Parameters
    ----------
    forest
        Structure.
    keys
        Potentials whose counts are wanted.
    observations
        Evidence by class; none: one row without evidence.
    """

    def __init__(
        self, forest: Forest, keys: Collection[str], observations: Mapping[str, Observation]
    ) -> None:
        wanted: dict[Output, None] = {}
        for name, edge in forest.edges.items():
            if edge.key in keys:
                wanted["counts", forest.blocks[name].variable] = None
        for block in forest.blocks.values():
            if block.unary in keys:
                wanted["unary_counts", block.variable] = None
        self.forest = forest
        self.observations = observations
        self.schedule = schedule_for(forest, [*wanted, LOG_EVIDENCE], sorted(observations))

    def __call__(
        self,
        data: Mapping[str, AnyArray],
        observations: Mapping[str, Observation] | None = None,
    ) -> Expected:
        """Counts and log evidence for numeric potentials by key.

        ``observations`` of the same classes stand for the present ones.

        Raises
        ------
        ImpossibleEvidenceError
            If rows have probability zero; the message names them and where it arose.
        """
        forest = replace(self.forest, data=data, formulas={}, parameters={})
        schedule = choose_domain(replace(self.schedule, forest=forest))
        network = Network(schedule, dtype=torch.float64)
        seen = self.observations if observations is None else observations
        results = network.evaluate(seen)
        log_evidence = results.pop(LOG_EVIDENCE).numpy()
        rows = np.flatnonzero(np.isneginf(log_evidence)).tolist()
        if rows:
            raise impossible_evidence(forest, seen, rows)
        counts = {key: found.numpy() for (_, key), found in results.items()}
        return Expected(counts, log_evidence, float(network.log_partition()))
