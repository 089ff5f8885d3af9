"""What does a ReLU network cost beside the exact one?

Trees of 64 leaves, eight states at every level, a table for each child, nets of 200 units per
hidden layer. Asked are the posterior means of noisy leaves, and the posterior of the root. Segments
are looked up by a formula; evaluating all units instead is shown too. Repeats are interleaved, the
best of each is kept, one thread, process CPU time. Run as
``python -m tests.benchmarks.relu_against_exact``.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor, nn

import ghmpp as gh
from ghmpp.backends.families.stacks import Nets

STATES, WIDTH, BAR = 8, 200, 20.0
BATCH, REPEATS = 2048, 5
SHAPES = ((4, 4, 4), (2, 2, 2, 2, 2, 2))


def networks(branching: tuple[int, ...], kind: str, dtype: str) -> tuple[list[nn.Module], Tensor]:
    """The exact network, the ReLU network, the same by all its units; and inputs for them."""
    rng = np.random.default_rng(0)
    tables = [rng.uniform(0.2, 3, size=(m, STATES, STATES)) for m in branching]
    model = gh.GHM(
        states=STATES, branching=branching, tables=tables, state_values=np.arange(STATES)
    )
    leaf, nodes = f"x{len(branching)}", int(np.prod(branching))
    if kind == "means":
        program = gh.compile(model, gh.mean(leaf), gh.noisy(leaf, sigma=1.0))
        x = torch.tensor(rng.normal(3.5, 3, size=(BATCH, nodes)), dtype=getattr(torch, dtype))
    else:
        program = gh.compile(model, gh.posterior("x0"), leaf)
        x = torch.tensor(rng.integers(0, STATES, size=(BATCH, nodes)))
    units = program.network("relu", width=WIDTH, dtype=dtype)
    for nets in units.modules():
        if isinstance(nets, Nets):
            nets.by_units = lambda: True
    return [
        program.network(dtype=dtype),
        program.network("relu", width=WIDTH, dtype=dtype),
        units,
    ], x


def compare(branching: tuple[int, ...], kind: str, dtype: str) -> list[float]:
    """Best seconds of the three."""
    answers, x = networks(branching, kind, dtype)
    best = [float("inf")] * len(answers)
    with torch.inference_mode():
        for repeat in range(REPEATS):
            for place, network in enumerate(answers):
                if place == 2 and repeat > 1:
                    continue  # slow, and only shown
                start = time.process_time()
                network(x)
                best[place] = min(best[place], time.process_time() - start)
    return best


def main() -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    print(f"{'case':28} {'exact':>10} {'ReLU':>10} {'ratio':>7} {'bar':>5} {'all units':>11}")
    for dtype in ("float32", "float64"):
        for branching in SHAPES:
            for kind in ("means", "posterior"):
                exact, relu, units = (1e6 * s / BATCH for s in compare(branching, kind, dtype))
                name = f"{branching[0]} children, {kind}, {dtype}"
                print(
                    f"{name:28} {exact:7.2f} us {relu:7.1f} us {relu / exact:6.1f}x {BAR:4.0f}x "
                    f"{units:8.0f} us"
                )


if __name__ == "__main__":
    main()
