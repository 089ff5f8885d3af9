"""The total mass of a model by its own schedule: a run without evidence."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ghmpp.backends.chunk import Chunks
from ghmpp.backends.prepare import Frame, Setting, message_layers
from ghmpp.backends.state import State
from ghmpp.errors import ModelError
from ghmpp.models.directed import log_partition
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule
from ghmpp.schedule.ir import Domain
from ghmpp.schedule.passes import place_normalization, prune


class Prepared(Protocol):
    """What a network tells about its present potentials."""

    like: Tensor

    @property
    def domain(self) -> Domain: ...
    def state(self) -> State: ...
    def current_forest(self) -> Forest: ...
    def setting(self, *, tracked: bool, logarithms: bool = False) -> Setting: ...


@dataclass(slots=True)
class Partition:
    """The total mass of a network's model, remembered until its parameters change."""

    forest: Forest
    frame: Frame | None = field(default=None, init=False)
    known: tuple[State, Tensor] | None = field(default=None, init=False)

    def log_mass(self, network: Prepared, *, tracked: bool) -> Tensor:
        """Log of the total mass, shape (), float64; with gradients if ``tracked``."""
        if tracked:
            return self.run(network, tracked=True)
        state = network.state()
        if self.known is None or self.known[0] != state:
            if network.domain.dtype == "float64":
                total = torch.tensor(log_partition(network.current_forest()), dtype=torch.float64)
                self.known = state, total.to(network.like.device)
            else:
                # The same arithmetic as with evidence, so that what it rounds cancels.
                self.known = state, self.run(network, tracked=False)
        return self.known[1]

    def run(self, network: Prepared, *, tracked: bool) -> Tensor:
        """The total mass by a run without evidence."""
        if self.frame is None:
            bare = build_schedule(self.forest, [LOG_EVIDENCE], ())
            self.frame = Frame.of(prune(place_normalization(bare)))
        frame = self.frame
        layers = message_layers(frame, "root")

        def setting(logarithms: bool) -> Setting:
            found = network.setting(tracked=tracked, logarithms=logarithms)
            kernel = type(found.kernel)("sum")
            return replace(found, frame=frame, kernel=kernel, collect=layers)

        tolerance, dtype = network.domain.tolerance, network.like.dtype
        with nullcontext() if tracked else torch.inference_mode():
            chunks = Chunks(setting(False), partial(setting, True), tolerance, dtype, None, 1)
            raw, _ = chunks.run({}, 1)
            total = raw[frame.schedule.outputs[LOG_EVIDENCE]][0]
            if total == -torch.inf:
                raise ModelError(
                    f"model {self.forest.name!r}: no configuration has positive mass; "
                    "check the zeros of its tables."
                )
        return total if tracked else total.clone()
