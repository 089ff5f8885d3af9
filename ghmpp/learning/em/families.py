"""What a fit learns in a junction tree: the conditional probabilities of its families.

A family is a hidden class whose states are the joint states of a variable and its parents, and
whose unary is ``P(variable | parents)``. Its posterior is the expected count of that table. So the
M-step divides counts by their sums over the child. That is the maximum only where all factors
are such distributions: then the total mass stays 1, whatever is learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError
from ghmpp.learning.em.learnable import (
    BoolArray,
    Learnable,
    Regions,
    nothing_to_learn,
    unbound_symbols,
)
from ghmpp.models.declaration import Declaration
from ghmpp.models.model import Model
from ghmpp.models.rooting import shortened
from ghmpp.models.tables import groups

# Sums of a given table over its child may differ by this much from rounding.
ROUNDING = 1e-6


def is_junction(model: Model) -> bool:
    """Whether a model is a junction tree."""
    return any(declared.scope for declared in model.declarations.values())


def learnable_families(model: Model) -> Learnable:
    """What is learned in a junction tree: tables of families, priors and symbols without value.

    Raises
    ------
    ModelError
        If nothing is to be learned, or tables are to be learned in a model that is no Bayesian
        network.
    """
    declarations = model.declarations
    free = [declared for declared in declarations.values() if declared.free_prior]
    symbols = unbound_symbols(model)
    if not free and not symbols:
        raise nothing_to_learn(model)
    if free:
        require_bayesian(model)
    none = frozenset[str]()
    return Learnable(
        model,
        {declared.name: _everywhere(declared) for declared in free},
        {declared.name: groups(declared, declarations) for declared in free},
        symbols,
        Regions(none, none, none, none, none),
    )


def require_bayesian(model: Model) -> None:
    """Refuse a junction tree that is not the product of one distribution per variable.

    Raises
    ------
    ModelError
        Naming the factor that is none.
    """
    families = [each for each in model.declarations.values() if each.hidden and _has_table(each)]
    for declared in families:
        if not declared.child or not _has_equal_sums(model, declared):
            raise undirected(model, f"factor over ({shortened(declared.scope)})")
    several = Counter(declared.child for declared in families)
    several.update(name for name in model.variables if _has_table(model.declarations[name]))
    for name, count in several.items():
        if count > 1:
            raise undirected(model, f"product of the {count} factors that weigh {name!r}")
    _require_order(model, families)


def check_formulas(parts: Learnable, weights: Mapping[str, FloatArray]) -> None:
    """Refuse formulas of families that are no distributions, beside tables that are learned.

    Parameters
    ----------
    parts
        What is learned.
    weights
        The formulas at some values of their symbols, by key.

    Raises
    ------
    ModelError
        Naming the family.
    """
    declarations = parts.model.declarations
    for declared in declarations.values():
        if not (declared.child and declared.name in weights and parts.tables):
            continue
        sums = np.bincount(groups(declared, declarations), weights[declared.name][0])
        if not np.allclose(sums, 1, rtol=ROUNDING, atol=0):
            raise undirected(parts.model, f"formula of {declared.child!r} given its parents")


def undirected(model: Model, what: str) -> ModelError:
    """The error for a model in which the M-step has no closed form."""
    return ModelError(
        f"fit: in model {model.name!r} the {what} is no conditional probability, so the total mass "
        f"depends on what is learned, and EM cannot set tables from counts. Learn a Bayesian "
        f"network, with one distribution per variable given its parents; or write all factors as "
        f"formulas with symbols, whose values are found by their gradient."
    )


def _require_order(model: Model, families: list[Declaration]) -> None:
    """Refuse families that depend on each other in a circle."""
    import networkx as nx

    arrows = [(v, each.child) for each in families for v in each.scope if v != each.child]
    graph: nx.DiGraph[str] = nx.DiGraph(arrows)
    if not nx.is_directed_acyclic_graph(graph):
        circle = [edge[0] for edge in nx.find_cycle(graph)]
        raise undirected(model, f"product of the distributions of {shortened(circle)} in a circle")


def _has_table(declared: Declaration) -> bool:
    """Whether a class has weights of its own, given or to be learned."""
    return declared.prior is not None or declared.free_prior


def _has_equal_sums(model: Model, declared: Declaration) -> bool:
    """Whether the given table of a family has equal sums for all states of the parents."""
    if declared.prior is None:
        return True
    entries = declared.prior.numeric(model.bound, f"table of {declared.child!r}")
    if entries is None:
        return True  # formulas without value are checked when their symbols have some
    sums = np.bincount(groups(declared, model.declarations), entries[0].astype(np.float64))
    return bool(np.allclose(sums, sums[0], rtol=ROUNDING, atol=0))


def _everywhere(declared: Declaration) -> BoolArray:
    return np.ones((1, len(declared.space)), dtype=bool)
