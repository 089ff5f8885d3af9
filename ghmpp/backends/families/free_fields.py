"""The trainable family of schedules of fields: the same layers with free linear maps."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ghmpp.backends.families.family import Exact, FamilyName
from ghmpp.backends.fields.parts import FieldLayers
from ghmpp.backends.messages import MessageLayer
from ghmpp.backends.prepare import Frame
from ghmpp.models.forest import Coupling
from ghmpp.schedule.ir import Direction, Schedule


@dataclass(frozen=True, slots=True, eq=False)
class FreeFields:
    """Couplings that learn; rounds of a repetition go on sharing theirs.

    Parameters
    ----------
    generator
        Draws the starting numbers: independent, of variance 1 over the number of entries that
        each node reads; constants and priors start as declared. None: all start as declared.
    """

    generator: torch.Generator | None
    name: FamilyName = "trainable"
    certificate: None = None

    def layers(
        self, frame: Frame, toward: Direction, dtype: torch.dtype
    ) -> dict[str, MessageLayer]:
        """None: there are no messages."""
        return {}

    def fields(self, schedule: Schedule, dtype: torch.dtype) -> FieldLayers | None:
        """Exact functions, and free numbers."""
        found = Exact().fields(schedule, dtype)
        assert found is not None
        for coupling in schedule.forest.couplings.values():
            numbers = found.couplings[coupling.key]
            numbers.requires_grad_(True)
            if self.generator is not None and coupling.kind in ("dense", "sparse"):
                self._draw(coupling, numbers, schedule)
        return found

    def _draw(self, coupling: Coupling, numbers: torch.nn.Parameter, schedule: Schedule) -> None:
        """Fresh numbers in place of the declared ones."""
        targets = schedule.forest.blocks[coupling.target].nodes
        with torch.no_grad():
            drawn = torch.randn(numbers.shape, generator=self.generator, dtype=torch.float64)
            numbers.copy_(drawn / max(1.0, numbers.numel() / targets) ** 0.5)
