"""Small forests and the schedules of every kind of question about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.forest import Block, Edge, Forest, PotentialKind, VariableClass
from ghmpp.models.model import Model
from ghmpp.schedule.build import Output, build_schedule
from ghmpp.schedule.ir import Domain, Op, Schedule, Semiring
from ghmpp.schedule.passes import place_normalization, prune

Declared = tuple[str, str | None, int, int]


def forest_of(*classes: Declared, name: str = "small", prior: bool = True) -> Forest:
    """One block per class (name, parent, children per parent, states), tables of ones."""
    variables: dict[str, VariableClass] = {}
    blocks: dict[str, Block] = {}
    edges: dict[str, Edge] = {}
    data: dict[str, AnyArray] = {}
    for child, parent, count, states in classes:
        nodes = count if parent is None else count * blocks[parent].nodes
        unary = child if parent is None and prior else None
        blocks[child] = Block(child, child, 0, nodes, states, unary)
        values = np.arange(states, dtype=np.float64)
        variables[child] = VariableClass(child, tuple(range(states)), values, nodes, (child,))
        if unary is not None:
            data[child] = np.ones((1, states))
        if parent is not None:
            key = f"{parent}->{child}"
            edges[child] = Edge(parent, child, count, key, rows=count)
            data[key] = np.ones((count, blocks[parent].states, states))
    return Forest(name, variables, blocks, edges, data)


def digits() -> Forest:
    """A regular tree of three levels: 1, 4 and 16 nodes."""
    return forest_of(("digit", None, 1, 3), ("block", "digit", 4, 5), ("pixel", "block", 4, 2))


def scenes() -> Forest:
    """Two branches below the root, and two below one of its children."""
    return forest_of(
        ("scene", None, 1, 3),
        ("object", "scene", 2, 4),
        ("part", "object", 3, 2),
        ("texture", "object", 1, 5),
        ("light", "scene", 1, 2),
        name="scenes",
    )


def ring() -> Model:
    """Five variables in a loop: a junction tree."""
    names = "abcde"
    near = np.array([[2.0, 1.0], [1.0, 2.0]])
    pairs = zip(names, names[1:] + names[0], strict=True)
    return model_of(
        Factors("ring", {v: Node(2) for v in names}, tuple(Factor(p, near) for p in pairs))
    )


def islands() -> Forest:
    """Two trees, one of them a single variable."""
    return forest_of(("a", None, 1, 2), ("b", "a", 2, 3), ("c", None, 1, 4), name="islands")


def chain(length: int) -> Forest:
    """A hidden Markov chain: classes z and x, one block per step."""
    steps = range(length)
    blocks = {f"z[{t}]": Block(f"z[{t}]", "z", t, 1, 3, "z" if t == 0 else None) for t in steps}
    blocks |= {f"x[{t}]": Block(f"x[{t}]", "x", t, 1, 2) for t in steps}
    edges = {f"z[{t}]": Edge(f"z[{t - 1}]", f"z[{t}]", 1, "z->z") for t in steps if t > 0}
    edges |= {f"x[{t}]": Edge(f"z[{t}]", f"x[{t}]", 1, "z->x") for t in steps}
    variables = {
        name: VariableClass(
            name, tuple(range(n)), None, length, tuple(f"{name}[{t}]" for t in steps)
        )
        for name, n in (("z", 3), ("x", 2))
    }
    data = {"z": np.ones((1, 3)), "z->z": np.ones((1, 3, 3)), "z->x": np.ones((1, 3, 2))}
    return Forest("chain", variables, blocks, edges, data)


def mapped(kind: PotentialKind) -> Forest:
    """Six parent states and two child states, or the reverse, linked by an index map."""
    sizes = (6, 2) if kind == "child_of" else (2, 6)
    forest = forest_of(("top", None, 1, sizes[0]), ("low", "top", 3, sizes[1]), name="mapped")
    edge = replace(forest.edges["low"], kind=kind, rows=1)
    data = {"top": np.ones((1, sizes[0])), edge.key: np.arange(6)[None] % 2}
    return replace(forest, edges={"low": edge}, data=data)


def plan(
    forest: Forest,
    outputs: Collection[Output],
    observed: Collection[str],
    *,
    semiring: Semiring = "sum",
    choose: Literal["argmax", "sample"] = "argmax",
) -> Schedule:
    """The schedule as it is run, without a chosen domain."""
    built = build_schedule(forest, outputs, observed, semiring=semiring, choose=choose)
    return prune(place_normalization(built))


def classifier(forest: Forest | None = None) -> Schedule:
    """Posterior of the root of :func:`digits` from its pixels: a ConvNet."""
    return plan(forest or digits(), [("posterior", "digit")], ["pixel"])


def denoiser(forest: Forest | None = None) -> Schedule:
    """Means of the pixels of :func:`digits`, and the log evidence: a U-Net."""
    return plan(forest or digits(), [("mean", "pixel"), ("log_evidence", "")], ["pixel"])


def smoother(length: int) -> Schedule:
    """Posteriors of all hidden states of :func:`chain`, and the log evidence."""
    forest = chain(length)
    wanted: list[Output] = [("posterior", name) for name in forest.variables["z"].blocks]
    return plan(forest, [*wanted, ("log_evidence", "")], ["x"])


def decoder(how: Literal["argmax", "sample"]) -> Schedule:
    """Most probable configuration of :func:`scenes`, or a sample of it."""
    forest = scenes()
    semiring: Semiring = "max" if how == "argmax" else "sum"
    wanted: list[Output] = [("choice", name) for name in forest.blocks]
    return plan(forest, wanted, ["part", "light"], semiring=semiring, choose=how)


def everything(forest: Forest) -> Schedule:
    """Every kind of sum-product result, evidence at every class."""
    wanted: list[Output] = [("log_evidence", "")]
    for block in forest.blocks.values():
        wanted.append(("posterior", block.name))
        if forest.variables[block.variable].values is not None:
            wanted.append(("mean", block.name))
        if block.unary is not None:
            wanted.append(("unary_counts", block.name))
        if block.name in forest.edges:
            wanted += [("edge", block.name), ("counts", block.name)]
    return plan(forest, wanted, list(forest.variables))


def in_logs(schedule: Schedule) -> Schedule:
    """The same schedule in the log domain."""
    return replace(schedule, domain=Domain("log", "float64", False, 0.0, "asked for"))


def changed(schedule: Schedule, position: int, op: Op) -> Schedule:
    """The schedule with one instruction replaced."""
    ops = list(schedule.ops)
    ops[position] = op
    return replace(schedule, ops=tuple(ops))


def find(schedule: Schedule, kind: type[Op]) -> int:
    """Position of the first instruction of a kind."""
    return next(index for index, op in enumerate(schedule.ops) if isinstance(op, kind))
