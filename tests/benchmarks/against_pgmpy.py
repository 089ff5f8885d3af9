"""How many rows per second does ghmpp answer, and how far are its answers from pgmpy's?

A binary tree of depth 6: 127 variables with 4 states, the 64 leaves observed, the posteriors of
all 63 inner variables asked. Every engine is built once; a row is one set of observed leaves.
pgmpy runs at its best: message passing asked for all variables in one call, variable elimination
one variable at a time without progress bars. Repeats are interleaved, the best of each is kept,
one thread, process CPU time. Run as ``python -m tests.benchmarks.against_pgmpy``.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import ghmpp as gh
from ghmpp.models.convert_pgmpy import to_pgmpy

DEPTH, STATES, BATCH, REPEATS = 6, 4, 4096, 3
Rows = NDArray[np.int64]
Posteriors = NDArray[np.float64]


@dataclass
class Engine:
    """One way to answer: ``answer(rows)`` gives posteriors (rows, inner variables, states)."""

    name: str
    answer: Callable[[Rows], Posteriors]
    rows: int
    seconds: float = float("inf")


def model_of() -> gh.Model:
    """Random positive tables, one per level and child rank."""
    rng = np.random.default_rng(0)
    tables = [np.exp(rng.normal(size=(2, STATES, STATES))) for _ in range(DEPTH)]
    return gh.GHM(states=(STATES,) * (DEPTH + 1), branching=(2,) * DEPTH, tables=tables)


def names(model: gh.Model) -> tuple[list[str], list[str]]:
    """Inner variables and leaves, by the names that pgmpy knows them by."""
    known = {ours: theirs for theirs, ours in to_pgmpy(model).graph["ghmpp_names"].items()}
    layers = [[known[f"x{k}[{i}]" if k else "x0"] for i in range(2**k)] for k in range(DEPTH + 1)]
    return [name for layer in layers[:-1] for name in layer], layers[-1]


def ours(model: gh.Model) -> Callable[[Rows], Posteriors]:
    """All inner posteriors of a batch in one call."""
    engine = gh.Inference(model)

    def answer(rows: Rows) -> Posteriors:
        beliefs = engine.posteriors(rows)
        layers = [beliefs["x0"][:, None], *(beliefs[f"x{k}"] for k in range(1, DEPTH))]
        return np.concatenate(layers, 1)

    return answer


def message_passing(model: gh.Model) -> Callable[[Rows], Posteriors]:
    """pgmpy's message passing, all variables in one call per row."""
    from pgmpy.inference import BeliefPropagationWithMessagePassing

    engine = BeliefPropagationWithMessagePassing(to_pgmpy(model, "factor"))
    inner, leaves = names(model)

    def one(row: NDArray[np.int64]) -> Posteriors:
        found = engine.query(inner, evidence=dict(zip(leaves, map(int, row), strict=True)))
        values = np.array([found[name].values for name in inner])
        return values / values.sum(1, keepdims=True)

    return lambda rows: np.array([one(row) for row in rows])


def elimination(model: gh.Model) -> Callable[[Rows], Posteriors]:
    """pgmpy's variable elimination, one query per variable and row."""
    from pgmpy.inference import VariableElimination

    engine = VariableElimination(to_pgmpy(model))
    inner, leaves = names(model)

    def one(row: NDArray[np.int64]) -> Posteriors:
        seen = dict(zip(leaves, map(int, row), strict=True))
        found = [engine.query([name], evidence=seen, show_progress=False) for name in inner]
        return np.array([factor.values for factor in found])

    return lambda rows: np.array([one(row) for row in rows])


def main() -> None:
    """Measure and print the table."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    model = model_of()
    x = model.sample(BATCH, seed=1)[f"x{DEPTH}"]
    engines = [
        Engine(f"ghmpp, batch {BATCH}", ours(model), BATCH),
        Engine("ghmpp, batch 1", ours(model), 1),
        Engine("pgmpy message passing", message_passing(model), 2),
        Engine("pgmpy variable elimination", elimination(model), 1),
    ]
    truth = engines[0].answer(x)
    deviation = {e.name: abs(e.answer(x[: e.rows]) - truth[: e.rows]).max() for e in engines}
    for _ in range(REPEATS):
        for engine in engines:
            start = time.process_time()
            engine.answer(x[: engine.rows])
            engine.seconds = min(engine.seconds, time.process_time() - start)
    rate = {engine.name: engine.rows / engine.seconds for engine in engines}
    best = rate[engines[0].name]
    print(f"{'engine':28} {'rows/s':>12} {'ghmpp is faster by':>20} {'largest deviation':>18}")
    for name, found in rate.items():
        print(f"{name:28} {found:12,.1f} {best / found:19,.0f}x {deviation[name]:18.1e}")


if __name__ == "__main__":
    main()
