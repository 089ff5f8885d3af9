"""Spins as an ordinary discrete model, for exact inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.model import Model
from ghmpp.models.spins_forest import SPINS

# exp of more overflows.
LARGEST = 700.0


def spins_model(
    name: str,
    matrix: FloatArray,
    fields: FloatArray,
    classes: Mapping[str, tuple[int, ...]],
    *,
    gathered: bool,
) -> Model:
    """The model with tables ``exp(A s t)`` of pairs and ``exp(b s)`` of sites.

    Parameters
    ----------
    name
        Name of the model.
    matrix, fields
        Couplings (sites, sites) and fields (sites,).
    classes
        Positions of the sites of each class.
    gathered
        Whether the classes of the result are these, or one for each site, called "x[3]".

    Raises
    ------
    ModelError
        If a coupling or field is so large that its exponential overflows.
    TreewidthError
        If the cliques of the junction tree do not fit into memory.
    """
    worst = max(np.abs(matrix).max(initial=0.0), np.abs(fields).max(initial=0.0))
    if worst > LARGEST:
        raise ModelError(
            f"spins {name!r}: couplings and fields up to {worst:g} have no finite tables "
            f"exp(A s t); keep them below {LARGEST:g}, or give states as evidence instead."
        )
    home = {
        number: (each, k) for each, numbers in classes.items() for k, number in enumerate(numbers)
    }
    sites = {number: f"{each}[{k}]" for number, (each, k) in home.items()}
    spins = np.array(SPINS, dtype=np.float64)
    pairs = np.argwhere(np.triu(matrix, 1)).tolist()
    factors = [
        Factor((sites[i], sites[j]), np.exp(matrix[i, j] * np.outer(spins, spins)))
        for i, j in pairs
    ]
    factors += [
        Factor((sites[i],), np.exp(fields[i] * spins)) for i in np.nonzero(fields)[0].tolist()
    ]
    nodes = {site: Node(SPINS) for site in sites.values()}
    model = model_of(Factors(name, nodes, tuple(factors)))
    if not gathered:
        return model
    member = {site: home[number] for number, site in sites.items()}
    declared = (replace(d, member=member.get(d.name)) for d in model.declarations.values())
    return Model.from_declarations(name, declared)
