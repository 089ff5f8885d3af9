"""Which leaves a tree can correlate: the cheapest variables that separate them from the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from ghmpp.models.convert import as_model
from ghmpp.models.forest import Block, Forest
from ghmpp.models.rooting import shortened
from ghmpp.models.summary import node_name
from ghmpp.observables.partitions import LeavesLike, Partition, read_partition, require_states

# Where a variable may be: on the side of the part, on that of all other leaves, or cut.
PART, REST, CUT = 0, 1, 2
# Product of the numbers of states of the variables that are cut, and how many there are.
Cost = tuple[int, int]
FREE: Cost = (1, 0)


@dataclass(frozen=True, repr=False)
class Cut:
    """The cheapest set of variables without which no path links two parts of the leaves.

    Parameters
    ----------
    part, rest
        Names of the leaves on either side.
    variables
        Names of the variables that are cut; leaves may be among them.
    rank
        Product of their numbers of states, exact: no joint law of this model, as a matrix with
        the states of ``part`` as rows and those of ``rest`` as columns, has a larger rank.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=3, branching=(2, 4))
    >>> gh.mincut(model, {"x2": [0, 1, 2, 3]})
    4 leaves against 4: rank at most 3 (1.099 nats), cutting x1[1]
    >>> gh.mincut(model, {"x2": [0, 2, 4, 6]})
    4 leaves against 4: rank at most 9 (2.197 nats), cutting x1[0], x1[1]
    """

    part: tuple[str, ...]
    rest: tuple[str, ...]
    variables: tuple[str, ...]
    rank: int

    @property
    def value(self) -> float:
        """Log of the rank in nats: no more entropy of entanglement, or mutual information."""
        return math.log(self.rank)

    def __repr__(self) -> str:
        cutting = f"cutting {shortened(self.variables)}" if self.variables else "nothing to cut"
        return (
            f"{len(self.part):,} leaves against {len(self.rest):,}: rank at most "
            f"{_short(self.rank)} ({self.value:.4g} nats), {cutting}"
        )


def mincut(model: object, leaves: LeavesLike) -> Cut:
    r"""The vertex cut of least weight between some leaves of a model and all others.

    Given the variables of a cut C, the leaves on its two sides are independent. So the joint law
    of the leaves, with those of the one part as rows and those of the other as columns, is a sum
    of :math:`\prod_{v \in C} S_v` matrices of rank one, for any tables. With tables that satisfy
    no equations the rank is usually this bound; see :func:`schmidt`.

    Parameters
    ----------
    model
        Any model, a networkx graph or a pgmpy model; only its tree and the numbers of states
        matter, and tables may be missing. Of a junction tree, the cliques are variables, and
        the cut is one of that tree.
    leaves
        Positions of leaves by class, ``{"x2": [0, 2]}``, or names, ``["x2[0]", "x2[2]"]``. The
        nodes of a chain without children are all leaves. None at all is allowed: rank 1.

    Returns
    -------
    Cut
        Of all with the smallest product of states (exact integers), one with the fewest variables.

    Raises
    ------
    QueryError
        If a leaf is unknown or listed twice.
    ModelError, ConversionError
        If the model is wrong, or cannot be converted.

    Notes
    -----
    In a forest a cut is found in one pass from the leaves to the roots, which keeps for each
    variable the best way to be on either side or cut. Its weight is that of *variables*: counting
    the edges between the sides instead gives a larger bound, which no tables reach, where a parent
    has several children on either side.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 3, 2), branching=(2, 2))
    >>> gh.mincut(model, ["x2[0]", "x2[1]"]).variables
    ('x0',)
    """
    forest = as_model(model).forest()
    require_states(forest, "mincut")
    partition = read_partition(forest, leaves, "mincut")
    best, choices = _collect(partition)
    variables, rank = [], 1
    for block, states in _distribute(forest, best, choices):
        rank *= math.prod(block.states for state in states if state == CUT)
        cut = (k for k, state in enumerate(states) if state == CUT)
        variables += [node_name(forest, block, k) for k in cut]
    return Cut(partition.names(True), partition.names(False), tuple(variables), rank)


def _collect(
    partition: Partition,
) -> tuple[dict[str, list[list[Cost | None]]], dict[str, list[list[int]]]]:
    """Leaves to roots: by block and node, the cost of each state, None where it may not be.

    And, by child block and node, the best state for each state of the parent.
    """
    forest = partition.forest
    costs: dict[str, list[list[Cost | None]]] = {}
    choices: dict[str, list[list[int]]] = {}
    for block in reversed(list(forest.blocks.values())):
        found = _own(partition, block)
        for edge in forest.children[block.name]:
            picked = []
            for child, parent in zip(costs[edge.child], forest.parent_nodes(edge), strict=True):
                best = [_best(child, above) for above in (PART, REST, CUT)]
                picked.append([state for state, _ in best])
                own = found[parent]
                found[parent] = [
                    None if cost is None else (cost[0] * more[0], cost[1] + more[1])
                    for cost, (_, more) in zip(own, best, strict=True)
                ]
            choices[edge.child] = picked
        costs[block.name] = found
    return costs, choices


def _own(partition: Partition, block: Block) -> list[list[Cost | None]]:
    """Cost of each state of the nodes of a block alone."""
    sides = partition.sides(block)
    cut: Cost = (block.states, 1)
    if sides is None:
        return [[FREE, FREE, cut] for _ in range(block.nodes)]
    return [[FREE if side else None, None if side else FREE, cut] for side in sides]


def _best(costs: list[Cost | None], above: int) -> tuple[int, Cost]:
    """The cheapest state of a node, and its cost, if its parent is in the state ``above``."""
    allowed = (
        (state, cost)
        for state, cost in enumerate(costs)
        if cost is not None and {state, above} != {PART, REST}
    )
    return min(allowed, key=itemgetter(1))


def _distribute(
    forest: Forest, costs: dict[str, list[list[Cost | None]]], choices: dict[str, list[list[int]]]
) -> Iterator[tuple[Block, list[int]]]:
    """Roots to leaves: the states of the nodes of each block in the best cut."""
    found: dict[str, list[int]] = {}
    for name, block in forest.blocks.items():
        edge = forest.edges.get(name)
        if edge is None:
            found[name] = [_best(each, CUT)[0] for each in costs[name]]
        else:
            above = (found[edge.parent][k] for k in forest.parent_nodes(edge))
            found[name] = [
                picked[state] for picked, state in zip(choices[name], above, strict=True)
            ]
        yield block, found[name]


def _short(count: int) -> str:
    """An integer, or its power of ten where it is long."""
    return f"{count:,}" if count < 10**9 else f"10^{math.log10(count):.1f}"
