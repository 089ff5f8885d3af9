"""The total mass of a model by its own schedule: a run without evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ghmpp.backends.chunk import Chunks
from ghmpp.backends.prepare import Frame, Setting, message_layers
from ghmpp.errors import ModelError
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule
from ghmpp.schedule.passes import place_normalization, prune


def partition_frame(forest: Forest) -> Frame:
    """What follows from the schedule of the total mass."""
    bare = build_schedule(forest, [LOG_EVIDENCE], ())
    return Frame.of(prune(place_normalization(bare)))


def run_partition(
    frame: Frame, prepared: Callable[[bool], Setting], tolerance: float, dtype: torch.dtype
) -> Tensor:
    """Log of the total mass, shape (), float64.

    Parameters
    ----------
    frame
        Of :func:`partition_frame`.
    prepared
        Prepared potentials; True asks for those in logarithms.
    tolerance
        Largest bound on what underflow may have lost, relative.
    dtype
        Precision of the network.

    Raises
    ------
    ModelError
        If no configuration has positive mass.
    """
    layers = message_layers(frame, "root")

    def setting(logarithms: bool) -> Setting:
        found = prepared(logarithms)
        kernel = type(found.kernel)("sum")
        return replace(found, frame=frame, kernel=kernel, collect=layers)

    chunks = Chunks(setting(False), partial(setting, True), tolerance, dtype, None, 1)
    raw, _ = chunks.run({}, 1)
    total = raw[frame.schedule.outputs[LOG_EVIDENCE]][0]
    if total == -torch.inf:
        raise ModelError(
            f"model {frame.schedule.forest.name!r}: no configuration has positive mass; "
            "check the zeros of its tables."
        )
    return total
