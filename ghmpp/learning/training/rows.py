"""Evidence on which networks are judged: drawn from the model, or all that there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.learning.training.draws import Inputs, draw, inputs
from ghmpp.models.model import Model
from ghmpp.models.queries import Query

# Entries (rows times nodes times states) of what runs together.
ENTRIES, MOST_ROWS = 2**21, 4096


def only_query(program: Program, where: str) -> Query:
    """The question of a program.

    Raises
    ------
    QueryError
        If it has several, or one that is no posterior or mean; or if nothing is given, or a
        helper class is asked for or given.
    """
    if not program.given:
        raise QueryError(f"{where}: nothing is given, so that there is nothing to learn from.")
    kinds = [query.kind for query in program.queries]
    if len(kinds) != 1 or kinds[0] not in ("posterior", "mean"):
        asked = ", ".join(f"{q.kind}({q.variable})" for q in program.queries)
        raise QueryError(
            f"{where}: needs a program with one query, a posterior or a mean, got {asked}."
        )
    for name in (program.queries[0].variable, *(each.variable for each in program.given)):
        if name not in program.model.variables:
            raise QueryError(f"{where}: {name!r} is a helper class; name another one.")
    return program.queries[0]


def require_count(n: object, where: str, least: int = 2) -> int:
    """A number of samples.

    Raises
    ------
    QueryError
        If it is no whole number, or too small.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < least:
        raise QueryError(f"{where}: n must be a whole number >= {least}, got {n!r}.")
    return int(n)


def configurations(program: Program) -> int | None:
    """Number of inputs that there are; None where one is continuous."""
    if any(each.channel is not None for each in program.given):
        return None
    found = (program.model.variables[each.variable] for each in program.given)
    count: int = prod(len(each.states) ** each.nodes for each in found)
    return count


def rows_together(model: Model) -> int:
    """Rows that run together: a function of the model, so that a seed means the same anywhere."""
    sizes = (each.nodes * len(each.states) for each in model.variables.values())
    return int(min(max(ENTRIES // max(sizes), 1), MOST_ROWS))


def drawn(program: Program, n: int, seed: int, channel: Mapping[str, float]) -> Iterator[Inputs]:
    """Independent draws of a network's inputs, some rows at a time.

    Parameters
    ----------
    program
        What is drawn, and how it is seen.
    n, seed
        Rows, and the seed of states and noise.
    channel
        Channel parameters in place of the compiled ones.

    Raises
    ------
    QueryError, EvidenceError
        As :func:`ghmpp.learning.training.draws.inputs`.
    """
    rng, step = np.random.default_rng(seed), rows_together(program.model)
    for start in range(0, n, step):
        yield inputs(program, draw(program, None, min(step, n - start), rng), channel)


def enumerated(program: Program) -> Iterator[Inputs]:
    """Every joint state of the given classes, some rows at a time."""
    sizes = [program.model.variables[each.variable] for each in program.given]
    shape = [len(each.states) for each in sizes for _ in range(each.nodes)]
    ends = np.cumsum([each.nodes for each in sizes])[:-1]
    count, step = prod(shape), rows_together(program.model)
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        digits = np.stack(np.unravel_index(rows, shape), axis=1) if shape else rows[:, None]
        yield tuple(torch.tensor(part) for part in np.split(digits, ends, axis=1))


@torch.no_grad()
def answers(module: nn.Module, rows: Inputs, channel: Mapping[str, float]) -> Tensor:
    """What a network says to a batch.

    Inputs are brought to the module's device, and continuous ones to its precision; it is run as
    in use (dropout off), and left in the mode that it had.
    """
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0).double())
    own = [x.to(like.device, like.dtype if x.is_floating_point() else x.dtype) for x in rows]
    modes = {each: each.training for each in module.modules()}
    module.eval()
    try:
        found = module(*own, **channel)
    finally:
        for each, mode in modes.items():
            each.training = mode
    if not isinstance(found, Tensor):
        raise QueryError(f"{type(module).__name__}: must return one tensor, got {type(found)}.")
    return found.detach()
