"""What a fit learns and what it keeps, with the kept part made directed.

Learned are the tables of edges without potential, free unaries (weights of production rules), the
prior of a root without prior on one of whose own edges something is learned, and symbols without
value. All else is kept.

A learned table is a conditional distribution, so it may stand for any unnormalised table above
the same variables: the total weight below each child state, and a unary there, go into it, and
states that what is given rules out keep probability 0. A given table is replaced by the
conditional distribution that it means (eq. (3) of arXiv:2404.18444), and a formula below a
learned table by its rows divided by their sums. A formula that hangs on a root whose prior is
kept stays as declared; its partition function is a part of the objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.errors import ModelError
from ghmpp.models.declaration import Declaration
from ghmpp.models.expressions import Symbol
from ghmpp.models.model import Model
from ghmpp.models.normalized import ROUNDING
from ghmpp.models.potentials import Stack
from ghmpp.models.tables import groups

BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Learnable:
    """A model whose given parts are directed, and what is to be learned in it.

    Parameters
    ----------
    model
        Learned edges have no potential, free unaries stay free, learned priors are uniform,
        formulas are as declared.
    tables
        Which entries of the learned stacks may be positive, by potential key, bool: (count,
        parent states, child states) for edges, (1, states) for priors and free unaries.
    groups
        For free unaries, the group of each state, (states,): a learned unary sums to 1 over each
        group, such as the rules of one parent state. Other stacks do over their last axis.
    symbols
        The symbols without value, by name, sorted.
    regions
        Where its parts are tied to each other.
    ties
        Keys of learned stacks that are one table, by the key that stands for them all.
    """

    model: Model
    tables: Mapping[str, BoolArray]
    groups: Mapping[str, IntArray]
    symbols: Mapping[str, Symbol]
    regions: Regions
    ties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def shared(self) -> dict[str, tuple[str, ...]]:
        """All learned keys, by the key that stands for them; mostly for itself alone."""
        tied = {key for keys in self.ties.values() for key in keys}
        alone = {key: (key,) for key in self.tables if key not in tied}
        return {**alone, **self.ties}


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The forest cut at everything that is learned as a table; classes by name.

    Parameters
    ----------
    priors
        Roots whose prior is learned.
    formulas, formula_priors
        Classes with unbound symbols in the potential of their edges, or in their prior.
    below
        Classes whose region hangs below a learned table or prior: its law is conditional on the
        state above the cut.
    kept
        Classes in regions that stay as declared: not below a cut, and with a formula.
    """

    priors: frozenset[str]
    formulas: frozenset[str]
    formula_priors: frozenset[str]
    below: frozenset[str]
    kept: frozenset[str]


def learnable(model: Model) -> Learnable:
    """Split a model into what is learned and what is kept, and make the latter directed.

    Raises
    ------
    ModelError
        If nothing is to be learned, or the kept part cannot be directed without giving tied
        nodes different tables.
    """
    unbound = {name for name, value in model.parameters.items() if value is None}
    regions = _regions(model, unbound)
    if not model.free and not regions.priors and not unbound:
        raise nothing_to_learn(model)
    normal = _normal(model, regions)
    merged = [
        _merged(model, declared, normal.declarations[name], regions)
        for name, declared in model.declarations.items()
    ]
    opened = Model.from_declarations(model.name, merged, model.bound)
    supports = dict(_supports(normal, model, regions))
    free = [each for each in model.declarations.values() if each.free_prior]
    by_group = {each.name: groups(each, model.declarations) for each in free}
    return Learnable(opened, supports, by_group, unbound_symbols(model), regions)


def nothing_to_learn(model: Model) -> ModelError:
    """The error for a model in which all is given."""
    return ModelError(
        f"fit: model {model.name!r} has nothing to learn: every table is given and every "
        f"symbol has a value; leave out a potential, or a value in bind."
    )


def unbound_symbols(model: Model) -> dict[str, Symbol]:
    """The symbols without value, by name, sorted."""
    found: dict[str, Symbol] = {}
    for declared in model.declarations.values():
        found |= declared.symbols
    return {name: found[name] for name, value in model.parameters.items() if value is None}


def totals(weights: AnyArray, group: IntArray | None = None) -> FloatArray:
    """For each entry the sum over its row, or over the states of its group; same shape or (.., 1).

    Parameters
    ----------
    weights
        Axes (..., states).
    group
        Group of each state, (states,); None = all states of a row are one group.
    """
    sums: FloatArray = (
        weights.sum(axis=-1, keepdims=True)
        if group is None
        else np.stack([np.bincount(group, row)[group] for row in weights])
    )
    return sums


def uniform(allowed: BoolArray, group: IntArray | None = None) -> FloatArray:
    """Equal probabilities of the allowed entries of each row, or of each group of states."""
    sums = totals(allowed, group)
    rows: FloatArray = np.divide(allowed, sums, out=np.zeros(allowed.shape), where=sums > 0)
    return rows


def _regions(model: Model, unbound: set[str]) -> Regions:
    declarations = model.declarations
    # A chain is its own parent.
    above_free = {declared.source for declared in declarations.values() if declared.free_key}
    priors, formulas, formula_priors, below = set(), set(), set(), set()
    top: dict[str, str] = {}
    for name, declared in declarations.items():
        if _has(declared.potential, unbound):
            formulas.add(name)
        if _has(declared.prior, unbound):
            formula_priors.add(name)
        if declared.parent is None and declared.prior is None and name in above_free:
            priors.add(name)
        cut = declared.free_key is not None or name in priors
        top[name] = name if cut or declared.parent is None else top[declared.parent]
        if cut or declared.parent in below:
            below.add(name)
    with_formula = {top[name] for name in formulas | formula_priors}
    kept = {name for name in declarations if name not in below and top[name] in with_formula}
    return Regions(*map(frozenset, (priors, formulas, formula_priors, below, kept)))


def _has(stack: Stack | None, symbols: set[str]) -> bool:
    return stack is not None and not symbols.isdisjoint(stack.symbols)


def _supports(normal: Model, model: Model, regions: Regions) -> Iterator[tuple[str, BoolArray]]:
    """Entries of the learned stacks that what is given leaves possible."""
    for name, declared in model.declarations.items():
        found = normal.declarations[name]
        if (name in regions.priors or declared.free_prior) and found.prior is not None:
            yield name, found.prior.entries > 0
        if declared.free and found.potential is not None:
            allowed = found.potential.entries > 0
            yield declared.key, np.tile(allowed, (declared.count // len(allowed), 1, 1))


def _normal(model: Model, regions: Regions) -> Model:
    """The directed model with uniform tables for what is learned or stays as declared."""
    declarations = model.declarations
    stand_ins = [_stand_in(declared, declarations, regions) for declared in declarations.values()]
    try:
        return Model.from_declarations(model.name, stand_ins, model.bound).normalized()
    except ModelError as error:
        raise ModelError(f"fit: the given tables cannot be made directed: {error}") from None


def _stand_in(
    declared: Declaration, declarations: Mapping[str, Declaration], regions: Regions
) -> Declaration:
    """Uniform tables for what is learned or stays as declared: they send no mass upwards."""
    name = declared.name
    if name in regions.kept | regions.formula_priors or declared.free_prior:
        declared = replace(declared, prior=None, free_prior=False)
    if declared.source is None or not (declared.free or name in regions.kept | regions.formulas):
        return declared
    shape = 1, len(declarations[declared.source].space), len(declared.space)
    return replace(declared, potential=Stack("table", np.ones(shape)))


def _merged(
    model: Model, declared: Declaration, normal: Declaration, regions: Regions
) -> Declaration:
    """The declared class with given stacks replaced by directed ones."""
    _refuse_untying(declared, normal)
    name, potential = declared.name, declared.potential
    if not declared.free and name not in regions.kept | regions.formulas:
        potential = _closest(model, potential, normal.potential)
    prior = declared.prior
    if declared.free_prior:
        prior = None
    elif name in regions.priors:
        prior = Stack("table", np.ones((1, len(declared.space))))
    elif name not in regions.kept | regions.formulas | regions.formula_priors:
        absorbed = declared.free and declared.parent is not None
        prior = None if absorbed else _closest(model, prior, normal.prior)
    return replace(declared, potential=potential, prior=prior)


def _refuse_untying(declared: Declaration, normal: Declaration) -> None:
    """Refuse a learned table that different masses below would make different from node to node."""
    stack, rows = normal.potential, declared.count
    if declared.free_prior:
        stack, rows = normal.prior, 1
    if declared.free_key and stack is not None and stack.rows > rows:
        raise ModelError(
            f"fit: the table {declared.free_key!r} is to be learned and shared, but what is given "
            f"at and below {declared.name!r} weighs its states differently from node to node, so "
            f"that each node would need its own table; make the given tables row-stochastic and "
            f"unaries equal for all nodes."
        )


def _closest(model: Model, declared: Stack | None, normal: Stack | None) -> Stack | None:
    """The declared stack where it is directed already, so that it is kept exactly."""
    if declared is None or normal is None or declared is normal:
        return normal
    entries = declared.numeric(model.bound, "fit")
    if entries is None or entries.shape != normal.entries.shape:
        return normal
    same = np.allclose(entries, normal.entries, rtol=0, atol=ROUNDING)
    return declared if same else normal
