"""A discrete model as a list of factors: what files and other libraries describe.

This is where every import starts and every export ends. It knows nothing of trees;
:mod:`ghmpp.models.assembly` makes a model of it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray
from ghmpp.errors import ConversionError, ModelError, NormalizationWarning
from ghmpp.models.potentials import PriorLike, read_prior
from ghmpp.models.states import StatesLike, read_states

# Sums of conditional probabilities that miss 1 by more than the first are worth a word, and by
# more than the second are no rounding: pgmpy refuses them too.
ROUNDING, TOLERATED = 1e-6, 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A variable as it stands in somebody else's model."""

    states: StatesLike
    values: ArrayLike | None = None
    prior: PriorLike | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A table over variables, one axis each, linear, entries >= 0; None = to be learned.

    ``child`` is the variable that the table is a distribution of, given all others; None where
    the table is no conditional distribution.
    """

    variables: tuple[str, ...]
    table: AnyArray | None
    child: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """A discrete model: variables by name, and the factors whose product is its mass."""

    name: str
    nodes: Mapping[str, Node]
    factors: tuple[Factor, ...]


Tables: TypeAlias = dict[tuple[str, ...], AnyArray | None]


def products(factors: Iterable[Factor]) -> Tables:
    """Tables by scope; those over the same variables are multiplied.

    Raises
    ------
    ConversionError
        If tables over the same variables have different shapes, or one of them is missing.

    Examples
    --------
    >>> table = np.array([[1, 2], [3, 4]])
    >>> products([Factor(("a", "b"), table), Factor(("b", "a"), table)])
    {('a', 'b'): array([[ 1,  6],
           [ 6, 16]])}
    """
    tables: Tables = {}
    known: dict[frozenset[str], tuple[str, ...]] = {}
    for factor in factors:
        scope = known.setdefault(frozenset(factor.variables), factor.variables)
        table = transposed(factor, scope)
        tables[scope] = _product(scope, tables[scope], table) if scope in tables else table
    return tables


def unary_tables(graph: Factors) -> dict[str, PriorLike | None]:
    """Prior of each variable times the factors over it alone; the first one has the constants.

    Raises
    ------
    ModelError
        If entries are wrong, or a factor over no variables is not positive.
    ConversionError
        If tables on one variable have different shapes.
    """
    found: dict[str, PriorLike | None] = {name: node.prior for name, node in graph.nodes.items()}
    for factor in graph.factors:
        if len(factor.variables) > 1 or factor.table is None:
            continue
        name = factor.variables[0] if factor.variables else next(iter(found))
        space = read_states(graph.nodes[name].states, graph.nodes[name].values, name)
        table = np.asarray(factor.table)
        if not factor.variables and not table > 0:
            raise ModelError(f"a factor over no variables must be a number > 0, got {table}.")
        if factor.variables and table.shape != (len(space),):
            raise ConversionError(
                f"factor over ({name}): its table must have shape ({len(space)},), got "
                f"{table.shape}."
            )
        before = found[name]
        if before is not None:
            prior = read_prior(before, f"prior of {name!r}", states=space, rows=(1,))
            table = table * prior.entries[0]
        found[name] = np.broadcast_to(table, (len(space),))
    return found


def with_unit_sums(factors: Iterable[Factor]) -> tuple[Factor, ...]:
    """Conditional probabilities divided by their sums over the child.

    Raises
    ------
    ConversionError
        If a table has a negative entry or one that is not finite, or sums miss 1 by more than 1 %.

    Warns
    -----
    NormalizationWarning
        If sums miss 1 by more than rounding; with the largest deviation.

    Examples
    --------
    >>> (factor,) = with_unit_sums([Factor(("a",), np.array([0.3333333, 0.6666667]), "a")])
    >>> float(factor.table.sum())
    1.0
    """
    found: list[Factor] = []
    worst, where = 0.0, ""
    for factor in factors:
        if factor.child is None or factor.table is None:
            found.append(factor)
            continue
        table = np.asarray(factor.table)
        if not (np.isfinite(table).all() and (table >= 0).all()):
            raise ConversionError(
                f"distribution of {factor.child!r}: probabilities must be finite and >= 0."
            )
        sums = table.sum(axis=factor.variables.index(factor.child), keepdims=True)
        off = float(np.abs(sums - 1).max())
        if off > TOLERATED * (1 + ROUNDING):
            at = np.unravel_index(int(np.abs(sums - 1).argmax()), sums.shape)
            raise ConversionError(
                f"distribution of {factor.child!r}: the probabilities of its states sum to "
                f"{sums[at]:.4g}{_configuration(factor, at)}; they must sum to 1 (up to 1 %). "
                "Divide them by their sums, or correct the one that is wrong."
            )
        if off > worst:
            worst, where = off, factor.child
        table = table / np.where(sums > 0, sums, 1.0)
        found.append(Factor(factor.variables, table, factor.child))
    if worst > ROUNDING:
        warnings.warn(
            f"conditional probabilities were divided by their sums, which miss 1 by up to "
            f"{worst:.2g} (distribution of {where!r}).",
            NormalizationWarning,
            stacklevel=5,
        )
    return tuple(found)


def _configuration(factor: Factor, at: Sequence[int | np.intp]) -> str:
    """The states of the other variables at a place of the table, in words."""
    others = zip(factor.variables, at, strict=True)
    named = [f"{name}: state {int(index)}" for name, index in others if name != factor.child]
    return f" where {', '.join(named)}" if named else ""


def free_priors(graph: Factors) -> frozenset[str]:
    """Variables without parents whose distribution is to be learned.

    Raises
    ------
    ConversionError
        If such a variable has another factor alone, another distribution, or a prior.

    Examples
    --------
    >>> free_priors(Factors("coin", {"coin": Node(2)}, (Factor(("coin",), None, "coin"),)))
    frozenset({'coin'})
    """
    alone = Counter(f.child or f.variables[0] for f in graph.factors if len(f.variables) == 1)
    alone += Counter(f.child for f in graph.factors if f.child and len(f.variables) > 1)
    free = frozenset(
        factor.child
        for factor in graph.factors
        if factor.child is not None and factor.table is None and len(factor.variables) == 1
    )
    for name in free:
        if alone[name] > 1 or graph.nodes[name].prior is not None:
            raise ConversionError(
                f"factors over {name}: a table to be learned must be the only one there."
            )
    return free


def transposed(factor: Factor, scope: tuple[str, ...]) -> AnyArray | None:
    """The table of a factor with its axes in another order."""
    if factor.table is None or scope == factor.variables:
        return factor.table
    return np.transpose(factor.table, [factor.variables.index(name) for name in scope])


def _product(scope: tuple[str, ...], first: AnyArray | None, second: AnyArray | None) -> AnyArray:
    """Product of two tables over the same variables."""
    if first is None or second is None:
        raise ConversionError(
            f"factors over {', '.join(scope)}: a table to be learned must be the only one there."
        )
    if np.shape(first) != np.shape(second):
        raise ConversionError(
            f"factors over {', '.join(scope)} have the shapes {np.shape(first)} and "
            f"{np.shape(second)}, which must be equal."
        )
    product: AnyArray = np.asarray(first) * np.asarray(second)
    return product
