"""Forests written block by block, so that the oracles are tested without the declaration."""

from __future__ import annotations

import numpy as np

from ghmpp.models.forest import Block, Edge, Forest, VariableClass
from tests.vectors import RationalModel


def forest_of(model: RationalModel, *, exact: bool = False) -> Forest:
    """The forest of a regular rational model, classes ``x0`` .. ``xL``."""
    dtype = object if exact else np.float64
    data = {"x0": np.array([model.prior], dtype=dtype)}
    blocks = {"x0": Block("x0", "x0", 0, 1, model.states[0], unary="x0")}
    edges = {}
    for level, m in enumerate(model.branching, start=1):
        name, above = f"x{level}", f"x{level - 1}"
        data[f"{above}->{name}"] = np.array(model.tables[level - 1], dtype=dtype)
        blocks[name] = Block(name, name, 0, model.sizes[level], model.states[level])
        edges[name] = Edge(above, name, m, f"{above}->{name}", rows=m)
    leaf = f"x{len(model.branching)}"
    variables = {
        name: VariableClass(
            name,
            states=tuple(range(block.states)),
            values=np.array(model.values, dtype=np.float64) if name == leaf else None,
            nodes=block.nodes,
            blocks=(name,),
        )
        for name, block in blocks.items()
    }
    return Forest(model.name, variables, blocks, edges, data)


def two_trees(order: tuple[int, ...] | None = None) -> Forest:
    """Two trees: a root with two branches (index maps, one table per edge), and a lone root."""
    rng = np.random.default_rng(7)
    data = {
        "season": np.array([[0.3, 0.7, 0.5, 0.0]]),
        "kind": np.array([[0, 1, 1, 0]]),
        "detail": np.array([[1, 3, 0, 1, 2]]),
        "day": rng.uniform(0.5, 2.0, (4, 2, 3)),
        "lone": np.array([[2.0, 1.0], [1.0, 4.0]]),
    }
    blocks = {
        "season": Block("season", "season", 0, 1, 4, unary="season"),
        "kind": Block("kind", "kind", 0, 2, 2),
        "detail": Block("detail", "detail", 0, 1, 5),
        "day": Block("day", "day", 0, 4, 3),
        "lone": Block("lone", "lone", 0, 2, 2, unary="lone", unary_rows=2),
    }
    edges = {
        "kind": Edge("season", "kind", 2, "kind", kind="child_of"),
        "detail": Edge("season", "detail", 1, "detail", kind="parent_of"),
        "day": Edge("kind", "day", 2, "day", rows=4),
    }
    variables = {
        name: VariableClass(
            name,
            states=tuple(range(block.states)),
            values=np.array([0.0, 1.5, -2.0]) if name == "day" else None,
            nodes=block.nodes,
            blocks=(name,),
            order=np.array(order) if name == "day" and order is not None else None,
        )
        for name, block in blocks.items()
    }
    return Forest("two trees", variables, blocks, edges, data)


def chain(length: int, *, states: int = 2, seed: int = 0) -> Forest:
    """A hidden chain ``z`` of blocks z[0].. with one shared table."""
    rng = np.random.default_rng(seed)
    data = {"z->z": rng.uniform(0.2, 1.0, (1, states, states))}
    names = [f"z[{t}]" for t in range(length)]
    blocks = {name: Block(name, "z", t, 1, states) for t, name in enumerate(names)}
    edges = {name: Edge(names[t], name, 1, "z->z") for t, name in enumerate(names[1:], start=0)}
    variables = {
        "z": VariableClass("z", tuple(range(states)), np.arange(states) * 1.0, length, tuple(names))
    }
    return Forest("chain", variables, blocks, edges, data)


def random_logs(forest: Forest, batch: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Log-likelihoods at every class: soft, with some unobserved and some hard nodes."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, each in forest.variables.items():
        states = len(each.states)
        logs = rng.normal(size=(batch, each.nodes, states))
        kind = rng.integers(3, size=(batch, each.nodes))
        hard = np.where(
            np.arange(states) == rng.integers(states, size=kind.shape)[..., None], 0.0, -np.inf
        )
        logs = np.where((kind == 0)[..., None], 0.0, logs)
        found[name] = np.where((kind == 1)[..., None] & (rng.random() < 0.5), hard, logs)
    return found
