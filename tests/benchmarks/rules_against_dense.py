"""How much faster are joint production rules as rules than as a dense table of all tuples?

A Random Hierarchy Model: each of v symbols becomes one of m pairs, no pair belongs to two symbols,
every level has its own rules. Asked are the posteriors of all variables, collect and distribute
together, in float32, from observed strings and from softened ones (a likelihood for every symbol).
The dense rival holds each level as one table (v, v * v) and does one matrix product per level and
direction, in the layout that suits it (states first, siblings in two halves), rescaled once per
node; its batch chunk is the best of several.
Repeats are interleaved, the best of each is kept, one thread, process CPU time. Run as
``python -m tests.benchmarks.rules_against_dense``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

import ghmpp as gh
from ghmpp.models.queries import posterior

CASES = ((32, 8, 6, 5.0), (8, 4, 8, 1.4))  # symbols, rules of each, levels, ratio to reach
CHUNKS = (8, 16, 32, 64, 128, 256)
BATCH, REPEATS, SOFTNESS = 2048, 5, 0.3
Answer = Callable[[Tensor], list[Tensor]]


def random_rules(symbols: int, each: int, rng: np.random.Generator) -> gh.Rules:
    """Distinct pairs of symbols, ``each`` of them for every symbol, equally likely."""
    pairs = rng.choice(symbols**2, size=symbols * each, replace=False)
    parent = np.repeat(np.arange(symbols), each)
    children = np.stack(np.divmod(pairs, symbols), axis=1)
    return gh.Rules(parent, children, np.full(len(pairs), 1 / each))


def as_rules(rules: Sequence[gh.Rules], symbols: int) -> Answer:
    """Posteriors by level from ghmpp.

    Leaves are states (batch, leaves), or likelihoods (batch, leaves, states).
    """
    levels = len(rules)
    model = gh.GHM(states=symbols, branching=(2,) * levels, tables=rules)
    queries = [posterior(f"x{level}") for level in range(levels + 1)]
    network = gh.compile(model, queries, f"x{levels}", dtype="float32").network(dtype="float32")
    return lambda leaves: list(network(leaves))


def as_tables(rules: Sequence[gh.Rules], symbols: int, chunk: int) -> Answer:
    """The same from dense tables, ``chunk`` rows at a time."""
    ups = [
        torch.tensor(level.to_table(symbols, symbols), dtype=torch.float32).flatten(1)
        for level in rules
    ]
    downs = [up.t().contiguous() for up in ups]
    # Rank by rank: bit reversal puts the two halves of siblings next to each other.
    leaves = 2 ** len(rules)
    order = torch.tensor(
        [int(f"{k:0{len(rules)}b}"[::-1], 2) for k in range(leaves)], dtype=torch.long
    )

    every = torch.arange(symbols)[:, None, None]

    def once(x: Tensor) -> list[Tensor]:
        batch = len(x)
        if x.ndim == 2:
            value = (x.t().index_select(0, order) == every).float().view(symbols, -1)
        else:
            value = x.permute(2, 1, 0).index_select(1, order).reshape(symbols, -1)
        below = [value / value.amax(0)]
        for up in reversed(ups):
            left, right = below[-1].chunk(2, 1)
            pairs = (left[:, None] * right).flatten(0, 1)
            value = up @ pairs
            below.append(value.div_(value.amax(0)))
        below.reverse()
        above = torch.ones_like(below[0])
        found = [below[0] / below[0].sum(0)]
        for down, own in zip(downs, below[1:], strict=True):
            pairs = (down @ above).view(symbols, symbols, -1)
            left, right = own.chunk(2, 1)
            above = torch.cat([(pairs * right).sum(1), (pairs * left[:, None]).sum(0)], 1)
            above.div_(above.amax(0))
            belief = above * own
            found.append(belief.div_(belief.sum(0)))
        results = []
        for level, belief in enumerate(found):
            nodes = 2**level
            back = [int(f"{k:0{level}b}"[::-1], 2) if level else 0 for k in range(nodes)]
            states = belief.view(symbols, nodes, batch).index_select(1, torch.tensor(back))
            results.append(states.permute(2, 1, 0))
        return results

    def answer(x: Tensor) -> list[Tensor]:
        parts = [once(part) for part in x.split(chunk)]
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    return answer


def seconds(answer: Answer, x: Tensor) -> float:
    """Process CPU time of one call."""
    start = time.process_time()
    answer(x)
    return time.process_time() - start


def compare(symbols: int, each: int, levels: int, *, soft: bool) -> tuple[float, float, float]:
    """Best seconds of rules and of tables, and the largest deviation of their posteriors."""
    rng = np.random.default_rng(0)
    rules = [random_rules(symbols, each, rng) for _ in range(levels)]
    ours = as_rules(rules, symbols)
    model = gh.GHM(states=symbols, branching=(2,) * levels, tables=rules)
    x = torch.tensor(model.sample(BATCH, seed=1)[f"x{levels}"])
    if soft:
        x = torch.nn.functional.one_hot(x, symbols).float() + SOFTNESS / symbols
    with torch.inference_mode():
        rivals = [as_tables(rules, symbols, chunk) for chunk in CHUNKS]
        exact = ours(x)
        deviation = 0.0
        for level, found in enumerate(rivals[0](x)):
            mine = exact[level][:, None] if level == 0 else exact[level]
            deviation = max(deviation, float((mine - found).abs().max()))
        rival = min(rivals, key=lambda each: seconds(each, x))
        best = [float("inf"), float("inf")]
        for _ in range(REPEATS):
            for place, answer in enumerate((ours, rival)):
                best[place] = min(best[place], seconds(answer, x))
    return best[0], best[1], deviation


def main() -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    print(f"{'case':30} {'rules':>12} {'tables':>12} {'ratio':>7} {'bar':>5} {'deviation':>10}")
    for symbols, each, levels, bar in CASES:
        for soft in (False, True):
            rules, tables, deviation = compare(symbols, each, levels, soft=soft)
            rows = f"{1e6 * rules / BATCH:9.1f} us {1e6 * tables / BATCH:9.1f} us"
            name = f"v={symbols}, m={each}, L={levels}, {'softened' if soft else 'observed'}"
            print(f"{name:30} {rows} {tables / rules:6.1f}x {bar:4.1f}x {deviation:10.1e}")


if __name__ == "__main__":
    main()
