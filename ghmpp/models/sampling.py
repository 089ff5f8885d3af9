"""Ancestral sampling: each class given its parents, vectorised over samples and nodes.

Potentials need not be normalised: the conditionals come from :mod:`ghmpp.models.directed`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp._memory import require_bytes
from ghmpp.errors import ModelError
from ghmpp.models.directed import Conditional, conditionals
from ghmpp.models.forest import Block, Forest
from ghmpp.models.grouping import separated

ITEM_BYTES = 8
# Arrays over the nodes and samples of a class that exist at one time while it is drawn.
DRAWING = 7


def sample(forest: Forest, n: int, rng: np.random.Generator | int = 0) -> dict[str, IntArray]:
    """Independent samples of all variables.

    Parameters
    ----------
    forest
        A forest with values for all potentials.
    n
        Number of samples, at least 0.
    rng
        A generator, or a seed for one.

    Returns
    -------
    dict of int64 arrays (n, nodes of the class), by class
        State indices; nodes in the user's order. Hidden classes are left out.

    Raises
    ------
    ModelError
        If ``n`` is negative, a potential has no values, or no configuration is possible.
    ResourceError
        If the samples do not fit into memory.

    Examples
    --------
    >>> from ghmpp.models.ghm import GHM
    >>> model = GHM(states=(2, 2), branching=(3,), tables=[np.eye(2)])
    >>> drawn = sample(model.forest(), 100, np.random.default_rng(0))
    >>> bool((drawn["x1"] == drawn["x0"]).all())
    True
    """
    require_draws(n)
    _require_memory(forest, n)
    generator = np.random.default_rng(rng)
    if any(variable.apart for variable in forest.variables.values()):
        alone = sample(separated(forest), n, generator)
        return {
            name: np.concatenate([alone[block] for block in variable.blocks], axis=1)[
                :, slice(None) if variable.order is None else np.argsort(variable.order)
            ]
            for name, variable in forest.visible.items()
        }
    samplers = _samplers(forest)
    drawn: dict[str, IntArray] = {}
    for name, variable in forest.variables.items():
        states = np.empty((variable.nodes, n), dtype=np.int64)
        uniform = generator.random((variable.nodes, n))
        for blocks, sampler in _runs(forest, name, samplers):
            _draw(forest, blocks, sampler, uniform, states, drawn)
        drawn[name] = states
    return {name: _in_users_order(forest, name, drawn[name]) for name in forest.visible}


def require_draws(n: object) -> None:
    """Refuse what is no number of samples.

    Raises
    ------
    ModelError
        If it is no whole number, or negative.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ModelError(f"sample: n must be a whole number >= 0, got {n!r}.")


def _require_memory(forest: Forest, n: int) -> None:
    """Refuse samples that do not fit into memory beside what drawing one class takes."""
    most = max((variable.nodes for variable in forest.variables.values()), default=0)
    require_bytes(
        ITEM_BYTES * n * (forest.nodes + DRAWING * most),
        f"sample: {n:,} draws from model {forest.name!r} need",
        cure="draw fewer at a time, or declare fewer variables",
        largest=forest.largest,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sampler:
    """Cumulative probabilities, cut into one segment per parent state.

    ``cumulative`` is (rows, entries) and ends each segment with 1; segment s holds the entries
    ``starts[row, s] .. starts[row, s + 1] - 1``, which stand for the child states
    ``states[row, ...]``; ``longest`` is the number of entries in the longest segment, or 0 where
    ``states[row, s]`` is the only child state of parent state s.
    ``starts`` and ``states`` have one row, or as many as there are index maps.
    """

    cumulative: FloatArray
    starts: IntArray
    states: IntArray
    longest: int

    def draw(self, parents: IntArray, nodes: IntArray, uniform: FloatArray) -> IntArray:
        """One child state for each parent state, by binary search in the parent's segment.

        ``nodes`` says which row belongs to each entry: node k uses row ``k % rows``.
        """
        if self.longest == 0:
            known: IntArray = self.states[nodes % len(self.states), parents]
            return known
        rows, maps = nodes % len(self.cumulative), nodes % len(self.starts)
        last = self.starts[maps, parents + 1] - 1  # holds 1, so that no draw goes beyond it
        at = self.starts[maps, parents] - 1  # all entries of the segment up to here are <= uniform
        step = 1 << self.longest.bit_length()
        while step := step >> 1:
            reach = np.minimum(at + step, last)
            at += step * (self.cumulative[rows, reach] <= uniform)
        drawn: IntArray = self.states[maps, at + 1]
        return drawn


def _samplers(forest: Forest) -> dict[str, _Sampler]:
    """Samplers by block; blocks with the same conditional share one."""
    made: dict[int, _Sampler] = {}
    given = conditionals(forest)
    for name, conditional in given.items():
        if id(conditional) not in made:
            edge = forest.edges.get(name)
            parents = 1 if edge is None else forest.blocks[edge.parent].states
            made[id(conditional)] = _sampler(conditional, parents)
    return {name: made[id(conditional)] for name, conditional in given.items()}


def _sampler(conditional: Conditional, parents: int) -> _Sampler:
    probabilities, index = conditional.probabilities, conditional.index
    if conditional.kind == "child_of" and index is not None:
        return _Sampler(np.ones((1, 0)), np.zeros((1, 0), dtype=np.int64), index, 0)
    if conditional.kind == "parent_of" and index is not None:
        states = np.argsort(index, axis=1, kind="stable")
        ends = [np.bincount(row, minlength=parents).cumsum() for row in index]
        starts = np.pad(np.array(ends), ((0, 0), (1, 0)))
        lengths = np.diff(starts)
        if (lengths == lengths[0, 0]).all():
            maps = states[np.arange(len(probabilities)) % len(index)]
            shares = np.take_along_axis(probabilities, maps, axis=1)
            shares = shares.reshape(len(probabilities), parents, -1)
            cumulative: FloatArray = _cumulate(shares).reshape(probabilities.shape)
            return _Sampler(cumulative, starts, states, int(lengths[0, 0]))
        cumulative = np.empty(probabilities.shape)
        for row, shares in enumerate(probabilities):
            at = row % len(index)
            for low, high in pairwise(starts[at]):
                cumulative[row, low:high] = _cumulate(shares[states[at, low:high]])
        return _Sampler(cumulative, starts, states, int(lengths.max()))
    rows, parents, children = probabilities.shape
    cumulative = _cumulate(probabilities).reshape(rows, parents * children)
    starts = np.arange(parents + 1)[None] * children
    return _Sampler(cumulative, starts, np.tile(np.arange(children), parents)[None], children)


def _cumulate(probabilities: FloatArray) -> FloatArray:
    """Cumulative sums along the last axis that end in exactly 1."""
    cumulative = probabilities.cumsum(axis=-1)
    total = cumulative[..., -1:]
    scaled: FloatArray = np.ones_like(cumulative)
    np.divide(cumulative, total, out=scaled, where=total > 0)
    return scaled


def _runs(
    forest: Forest, variable: str, samplers: dict[str, _Sampler]
) -> Iterator[tuple[list[Block], _Sampler]]:
    """Blocks that can be drawn together: one after another, with one sampler and no link."""
    blocks = forest.class_blocks(variable)
    for sampler, run in groupby(blocks, key=lambda block: samplers[block.name]):
        yield from _split(forest, variable, list(run), sampler)


def _split(
    forest: Forest, variable: str, run: list[Block], sampler: _Sampler
) -> Iterator[tuple[list[Block], _Sampler]]:
    edge = forest.edges.get(run[-1].name)
    chained = edge is not None and forest.blocks[edge.parent].variable == variable
    if not chained:
        yield run, sampler
        return
    for block in run:
        yield [block], sampler


def _draw(
    forest: Forest,
    blocks: list[Block],
    sampler: _Sampler,
    uniform: FloatArray,
    states: IntArray,
    drawn: dict[str, IntArray],
) -> None:
    """Fill in the states of consecutive blocks of one class, (nodes, n)."""
    first = blocks[0]
    count = first.nodes * len(blocks)
    nodes = slice(first.start, first.start + count)
    members = np.arange(count)
    edge = forest.edges.get(first.name)
    if edge is None:
        parents = np.zeros((count, states.shape[1]), dtype=np.int64)
    else:
        above = forest.blocks[edge.parent]
        source = drawn.get(above.variable, states)
        parents = source[above.start + members // edge.fanout]
    states[nodes] = sampler.draw(parents, (members % first.nodes)[:, None], uniform[nodes])


def _in_users_order(forest: Forest, name: str, states: IntArray) -> IntArray:
    order = forest.variables[name].order
    if order is None:
        return np.ascontiguousarray(states.T)
    arranged = np.empty(states.shape[::-1], dtype=np.int64)
    arranged[:, order] = states.T
    return arranged
