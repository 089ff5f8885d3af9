"""Answers of our own engine in the form of the oracles', for comparison."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ghmpp.inference.queries import Inference
from ghmpp.models.model import Model
from ghmpp.verification.answers import Answer


def our_answer(
    model: Model,
    evidence: object,
    *,
    dtype: Literal["float32", "float64"] = "float64",
    counts: bool = False,
) -> Answer:
    """Posteriors, log evidence, edges and the best configuration; counts if asked."""
    engine = Inference(model, dtype=dtype, on_impossible="flag")
    forest = model.forest()
    beliefs = engine.posteriors(evidence)
    posteriors = {
        name: beliefs[name].reshape(len(beliefs.log_evidence), variable.nodes, -1)
        for name, variable in forest.variables.items()
    }
    edges = {
        child: engine.edge(evidence, parent, child)
        for parent, child in model.template.edges
        if any(block.name in forest.edges for block in forest.class_blocks(child))
    }
    choice = {
        name: states.reshape(len(beliefs.log_evidence), -1)
        for name, states in engine.map(evidence).items()
    }
    return Answer(
        log_evidence=beliefs.log_evidence,
        log_partition=engine.log_partition(),
        posteriors=posteriors,
        edges=edges,
        counts=engine.expected_counts(evidence)[0] if counts else {},
        choice=choice,
    )


def log_mass(
    model: Model, choice: dict[str, np.ndarray], logs: dict[str, np.ndarray]
) -> np.ndarray:
    """Log of the product of all potentials and likelihoods of configurations, (batch,)."""
    forest = model.forest()
    tree = {
        name: states if (order := forest.variables[name].order) is None else states[:, order]
        for name, states in choice.items()
    }
    seen = {
        name: found if (order := forest.variables[name].order) is None else found[:, order]
        for name, found in logs.items()
    }
    total = np.zeros(len(next(iter(tree.values()))))
    with np.errstate(divide="ignore"):
        for block in forest.blocks.values():
            states = tree[block.variable][:, block.start : block.start + block.nodes]
            if block.unary is not None:
                rows = np.arange(block.nodes) % block.unary_rows
                total += np.log(forest.data[block.unary][rows, states]).sum(1)
            if block.variable in seen:
                part = seen[block.variable][:, block.start : block.start + block.nodes]
                part = np.broadcast_to(part, (len(states), *part.shape[1:]))
                total += np.take_along_axis(part, states[..., None], 2)[..., 0].sum(1)
            edge = forest.edges.get(block.name)
            if edge is None:
                continue
            above = forest.blocks[edge.parent]
            parents = tree[above.variable][:, above.start : above.start + above.nodes]
            parents = np.repeat(parents, edge.fanout, axis=1)
            data = forest.data[edge.key]
            if edge.kind == "table":
                total += np.log(data[np.arange(block.nodes) % edge.rows, parents, states]).sum(1)
                continue
            rows = np.arange(block.nodes) % edge.rows
            down = edge.kind == "child_of"
            linked = data[rows, parents] == states if down else data[rows, states] == parents
            total += np.log(linked.astype(float)).sum(1)
    return total
