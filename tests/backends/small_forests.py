"""Forests small enough to sum over every configuration, and that sum, in plain fractions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.algebras import LogFloat
from ghmpp.models.forest import Block, Edge, Forest, PotentialKind, VariableClass
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.passes import place_normalization

Configuration = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Class:
    """One class in one block: ``nodes`` is per parent, or in total for a root."""

    name: str
    states: int
    parent: str | None = None
    nodes: int = 1
    kind: PotentialKind = "table"
    rows: int = 1
    unary_rows: int = 0
    index: tuple[tuple[int, ...], ...] = ()


def fractions(rng: np.random.Generator, shape: tuple[int, ...], zeros: float = 0.0) -> ObjectArray:
    """Random fractions k/6, k in 1..12, or 0 with probability ``zeros``."""
    array = np.empty(shape, object)
    for index in np.ndindex(shape):
        array[index] = Fraction(int(rng.integers(1, 13)) * int(rng.random() >= zeros), 6)
    return array


def grow(*classes: Class, seed: int = 0, zeros: float = 0.0) -> Forest:
    """A forest with random rational potentials; state s has the value s / 2."""
    rng = np.random.default_rng(seed)
    blocks: dict[str, Block] = {}
    edges: dict[str, Edge] = {}
    data: dict[str, AnyArray] = {}
    for each in classes:
        nodes = each.nodes * (blocks[each.parent].nodes if each.parent else 1)
        unary = f"{each.name}" if each.unary_rows else None
        blocks[each.name] = Block(
            each.name, each.name, 0, nodes, each.states, unary, max(each.unary_rows, 1)
        )
        if unary:
            data[unary] = fractions(rng, (each.unary_rows, each.states))
        if each.parent:
            key = f"{each.parent}->{each.name}"
            edges[each.name] = Edge(each.parent, each.name, each.nodes, key, each.kind, each.rows)
            shape = (each.rows, blocks[each.parent].states, each.states)
            is_table = each.kind == "table"
            data[key] = fractions(rng, shape, zeros) if is_table else np.array(each.index)
    variables = {b.name: variable(b.name, b.states, b.nodes, (b.name,)) for b in blocks.values()}
    return Forest("small", variables, blocks, edges, data)


def variable(name: str, states: int, nodes: int, blocks: tuple[str, ...]) -> VariableClass:
    """A class whose state s has the value s / 2."""
    return VariableClass(name, tuple(range(states)), np.arange(states) / 2, nodes, blocks)


def chain(length: int, states: int, seed: int = 0) -> Forest:
    """A chain class z in blocks z[0] .. with a class x of one child each."""
    rng = np.random.default_rng(seed)
    blocks: dict[str, Block] = {}
    edges: dict[str, Edge] = {}
    for k in range(length):
        blocks[f"z[{k}]"] = Block(f"z[{k}]", "z", k, 1, states, None if k else "z")
        blocks[f"x[{k}]"] = Block(f"x[{k}]", "x", k, 1, 2)
        if k:
            edges[f"z[{k}]"] = Edge(f"z[{k - 1}]", f"z[{k}]", 1, "z->z")
        edges[f"x[{k}]"] = Edge(f"z[{k}]", f"x[{k}]", 1, "z->x")
    data = {
        "z": fractions(rng, (1, states)),
        "z->z": fractions(rng, (1, states, states)),
        "z->x": fractions(rng, (1, states, 2)),
    }
    variables = {
        name: variable(name, size, length, tuple(f"{name}[{k}]" for k in range(length)))
        for name, size in (("z", states), ("x", 2))
    }
    return Forest("chain", variables, blocks, edges, data)


def potential(forest: Forest, edge: Edge, child: int, s: int, a: int) -> Fraction:
    """The potential of one edge at one pair of states."""
    entries = forest.data[edge.key]
    if edge.kind == "table":
        return Fraction(entries[child % edge.rows, s, a])
    index = entries[child % edge.rows]
    return Fraction(int(index[s] == a if edge.kind == "child_of" else index[a] == s))


def mass(forest: Forest, states: Configuration, leaves: Mapping[str, AnyArray]) -> Fraction:
    """Product of all potentials and of the likelihoods of one row, (nodes, states) by class."""
    product = Fraction(1)
    for block in forest.blocks.values():
        for node, state in enumerate(states[block.name]):
            if block.variable in leaves:
                product *= leaves[block.variable][block.start + node, state]
            if block.unary is not None:
                product *= forest.data[block.unary][node % block.unary_rows, state]
            if block.name in forest.edges:
                edge = forest.edges[block.name]
                above = states[edge.parent][node // edge.fanout]
                product *= potential(forest, edge, node, above, state)
    return product


def configurations(forest: Forest) -> Iterator[Configuration]:
    """Every assignment of states to all nodes."""
    choices = [itertools.product(range(b.states), repeat=b.nodes) for b in forest.blocks.values()]
    for picked in itertools.product(*map(tuple, choices)):
        yield dict(zip(forest.blocks, picked, strict=True))


@dataclass
class Truth:
    """Sums over all configurations: the evidence and best mass of every row; posteriors and
    edge posteriors by block, zero in impossible rows.
    """

    total: list[Fraction] = field(default_factory=list)
    best: list[Fraction] = field(default_factory=list)
    posterior: dict[str, ObjectArray] = field(default_factory=dict)
    edge: dict[str, ObjectArray] = field(default_factory=dict)


def brute_force(forest: Forest, leaves: Mapping[str, AnyArray], batch: int) -> Truth:
    """Everything by enumeration."""
    truth = Truth()
    for block in forest.blocks.values():
        truth.posterior[block.name] = zeros((batch, block.nodes, block.states))
    for edge in forest.edges.values():
        child, parent = forest.blocks[edge.child], forest.blocks[edge.parent]
        truth.edge[edge.child] = zeros((batch, child.nodes, parent.states, child.states))
    for row in range(batch):
        likelihoods = {name: array[row] for name, array in leaves.items()}
        weights = [(each, mass(forest, each, likelihoods)) for each in configurations(forest)]
        truth.total.append(sum((weight for _, weight in weights), Fraction(0)))
        truth.best.append(max(weight for _, weight in weights))
        if truth.total[row]:
            for each, weight in weights:
                add(truth, forest, row, each, weight / truth.total[row])
    return truth


def add(
    truth: Truth, forest: Forest, row: int, states: Configuration, probability: Fraction
) -> None:
    """Count one configuration."""
    for name, chosen in states.items():
        for node, state in enumerate(chosen):
            truth.posterior[name][row, node, state] += probability
            if name in forest.edges:
                above = states[forest.edges[name].parent][node // forest.edges[name].fanout]
                truth.edge[name][row, node, above, state] += probability


def zeros(shape: tuple[int, ...]) -> ObjectArray:
    """Exact zeros."""
    return np.full(shape, Fraction(0), object)


LOG_EVIDENCE = ("log_evidence", "")


def everything(forest: Forest, observed: Mapping[str, AnyArray]) -> Schedule:
    """A schedule of all posteriors, means, edges and counts."""
    wanted = [LOG_EVIDENCE]
    for block in forest.blocks.values():
        wanted += [("posterior", block.name), ("mean", block.name)]
        wanted += [("unary_counts", block.name)] if block.unary else []
    wanted += [(kind, name) for name in forest.edges for kind in ("edge", "counts")]
    return place_normalization(build_schedule(forest, wanted, list(observed)))


def likelihoods(forest: Forest, batch: int = 3, seed: int = 1) -> dict[str, ObjectArray]:
    """Random fractions, a third of them zero, at every class but the first."""
    rng = np.random.default_rng(seed)
    classes = list(forest.variables.values())
    return {
        each.name: fractions(rng, (batch, each.nodes, len(each.states)), zeros=0.3)
        for each in classes[1:] or classes
    }


def logs(linear: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Likelihoods as log-likelihoods."""
    return {name: LogFloat().lift(array) for name, array in linear.items()}


FORESTS = {
    "one node": grow(Class("r", 3, unary_rows=1)),
    "one child": grow(Class("r", 2, unary_rows=1), Class("x", 3, "r")),
    "one table for all ranks": grow(Class("r", 2), Class("x", 3, "r", 3)),
    "a table per rank": grow(
        Class("r", 2, unary_rows=1), Class("y", 2, "r", 2, rows=2), Class("x", 2, "y", 2, rows=2)
    ),
    "a table per edge": grow(
        Class("r", 2), Class("y", 2, "r", 2, rows=2), Class("x", 2, "y", 2, rows=4, unary_rows=4)
    ),
    "three branches": grow(
        Class("r", 2, unary_rows=1),
        Class("x", 2, "r", 2, rows=2),
        Class("y", 3, "r"),
        Class("w", 2, "r", 3, unary_rows=1),
    ),
    "index maps": grow(
        Class("r", 3, unary_rows=1),
        Class("rule", 4, "r", kind="parent_of", index=((0, 2, 2, 0),), unary_rows=1),
        Class("x", 3, "rule", 2, kind="child_of", index=((0, 2, 2, 1),)),
        Class("y", 2, "rule", kind="child_of", index=((1, 1, 0, 0),)),
    ),
    "an index map per rank": grow(
        Class("r", 2, unary_rows=1),
        Class("rule", 4, "r", kind="parent_of", index=((0, 0, 1, 1),), unary_rows=1),
        Class("x", 3, "rule", 3, "child_of", 3, index=((0, 2, 2, 1), (1, 0, 1, 1), (2, 2, 0, 1))),
        Class("y", 4, "r", 2, "parent_of", 2, index=((0, 1, 1, 0), (1, 0, 0, 0))),
    ),
    "an index map per edge": grow(
        Class("r", 2, nodes=2, unary_rows=2),
        Class("x", 2, "r", 2, "child_of", 4, index=((0, 1), (1, 1), (1, 0), (0, 0))),
        Class("y", 3, "r", 1, "parent_of", 2, index=((0, 1, 1), (1, 0, 0))),
    ),
    "many zeros": grow(
        Class("r", 3), Class("y", 3, "r", 2, rows=2), Class("x", 2, "y", 2), seed=3, zeros=0.4
    ),
    "two roots": grow(
        Class("r", 2, nodes=2, unary_rows=2), Class("x", 2, "r", 2, rows=4), Class("t", 3)
    ),
    "chain": chain(4, 2),
}
