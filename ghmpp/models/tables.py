"""Giving potentials to declared classes: when declared, when replaced, at random, bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.errors import ModelError
from ghmpp.models.declaration import Declaration
from ghmpp.models.expand import tied_keys
from ghmpp.models.expressions import Scalar, Symbol, exact_scalar, is_expression
from ghmpp.models.potentials import PotentialLike, PriorLike, read_potential, read_prior


def with_potential(
    declared: Declaration, above: Declaration, potential: PotentialLike | None
) -> Declaration:
    """The class with the potential of its edges from class ``above``; None leaves it free."""
    if potential is None:
        return declared
    stack = read_potential(
        potential,
        f"potential of {above.name!r} -> {declared.name!r}",
        parent=above.space,
        child=declared.space,
        rows=declared.table_rows,
        ranks=declared.count,
    )
    return replace(declared, potential=stack)


def with_prior(declared: Declaration, prior: PriorLike | None) -> Declaration:
    """The class with a unary potential; None leaves it without."""
    if prior is None:
        return declared
    place = f"prior of {declared.name!r}"
    stack = read_prior(prior, place, states=declared.space, rows=declared.prior_rows)
    return replace(declared, prior=stack, free_prior=False)


def replace_stacks(
    declarations: Mapping[str, Declaration], stacks: Mapping[str, AnyArray]
) -> Iterator[Declaration]:
    """The classes with potentials replaced by key; all classes that share a key change.

    Raises
    ------
    ModelError
        If a key is unknown, or shapes or entries are wrong.
    """
    keys = tied_keys(declarations)
    known = dict.fromkeys([*keys.values(), *declarations])
    for key in stacks:
        if key not in known:
            raise ModelError(f"no potential has the key {key!r}; known keys: {', '.join(known)}.")
    for declared in declarations.values():
        if declared.source is not None and keys[declared.name] in stacks:
            above = declarations[declared.source]
            declared = with_potential(declared, above, stacks[keys[declared.name]])
        if declared.name in stacks:
            declared = with_prior(declared, stacks[declared.name])
        yield declared


def random_stacks(declarations: Mapping[str, Declaration], seed: int) -> dict[str, FloatArray]:
    """Random row-stochastic tables, near uniform, for the free edge classes, by key.

    Free unaries sum to 1 over the states of each group, see :func:`groups`.
    """
    rng = np.random.default_rng(seed)
    stacks = {}
    for declared in declarations.values():
        if declared.free_prior:
            weights = 1 + 0.5 * rng.random((1, len(declared.space)))
            stacks[declared.name] = share(weights, groups(declared, declarations))
        if declared.source is not None and declared.potential is None:
            above = declarations[declared.source]
            shape = (declared.count, len(above.space), len(declared.space))
            weights = 1 + 0.5 * rng.random(shape)
            stacks[declared.key] = weights / weights.sum(axis=2, keepdims=True)
    return stacks


def groups(declared: Declaration, declarations: Mapping[str, Declaration]) -> IntArray:
    """Which states of a class the free unary shares one unit of probability among, (states,).

    For rules, those of one parent state: their weights become ``P(rule | parent)``. For families,
    those of one joint state of the parents: their table becomes ``P(child | parents)``.
    """
    if declared.hidden and declared.child:
        # The child is the last axis of a family's joint state.
        return np.arange(len(declared.space)) // len(declarations[declared.child].space)
    if declared.potential is not None and declared.potential.kind == "parent_of":
        index: IntArray = declared.potential.entries[0]
        return index
    return np.zeros(len(declared.space), dtype=np.int64)


def share(weights: FloatArray, groups: IntArray) -> FloatArray:
    """Weights (rows, states) divided by the sum of their group, row by row; zero sums stay."""
    sums = np.stack([np.bincount(groups, row) for row in weights])[:, groups]
    shares: FloatArray = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
    return shares


def read_values(values: Mapping[str, object], symbols: Mapping[str, Symbol]) -> dict[str, Scalar]:
    """Exact values for symbols, by name.

    Raises
    ------
    ModelError
        If a symbol is unknown, or a value is not a real number or not positive where it must be.
    """
    exact: dict[str, Scalar] = {}
    for name, value in values.items():
        if name not in symbols:
            known = ", ".join(symbols) or "none"
            raise ModelError(f"bind: the model has no symbol {name!r}; its symbols: {known}.")
        number = exact_scalar(value, f"bind({name}=...)")
        if is_expression(number) and number.free_symbols:
            raise ModelError(f"bind({name}=...): needs a number, got the expression {value}.")
        if symbols[name].is_positive and not float(number) > 0:
            raise ModelError(f"bind({name}=...): the symbol is declared positive, got {value}.")
        exact[name] = number
    return exact
