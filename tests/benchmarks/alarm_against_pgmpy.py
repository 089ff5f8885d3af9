"""How much faster than pgmpy are predictions and single queries about the alarm network?

Predictions: 10,000 rows of 37 variables, 2 missing in each, against ``predict_probability`` of
pgmpy on a few rows; first the same two columns in all rows (which is all that pgmpy takes), then
two that differ from row to row, for which pgmpy is given the rows of a pattern. Queries: one
variable given some others, one row at a time, the same pattern again and again, against
``VariableElimination`` at its best (no progress bar, the engine kept). One thread, process CPU
time, interleaved, the best of the repeats. Run as
``python -m tests.benchmarks.alarm_against_pgmpy``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

ROWS, THEIR_ROWS, REPEATS, QUERIES = 10_000, 10, 5, 100
OBSERVED = (0, 2, 5, 10, 18, 36)


def seconds(*runs: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """The best CPU time of each, interleaved; the first time is for compiling."""
    best = [float("inf")] * len(runs)
    for repeat in range(repeats + 1):
        for place, run in enumerate(runs):
            start = time.process_time()
            run()
            if repeat:
                best[place] = min(best[place], time.process_time() - start)
    return best


def predictions(network: object, rows: pd.DataFrame) -> None:
    """Microseconds per row."""
    from ghmpp.pgmpy import VariableElimination, predict_probability

    rng = np.random.default_rng(0)
    engine = VariableElimination(network)
    gone = list(rng.choice(rows.columns, 2, replace=False))
    columns = rows.drop(columns=gone)
    chosen = rng.random(rows.shape).argsort(1)[:, :2]
    gaps = rows.to_numpy(object).copy()
    gaps[np.arange(ROWS)[:, None], chosen] = np.nan
    scattered = pd.DataFrame(gaps, columns=rows.columns)

    def ours(data: pd.DataFrame) -> pd.DataFrame:
        return predict_probability(engine, data, show_progress=False)

    def theirs(data: pd.DataFrame) -> pd.DataFrame:
        return network.predict_probability(data[:THEIR_ROWS])

    first = rows.drop(columns=rows.columns[chosen[0]])
    found, expected = ours(scattered), theirs(first)
    deviation = abs(found[expected.columns].iloc[0] - expected.iloc[0]).max()
    runs = seconds(
        lambda: ours(columns),
        lambda: theirs(columns),
        lambda: ours(scattered),
        lambda: theirs(first),
    )
    each = [run / size * 1e6 for run, size in zip(runs, (ROWS, THEIR_ROWS) * 2, strict=True)]
    print(f"{'2 of 37 missing, us per row':32} {'ghmpp':>8} {'pgmpy':>8} {'ratio':>7}")
    for name, mine, other in (
        ("the same columns in all rows", *each[:2]),
        ("different ones in every row", *each[2:]),
    ):
        print(f"{name:32} {mine:8.1f} {other:8.0f} {other / mine:6.0f}x")
    print(f"largest deviation {deviation:.0e}\n")


def queries(network: object, rows: pd.DataFrame) -> None:
    """Microseconds per query."""
    from pgmpy.inference import VariableElimination as Theirs

    from ghmpp.pgmpy import VariableElimination as Ours

    rng = np.random.default_rng(1)
    ours, theirs = Ours(network), Theirs(network)
    print(f"{'one query, us':32} {'ghmpp':>8} {'pgmpy':>8} {'ratio':>7} {'deviation':>10}")
    ratios = []
    for count in OBSERVED * 3:
        name, *others = rng.permutation(rows.columns)[: count + 1]
        seen = rows.iloc[int(rng.integers(ROWS))][others].to_dict()

        def ask(
            engine: Ours | Theirs, times: int, name: str = name, seen: dict[str, str] = seen
        ) -> np.ndarray:
            for _ in range(times):
                found = engine.query([name], seen, show_progress=False)
            return found.values

        deviation = abs(ask(ours, 1) - ask(theirs, 1)).max()
        mine, other = seconds(lambda: ask(ours, QUERIES), lambda: ask(theirs, 5))
        mine, other = mine / QUERIES * 1e6, other / 5 * 1e6
        ratios.append(other / mine)
        print(
            f"{f'{name} given {count} others':32} {mine:8.1f} {other:8.0f} {ratios[-1]:6.1f}x"
            f" {deviation:10.0e}"
        )
    print(f"ratio at least {min(ratios):.1f}x, median {np.median(ratios):.0f}x")


def main() -> None:
    """Measure and print both tables."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    from pgmpy.utils import get_example_model

    from ghmpp.pgmpy import simulate

    network = get_example_model("alarm")
    for cpd in network.cpds:
        cpd.normalize()  # as they come, some columns miss 1 by 1e-7
    rows = simulate(network, ROWS, seed=0, show_progress=False).astype(object)
    predictions(network, rows)
    queries(network, rows)


if __name__ == "__main__":
    main()
