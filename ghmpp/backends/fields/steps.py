"""Instructions on fields in the layout of a run, (1, ranks, parents, batch); blocks are roots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ghmpp.backends.fields.couplings import through
from ghmpp.backends.fields.layers import local_name
from ghmpp.backends.fields.parts import Fields
from ghmpp.backends.reference_fields import refuse_impossible
from ghmpp.errors import QueryError
from ghmpp.schedule.ir import Couple, Gate, Local, Noise, Repeat, Term
from ghmpp.schedule.values import results

if TYPE_CHECKING:
    from ghmpp.backends.run import Run


def couple(run: Run, op: Couple) -> Tensor:
    """Sum of the terms."""
    nodes = run.setting.forest.blocks[op.block].nodes
    total = run.setting.like.new_zeros(nodes, 1)
    for term in op.terms:
        total = torch.add(total, _term(run, term), alpha=term.scale)
    return total[None, None]


def _term(run: Run, term: Term) -> Tensor:
    """What a term adds, before its scale, (nodes, batch)."""
    if term.coupling is None:
        return run.values[term.source or 0][0, 0]
    fields, forest = _fields(run), run.setting.forest
    coupling = forest.couplings[term.coupling]
    numbers = fields.numbers[coupling.key]
    if term.source is None:
        return numbers[:, None]
    sizes = forest.blocks[coupling.target].nodes, forest.blocks[coupling.source].nodes
    index = fields.indices.get(coupling.index or "")
    x = run.values[term.source][0, 0]
    return through(coupling, numbers, index, x, sizes, transposed=term.transposed)


def local(run: Run, op: Local) -> Tensor:
    """The layer of the function."""
    fields = _fields(run)
    inputs = tuple(run.values[source] for source in op.sources)
    if op.function.name == "log_odds" and bool((inputs[0].detach().amax(0) == -torch.inf).any()):
        refuse_impossible(op.block)
    prior = None if op.key is None else fields.numbers[op.key]
    found: Tensor = fields.local[local_name(op.function)](inputs, prior, 0)
    return found


def gate(run: Run, op: Gate) -> Tensor:
    """Product, node by node."""
    first, second = (run.values[source] for source in op.sources)
    found: Tensor = _fields(run).gates[op.name](first, second)
    return found


def noise(run: Run, op: Noise) -> Tensor:
    """Noise is drawn for every row of the batch and every node."""
    if run.generator is None:
        raise QueryError("network: it draws noise; say which with seed=.")
    source = run.values[op.source]
    shape = (*source.shape[:3], run.batch)
    drawn = torch.randn(shape, generator=run.generator, dtype=source.dtype, device=source.device)
    return source + op.scale * drawn


def repeat(run: Run, op: Repeat) -> Tensor:
    """Rounds of the body; what is carried beyond the first value is stored on the way."""
    values = run.values
    found = [values[carry.start] for carry in op.carried]
    for _ in range(op.rounds):
        values.update(zip((carry.inside for carry in op.carried), found, strict=True))
        for each in op.body:
            values[each.out] = run.result(each, ())
        found = [values[carry.after] for carry in op.carried]
    for each in op.body:
        for value in results(each):
            del values[value]
    for carry in op.carried:
        del values[carry.inside]
    values.update(zip(results(op), found, strict=True))
    return found[0]


def _fields(run: Run) -> Fields:
    """Numbers and layers, which every schedule with such instructions has."""
    assert run.setting.fields is not None
    return run.setting.fields
