"""Which formulas a fit reads as conditional probabilities, up to a factor for each parent state.

A formula below a learned table must be directed: its rows are divided by their sums. The law
stays in the declared family only where these sums go into a learned table above, or are the same
for all parent states; that is checked for random values of the symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ModelError
from ghmpp.learning.em.families import check_formulas
from ghmpp.learning.em.formulas import Formulas
from ghmpp.learning.em.learnable import Learnable, uniform
from ghmpp.models.declaration import Declaration
from ghmpp.models.directed import subtree_masses
from ghmpp.models.expand import tied_keys
from ghmpp.models.expressions import substitute

# Sums that differ by less than this, relatively, are the same.
ROUNDING = 1e-9
PROBES = 2
DRAWS = 200


def read_formulas(parts: Learnable) -> Formulas:
    """The formulas of a model with unbound symbols, those below learned tables conditional.

    Raises
    ------
    ModelError
        If no values of the symbols give potentials, or a formula below a learned table cannot
        be directed.
    """
    model = parts.model
    entries = {
        key: substitute(stack, model.bound, key)
        for key, stack in model.forest().formulas.items()
        if key not in model.forest().data
    }
    keys = tied_keys(model.declarations)
    inside = {keys[name] for name in parts.regions.formulas & parts.regions.below}
    formulas = Formulas(entries, tuple(parts.symbols.values()), inside)
    if not formulas.symbols:
        return formulas
    conditional = [d for d in model.declarations.values() if keys.get(d.name) in inside]
    rng = np.random.default_rng(0)
    for _ in range(PROBES):
        weights = draw_symbols(formulas, rng)[1]
        for declared in conditional:
            _check_sums(parts, declared, weights[keys[declared.name]])
        check_formulas(parts, weights)
        _check_masses(parts, formulas.potentials(weights))
    return formulas


def draw_symbols(
    formulas: Formulas, rng: np.random.Generator, given: Mapping[str, float] | None = None
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Random values at which all formulas are potentials, and the weights there.

    Symbols that are declared positive are drawn near 1, others near 0; ``given`` ones are not
    drawn.

    Raises
    ------
    ModelError
        If none is found.
    """
    for _ in range(DRAWS):
        drawn = rng.normal(scale=0.5, size=len(formulas.symbols))
        theta = np.where(formulas.positive, np.exp(drawn), drawn)
        for place, symbol in enumerate(formulas.symbols):
            theta[place] = (given or {}).get(symbol.name, theta[place])
        weights = formulas.weights(theta)
        if weights is not None:
            return theta, weights
    names = ", ".join(symbol.name for symbol in formulas.symbols)
    raise ModelError(
        f"fit: none of {DRAWS} random values of the symbols {names} makes all formulas finite and "
        f">= 0; give values to begin with that do: start=model.bind(...)."
    )


def _check_sums(parts: Learnable, declared: Declaration, weights: FloatArray) -> None:
    """Refuse row sums that differ between parent states, unless a learned table takes them in."""
    sums = weights.sum(-1)
    if np.allclose(sums, sums[:, :1], rtol=ROUNDING, atol=0):
        return
    above = parts.model.declarations[declared.source or declared.name]
    below = declared.name in parts.regions.below
    tied = declared.potential is not None and declared.potential.rows not in (1, declared.count)
    if not below or not _takes_in(parts, above) or (tied and above.nodes > 1):
        raise ModelError(
            f"fit: the rows of the formula {declared.key!r} have sums that depend on the state of "
            f"{above.name!r}; to make them conditional probabilities would change what is given "
            f"above. Divide the formula by its row sums"
            + (f", or leave the potential above {above.name!r} free." if below else ".")
        )


def _takes_in(parts: Learnable, above: Declaration) -> bool:
    """Whether factors of all states of a class go into what is learned above it."""
    if above.parent is None and above.name not in parts.regions.priors:
        return False
    return above.free or above.source is None


def _check_masses(parts: Learnable, values: Mapping[str, FloatArray]) -> None:
    """Refuse weights at or below a formula's variables that depend on the symbols."""
    forest, model = parts.model.forest(), parts.model
    learned = {
        key: uniform(allowed, parts.groups.get(key)) for key, allowed in parts.tables.items()
    }
    data: dict[str, AnyArray] = {**forest.data, **learned, **values}
    masses = subtree_masses(replace(forest, data=data, formulas={}, parameters={}))
    for block in forest.blocks.values():
        declared = model.declarations[block.variable]
        edge = forest.edges.get(block.name)
        directed = edge is not None and edge.kind == "parent_of"
        top = edge is None and block.variable not in parts.regions.priors
        if block.variable not in parts.regions.below or directed or top:
            continue
        logs = masses[block.name].logs
        if np.abs(logs[np.isfinite(logs)]).max() > ROUNDING:
            raise ModelError(
                f"fit: a prior or formula at or below {declared.name!r} weighs its states "
                f"differently, and {declared.key!r} cannot take these weights in while the "
                f"symbols are learned; multiply a prior into the formula, divide formulas by "
                f"their row sums."
            )
