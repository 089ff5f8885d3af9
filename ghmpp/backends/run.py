"""One chunk of a batch through a schedule, instruction by instruction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

import torch
from torch import Tensor

from ghmpp.backends.encode import Leaf
from ghmpp.backends.fields.steps import couple, gate, local, noise, repeat
from ghmpp.backends.gathers import Cavity, Factor, Gather, Postponed, Product, Workshop
from ghmpp.backends.gaussian import GaussianEdge, repeated
from ghmpp.backends.guard import Guard
from ghmpp.backends.index_maps import IndexMap
from ghmpp.backends.kernels import exclude, exclude_steps, pool, pool_steps, split
from ghmpp.backends.potentials import Potential, TableStack
from ghmpp.backends.prepare import Setting
from ghmpp.backends.readouts import read_out
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
    Spread,
    Unary,
    Value,
)


@dataclass
class Run:
    """One chunk: ``leaves`` is its evidence by class, ``values`` what has been computed.

    Per-node results have the shape (..., nodes in physical order, batch). ``guard`` (if any)
    follows along; ``guard.worst`` is its bound per row.
    """

    setting: Setting
    leaves: Mapping[str, Leaf]
    batch: int
    generator: torch.Generator | None = None
    values: dict[Value, Tensor] = field(default_factory=dict)
    postponed: dict[Value, Postponed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        setting = self.setting
        self.guard = (
            Guard(setting.frame.places, setting.forest, setting.like) if setting.guarded else None
        )
        self.workshop = Workshop(setting.kernel, setting.tracked, setting.shelf)
        unaries = (op for op in setting.frame.plan.ops if isinstance(op, Unary))
        self.ones = {op.out for op in unaries if op.key in setting.even}

    def execute(self, *, choices: bool = False) -> dict[Value, Tensor]:
        """Run the instructions in order; values are dropped after their last use.

        With ``choices`` only the :class:`Choose` instructions are run (again).
        """
        for position, op in enumerate(self.setting.frame.plan.ops):
            if isinstance(op, Choose) or not choices:
                self.step(op, self.setting.frame.plan.ending[position])
        return {value: self.values[value] for value in self.setting.frame.plan.outputs}

    def step(self, op: Op, ending: tuple[Value, ...]) -> None:
        """One instruction."""
        if op.out in self.setting.frame.plan.postponed:
            self.postponed[op.out] = self.postpone(op)
        else:
            self.values[op.out] = self.result(op, ending)
        if self.guard is not None:
            self.guard.follow(op, self.floor(op))
        for value in ending:
            self.values.pop(value, None)
            self.postponed.pop(value, None)

    def postpone(self, op: Op) -> Postponed:
        """What is known of a value that is computed where it is read."""
        match op:
            case Message(edge=edge, toward=toward, source=source):
                x, potential = self.values[source], self.potential(edge)
                assert isinstance(potential, IndexMap)
                ranks = x.transpose(0, 1) if toward == "root" else x
                gathers = [Gather(part, potential.of(rank)) for rank, part in enumerate(ranks)]
                return Product(self.workshop, tuple(gathers))
            case Pool(source=source):
                return Product(self.workshop, self.factors(source))
            case Combine(sources=sources):
                found = (factor for source in sources for factor in self.factors(source))
                return Product(self.workshop, tuple(found))
            case Exclude(context=context, messages=messages):
                above = () if context is None else self.factors(context)
                return Cavity(Product(self.workshop, self.factors(messages)), above)
        raise AssertionError(op)

    def factors(self, value: Value) -> tuple[Factor, ...]:
        """Factors of a value of a block, without one that is 1 everywhere."""
        waiting = self.postponed.get(value)
        if isinstance(waiting, Product):
            return waiting.factors
        if value in self.ones:
            return ()
        x = self.values[value]
        same = x.stride()[1:3] == (0, 0)
        return (x[:, 0, :1] if same else x.flatten(1, 2),)

    def whole(self, value: Value, block: str) -> Tensor:
        """A value of a block, (states, ranks, parents, batch), computed if it is postponed."""
        waiting = self.postponed.get(value)
        if not isinstance(waiting, Product):
            return self.values[value]
        place = self.setting.frame.places[block]
        return split(waiting.whole(), 1, (place.ranks, place.parents))

    def result(self, op: Op, ending: tuple[Value, ...]) -> Tensor:
        """The value that an instruction writes (a scale is stored on the way)."""
        kernel, tracked = self.setting.kernel, self.setting.tracked
        match op:
            case Evidence(block=block):
                return self.evidence(block)
            case Unary(block=block, key=key):
                return self.unary(block, key)
            case Message():
                return self.message(op)
            case Pool(edge=edge, source=source):
                if self.setting.frame.places[edge].counts:
                    return self.pool_irregular(edge, self.values[source])
                if isinstance(waiting := self.postponed.get(source), Product):
                    return self.at_parent(edge, waiting.whole())
                return self.at_parent(edge, pool(kernel, self.values[source], tracked=tracked))
            case Spread(source=source):
                value = self.values[source].flatten(1, 2)[None]
                shared = source in ending or op.out in self.setting.frame.plan.shared
                return value if shared else value.clone()
            case Exclude(edge=edge, context=context, messages=messages):
                parent = self.setting.forest.edges[edge].parent
                start = None if context is None else self.whole(context, parent)
                if self.setting.frame.places[edge].counts:
                    return self.exclude_irregular(edge, start, self.values[messages])
                waiting = self.postponed.get(messages)
                sent = waiting.each() if isinstance(waiting, Product) else self.values[messages]
                return exclude(kernel, start, sent, tracked=tracked)
            case Combine():
                return self.product(op, ending)
            case Normalize():
                return self.normalize(op, ending)
            case Choose():
                return self.choose(op)
            case Readout():
                return read_out(self, op, ending)
            case Couple():
                return couple(self, op)
            case Local():
                return local(self, op)
            case Gate():
                return gate(self, op)
            case Noise():
                return noise(self, op)
            case Repeat():
                return repeat(self, op)
            case _:
                assert_never(op)

    def evidence(self, name: str) -> Tensor:
        """The block's part of its class's evidence."""
        block, place = self.setting.forest.blocks[name], self.setting.frame.places[name]
        part = self.leaves[block.variable].value[:, block.start : block.start + block.nodes]
        if self.setting.forest.is_gaussian(name):
            part = repeated(part, block.states)
        return split(part, 1, (place.ranks, place.parents))

    def unary(self, name: str, key: str) -> Tensor:
        """The unary potential, (states, ranks, parents, 1), one row for all or one per node."""
        place, stack = self.setting.frame.places[name], self.setting.unaries[key]
        if stack.shape[1] == 1:
            return stack[:, :, None, None].expand(-1, place.ranks, place.parents, 1)
        order = torch.as_tensor(place.order, device=stack.device)
        return split(stack.index_select(1, order), 1, (place.ranks, place.parents))[..., None]

    def potential(self, block: str) -> Potential:
        """The potential on the edge to a child block."""
        return self.setting.potentials[self.setting.forest.blocks[block].variable]

    def message(self, op: Message) -> Tensor:
        """Through the potential, by the layer of the edge's class."""
        variable = self.setting.forest.blocks[op.edge].variable
        potential, waiting = self.setting.potentials[variable], self.postponed.get(op.source)
        if waiting is not None:
            assert isinstance(potential, IndexMap)
            if isinstance(waiting, Cavity):
                return waiting.received(potential)
            return self.at_parent(op.edge, waiting.summed(potential))
        x = self.values[op.source]
        kernel = self.setting.kernel
        if op.toward == "leaves":
            received: Tensor = self.setting.distribute[variable](kernel, potential, x, op.edge)
            return received.transpose(0, 1)
        sent: Tensor = self.setting.collect[variable](kernel, potential, x.transpose(0, 1), op.edge)
        single = self.setting.forest.edges[op.edge].single
        return self.at_parent(op.edge, sent[0]) if single else sent

    def pool_irregular(self, edge: str, message: Tensor) -> Tensor:
        """Product over the children of each parent; ones where there are none."""
        setting = self.setting
        counts, holders = setting.steps[edge]
        place = setting.frame.places[setting.forest.edges[edge].parent]
        pooled = pool_steps(setting.kernel, message[0], counts, tracked=setting.tracked)
        whole = pooled.new_full((pooled.shape[0], place.nodes, pooled.shape[2]), setting.kernel.one)
        parents = holders[: counts[0]]
        return self.at_parent(edge, whole.index_copy(1, parents, pooled))

    def exclude_irregular(self, edge: str, context: Tensor | None, message: Tensor) -> Tensor:
        """For each child, the context times the messages of its siblings, (1, S, children, N)."""
        counts, holders = self.setting.steps[edge]
        if context is None:
            shape = (message.shape[1], counts[0], 1)
            start = message.new_full(shape, self.setting.kernel.one)
        else:
            start = context.flatten(1, 2).index_select(1, holders[: counts[0]])
        return exclude_steps(self.setting.kernel, start, message[0], counts)[None]

    def floor(self, op: Op) -> float:
        """What encoding may have dropped from the evidence of a block."""
        if not isinstance(op, Evidence):
            return 0.0
        return self.leaves[self.setting.forest.blocks[op.block].variable].lost

    def at_parent(self, edge: str, pooled: Tensor) -> Tensor:
        """A product over children, (S, parents, N), as a value of the parent block."""
        place = self.setting.frame.places[self.setting.forest.edges[edge].parent]
        return split(pooled, 1, (place.ranks, place.parents))

    def reusable(self, value: Value, ending: tuple[Value, ...]) -> bool:
        """Whether a value's memory may be overwritten: last use, own memory, no gradients."""
        return (
            value in ending
            and not self.setting.tracked
            and value not in self.setting.frame.plan.borrowed
        )

    def product(self, op: Combine, ending: tuple[Value, ...]) -> Tensor:
        """Product of values of one block; ones where there are none."""
        setting = self.setting
        if not op.sources:
            block, place = setting.forest.blocks[op.block], setting.frame.places[op.block]
            shape = (block.states, place.ranks, place.parents, 1)
            return setting.like.new_full(shape, setting.kernel.one)
        factors = [
            (self.whole(source, op.block), self.reusable(source, ending)) for source in op.sources
        ]
        # What may be overwritten, and is large enough for the result, comes first.
        factors.sort(key=lambda factor: (not factor[1], -factor[0].shape[3]))
        (result, mine), *rest = factors
        for factor, _ in rest:
            result = setting.kernel.times(result, factor, reuse=mine)
            mine = not setting.tracked
        return result

    def normalize(self, op: Normalize, ending: tuple[Value, ...]) -> Tensor:
        """Rescale to largest entry 1."""
        value, kernel = self.values[op.source], self.setting.kernel
        reuse = self.reusable(op.source, ending)
        if self.guard is not None:
            self.guard.rescaled(op.out, value)
        result, largest = kernel.normalize(value, reuse=reuse)
        if op.scale is not None:
            self.values[op.scale] = kernel.log_scale(largest).double().sum((0, 1))
        return result

    def choose(self, op: Choose) -> Tensor:
        """A state per node, (nodes, batch): argmax or draw given the parent's choice."""
        kernel, below = self.setting.kernel, self.values[op.below]
        below = below.expand(*below.shape[:3], self.batch)
        if op.parent is not None:
            below = self.weights(op.block, self.values[op.parent], below)
        if self.guard is not None:
            self.guard.watch(below.amax(0), (op.below,))
        if op.how == "argmax":
            return below.argmax(0).flatten(0, 1)
        return kernel.draw(below, self.generator).flatten(0, 1)

    def weights(self, block: str, choice: Tensor, below: Tensor) -> Tensor:
        """Weights of a block's states given the states chosen at its parents."""
        kernel, potential = self.setting.kernel, self.potential(block)
        if block in self.setting.steps:
            choice = choice.index_select(0, self.setting.steps[block][1])
        assert not isinstance(potential, GaussianEdge)  # real variables have no states to choose
        allowed = potential.given(choice)
        if not isinstance(potential, TableStack):
            allowed = kernel.table(allowed.to(below.dtype))
        return kernel.times(below, allowed)
