"""The schedule that is run: built, normalised, pruned, and with a number domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ghmpp.models.forest import Forest
from ghmpp.models.queries import output_blocks
from ghmpp.schedule.build import Output, build_schedule
from ghmpp.schedule.domain import Precision, choose_domain
from ghmpp.schedule.ir import Schedule, Semiring
from ghmpp.schedule.passes import place_normalization, prune, relax_normalization


def schedule_for(
    forest: Forest,
    outputs: Sequence[Output],
    observed: Sequence[str],
    *,
    semiring: Semiring = "sum",
    choose: Literal["argmax", "sample"] = "argmax",
    dtype: Precision = "float64",
    cavities: bool = False,
) -> Schedule:
    """Build, normalise, prune and choose the number domain: the schedule that is run.

    ``outputs`` are pairs (kind, class), see :class:`ghmpp.schedule.ir.Readout`; a class stands
    for all of its blocks. Of a grouped forest, ``outputs`` and ``observed`` name the original
    classes. With ``cavities`` nothing is read off the whole belief of its parent: what a parent
    says excludes what it heard from the same child, which is how errors are followed.
    """
    if forest.grouping is not None:
        members = {"": (("", 0),), **forest.grouping.members}
        outputs = [(kind, home) for kind, name in outputs for home, _ in members[name]]
        outputs = list(dict.fromkeys(outputs))
        observed = sorted({home for name in observed for home, _ in members[name]})
    wanted = [
        (kind, block) for kind, name in outputs for block in output_blocks(forest, kind, name)
    ]
    pairs: list[Output] = []
    if cavities:  # of edges, the cavities are read
        pairs = [("edge", block) for _, block in wanted if block in forest.edges]
    built = build_schedule(forest, [*wanted, *pairs], observed, semiring=semiring, choose=choose)
    pruned = prune(place_normalization(built), wanted)
    return choose_domain(relax_normalization(pruned), dtype)
