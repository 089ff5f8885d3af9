r"""The assumptions of arXiv:2404.18444 and the constants that appear in them, per edge class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.models.forest import Edge, Forest
from ghmpp.models.rule_levels import rule_name

if TYPE_CHECKING:
    from ghmpp.models.model import Model


@dataclass(frozen=True, slots=True)
class EdgeAssumptions:
    r"""Constants of the potentials of one edge class; one entry per row (child rank or edge).

    Parameters
    ----------
    edge
        Name of the class of edges, ``parent->child``.
    key
        Key of its potential in ``Forest.data``.
    factorised
        Whether the weight of the children is a product over the children (Assumption 1); true
        for every pairwise potential, not for joint rules, whose table has a column for each tuple
        of children.
    bound
        The smallest K with all entries, as given, in [1/K, K] (Assumption 2); inf with zeros.
    diameters
        Birkhoff diameter :math:`\Delta = \max_{i,j,k,l} \log(\psi_{ij} \psi_{kl} / \psi_{il}
        \psi_{kj})`, dimensionless, at most ``4 log K``; inf with zeros.
    contractions
        Contraction :math:`\tau = \tanh(\Delta / 4)` of a message in span seminorm (Birkhoff-Hopf);
        1 with zeros.
    """

    edge: str
    key: str
    factorised: bool
    bound: float
    diameters: tuple[float, ...]
    contractions: tuple[float, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Assumptions:
    """Which assumptions of arXiv:2404.18444 a model satisfies.

    Parameters
    ----------
    model
        Name of the model.
    assumption_1
        Potentials factorise over children; joint rules do not.
    assumption_2
        All tables are bounded: ``bound`` is finite. The priors are not part of it.
    bound
        The smallest K with the entries of all tables in [1/K, K]; inf with zeros.
    edges
        The constants of each edge class.
    """

    model: str
    assumption_1: bool
    assumption_2: bool
    bound: float
    edges: tuple[EdgeAssumptions, ...]

    def __repr__(self) -> str:
        width = max((len(edge.edge) for edge in self.edges), default=0)
        lines = [
            f"Assumptions of model {self.model!r}",
            f"  1 (factorised): {'yes' if self.assumption_1 else 'no'}",
            f"  2 (bounded):    {'yes' if self.assumption_2 else 'no'}, K = {self.bound:.4g}",
        ]
        lines += [
            f"  {edge.edge.ljust(width)}  K = {edge.bound:.4g}, "
            f"diameter {_range(edge.diameters)}, contraction {_range(edge.contractions)}"
            for edge in self.edges
        ]
        return "\n".join(lines)


def assumptions(model: Model) -> Assumptions:
    """Check the assumptions on a complete model.

    Raises
    ------
    ModelError
        If the model has free tables or symbols without values.

    Examples
    --------
    >>> from ghmpp.models.ghm import GHM
    >>> assumptions(GHM(states=(2, 2), branching=(3,), tables=[[[2.0, 1.0], [1.0, 2.0]]]))
    Assumptions of model 'ghm'
      1 (factorised): yes
      2 (bounded):    yes, K = 2
      x0->x1  K = 2, diameter 1.386, contraction 0.3333
    """
    model.require_complete()
    forest = model.forest()
    classes = {
        forest.blocks[edge.child].variable: (forest.blocks[edge.parent].variable, edge)
        for edge in forest.edges.values()
    }
    rules = {rule_name(name): name for name in model.rules}
    edges = tuple(
        _rules(model, parent, rules[child])
        if child in rules
        else _edge(forest, edge, f"{parent}->{child}")
        for child, (parent, edge) in classes.items()
        if parent not in rules
    )
    bound = max((edge.bound for edge in edges), default=1.0)
    factorised = all(edge.factorised for edge in edges)
    return Assumptions(model.name, factorised, bool(np.isfinite(bound)), bound, edges)


def birkhoff_diameter(table: FloatArray) -> float:
    """Birkhoff diameter of a table (parent states, child states); inf when it has zeros.

    Invariant under scaling of rows and columns.

    Examples
    --------
    >>> round(birkhoff_diameter(np.array([[1.0, 2.0], [3.0, 24.0]])) / float(np.log(4)), 12)
    1.0
    """
    if not (table > 0).all():
        return np.inf
    logs = np.log(table)
    # One pair of rows at a time keeps the memory at one table.
    spans = [np.ptp(logs[i:] - row, axis=1).max() for i, row in enumerate(logs)]
    return float(max(spans))


def _edge(forest: Forest, edge: Edge, name: str) -> EdgeAssumptions:
    if edge.kind != "table":
        return EdgeAssumptions(name, edge.key, True, np.inf, (np.inf,), (1.0,))
    tables = forest.data[edge.key]
    bound = float(max(tables.max(), 1 / tables.min())) if tables.min() > 0 else np.inf
    diameters = tuple(birkhoff_diameter(table) for table in tables)
    return EdgeAssumptions(
        name, edge.key, True, bound, diameters, tuple(float(np.tanh(d / 4)) for d in diameters)
    )


def _rules(model: Model, parent: str, child: str) -> EdgeAssumptions:
    """Of joint rules; a table is made of them only where every tuple has one."""
    rules, stack = model.rules[child], model.forest().data[rule_name(child)][0]
    states = [len(model.declarations[name].space) for name in (parent, child)]
    bound, diameter = np.inf, np.inf
    if len(rules) >= states[0] * states[1] ** rules.ranks:
        table = replace(rules, weights=stack).to_table(*states).reshape(states[0], -1)
        bound = float(max(table.max(), 1 / table.min())) if table.min() > 0 else np.inf
        diameter = birkhoff_diameter(table)
    contraction = float(np.tanh(diameter / 4))
    name, factorised = f"{parent}->{child}", rules.ranks == 1
    return EdgeAssumptions(name, rule_name(child), factorised, bound, (diameter,), (contraction,))


def _range(values: tuple[float, ...]) -> str:
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} .. {high}"
