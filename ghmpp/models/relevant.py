"""The part of a model that a question needs: fewer factors, the same answer.

Three facts about products of factors, none of them about trees. The table of a distribution sums
to one over its child, so a child that nobody asks about and no other factor mentions leaves with
its table (it is *barren*). An observed variable is a constant, so every factor may have a copy of
it; what hung together by it alone falls apart. And a part that nobody asks about only contributes
a number, which matters where the mass is wanted, or where it may be zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ghmpp.models.factors import Factor, Factors, Node


@dataclass(frozen=True, slots=True, eq=False)
class Relevant:
    """The model that remains, and the copies of observed variables in it.

    ``copies[v]`` are the variables that have to be observed in the state of ``v``: itself where
    one factor mentions it, none where its state does not matter.
    """

    graph: Factors
    copies: Mapping[str, tuple[str, ...]]


def relevant(
    graph: Factors,
    wanted: Collection[str],
    observed: Collection[str],
    *,
    likelihoods: Collection[str] = (),
    mass: bool = False,
) -> Relevant:
    """The factors that the posterior of some variables needs, given states of others.

    Parameters
    ----------
    graph
        The model. Factors with a ``child`` must sum to 1 over it.
    wanted
        Variables whose joint posterior is asked.
    observed
        Variables whose state will be known, none of them wanted.
    likelihoods
        Variables that will have a likelihood instead of a state; wanted ones are allowed.
    mass
        Whether the mass of all configurations that agree with the evidence is wanted too. The
        mass that remains is then the whole, else only its being zero or not is kept.

    Returns
    -------
    Relevant
        Variables and factors in the order of ``graph``.

    Examples
    --------
    Of a chain A -> B -> C, the posterior of A given B does not need C:

    >>> table = np.full((2, 2), 0.5)
    >>> chain = Factors(
    ...     "chain",
    ...     {name: Node(2) for name in "ABC"},
    ...     (Factor(("A",), table[0], "A"), Factor(("A", "B"), table, "B"),
    ...      Factor(("B", "C"), table, "C")),
    ... )
    >>> [factor.variables for factor in relevant(chain, ["A"], ["B"]).graph.factors]
    [('A',), ('A', 'B')]
    """
    needed = without_barren(graph, {*wanted, *observed, *likelihoods})
    apart = with_copies(needed, observed)
    seen = {copy for found in apart.copies.values() for copy in found}
    keep: set[str] = set()
    for part in parts(apart.graph):
        asked = mass or not part.variables.isdisjoint(wanted)
        risky = part.zeros and not part.variables.isdisjoint(seen)
        if asked or risky or not part.variables.isdisjoint(likelihoods):
            keep |= part.variables
    copies = {
        name: tuple(copy for copy in found if copy in keep) for name, found in apart.copies.items()
    }
    return Relevant(_restricted(apart.graph, keep), copies)


def without_barren(graph: Factors, keep: Collection[str]) -> Factors:
    """The model without the tables that sum to one, whatever the states of ``keep``."""
    mentions = Counter(name for factor in graph.factors for name in factor.variables)
    source = {factor.child: factor for factor in graph.factors if factor.child is not None}
    gone: set[str] = set()
    open_ends = [name for name in graph.nodes if name not in keep]
    while open_ends:
        name = open_ends.pop()
        if mentions[name] != 1 or name not in source or graph.nodes[name].prior is not None:
            continue
        gone.add(name)
        for above in source.pop(name).variables:
            mentions[above] -= 1
            if above not in keep and above not in gone:
                open_ends.append(above)
    return _restricted(graph, [name for name in graph.nodes if name not in gone])


def with_copies(graph: Factors, observed: Collection[str]) -> Relevant:
    """The model in which every factor has observed variables of its own."""
    nodes = dict(graph.nodes)
    copies: dict[str, list[str]] = {name: [] for name in observed}
    factors: list[Factor] = []
    for factor in graph.factors:
        scope = list(factor.variables)
        for axis, name in enumerate(factor.variables):
            if name not in copies:
                continue
            if copies[name]:
                scope[axis] = _free_name(name, nodes)
                nodes[scope[axis]] = replace(nodes[name], prior=None)
            copies[name].append(scope[axis])
        same = tuple(scope) == factor.variables
        factors.append(factor if same else Factor(tuple(scope), factor.table))
    found = {name: tuple(each) or (name,) for name, each in copies.items()}
    return Relevant(Factors(graph.name, nodes, tuple(factors)), found)


@dataclass(frozen=True, slots=True)
class Part:
    """Variables that hang together, and whether their tables have zeros."""

    variables: set[str]
    zeros: bool


def parts(graph: Factors) -> Iterator[Part]:
    """The connected parts of a model: its mass is the product of theirs."""
    import networkx as nx

    links: nx.Graph[str] = nx.Graph()
    links.add_nodes_from(graph.nodes)
    for factor in graph.factors:
        links.add_edges_from(pairwise(factor.variables))
    zeros = {name for name, node in graph.nodes.items() if _has_zeros(node.prior)}
    for factor in graph.factors:
        zeros.update(factor.variables if _has_zeros(factor.table) else ())
    for variables in nx.connected_components(links):
        yield Part(variables, not variables.isdisjoint(zeros))


def _restricted(graph: Factors, keep: Collection[str]) -> Factors:
    """Only some variables, and the factors that mention no other."""
    kept = set(keep)
    nodes: dict[str, Node] = {name: node for name, node in graph.nodes.items() if name in kept}
    factors = tuple(factor for factor in graph.factors if kept.issuperset(factor.variables))
    return Factors(graph.name, nodes, factors)


def _has_zeros(table: object) -> bool:
    return table is not None and not np.all(np.asarray(table))


def _free_name(name: str, taken: Collection[str]) -> str:
    """A name for another copy of a variable."""
    count = 2
    while f"{name} ({count})" in taken:
        count += 1
    return f"{name} ({count})"
