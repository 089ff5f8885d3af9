"""The numpy interpreter of schedules: the definition of what every instruction means.

One small function per instruction, in the layout of the definition (batch, nodes, states), over
any :class:`~ghmpp.backends.algebras.Algebra`. Other backends are right when they agree with it.
It is written to be read, not to be fast, but its work is linear in the size of the schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import assert_never

import numpy as np

from ghmpp._arrays import AnyArray, IntArray
from ghmpp.backends import reference_gaussian
from ghmpp.backends.algebras import Algebra, LogFloat
from ghmpp.backends.reference_fields import couple, gate, hand_over, local, noise
from ghmpp.backends.reference_machine import Machine, prepare
from ghmpp.backends.reference_readouts import readout
from ghmpp.errors import QueryError
from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Couple,
    Evidence,
    Exclude,
    Gate,
    Local,
    Message,
    Noise,
    Normalize,
    Op,
    Pool,
    Readout,
    Repeat,
    Schedule,
    Spread,
    Unary,
)
from ghmpp.schedule.provenance import phases
from ghmpp.schedule.values import results


def run(
    schedule: Schedule,
    leaves: Mapping[str, AnyArray],
    algebra: Algebra,
    *,
    data: Mapping[str, AnyArray] | None = None,
    rng: np.random.Generator | None = None,
) -> dict[tuple[str, str], AnyArray]:
    """All outputs of a schedule, by the definition of its instructions.

    Parameters
    ----------
    schedule
        What to run.
    leaves
        Likelihoods by variable class, shape (batch or 1, nodes, states), nodes in tree order, in
        the scalars of the algebra: logarithms for :class:`LogFloat`, linear numbers for
        :class:`Exact`. A class without entry was not observed.
    algebra
        The scalars; its semiring must be the schedule's.
    data
        Potentials that replace those of ``schedule.forest.data``, by key; linear.
    rng
        Source of randomness for schedules that sample.

    Returns
    -------
    dict from output key (kind, block name) to array
        Shapes as documented at :class:`~ghmpp.schedule.ir.Readout`; ``choice`` is (batch, nodes)
        states as integers. Everything is linear, except that ``log_evidence`` is a natural
        logarithm under :class:`LogFloat`; under :class:`Exact` it is the evidence Z itself.
        Where the evidence of a tree is impossible its results are zeros (and ``log_evidence``
        -inf), never NaN. Posteriors of a max schedule have largest entry 1.

    Raises
    ------
    EvidenceError
        If an entry of ``leaves`` has an unknown name, a wrong shape, NaN or +inf.
    ModelError
        If a potential that the schedule needs has no value.
    QueryError
        If algebra and schedule differ in semiring, if a schedule that samples gets no ``rng``,
        or if means are wanted of states without values.

    Examples
    --------
    A fair coin that was seen twice through a channel that is right three times in four:

    >>> from ghmpp.models.forest import Block, Edge, Forest, VariableClass
    >>> from ghmpp.schedule.build import build_schedule
    >>> coin = VariableClass("coin", ("heads", "tails"), None, 1, ("coin",))
    >>> seen = VariableClass("seen", ("heads", "tails"), None, 2, ("seen",))
    >>> forest = Forest(
    ...     "coin",
    ...     {"coin": coin, "seen": seen},
    ...     {"coin": Block("coin", "coin", 0, 1, 2), "seen": Block("seen", "seen", 0, 2, 2)},
    ...     {"seen": Edge("coin", "seen", 2, "coin->seen")},
    ...     {"coin->seen": np.array([[[0.75, 0.25], [0.25, 0.75]]])},
    ... )
    >>> schedule = build_schedule(forest, [("posterior", "coin")], ["seen"])
    >>> twice_heads = np.log([[[0.999, 0.001], [0.999, 0.001]]])
    >>> run(schedule, {"seen": twice_heads}, LogFloat())["posterior", "coin"].round(3)
    array([[[0.9, 0.1]]])
    """
    machine = prepare(schedule, leaves, algebra, data=data, rng=rng)
    for _ in execute(machine, schedule.ops):
        pass
    return {key: machine.values[value] for key, value in schedule.outputs.items()}


def first_impossible(
    schedule: Schedule,
    leaves: Mapping[str, AnyArray],
    *,
    data: Mapping[str, AnyArray] | None = None,
) -> list[tuple[int, str, int]]:
    """Where impossible evidence first shows in the collect pass of a float run.

    Parameters
    ----------
    schedule, leaves, data
        As for :func:`run` with :class:`LogFloat`; the schedule reaches the roots.

    Returns
    -------
    list of (row, block name, node)
        For every batch row of probability zero, in order: the node (tree order in its block) at
        which all states first became impossible, given the evidence at and below it.
    """
    machine = prepare(schedule, leaves, LogFloat(schedule.semiring), data=data)
    found: dict[int, tuple[str, int]] = {}
    ops = zip(schedule.ops, phases(schedule), strict=True)
    for op in execute(machine, (op for op, phase in ops if phase == "collect")):
        dead = (machine.values[op.out] == -np.inf).all(axis=-1)
        for row in np.flatnonzero(dead.any(axis=1)):
            found.setdefault(int(row), (receiver(machine.forest, op), int(np.argmax(dead[row]))))
    return [(row, *found[row]) for row in sorted(found)]


def execute(machine: Machine, ops: Iterable[Op]) -> Iterator[Op]:
    """Run instructions in order; each is yielded once its values are written."""
    for op in ops:
        machine.values.update(zip(results(op), step(machine, op), strict=True))
        yield op


def step(machine: Machine, op: Op) -> tuple[AnyArray, ...]:
    """The values that an instruction writes."""
    match op:
        case Evidence():
            return (evidence(machine, op),)
        case Unary():
            return (unary(machine, op),)
        case Message():
            return (message(machine, op),)
        case Pool():
            return (pool(machine, op),)
        case Spread():
            return (spread(machine, op),)
        case Exclude():
            return (exclude(machine, op),)
        case Combine():
            return (combine(machine, op),)
        case Normalize():
            return machine.algebra.normalize(machine.values[op.source])[: len(results(op))]
        case Choose():
            return (choose(machine, op),)
        case Readout():
            return (readout(machine, op),)
        case Couple():
            return (couple(machine, op),)
        case Local():
            return (local(machine, op),)
        case Gate():
            return (gate(machine, op),)
        case Noise():
            return (noise(machine, op),)
        case Repeat():
            return repeat(machine, op)
        case _:
            assert_never(op)


def repeat(machine: Machine, op: Repeat) -> tuple[AnyArray, ...]:
    """Rounds of the body, each starting from what the one before has left."""
    for round_ in range(op.rounds):
        hand_over(machine, op, first=round_ == 0)
        for _ in execute(machine, op.body):
            pass
    return tuple(machine.values[carry.after] for carry in op.carried)


def evidence(machine: Machine, op: Evidence) -> AnyArray:
    """The block's share of what was observed of its class; ones if nothing was."""
    block = machine.forest.blocks[op.block]
    if block.variable not in machine.leaves:
        return machine.ones(block)
    nodes = slice(block.start, block.start + block.nodes)
    seen = machine.leaves[block.variable][:, nodes]
    if machine.forest.is_gaussian(op.block):
        seen = reference_gaussian.repeated(seen, block.states)
    return machine.as_value(block, seen)


def unary(machine: Machine, op: Unary) -> AnyArray:
    """The one row for all nodes, or a row per node."""
    return machine.as_value(machine.forest.blocks[op.block], machine.potential(op.key))


def message(machine: Machine, op: Message) -> AnyArray:
    """Sum over the sender's states of potential times value."""
    edge, source = machine.forest.edges[op.edge], machine.values[op.source]
    if edge.kind == "gaussian":
        return reference_gaussian.message(machine, op, edge, source)
    if edge.kind != "table":
        return through_index(machine, op, edge, source)
    tables = machine.potential(edge.key)
    if op.toward == "leaves":
        tables = tables.swapaxes(1, 2)
    batch, nodes, states = source.shape
    aligned = source.reshape(batch, nodes // edge.rows, edge.rows, 1, states)
    products = machine.algebra.times(tables, aligned)
    sums: AnyArray = machine.algebra.plus.reduce(products, axis=-1)
    return sums.reshape(batch, nodes, tables.shape[1])


def through_index(machine: Machine, op: Message, edge: Edge, source: AnyArray) -> AnyArray:
    """Message through an index map: a gather one way, a segment sum the other."""
    receiving = machine.forest.blocks[edge.parent if op.toward == "root" else edge.child]
    sent = np.empty((*source.shape[:2], receiving.states), source.dtype)
    for row, index in enumerate(machine.stored(edge.key)):
        part = source[:, row :: edge.rows]
        if (edge.kind == "child_of") == (op.toward == "root"):
            sent[:, row :: edge.rows] = part[..., index]
        else:
            summed = segment_sum(machine.algebra, part, index, receiving.states)
            sent[:, row :: edge.rows] = summed
    return sent


def pool(machine: Machine, op: Pool) -> AnyArray:
    """Product over the children of each parent."""
    products: AnyArray = machine.algebra.times.reduce(by_parent(machine, op), axis=2)
    return products


def spread(machine: Machine, op: Spread) -> AnyArray:
    """Every child gets the value of its parent."""
    above = machine.forest.parent_nodes(machine.forest.edges[op.edge])
    found: AnyArray = machine.values[op.source][:, above]
    return found


def exclude(machine: Machine, op: Exclude) -> AnyArray:
    """Running products from both ends, each without the child itself; no division."""
    times = machine.algebra.times
    siblings = by_parent(machine, op)
    one = np.full_like(siblings[:, :, :1], machine.algebra.one)
    earlier = np.concatenate([one, siblings[:, :, :-1]], axis=2)
    later = np.concatenate([one, siblings[:, :, :0:-1]], axis=2)
    others: AnyArray = times(times.accumulate(earlier, 2), times.accumulate(later, 2)[:, :, ::-1])
    if op.context is not None:
        others = times(others, machine.values[op.context][:, :, None])
    slots = machine.forest.slots(machine.forest.edges[op.edge])
    result = np.empty_like(machine.values[op.messages])
    result[:, slots[slots >= 0]] = others[:, slots >= 0]
    return result


def by_parent(machine: Machine, op: Pool | Exclude) -> AnyArray:
    """The messages of an edge as (batch, parents, children of each, parent states).

    Parents with fewer children than others have ones in their place.
    """
    source = machine.values[op.source if isinstance(op, Pool) else op.messages]
    slots = machine.forest.slots(machine.forest.edges[op.edge])
    one = np.full_like(source[:, :1], machine.algebra.one)
    by_rank: AnyArray = np.concatenate([source, one], axis=1)[:, slots]
    return by_rank


def combine(machine: Machine, op: Combine) -> AnyArray:
    """Product of the values; of none, ones."""
    if not op.sources:
        return machine.ones(machine.forest.blocks[op.block])
    return reduce(machine.algebra.times, (machine.values[source] for source in op.sources))


def choose(machine: Machine, op: Choose) -> IntArray:
    """Best (or drawn) state under the value below and the chosen parent state."""
    if op.how == "sample" and machine.rng is None:
        raise QueryError("run: this schedule samples; pass rng=numpy.random.default_rng(seed).")
    weights = machine.values[op.below]
    if op.parent is not None:
        edge = machine.forest.edges[op.block]
        given = machine.values[op.parent][:, machine.forest.parent_nodes(edge)]
        rows = np.arange(weights.shape[1]) % edge.rows
        weights = machine.algebra.times(weights, machine.tables(edge)[rows, given])
    return machine.algebra.choose(weights, machine.rng if op.how == "sample" else None)


def segment_sum(algebra: Algebra, array: AnyArray, index: IntArray, states: int) -> AnyArray:
    """Entry r of the last axis: sum of the entries s with ``index[s] == r``."""
    sums = np.full((states, *array.shape[:-1]), algebra.zero, array.dtype)
    algebra.plus.at(sums, index, np.moveaxis(array, -1, 0))
    last: AnyArray = np.moveaxis(sums, 0, -1)
    return last


def receiver(forest: Forest, op: Op) -> str:
    """Block whose nodes are the second axis of the instruction's value."""
    match op:
        case Pool():
            return forest.edges[op.edge].parent
        case Message() | Spread() | Exclude():
            return op.edge
        case _:
            return op.block
