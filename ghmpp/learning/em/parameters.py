"""The parameters of a fit: where they start, and the model that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray, read_only
from ghmpp.errors import ModelError
from ghmpp.learning.em.conditional import draw_symbols
from ghmpp.learning.em.formulas import Formulas
from ghmpp.learning.em.learnable import BoolArray, Learnable, totals, uniform
from ghmpp.models.declaration import Declaration
from ghmpp.models.expand import tied_keys
from ghmpp.models.expressions import exact_entries, symbols_of
from ghmpp.models.model import Model
from ghmpp.models.potentials import Stack
from ghmpp.models.tables import random_stacks


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """What EM changes.

    Parameters
    ----------
    tables
        Row-stochastic stacks by potential key, linear: learned edges (count, parent states,
        child states), learned priors (1, states), free unaries (1, states) that sum to 1 over
        each group of states.
    symbols
        Values of the symbols, in the order of ``Formulas.symbols``, shape (symbols,).
    potentials
        What the formulas are at these values, by key, linear.
    """

    tables: Mapping[str, FloatArray]
    symbols: FloatArray
    potentials: Mapping[str, FloatArray]


def initial(
    parts: Learnable, formulas: Formulas, seed: int, start: Model | None = None
) -> Parameters:
    """Where a fit starts.

    Parameters
    ----------
    parts, formulas
        What is learned.
    seed
        What the model leaves free as in :meth:`~ghmpp.models.model.Model.initialise` (impossible
        entries 0), other priors uniform, symbols at random.
    start
        A model of the same classes, whose tables and symbols are used where it has them.

    Raises
    ------
    ModelError
        If the start does not fit the model, or symbols find no valid values.
    """
    drawn = random_stacks(parts.model.declarations, seed)
    tables = {
        key: _rows(drawn.get(key, np.ones(allowed.shape)), allowed, parts.groups.get(key))
        for key, allowed in parts.tables.items()
    }
    if start is not None:
        _check_states(parts, start)
        tables |= dict(_started(parts, start))
    return Parameters(tables, *_symbols(formulas, seed, start))


def fitted(parts: Learnable, formulas: Formulas, parameters: Parameters) -> Model:
    """The model with learned tables and bound symbols; formulas are kept as formulas."""
    model = parts.model
    keys = tied_keys(model.declarations)
    declared = [
        _filled(each, keys.get(each.name, ""), formulas, parameters.tables)
        for each in model.declarations.values()
    ]
    values = {
        symbol.name: Fraction(float(value))
        for symbol, value in zip(formulas.symbols, parameters.symbols, strict=True)
    }
    return Model.from_declarations(model.name, declared, {**model.bound, **values})


def _filled(
    declared: Declaration, key: str, formulas: Formulas, tables: Mapping[str, FloatArray]
) -> Declaration:
    """The class with its learned table and prior, its formula directed where it must be."""
    if declared.name in tables:
        prior = Stack("table", read_only(tables[declared.name].copy()))
        declared = replace(declared, prior=prior, free_prior=False)
    if key in tables:
        table = Stack("table", read_only(tables[key].copy()))
        return replace(declared, potential=table)
    if key in formulas.conditional and declared.potential is not None:
        return replace(declared, potential=_rows_normalised(declared.potential, key))
    return declared


def _rows_normalised(stack: Stack, key: str) -> Stack:
    """Expressions divided by the sum of their row."""
    sums = stack.entries.sum(axis=-1, keepdims=True)
    entries = exact_entries(stack.entries / sums, key)
    return Stack("table", read_only(entries), tuple(symbols_of(entries, key)))


def _started(parts: Learnable, start: Model) -> Iterator[tuple[str, FloatArray]]:
    """Learned stacks that a model to start from has, rows normalised, by key."""
    for name, declared in parts.model.declarations.items():
        given = start.declarations.get(name)
        for key, stack in (
            (declared.key, None if given is None else given.potential),
            (name, None if given is None else given.prior),
        ):
            if given is None or stack is None or key not in parts.tables:
                continue
            entries = stack.numeric(start.bound, f"start, {key!r}")
            if entries is not None:
                entries = _in_order(entries, start, given, declared)
                yield key, _fitting(entries, parts.tables[key], parts.groups.get(key), key)


def _check_states(parts: Learnable, start: Model) -> None:
    """Refuse a start whose variables have other states."""
    for name in parts.model.variables:
        known = parts.model.declarations[name].space
        given = start.declarations.get(name)
        if given is None or len(given.space) != len(known):
            continue  # where a table is taken from it, its shape is refused
        if tuple(given.space.names) != tuple(known.names):
            raise ModelError(
                f"start: the variable {name!r} has the states {given.space.listed()}, but in the "
                f"model {known.listed()}; give both the same, in the same order."
            )


def _in_order(
    entries: AnyArray, start: Model, given: Declaration, declared: Declaration
) -> AnyArray:
    """The table of a family with the parents in the order of the model to fit."""
    if given.scope == declared.scope or set(given.scope) != set(declared.scope):
        return entries
    sizes = [len(start.declarations[name].space) for name in given.scope]
    axes = [given.scope.index(name) for name in declared.scope]
    return entries.reshape(sizes).transpose(axes).reshape(1, -1)


def _fitting(entries: AnyArray, allowed: BoolArray, group: IntArray | None, key: str) -> FloatArray:
    """A stack with its rows normalised, repeated if it is shared by all ranks."""
    shape = allowed.shape
    if entries.shape not in (shape, (1, *shape[1:])) or entries.dtype.kind != "f":
        raise ModelError(
            f"start: the potential {key!r} must have shape {shape}, got {entries.shape}; start "
            f"from a model with the same classes, such as a fitted one."
        )
    return _rows(np.broadcast_to(entries, shape), allowed, group)


def _rows(weights: FloatArray, allowed: BoolArray, group: IntArray | None) -> FloatArray:
    """Rows (or groups of states) normalised over the allowed entries; without weight uniform."""
    weights = weights * allowed
    sums = totals(weights, group)
    rows: FloatArray = np.divide(weights, sums, out=uniform(allowed, group), where=sums > 0)
    return rows


def _symbols(
    formulas: Formulas, seed: int, start: Model | None
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Values of the symbols to start from, and the potentials there."""
    given = {} if start is None else {name: float(v) for name, v in start.bound.items()}
    theta, weights = draw_symbols(formulas, np.random.default_rng((seed, 1)), given)
    return theta, formulas.potentials(weights)
