"""Small models of joint tables, drawn at random, and their law by listing all configurations.

Nothing here asks ghmpp for a number: a configuration is a row of states, and its weight a product
of entries of the joint tables as they were drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import ghmpp as gh
from ghmpp.models.rules import Rules

Array = NDArray[np.float64]
LIMIT = 2_500


@dataclass(frozen=True)
class JointModel:
    """Layers of states, children per node, and ``tables[l][parent, child 1, ..., child m]``."""

    states: tuple[int, ...]
    branching: tuple[int, ...]
    prior: Array
    tables: tuple[Array, ...]
    order: tuple[int, ...] | None = None

    @property
    def sizes(self) -> list[int]:
        """Nodes per layer."""
        return [prod(self.branching[:level]) for level in range(len(self.states))]

    @cached_property
    def configurations(self) -> list[NDArray[np.int64]]:
        """States of all configurations by layer, each (configurations, nodes)."""
        shape = [s for s, n in zip(self.states, self.sizes, strict=True) for _ in range(n)]
        rows = np.indices(shape).reshape(len(shape), -1).T
        return np.split(rows, np.cumsum(self.sizes)[:-1], axis=1)

    @cached_property
    def weights(self) -> Array:
        """Weight of every configuration."""
        layers = self.configurations
        weights = self.prior[layers[0][:, 0]]
        for level, m in enumerate(self.branching):
            for node in range(self.sizes[level]):
                family = layers[level + 1][:, node * m : (node + 1) * m]
                weights = weights * self.tables[level][(layers[level][:, node], *family.T)]
        return weights

    def given(self, likelihoods: dict[int, Array]) -> Array:
        """Weights (batch, configurations) under likelihoods (batch, nodes, states) by layer."""
        batch = len(next(iter(likelihoods.values()), np.ones(1)))
        weights = np.tile(self.weights, (batch, 1))
        for level, likelihood in likelihoods.items():
            for node, states in enumerate(self.configurations[level].T):
                weights = weights * likelihood[:, self.place(level, node), :][:, states]
        return weights

    def place(self, level: int, node: int) -> int:
        """Position of a tree node for the user."""
        last = level == len(self.branching)
        return self.order[node] if self.order is not None and last else node

    def posterior(self, weights: Array, level: int) -> Array:
        """Posteriors (batch, nodes, states) of a layer; zeros where nothing is possible."""
        found = np.zeros((len(weights), self.sizes[level], self.states[level]))
        for node, states in enumerate(self.configurations[level].T):
            one_hot = states[:, None] == np.arange(self.states[level])
            found[:, self.place(level, node)] = weights @ one_hot
        totals = weights.sum(axis=1)[:, None, None]
        return found / np.where(totals == 0, 1, totals)

    def pair(self, weights: Array, level: int) -> Array:
        """Joint posteriors (batch, nodes, parent states, states) of a layer and its parents."""
        m, parents, states = self.branching[level - 1], self.states[level - 1], self.states[level]
        found = np.zeros((len(weights), self.sizes[level], parents, states))
        for node, own in enumerate(self.configurations[level].T):
            above = self.configurations[level - 1][:, node // m]
            one_hot = (above * states + own)[:, None] == np.arange(parents * states)
            found[:, self.place(level, node)] = (weights @ one_hot).reshape(-1, parents, states)
        return found / weights.sum(axis=1)[:, None, None, None]

    def declared(self, forms: Sequence[str] | None = None, values: Array | None = None) -> gh.Model:
        """The model in ghmpp, each level as a "table", a "record" or a "list" of rules."""
        forms = forms or ["record"] * len(self.branching)
        levels = [_form(table, form) for table, form in zip(self.tables, forms, strict=True)]
        return gh.GHM(
            self.states,
            self.branching,
            levels,
            prior=self.prior,
            state_values=values,
            order=self.order,
        )


def _form(table: Array, form: str) -> object:
    rules = Rules.from_table(table)
    if form == "record" or table.shape == (2, 2, 2):
        return rules
    if form == "table" and table.ndim > 2:
        return table
    assert rules.weights is not None
    return [(p, c, w) for (p, c), w in zip(rules, rules.weights.tolist(), strict=True)][::-1]


@st.composite
def joint_models(draw: st.DrawFn) -> JointModel:
    """Models of one to three levels with zeros, at most ``LIMIT`` configurations."""
    states, branching = [draw(st.integers(1, 3))], []
    sizes, total = [1], states[0]
    for _ in range(draw(st.integers(1, 3))):
        m, s = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        if total * s ** (sizes[-1] * m) > LIMIT:
            continue
        states.append(s)
        branching.append(m)
        sizes.append(sizes[-1] * m)
        total *= s ** sizes[-1]
    if not branching:
        states.append(2)
        branching.append(2)
        sizes.append(2)
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    rate = draw(st.sampled_from([0.0, 0.3, 0.7]))
    witness = [int(rng.integers(s)) for s in states]
    tables = []
    for level, m in enumerate(branching):
        table = np.exp(rng.normal(size=(states[level], *[states[level + 1]] * m)))
        table[rng.random(table.shape) < rate] = 0
        table[(witness[level], *[witness[level + 1]] * m)] = 1.5
        tables.append(table)
    prior = np.where(rng.random(states[0]) < rate / 2, 0, rng.random(states[0]) + 0.1)
    prior[witness[0]] = 1
    order = tuple(draw(st.permutations(range(sizes[-1])))) if draw(st.booleans()) else None
    return JointModel(tuple(states), tuple(branching), prior, tuple(tables), order)


@st.composite
def observed(draw: st.DrawFn, model: JointModel) -> tuple[dict[str, object], dict[int, Array]]:
    """Evidence of every kind: as a user gives it, and as likelihoods by layer."""
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    given: dict[str, object] = {}
    likelihoods: dict[int, Array] = {}
    batch = draw(st.integers(1, 3))
    last = len(model.branching)
    levels = draw(st.sampled_from([[last], [last], [], [0, last], [last - 1], list(range(last))]))
    for level in dict.fromkeys(levels):
        count, nodes = model.states[level], model.sizes[level]
        states = rng.integers(count, size=(batch, nodes))
        if draw(st.booleans()):  # soft, with zeros and missing nodes
            likelihood = rng.random((batch, nodes, count)) * (
                rng.random((batch, nodes, count)) < 0.8
            )
            likelihood[rng.random((batch, nodes)) < 0.3] = 1
            given[f"x{level}"] = likelihood
        else:  # hard, in part or whole
            states[rng.random(states.shape) < draw(st.sampled_from([0.0, 0.0, 0.5]))] = -1
            likelihood = (states[..., None] == np.arange(count)) | (states[..., None] < 0)
            likelihood = likelihood.astype(float)
            given[f"x{level}"] = states
        likelihoods[level] = likelihood
    return given, likelihoods
