"""EM by listing all configurations of a two-level tree, in plain Python: an independent truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Row = Sequence[int | None]


def slow_em(
    prior: Array,
    tables: tuple[Array, Array],
    rows: Sequence[Row],
    *,
    iterations: int,
    smoothing: float,
) -> tuple[Array, tuple[Array, Array], list[float]]:
    """Learned prior and tables, and the objective before each iteration and after the last.

    The tree has one root, ``len(tables[0])`` nodes below it, ``len(tables[1])`` leaves below each
    of these. A row lists the states of root, middle nodes and leaves; None where missing.
    """
    objectives = []
    for iteration in range(iterations + 1):
        counts = [np.zeros_like(prior), np.zeros_like(tables[0]), np.zeros_like(tables[1])]
        total = sum(_expect(prior, tables, row, counts) for row in rows)
        logs = [float(np.log(table).sum()) for table in (prior, *tables)]
        objectives.append(total + (smoothing * sum(logs) if smoothing else 0.0))
        if iteration < iterations:
            first, *others = [_maximise(each + smoothing) for each in counts]
            prior, tables = first, (others[0], others[1])
    return prior, tables, objectives


def _expect(prior: Array, tables: tuple[Array, Array], row: Row, counts: list[Array]) -> float:
    """Add the expected counts of one row; its log likelihood."""
    upper, lower = tables
    middle, leaves = len(upper), len(upper) * len(lower)
    sizes = [len(prior)] + [upper.shape[2]] * middle + [lower.shape[2]] * leaves
    choices = [range(n) if seen is None else (seen,) for n, seen in zip(sizes, row, strict=True)]
    found = []
    for states in product(*choices):
        uses = [(0, (states[0],))]
        for k in range(middle):
            uses.append((1, (k, states[0], states[1 + k])))
        for k in range(leaves):
            above = states[1 + k // len(lower)]
            uses.append((2, (k % len(lower), above, states[1 + middle + k])))
        weight = math.prod(float((prior, upper, lower)[kind][at]) for kind, at in uses)
        found.append((weight, uses))
    total = sum(weight for weight, _ in found)
    for weight, uses in found:
        for kind, at in uses:
            counts[kind][at] += weight / total
    return math.log(total)


def _maximise(weights: Array) -> Array:
    result: Array = weights / weights.sum(axis=-1, keepdims=True)
    return result
