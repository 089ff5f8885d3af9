"""A stream of training data: a function of its seed and the step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import AnyArray
from ghmpp._memory import require_bytes
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.learning.training.batches import HELD_OUT, LEVEL, NOISE, ROWS, Batch, Order, generator
from ghmpp.learning.training.draws import Draws, draw, inputs, names_of, noised
from ghmpp.learning.training.fingerprints import model_hash
from ghmpp.learning.training.hiding import Hiding
from ghmpp.learning.training.levels import Levels, level
from ghmpp.learning.training.rows import only_query, require_count, rows_together
from ghmpp.models.channels import Gaussian, Given, Localization

# Bytes that a fixed data set may take per variable: a state, and a noise.
KEPT_BYTES = 8


@dataclass(frozen=True, eq=False)
class Stream:
    """Batches for the question of a program: inputs, and what was true.

    The functions of :mod:`ghmpp.learning.training.streams` make it. Any batch can be asked for
    alone, and nothing but it is in memory; with ``n``, the n samples are as well.

    Parameters
    ----------
    program
        One posterior or mean.
    n
        Number of samples of a fixed data set, gone through in shuffled order; None for new ones
        in every batch.
    seed
        Of all that is drawn.
    levels
        Noise of each batch, as sigma or time of the program's channels; None for the compiled.
    hiding
        Which tokens are hidden; None for none.
    redraw
        Whether a fixed data set gets new noise (and other hidden tokens) in every batch. If not,
        it has n pairs of input and target, as in arXiv:2404.18444.

    Raises
    ------
    QueryError
        If the program has several queries or another than a posterior or mean, is about helper
        classes, or observes through a function; ``n`` is below 1; or no channel has ``levels``.
    EvidenceError
        If a level is out of range.
    ModelError
        If the model is not complete.
    """

    program: Program
    n: int | None = None
    seed: int = 0
    levels: Levels | None = None
    hiding: Hiding | None = None
    redraw: bool = False

    def __post_init__(self) -> None:
        only_query(self.program, "stream")
        if self.n is not None:
            require_count(self.n, "stream", 1)
        self.program.model.require_complete()
        one = draw(self.program, self.hiding, 1, generator(0))
        for step in range(len(self.levels) if isinstance(self.levels, tuple) else 1):
            self._batch(one, step)  # refuses channels and levels that cannot be

    @property
    def varying(self) -> bool:
        """Whether the noise differs from batch to batch."""
        return self.levels is not None

    def batch(self, step: int, size: int) -> Batch:
        """The batch of a step: ``size`` rows, or n if there are fewer; always the same."""
        if self.n is None:
            rng = generator(self.seed, step, ROWS)
            return self._batch(draw(self.program, self.hiding, size, rng), step)
        rows = self._kept.at(self._order.rows(step, size))
        if self.redraw:
            rows = noised(self.program, self.hiding, rows, generator(self.seed, step, NOISE))
        return self._batch(rows, step)

    def held_out(self) -> Stream:
        """An endless stream of other draws from the same law."""
        seed = int(generator(self.seed, HELD_OUT).integers(2**62))
        return replace(self, n=None, redraw=False, seed=seed)

    def described(self) -> dict[str, str]:
        """What tells these data from others."""
        given = ", ".join(map(str, self.program.given))
        return {
            "model": model_hash(self.program.model),
            "question": f"{self.program.queries[0]} given {given}",
            "n": str(self.n),
            "seed": str(self.seed),
            "levels": str(self.levels),
            "hiding": str(self.hiding),
            "redraw": str(self.redraw),
        }

    @cached_property
    def _order(self) -> Order:
        assert self.n is not None
        return Order(self.n, self.seed)

    @cached_property
    def _kept(self) -> Draws:
        """The fixed data set."""
        assert self.n is not None
        model = self.program.model
        nodes = sum(model.variables[name].nodes for name in names_of(self.program))
        require_bytes(
            KEPT_BYTES * nodes * self.n,
            f"stream: {self.n:,} samples need",
            cure="leave out n, so that they are drawn batch by batch",
            largest=model.forest().largest,
        )
        step = rows_together(model)
        # Whole parts, so that the first samples are the same for any n.
        parts = [
            draw(self.program, self.hiding, step, generator(self.seed, start, ROWS))
            for start in range(0, self.n, step)
        ]
        parts[-1] = parts[-1].at(np.arange(self.n - step * (len(parts) - 1)))
        return Draws.joined(parts)

    def _batch(self, draws: Draws, step: int) -> Batch:
        """Draws as inputs and targets."""
        channel: dict[str, float] = {}
        if self.levels is not None:
            chosen = level(self.levels, step, generator(self.seed, step, LEVEL))
            channel = {_parameter(self.program.given): chosen}
        seen = inputs(self.program, draws, channel)
        return Batch(
            tuple(x.float() if x.is_floating_point() else x for x in seen),
            self._target(draws),
            channel,
            None if draws.asked is None else torch.tensor(draws.asked),
        )

    def _target(self, draws: Draws) -> Tensor:
        """What was true, as networks answer: a class with one node has no axis of nodes."""
        (query,) = self.program.queries
        variable = self.program.model.variables[query.variable]
        found: AnyArray = draws.states[query.variable].astype(np.int64)
        if query.kind == "mean":
            assert variable.values is not None  # or the program had not been compiled
            found = variable.values[found].astype(np.float32)
        return torch.from_numpy(found[:, 0] if variable.nodes == 1 else found)


def _parameter(given: tuple[Given, ...]) -> str:
    """The parameter by which the channels of a program say how much noise there is."""
    kinds = {type(each.channel) for each in given if each.channel is not None}
    if kinds == {Gaussian}:
        return "sigma"
    if kinds == {Localization}:
        return "time"
    raise QueryError(
        "stream: levels= are noise levels of channels, which must all be noisy(...), or all "
        "localized(...)."
    )
