"""From a question and evidence to results: compiled networks, kept for the next time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp._memory import physical_memory
from ghmpp.inference.impossible import impossible_evidence
from ghmpp.models.evidence import read_evidence
from ghmpp.models.forest import Forest
from ghmpp.models.grouping import group
from ghmpp.models.observations import Observation, is_tensor
from ghmpp.schedule.build import LOG_EVIDENCE, Output
from ghmpp.schedule.cost import ITEM_BYTES, require_results
from ghmpp.schedule.domain import Precision
from ghmpp.schedule.ir import Semiring
from ghmpp.schedule.plan import schedule_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ghmpp.backends.network import Network

# What stands in rows of probability zero, by kind of result: never a made-up answer.
FLAGS = {"posterior": 0, "edge": 0, "choice": -1}
Reaction = Literal["raise", "flag"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a network is compiled for."""

    outputs: tuple[Output, ...]
    observed: tuple[str, ...]
    semiring: Semiring = "sum"
    choose: Literal["argmax", "sample"] = "argmax"


@dataclass(frozen=True, slots=True)
class Seen:
    """Checked evidence, and whether answers are wanted as tensors."""

    observations: Mapping[str, Observation]
    batch: int
    tensors: bool

    @property
    def observed(self) -> tuple[str, ...]:
        """Names of the observed classes: what a network is compiled for."""
        return tuple(sorted(self.observations))


@dataclass
class Answering:
    """The networks of one model, by question.

    Parameters
    ----------
    forest
        The model.
    dtype, device, batch_size
        As for :class:`~ghmpp.inference.queries.Inference`.
    """

    forest: Forest
    dtype: Precision
    device: str
    batch_size: int | None
    networks: dict[Question, Network] = field(default_factory=dict)

    @cached_property
    def row_bytes(self) -> int:
        """At least the memory of one row's results: joints of all variables and parents."""
        most = max((block.states for block in self.forest.blocks.values()), default=0)
        return ITEM_BYTES["float64"] * self.forest.nodes * most**2

    def read(self, evidence: object) -> Seen:
        """Check evidence; a bare array belongs to the only class of leaves."""
        leaves = self.forest.leaves
        default = leaves[0] if len(leaves) == 1 else None
        observations, batch = read_evidence(evidence, self.forest.variables, default=default)
        tensors = any(is_tensor(found.array) for found in observations.values())
        return Seen(observations, batch, tensors)

    def network(self, question: Question) -> Network:
        """The network for a question, compiled at its first use."""
        if question not in self.networks:
            from ghmpp.backends.network import Network
            from ghmpp.backends.prepare import torch_precision

            schedule = schedule_for(
                group(self.forest),
                question.outputs,
                question.observed,
                semiring=question.semiring,
                choose=question.choose,
                dtype=self.dtype,
            )
            self.networks[question] = Network(
                schedule,
                dtype=torch_precision(self.dtype),
                device=self.device,
                chunk=self.batch_size,
                answers=question.outputs,
            )
        return self.networks[question]

    def ask(
        self,
        question: Question,
        seen: Seen,
        impossible: Reaction,
        *,
        generator: torch.Generator | None = None,
        draws: int = 1,
    ) -> dict[tuple[str, str], Tensor]:
        """Results by kind and class; rows of probability zero raise, or are zeros (choices -1)."""
        network = self.network(question)
        self._require_memory(network, seen.batch, draws)
        results = network.evaluate(seen.observations, generator=generator, draws=draws)
        if LOG_EVIDENCE not in results:
            return results
        rows = (results[LOG_EVIDENCE] == -np.inf).nonzero().flatten()
        if len(rows) and impossible == "raise":
            raise impossible_evidence(self.forest, seen.observations, rows.tolist())
        for key, found in results.items():
            if len(rows) and key[0] in FLAGS:
                results[key] = found.index_fill(0, rows, FLAGS[key[0]])
        return results

    def _require_memory(self, network: Network, batch: int, draws: int) -> None:
        """Refuse results that do not fit; counted only where a bound from above does not."""
        limit = physical_memory()
        if limit is not None and batch * draws * self.row_bytes > limit:
            require_results(network.schedule, batch=batch, draws=draws, dtype=self.dtype)

    def export(self, result: Tensor, variable: str, seen: Seen) -> AnyArray:
        """One class's result: without the node axis of a single node, numpy unless tensors came."""
        if variable and self.forest.variables[variable].nodes == 1:
            result = result[:, 0]
        if seen.tensors:
            return result  # type: ignore[return-value]  # tensors in, tensors out
        array: AnyArray = result.detach().cpu().numpy()
        return array
