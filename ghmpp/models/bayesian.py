"""Any model as a Bayesian network: every variable given some that come before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.models.convert_networkx import from_networkx
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from ghmpp.models.normalized import normalized
from ghmpp.models.states import read_states
from ghmpp.models.unfold import factors_of


def bayesian(model: Model) -> Factors:
    r"""The same law as conditional probabilities, one table per variable.

    A junction tree says how: each clique C below its separator S gives

    .. math:: \mu(x_{C \setminus S} \mid x_S) = \prod_i \mu(x_i \mid x_S, x_1, \ldots, x_{i-1}).

    Models that are conditional probabilities already keep their tables.

    Parameters
    ----------
    model
        A complete model; its scale ``log_partition()`` is lost.

    Returns
    -------
    Factors
        One factor per variable with ``child`` last; no priors.

    Raises
    ------
    ModelError
        If no configuration is possible.
    TreewidthError
        If the cliques do not fit into memory.

    Examples
    --------
    >>> pair = Model("pair")
    >>> _ = pair.root("a", 2).children("b", 1, 2, potential=[[3, 1], [1, 1]])
    >>> for factor in bayesian(pair).factors:
    ...     print(factor.variables, factor.table.round(2).tolist())
    ('a',) [0.67, 0.33]
    ('a', 'b') [[0.75, 0.25], [0.5, 0.5]]
    """
    unfolded = factors_of(model)
    if not _is_bayesian(unfolded) and len(model.variables) == len(model.declarations):
        # A class per variable first: tied variables may need different conditionals.
        unfolded = factors_of(from_networkx(model.graph()).normalized())
    if not _is_bayesian(unfolded):
        unfolded = Factors(model.name, unfolded.nodes, tuple(_by_cliques(unfolded)))
    tables = {factor.child: factor for factor in unfolded.factors}
    nodes: dict[str, Node] = {}
    for name, node in unfolded.nodes.items():
        if name not in tables:
            tables[name] = Factor((name,), _distribution(node), name)
        nodes[name] = Node(node.states, node.values)
    return Factors(model.name, nodes, tuple(tables[name] for name in nodes))


def _is_bayesian(graph: Factors) -> bool:
    """Whether every factor is a distribution, of a variable of its own without a prior."""
    import networkx as nx

    children = Counter(factor.child for factor in graph.factors)
    if None in children or any(count > 1 for count in children.values()):
        return False
    arrows = [(v, f.child) for f in graph.factors for v in f.variables if v != f.child]
    acyclic = nx.is_directed_acyclic_graph(nx.DiGraph(arrows))
    return acyclic and all(graph.nodes[str(name)].prior is None for name in children)


def _distribution(node: Node) -> FloatArray:
    """Prior of a variable without parents, as probabilities."""
    space = read_states(node.states, node.values, "states")
    if node.prior is None:
        return np.full(len(space), 1 / len(space))
    weights = np.asarray(node.prior, dtype=np.float64)
    probabilities: FloatArray = weights / weights.sum()
    return probabilities


def _by_cliques(graph: Factors) -> Iterator[Factor]:
    """The conditionals of the cliques of a junction tree given their separators, in parts."""
    declared = normalized(junction_model(graph)).declarations
    sizes = {name: len(each.space) for name, each in declared.items() if not each.hidden}
    for clique in declared.values():
        above = declared.get(clique.parent or "")
        root = clique.hidden and above is None
        below = clique.potential is not None and clique.potential.kind == "parent_of"
        if clique.prior is None or not (root or below):
            continue
        given = 0 if above is None else len(above.scope)
        table = clique.prior.entries[0].reshape([sizes[name] for name in clique.scope])
        for axis in range(given, len(clique.scope)):
            joint = table.sum(axis=tuple(range(axis + 1, table.ndim)))
            scope = clique.scope[: axis + 1]
            yield Factor(scope, rows_to_one(joint), scope[-1])


def rows_to_one(table: FloatArray) -> FloatArray:
    """A table divided by its sums over the last axis; uniform where all is zero."""
    sums = table.sum(axis=-1, keepdims=True)
    shares: FloatArray = np.full_like(table, 1 / table.shape[-1])
    np.divide(table, sums, out=shares, where=sums > 0)
    return shares
