"""One sweep back over the messages of the collect pass: what each has contributed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ghmpp._arrays import AnyArray, BoolArray, FloatArray, IntArray
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import execute
from ghmpp.backends.reference_machine import Machine, prepare
from ghmpp.errors import ScheduleError
from ghmpp.models.forest import Forest
from ghmpp.models.index_maps import edge_tables
from ghmpp.observables.paths import shares_of_change
from ghmpp.schedule.build import Output, build_schedule
from ghmpp.schedule.ir import (
    Combine,
    Evidence,
    Message,
    Normalize,
    Op,
    Pool,
    Readout,
    Schedule,
    Unary,
    Value,
)
from ghmpp.schedule.passes import place_normalization, prune

# How far sums may be off, relative to the largest relevance.
TOLERANCE = 1e-9
# Weights of the changes of a value, and relevance of the states that it has lost, each (batch,
# nodes, states).
Blame = tuple[FloatArray, FloatArray]


def collect_schedule(forest: Forest, root: str, observed: tuple[str, ...]) -> Schedule:
    """The collect pass to one root block, rescaled at every level."""
    wanted: list[Output] = [("posterior", root)]
    built = build_schedule(forest, wanted, observed)
    return prune(place_normalization(built), wanted)


@dataclass
class Sweep:
    """The relevance of what a schedule reads and sends, for some rows of evidence.

    Parameters
    ----------
    schedule
        A collect pass, see :func:`collect_schedule`.
    leaves
        Log-likelihoods by class, (batch, nodes, states), tree order.
    batch
        Number of rows.

    Attributes
    ----------
    sent
        By child block: relevance of the messages that its nodes send, (batch, nodes).
    seen
        By block: relevance of the evidence at its nodes, (batch, nodes).
    """

    schedule: Schedule
    leaves: Mapping[str, FloatArray]
    batch: int
    sent: dict[str, FloatArray] = field(default_factory=dict)
    seen: dict[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._after = _ran(self.schedule, self.leaves)
        self._before = _ran(self.schedule, {})
        self._blame: dict[Value, Blame] = {}
        self._readout = next(op for op in self.schedule.ops if isinstance(op, Readout))
        self._evidence = {op.out for op in self.schedule.ops if isinstance(op, Evidence)}

    @property
    def root(self) -> Value:
        """What is known of the root: the value that is read out."""
        return self._readout.sources[0]

    def before(self, value: Value) -> FloatArray:
        """A value without evidence, in logs, (1, nodes, states)."""
        return self._before.values[value]

    def after(self, value: Value) -> FloatArray:
        """A value with evidence, in logs, (batch, nodes, states)."""
        found = self._after.values[value]
        return np.broadcast_to(found, (self.batch, *found.shape[1:]))

    def back(self, contrast: FloatArray) -> None:
        """Sweep back from the root.

        Parameters
        ----------
        contrast
            Log tables (batch, 1, 2, states): relevance is that of the log-sum over the states of
            the root with the first row less that with the second.
        """
        weight = np.broadcast_to([1.0, -1.0], (self.batch, 1, 2))
        self._through(contrast, self.root, weight, np.zeros_like(weight))
        for op in reversed(self.schedule.ops):
            if not isinstance(op, Readout):
                self._step(op)

    def deviation(self, total: FloatArray) -> float:
        """How far the relevance of a node is from what it consists of, at most.

        ``total`` is the relevance of the root, (batch,).

        Raises
        ------
        ScheduleError
            If that is more than rounding.
        """
        edges = self.schedule.forest.edges
        whole = self.sent | {self._readout.block: total[:, None]}
        parts = {name: np.zeros_like(array) for name, array in whole.items()}
        for name, array in self.seen.items():
            parts[name] += array
        for name, array in self.sent.items():
            parts[edges[name].parent] += self._by_parent(name, array)
        worst = max(float(abs(whole[name] - parts[name]).max(initial=0.0)) for name in whole)
        scale = max(float(abs(array).max(initial=1.0)) for array in whole.values())
        if not worst <= TOLERANCE * scale:
            raise ScheduleError(
                f"relevance is not conserved: off by {worst:.1e} of {scale:.3g} nats; a bug in "
                f"ghmpp.\n{self.schedule}"
            )
        return worst

    def _step(self, op: Op) -> None:
        """Hand the blame for what an instruction wrote to what it read."""
        if not isinstance(op, Unary | Evidence | Combine | Normalize | Pool | Message):
            raise ScheduleError(f"relevance: {op} is in no collect pass; a bug in ghmpp.")
        if op.out not in self._blame:  # the evidence of leaves, which is done
            return
        blame = self._blame.pop(op.out)
        match op:
            case Evidence(block=block):
                self.seen[block] = self._total(op.out, blame)
            case Combine(sources=sources):
                self._shared(sources, blame)
            case Normalize(source=source):
                self._blame[source] = blame  # a constant, and weights sum to 0
            case Pool():
                self._pooled(op, blame)
            case Message():
                self._message(op, blame)

    def _message(self, op: Message, blame: Blame) -> None:
        """Blame for what children have sent; that of observed leaves is their evidence's."""
        forest = self.schedule.forest
        self.sent[op.edge] = self._total(op.out, blame)
        if op.source in self._evidence:
            self.seen[op.edge] = self.sent[op.edge]
            return
        edge = forest.edges[op.edge]
        with np.errstate(divide="ignore"):
            tables = np.log(edge_tables(forest, edge))
        rows = np.arange(forest.blocks[op.edge].nodes) % edge.rows
        self._through(tables[rows][None], op.source, *blame)

    def _through(
        self, table: FloatArray, source: Value, weight: FloatArray, lost: FloatArray
    ) -> None:
        """Blame for what was summed over the states of a value."""
        found = shares_of_change(table, self.before(source), self.after(source), weight, lost)
        self._blame[source] = found

    def _shared(self, sources: tuple[Value, ...], blame: Blame) -> None:
        """Blame for a product: all factors have the weights; those that rule a state out, share."""
        weight, lost = blame
        ruling = [self._rules_out(source) for source in sources]
        count = np.maximum(np.sum(ruling, axis=0), 1)
        for source, rules in zip(sources, ruling, strict=True):
            self._blame[source] = weight, np.where(rules, lost / count, 0.0)

    def _pooled(self, op: Pool, blame: Blame) -> None:
        """Blame for the product of the messages of siblings."""
        forest = self.schedule.forest
        edge = forest.edges[op.edge]
        parents: IntArray = forest.parent_nodes(edge)
        weight, lost = blame
        rules = self._rules_out(op.source)
        count = np.maximum(self._by_parent(op.edge, rules), 1)
        each = np.where(rules, (lost / count)[:, parents], 0.0)
        self._blame[op.source] = weight[:, parents], each

    def _by_parent(self, child: str, array: AnyArray) -> FloatArray:
        """Sums over the children of each parent of an edge, (batch, parents, ...)."""
        forest = self.schedule.forest
        parents = forest.parent_nodes(forest.edges[child])
        sums = np.zeros((forest.blocks[forest.edges[child].parent].nodes, *array[:, 0].shape))
        np.add.at(sums, parents, array.swapaxes(0, 1))
        return sums.swapaxes(0, 1)

    def _rules_out(self, value: Value) -> BoolArray:
        """Which states the evidence in a value makes impossible."""
        found: BoolArray = (self.after(value) == -np.inf) & (self.before(value) > -np.inf)
        return found

    def _total(self, value: Value, blame: Blame) -> FloatArray:
        """Relevance of a value, (batch, nodes)."""
        weight, lost = blame
        after, before = self.after(value), self.before(value)
        with np.errstate(invalid="ignore"):
            change = np.where(after > -np.inf, after - before, 0.0)
        found: FloatArray = (weight * change).sum(axis=-1) + lost.sum(axis=-1)
        return found


def _ran(schedule: Schedule, leaves: Mapping[str, FloatArray]) -> Machine:
    """All values of a run in logarithms."""
    machine = prepare(schedule, leaves, LogFloat())
    for _ in execute(machine, schedule.ops[:-1]):
        pass
    return machine
