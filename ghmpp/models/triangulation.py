"""From a graph of variables to a tree of cliques: elimination orders, maximal cliques, roots.

Variables are eliminated one after another, and the neighbours of each are joined, which makes the
graph chordal. Its maximal cliques form a tree in which the cliques that contain a variable hang
together (a junction tree): every such tree has the largest possible sum of separator sizes, and
the elimination tree gives one in linear time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import TYPE_CHECKING, Literal, get_args

from ghmpp.errors import ModelError, TreewidthError
from ghmpp.models.rooting import rooted, shortened, unknown_root

if TYPE_CHECKING:
    import networkx as nx

Order = Literal["min_fill", "min_weight", "weighted_min_fill"]
Heuristic = Literal["best", "min_fill", "min_weight", "weighted_min_fill"]
# Tables beyond this are out of reach of any memory, and so is looking for their cliques.
HOPELESS = 2.0**60
# Scores are sums of floats that come and go, so that equal ones may differ in the last digits.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Clique:
    """A maximal clique of a triangulated graph, in a rooted tree.

    Parameters
    ----------
    variables
        Names, those of the separator first; they are the axes of the clique's joint states.
    parent
        Position of the parent clique, which comes earlier; None for roots.
    separator
        The variables that it shares with its parent, in the order of ``variables``.
    states
        Number of joint states.
    """

    variables: tuple[str, ...]
    parent: int | None
    separator: tuple[str, ...]
    states: int


def junction_forest(
    sizes: Mapping[str, int],
    scopes: Iterable[Collection[str]],
    *,
    heuristic: Heuristic = "best",
    root: str | None = None,
) -> tuple[Clique, ...]:
    """Cliques of a triangulation of the graph in which the variables of each scope are joined.

    Deterministic. Each tree is rooted at its centre.

    Parameters
    ----------
    sizes
        Number of states by variable.
    scopes
        Sets of variables that must lie inside a clique each.
    heuristic
        Which variable is eliminated next: the one that needs the fewest new edges ("min_fill"),
        that makes the smallest clique ("min_weight"), or whose new edges have the smallest sum of
        products of states ("weighted_min_fill"). "best" tries all and takes the smallest cliques.
    root
        A variable in the root clique of its tree (of those with it, the smallest).

    Returns
    -------
    tuple of Clique
        Parents before children, every scope inside at least one.

    Raises
    ------
    ModelError
        If the heuristic is unknown.
    ConversionError
        If ``root`` is no variable.
    TreewidthError
        If a clique would have more than 2^60 joint states.

    Examples
    --------
    >>> ring = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]
    >>> for clique in junction_forest(dict.fromkeys("abcd", 2), ring):
    ...     print(clique.variables, clique.separator)
    ('b', 'c', 'd') ()
    ('b', 'd', 'a') ('b', 'd')
    """
    if heuristic not in get_args(Heuristic):
        known = ", ".join(get_args(Heuristic))
        raise ModelError(f"heuristic: must be one of {known}, got {heuristic!r}.")
    if root is not None and root not in sizes:
        raise unknown_root(root, sizes)
    names = list(sizes)
    neighbours = _neighbours(names, scopes)
    counts = list(sizes.values())
    orders: tuple[Order, ...] = get_args(Order) if heuristic == "best" else (heuristic,)
    found: list[list[_Node]] = []
    problem: TreewidthError | None = None
    for order in orders:
        try:
            found.append(_maximal(_eliminate(neighbours, counts, order, names)))
        except TreewidthError as error:
            problem = error
    if problem is not None and not found:
        raise problem
    best = min(found, key=lambda nodes: sum(node.states(counts) for node in nodes))
    return _ordered(best, names, counts, root)


def width(cliques: Iterable[Clique]) -> int:
    """Treewidth of a triangulation: the number of variables of its largest clique minus 1."""
    return max((len(clique.variables) for clique in cliques), default=1) - 1


def largest(cliques: Iterable[Clique], count: int = 3) -> str:
    """The cliques with the most joint states, for messages."""
    found = sorted(cliques, key=lambda clique: -clique.states)[:count]
    return "; ".join(f"({shortened(c.variables)}) with {c.states:,} joint states" for c in found)


def _neighbours(names: Sequence[str], scopes: Iterable[Collection[str]]) -> list[set[int]]:
    """Neighbours of each variable by position."""
    position = {name: k for k, name in enumerate(names)}
    neighbours: list[set[int]] = [set() for _ in names]
    for scope in scopes:
        members = {position[name] for name in scope}
        for member in members:
            neighbours[member] |= members
    for k, found in enumerate(neighbours):
        found.discard(k)
    return neighbours


def _eliminate(
    neighbours: Sequence[set[int]], sizes: Sequence[int], order: Order, names: Sequence[str]
) -> list[tuple[int, list[int]]]:
    """Variables in the order of elimination, each with its neighbours at that time.

    The sum over missing edges among the neighbours of a variable changes by what is added and
    removed, so that nothing is counted again.
    """
    graph = [set(found) for found in neighbours]
    weight = list(map(float, sizes)) if order == "weighted_min_fill" else [1.0] * len(sizes)
    reach = [sum(weight[w] for w in found) for found in graph]
    fill = [_missing(graph, weight, k) for k in range(len(graph))]
    log_size = [log2(size) for size in sizes]
    table = [log_size[k] + sum(log_size[w] for w in found) for k, found in enumerate(graph)]
    score = _score(order, fill, table)
    heap = [score(k) for k in range(len(graph))]
    heapq.heapify(heap)
    done = [False] * len(graph)
    eliminated = []
    while heap:
        entry = heapq.heappop(heap)
        v = entry[2]
        if done[v] or entry != score(v):
            continue
        around = sorted(graph[v])
        if table[v] > log2(HOPELESS):
            raise _hopeless(names, [v, *around], table[v])
        done[v] = True
        eliminated.append((v, around))
        changed = set(around)
        for at, a in enumerate(around):
            for b in around[at + 1 :]:
                if b in graph[a]:
                    continue
                common = graph[a] & graph[b]
                changed |= common
                shared = sum(weight[w] for w in common)
                for w in common:
                    fill[w] -= weight[a] * weight[b]
                for one, other in ((a, b), (b, a)):
                    fill[one] += weight[other] * (reach[one] - shared)
                    reach[one] += weight[other]
                    table[one] += log_size[other]
                    graph[one].add(other)
        for u in around:
            # All neighbours of v are neighbours of u now, but u itself.
            fill[u] -= weight[v] * (reach[u] - weight[v] - (reach[v] - weight[u]))
            reach[u] -= weight[v]
            table[u] -= log_size[v]
            graph[u].remove(v)
        changed.discard(v)
        for u in sorted(changed):
            heapq.heappush(heap, score(u))
    return eliminated


def _missing(graph: Sequence[set[int]], weight: Sequence[float], k: int) -> float:
    """Sum over pairs of neighbours of a variable that are not neighbours, of their weights."""
    around = graph[k]
    total = sum(weight[w] for w in around)
    pairs = sum(
        weight[w] * (total - weight[w] - sum(weight[x] for x in around & graph[w])) for w in around
    )
    return pairs / 2


Score = Callable[[int], tuple[float, float, int]]


def _score(order: Order, fill: Sequence[float], table: Sequence[float]) -> Score:
    """What is smallest is eliminated next; ties go to the variable that comes first."""
    if order == "min_weight":
        return lambda k: (round(table[k], DIGITS), round(fill[k], DIGITS), k)
    return lambda k: (round(fill[k], DIGITS), round(table[k], DIGITS), k)


@dataclass(slots=True)
class _Node:
    """A maximal clique of positions, and where it hangs."""

    members: list[int]
    above: int | None
    separator: int

    def states(self, sizes: Sequence[int]) -> int:
        """Joint states."""
        return prod(sizes[k] for k in self.members)


def _maximal(eliminated: Sequence[tuple[int, list[int]]]) -> list[_Node]:
    """The maximal cliques as a tree: from the last eliminated variable back to the first.

    What was around a variable is a clique of what was eliminated later; where it is the whole of
    a clique so far, the variable joins that clique.
    """
    time = {v: step for step, (v, _) in enumerate(eliminated)}
    cliques: list[_Node] = []
    home: dict[int, int] = {}
    for v, around in reversed(eliminated):
        above = home[min(around, key=time.__getitem__)] if around else None
        if above is not None and len(cliques[above].members) == len(around):
            cliques[above].members.append(v)
            home[v] = above
        else:
            home[v] = len(cliques)
            cliques.append(_Node([*around, v], above, len(around)))
    return cliques


def _ordered(
    nodes: Sequence[_Node], names: Sequence[str], sizes: Sequence[int], root: str | None
) -> tuple[Clique, ...]:
    """The cliques from the roots on, each with the variables of its separator first."""
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(map(str, range(len(nodes))))
    graph.add_edges_from((str(n.above), str(k)) for k, n in enumerate(nodes) if n.above is not None)
    start = None
    if root is not None:
        at = list(names).index(root)
        holding = [k for k, node in enumerate(nodes) if at in node.members]
        start = str(min(holding, key=lambda k: nodes[k].states(sizes)))
    number: dict[str, int] = {}
    found: list[Clique] = []
    for name, above in rooted(graph, start).items():
        members = sorted(nodes[int(name)].members)
        parent = None if above is None else number[above]
        ahead = () if parent is None else found[parent].variables
        inside = {names[k] for k in members}
        separator = tuple(variable for variable in ahead if variable in inside)
        own = tuple(names[k] for k in members if names[k] not in separator)
        number[name] = len(found)
        states = nodes[int(name)].states(sizes)
        found.append(Clique(separator + own, parent, separator, states))
    return tuple(found)


def _hopeless(names: Sequence[str], members: Sequence[int], bits: float) -> TreewidthError:
    """The error for a clique that no machine can hold."""
    return TreewidthError(
        f"treewidth is at least {len(members) - 1}: a clique of {len(members)} variables has "
        f"2^{bits:.0f} joint states, but the limit is 2^{log2(HOPELESS):.0f}; remove factors, or "
        f"merge states; largest clique: ({shortened(names[k] for k in members)})."
    )
