"""Small models in rational numbers, solved in the tests by summing over all configurations.

Nothing here imports ghmpp: :func:`RationalModel.solve` is a plain loop over
``itertools.product`` with ``fractions.Fraction``, the most independent route there is. Node k of
layer l has parent ``k // m`` and rank ``k % m`` with ``m = branching[l - 1]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

Row = tuple[Fraction, ...]


def rationals(text: str) -> Row:
    """Fractions from words: ``"1/2 3 0"``."""
    return tuple(Fraction(word) for word in text.split())


def table(*rows: str) -> tuple[Row, ...]:
    """A table from its rows, one per parent state."""
    return tuple(rationals(row) for row in rows)


@dataclass(frozen=True)
class Case:
    """Evidence at the leaves and the exact answer; posteriors are empty when impossible.

    ``likelihood[v][s]`` multiplies state s of leaf v; ``mass`` is the sum of everything;
    ``posteriors[l][k][s]`` belongs to node k of layer l; ``means[v]`` to leaf v.
    """

    kind: str
    likelihood: tuple[Row, ...]
    mass: Fraction
    posteriors: tuple[tuple[Row, ...], ...]
    means: Row


@dataclass(frozen=True)
class RationalModel:
    """A regular model: ``tables[l][rank][parent state][child state]``, leaf state ``values``."""

    name: str
    branching: tuple[int, ...]
    states: tuple[int, ...]
    prior: Row
    values: Row
    tables: tuple[tuple[tuple[Row, ...], ...], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Nodes per layer."""
        return tuple(prod(self.branching[:level]) for level in range(len(self.states)))

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return self.sizes[-1]

    def mass(self, layers: tuple[tuple[int, ...], ...]) -> Fraction:
        """Unnormalised mass of one configuration, given layer by layer."""
        total = self.prior[layers[0][0]]
        for level, m in enumerate(self.branching):
            for k, state in enumerate(layers[level + 1]):
                total *= self.tables[level][k % m][layers[level][k // m]][state]
        return total

    @cached_property
    def support(self) -> tuple[tuple[tuple[tuple[int, ...], ...], Fraction], ...]:
        """All configurations of positive mass, layer by layer, with their mass."""
        layers = [
            list(itertools.product(range(states), repeat=size))
            for states, size in zip(self.states, self.sizes, strict=True)
        ]
        weighed = ((each, self.mass(each)) for each in itertools.product(*layers))
        return tuple((each, mass) for each, mass in weighed if mass > 0)

    def solve(self, kind: str, likelihood: tuple[Row, ...]) -> Case:
        """The exact answer for a likelihood of shape (leaves, states)."""
        total = Fraction(0)
        sums = [
            [[Fraction(0)] * states for _ in range(size)]
            for states, size in zip(self.states, self.sizes, strict=True)
        ]
        for layers, mass in self.support:
            weight = mass * prod(
                (likelihood[v][state] for v, state in enumerate(layers[-1])), start=Fraction(1)
            )
            total += weight
            for level, states in enumerate(layers):
                for k, state in enumerate(states):
                    sums[level][k][state] += weight
        if total == 0:
            return Case(kind, likelihood, total, (), ())
        posteriors = tuple(
            tuple(tuple(entry / total for entry in node) for node in layer) for layer in sums
        )
        means = tuple(
            sum((p * v for p, v in zip(leaf, self.values, strict=True)), start=Fraction(0))
            for leaf in posteriors[-1]
        )
        return Case(kind, likelihood, total, posteriors, means)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """No evidence, hard, partial, soft and extreme evidence, solved."""
        return tuple(self.solve(kind, likelihood) for kind, likelihood in self._evidence())

    def _evidence(self) -> Iterator[tuple[str, tuple[Row, ...]]]:
        states, leaves = self.states[-1], self.leaves
        ones = (Fraction(1),) * states
        yield "none", (ones,) * leaves
        yield "hard", tuple(one_hot(v % states, states) for v in range(leaves))
        yield "hard", (one_hot(states - 1, states),) * leaves
        yield "partial", (one_hot(states - 1, states), *(ones,) * (leaves - 1))
        yield (
            "soft",
            tuple(
                tuple(Fraction(1 + (3 * v + 5 * s) % 7, 2 + (v + s) % 3) for s in range(states))
                for v in range(leaves)
            ),
        )
        yield (
            "extreme",
            tuple(
                tuple(Fraction(1, 2 ** (200 * ((v + s) % 3))) for s in range(states))
                for v in range(leaves)
            ),
        )


@dataclass(frozen=True)
class JointModel(RationalModel):
    """As above, but ``tables[l][parent state][state of child 1]...[state of child m]``."""

    tables: tuple[Any, ...]

    def mass(self, layers: tuple[tuple[int, ...], ...]) -> Fraction:
        """Unnormalised mass of one configuration, given layer by layer."""
        total = self.prior[layers[0][0]]
        for level, m in enumerate(self.branching):
            for k, state in enumerate(layers[level]):
                entry = self.tables[level][state]
                for child in layers[level + 1][k * m : (k + 1) * m]:
                    entry = entry[child]
                total *= entry
        return total


def one_hot(state: int, states: int) -> Row:
    """Hard evidence as a likelihood."""
    return tuple(Fraction(int(s == state)) for s in range(states))


FLAT = RationalModel(
    "flat",
    branching=(2,),
    states=(3, 3),
    prior=rationals("1 1 1"),
    values=rationals("1 2 3"),
    tables=(
        (
            table("3 1 1/2", "2/3 5 1", "1/4 2 7/3"),
            table("1 1/5 2", "6 3/4 1", "9/2 1/3 1/7"),
        ),
    ),
)

BINARY = RationalModel(
    "binary",
    branching=(2, 2),
    states=(2, 2, 2),
    prior=rationals("2/5 3/5"),
    values=rationals("-1 1"),
    tables=(
        (table("2 1/3", "1/2 4"), table("1 5/2", "3 1/6")),
        (table("7/2 1", "1/4 1"), table("1/3 2", "5 1")),
    ),
)

MIXED = RationalModel(
    "mixed",
    branching=(3, 1),
    states=(3, 2, 4),
    prior=rationals("1/6 1/2 1/3"),
    values=rationals("0 1 2 4"),
    tables=(
        (
            table("1 2", "3/2 1", "1/5 4"),
            table("2 1/2", "1 1", "3 2/7"),
            table("1 6", "5 1", "1 1"),
        ),
        (table("1 1/2 3 2/3", "4 1 1/8 1"),),
    ),
)

ZEROS = RationalModel(
    "zeros",
    branching=(2, 2),
    states=(3, 2, 3),
    prior=rationals("1/2 0 1/2"),
    values=rationals("1 2 3"),
    tables=(
        (table("1 0", "0 1", "1 1"), table("0 2", "1 1", "3 0")),
        (table("1 0 0", "0 1/2 1/2"), table("0 1 0", "2 0 0")),
    ),
)

CHAIN = RationalModel(
    "chain",
    branching=(1, 1, 1),
    states=(2, 3, 2, 3),
    prior=rationals("1/4 3/4"),
    values=rationals("-2 0 5/2"),
    tables=(
        (table("1 2 1/2", "3 1 1"),),
        (table("1 1/3", "2 5", "1 0"),),
        (table("1/2 1 4", "3 2 1"),),
    ),
)

SINGLE = RationalModel(
    "single",
    branching=(4,),
    states=(1, 2),
    prior=rationals("1"),
    values=rationals("0 1"),
    tables=((table("1 2"), table("3 1"), table("1 1"), table("1/2 5")),),
)

TRIPLES = JointModel(
    "triples",
    branching=(3,),
    states=(2, 3),
    prior=rationals("2/5 3/5"),
    values=rationals("1 2 3"),
    tables=(
        (
            (
                table("9/10 9 1/3", "8/11 3/2 1/8", "1/10 2 4/5"),
                table("1/2 7/12 4", "1 5/6 10/3", "5/12 4/7 2/3"),
                table("1/4 2/5 7/11", "5/6 1 5/3", "4/3 4/3 1/2"),
            ),
            (
                table("1 8/7 1", "6/11 3/2 7/10", "3/7 11/12 1"),
                table("3/8 3/11 5", "10/9 1/11 5/11", "10/3 1/4 11/10"),
                table("2/11 10/7 11/5", "10/11 1 1", "1/3 11/7 11/2"),
            ),
        ),
    ),
)

RULES = JointModel(
    "rules",
    branching=(2, 2),
    states=(3, 3, 3),
    prior=rationals("1/3 1/3 1/3"),
    values=rationals("-1 0 1"),
    tables=(
        (
            table("0 0 0", "1/2 1/2 0", "0 0 0"),
            table("1/2 0 0", "0 0 0", "1/2 0 0"),
            table("0 1/2 0", "0 0 0", "0 0 1/2"),
        ),
        (
            table("1/2 0 0", "1/2 0 0", "0 0 0"),
            table("0 1/2 0", "0 1/2 0", "0 0 0"),
            table("0 0 1/2", "0 0 0", "0 0 1/2"),
        ),
    ),
)

# Ambiguous: a pair may come from several symbols; symbol 2 of the root has no rule at all.
AMBIGUOUS = JointModel(
    "ambiguous",
    branching=(2, 1, 2),
    states=(3, 2, 2, 3),
    prior=rationals("1 2 1/2"),
    values=rationals("0 1 3"),
    tables=(
        (table("1 2/3", "0 1/5"), table("1/4 0", "3 1/5"), table("0 0", "0 0")),
        table("1 1/2", "1/3 2"),
        (
            table("1 0 0", "1/7 3/2 0", "0 0 0"),
            table("1 1/2 0", "0 2 0", "0 0 5"),
        ),
    ),
)

MODELS = (FLAT, BINARY, MIXED, ZEROS, CHAIN, SINGLE)
JOINT_MODELS = (TRIPLES, RULES, AMBIGUOUS)
