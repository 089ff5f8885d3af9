"""The independent engines by name, each with the size up to which it is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ConversionError, ResourceError
from ghmpp.models.model import Model
from ghmpp.verification import pgmpy_engines
from ghmpp.verification.answers import Answer
from ghmpp.verification.enumeration import enumeration, exact_enumeration
from ghmpp.verification.gradient import gradient
from ghmpp.verification.recursion import log_recursion
from ghmpp.verification.subjects import Subject, edge_classes

CONFIGURATIONS = 100_000
EXACT_CONFIGURATIONS = 2_000
RECURSION_NODES = 200_000
GRADIENT_NODES = 3_000
DENSE_ENTRIES = 20_000_000

Logs: TypeAlias = Mapping[str, FloatArray]
Engine: TypeAlias = Callable[[Subject, Logs], Answer]


def _enumeration(subject: Subject, logs: Logs) -> Answer:
    if subject.joint is not None:
        return subject.joint.enumeration(logs, limit=CONFIGURATIONS)
    return enumeration(subject.forest, logs, limit=CONFIGURATIONS)


def _fractions(subject: Subject, logs: Logs) -> Answer:
    """Exact sums over the likelihoods as float64 has them."""
    likelihoods = {name: np.exp(each) for name, each in logs.items()}
    return exact_enumeration(subject.forest, likelihoods, limit=EXACT_CONFIGURATIONS)


def _recursion(subject: Subject, logs: Logs) -> Answer:
    _limit(subject, RECURSION_NODES)
    batch = max((len(each) for each in logs.values()), default=1)
    kept = edge_classes(subject.forest, batch)
    return log_recursion(subject.forest, logs, edges=bool(kept))


def _gradient(subject: Subject, logs: Logs) -> Answer:
    _limit(subject, GRADIENT_NODES)
    return gradient(subject.forest, logs)


def _triangulation(subject: Subject, logs: Logs) -> Answer:
    if subject.joint is None:
        raise ConversionError("the model is a tree as it is; there is nothing to triangulate.")
    return subject.joint.second_triangulation(logs)


def _pgmpy(engine: Callable[[Model, Logs], Answer]) -> Engine:
    """A pgmpy engine; it needs the model."""

    def run(subject: Subject, logs: Logs) -> Answer:
        if subject.model is None:
            raise ConversionError("a network does not keep its model; verify the program.")
        return engine(subject.model, logs)

    return run


def _limit(subject: Subject, nodes: int) -> None:
    forest = subject.forest
    maps = [edge for edge in forest.edges.values() if edge.kind != "table"]
    ends = ((forest.blocks[edge.parent].states, forest.blocks[edge.child].states) for edge in maps)
    entries = sum(edge.rows * prod(pair) for edge, pair in zip(maps, ends, strict=True))
    if entries > DENSE_ENTRIES:
        raise ResourceError(
            f"its index maps would be tables of {entries:,} entries, more than "
            f"{DENSE_ENTRIES:,}; it would be slow."
        )
    if subject.forest.nodes > nodes:
        raise ResourceError(
            f"{subject.forest.nodes:,} variables exceed limit={nodes:,}; it would be slow."
        )


ENGINES: Mapping[str, Engine] = {
    "enumeration": _enumeration,
    "fractions": _fractions,
    "recursion": _recursion,
    "gradient": _gradient,
    "triangulation": _triangulation,
    "pgmpy.VariableElimination": _pgmpy(pgmpy_engines.bayesian_elimination),
    "pgmpy.VariableElimination(markov)": _pgmpy(pgmpy_engines.markov_elimination),
    "pgmpy.BeliefPropagation": _pgmpy(pgmpy_engines.belief_propagation),
    "pgmpy.BeliefPropagationWithMessagePassing": _pgmpy(pgmpy_engines.message_passing),
}
