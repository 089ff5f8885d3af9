"""Phylogenies: a tree of species, and a process by which the states of a site change along it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray, ObjectArray
from ghmpp.errors import ModelError
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf
from ghmpp.models.variable import Variable
from ghmpp.models.zoo.branches import Branch, TreeLike, read_branches
from ghmpp.models.zoo.substitution import ROUNDING, Substitution

Lengths: TypeAlias = Literal["fixed", "free"]


def phylogeny(
    tree: TreeLike,
    process: Substitution | Sequence[Substitution],
    *,
    rates: Sequence[float] | FloatArray = (1.0,),
    weights: ArrayLike | None = None,
    lengths: Lengths = "fixed",
    root: Hashable | None = None,
    category: str = "category",
    name: str = "phylogeny",
) -> Model:
    """One site of an alignment: a variable per species and per ancestor, a table per branch.

    Parameters
    ----------
    tree
        Newick text or a networkx tree with branch lengths, see
        :func:`ghmpp.models.zoo.branches.read_branches`. Undirected trees need a reversible
        process; where they are rooted then makes no difference.
    process
        How states change, such as ``hky85(2.0, [.3, .2, .2, .3])``; or one process per category.
        The root has the stationary distribution.
    rates
        Rate of each category, multiplying all lengths, such as ``gamma_rates(0.5, 4)``.
    weights
        Probability of each category, shape (categories,), any scale; None = uniform.
    lengths
        "fixed": tables are numbers. "free": the length above node x is a symbol ``t_x``, positive,
        bound to its value where the tree has one; for reversible processes. ``gh.fit`` then
        learns the lengths that are not bound.
    root
        Where to root an undirected tree.
    category, name
        Names of the variable that says which category a site is in, and of the model.

    Returns
    -------
    Model
        With one class of one variable per node, called after it. With several categories also
        the root variable ``category``, and hidden variables "x and category" for each ancestor
        x, whose joint states travel along the branches. Rows of a batch are sites, and the sum
        of their log evidence is the log likelihood of the tree (J. Felsenstein, J. Mol. Evol. 17
        (1981), 368-376).

    Raises
    ------
    FormatError
        If the text is not Newick.
    ModelError
        If the tree, a length, a rate or a weight is wrong, or an undirected tree or free lengths
        meet a process that is not reversible.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = phylogeny("((human:0.1,chimp:0.1):0.2,mouse:0.5);", gh.zoo.jc69())
    >>> model
    Model 'phylogeny': 5 classes, 5 variables
      node0  1 node  4 states  root, prior
      node1  1 node  4 states  1 per node0, 1 table
      human  1 node  4 states  1 per node1, 1 table
      chimp  1 node  4 states  1 per node1, 1 table, tied to node1->human
      mouse  1 node  4 states  1 per node0, 1 table
    >>> sites = {"human": ["A", "C"], "chimp": ["A", "C"], "mouse": ["A", "T"]}
    >>> beliefs = gh.infer(model, sites)
    >>> beliefs["node1"].round(3)
    array([[0.999, 0.   , 0.   , 0.   ],
           [0.001, 0.993, 0.001, 0.004]])
    >>> beliefs.log_evidence.round(3)
    array([-2.189, -3.462])
    """
    if lengths not in ("fixed", "free"):
        raise ModelError(f"phylogeny: lengths must be 'fixed' or 'free', got {lengths!r}.")
    branches = read_branches(tree, root)
    parts = _categories(process, rates, weights)
    undirected = not isinstance(tree, str) and not tree.is_directed()
    for part in parts if undirected or lengths == "free" else ():
        if not part.process.reversible:
            raise ModelError(
                f"phylogeny: an undirected tree and free lengths need a reversible process, and "
                f"{part.process.name} is not; give a directed tree with fixed lengths."
            )
    model = Model(name)
    if len(parts) == 1:
        _declare(model, branches, parts[0], lengths)
    else:
        _declare_mixture(model, branches, parts, lengths, category)
    known = {f"t_{b.name}": b.length for b in branches if b.length is not None}
    return model.bind(**known) if lengths == "free" else model


@dataclass(frozen=True, slots=True)
class _Category:
    process: Substitution
    rate: float
    weight: float


def _categories(
    process: Substitution | Sequence[Substitution],
    rates: Sequence[float] | FloatArray,
    weights: ArrayLike | None,
) -> list[_Category]:
    """Process, rate and weight of each category."""
    processes = [process] if isinstance(process, Substitution) else list(process)
    if not processes or len(rates) == 0:
        raise ModelError("phylogeny: needs at least one process and at least one rate.")
    count = max(len(processes), len(rates))
    shares = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    for what, given in (("process", len(processes)), ("rates", len(rates))):
        if given not in (1, count):
            raise ModelError(
                f"phylogeny: {what} must have one entry or {count}, one per category, got {given}."
            )
    if shares.shape != (count,) or not (np.isfinite(shares) & (shares > 0)).all():
        raise ModelError(
            f"phylogeny: weights must be {count} positive numbers, one per category, got "
            f"{weights!r}."
        )
    for other in processes:
        if other.states != processes[0].states:
            raise ModelError(
                f"phylogeny: all processes must have the same states, got {processes[0].states} "
                f"and {other.states}."
            )
    shares = shares / shares.sum()
    return [
        _Category(processes[k % len(processes)], float(rates[k % len(rates)]), float(shares[k]))
        for k in range(count)
    ]


def _table(part: _Category, branch: Branch, lengths: Lengths) -> AnyArray:
    """The table of a branch: numbers, or expressions in its length."""
    if lengths == "free":
        return _formula(part, branch)
    if branch.length is None:
        raise ModelError(f"phylogeny: the branch to {branch.name!r} has no length.")
    return part.process.transition(branch.length, part.rate)


def _formula(part: _Category, branch: Branch) -> ObjectArray:
    """Sums of exponentials in the length of a branch, by the eigenvalues of the process.

    With D = diag(frequencies) of a reversible process, D^(1/2) Q D^(-1/2) is symmetric.
    """
    import sympy

    length = sympy.Symbol(f"t_{branch.name}", positive=True)
    root = np.sqrt(part.process.frequencies)
    values, vectors = np.linalg.eigh(root[:, None] * part.process.rates / root)
    table: ObjectArray = np.zeros((len(root), len(root)), dtype=object)
    for group in _equal(values):
        value = float(values[group].mean()) if group[-1] < len(values) - 1 else 0.0
        weights = vectors[:, group] @ vectors[:, group].T * root / root[:, None]
        decay: Any = sympy.exp(value * part.rate * length) if value else sympy.Integer(1)
        table = table + np.where(np.abs(weights) > ROUNDING, weights, 0.0).astype(object) * decay
    return table


def _equal(values: FloatArray) -> list[list[int]]:
    """Indices of increasing numbers, those of equal numbers together."""
    groups = [[0]]
    for k in range(1, len(values)):
        if values[k] - values[k - 1] < ROUNDING * (1 + abs(values[0])):
            groups[-1].append(k)
        else:
            groups.append([k])
    return groups


def _declare(model: Model, branches: Sequence[Branch], part: _Category, lengths: Lengths) -> None:
    """All nodes, in a model with one category."""
    nodes: dict[str, Variable] = {}
    states = part.process.states
    for branch in branches:
        if branch.parent is None:
            nodes[branch.name] = model.root(branch.name, states, prior=part.process.frequencies)
            continue
        table = _table(part, branch, lengths)
        nodes[branch.name] = nodes[branch.parent].children(branch.name, 1, states, potential=table)


def _declare_mixture(
    model: Model,
    branches: Sequence[Branch],
    parts: Sequence[_Category],
    lengths: Lengths,
    category: str,
) -> None:
    """All nodes; joint states (category, state) travel along the branches between ancestors."""
    if any(branch.name == category for branch in branches):
        raise ModelError(
            f"phylogeny: a node of the tree is called {category!r}; pass another name as category=."
        )
    states = parts[0].process.states
    joint = np.arange(len(parts) * len(states))
    chosen = model.root(category, len(parts), prior=np.array([part.weight for part in parts]))
    carriers: dict[str, Variable] = {}
    for branch in branches:
        carrier, child = f"{branch.name} and {category}", ""
        if branch.parent is None:
            index, child = joint // len(states), branch.name
            law = np.concatenate([part.process.frequencies for part in parts])
            found = chosen.children(carrier, 1, len(joint), potential=ParentOf(index), prior=law)
        else:
            tables = [_table(part, branch, lengths) for part in parts]
            above = carriers[branch.parent]
            if branch.tip:
                above.children(branch.name, 1, states, potential=np.concatenate(tables))
                continue
            found = above.children(carrier, 1, len(joint), potential=_block_diagonal(tables))
        declared, scope = model.declarations[carrier], (category, branch.name)
        carriers[branch.name] = model.add(replace(declared, hidden=True, scope=scope, child=child))
        found.children(branch.name, 1, states, potential=ChildOf(joint % len(states)))


def _block_diagonal(tables: Sequence[AnyArray]) -> AnyArray:
    """One table of joint states (category, state) that never changes the category."""
    count, states = len(tables), len(tables[0])
    joint = np.zeros((count, states, count, states), dtype=tables[0].dtype)
    for k, table in enumerate(tables):
        joint[k, :, k] = table
    return joint.reshape(count * states, count * states)
