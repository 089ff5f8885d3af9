"""How much two parts of the leaves of a small model are correlated, by singular values."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ghmpp._arrays import FloatArray, read_only
from ghmpp.errors import ModelError, QueryError, ResourceError
from ghmpp.models.convert import as_model
from ghmpp.models.forest import Block, Edge, Forest
from ghmpp.models.index_maps import edge_tables
from ghmpp.observables.cuts import Cut, mincut
from ghmpp.observables.partitions import LeavesLike, Partition, read_partition, require_states

LIMIT = 100_000
TOLERANCE = 1e-12

Leaf = tuple[str, int]
# The leaves below a node in the order of the rows, and their weights with the state of the node,
# (joint states of the leaves, states), up to a factor.
Part = tuple[list[Leaf], FloatArray]


@dataclass(frozen=True, eq=False, repr=False)
class Schmidt:
    """Singular values of the joint law of the leaves, with one part as rows.

    Parameters
    ----------
    cut
        The cut that bounds them.
    values
        Singular values of the joint probabilities (which sum to 1), decreasing, read-only.
    tolerance
        Those below this times the largest count as 0.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.random_ghm(3, (2, 4), bound=5, seed=0)
    >>> gh.schmidt(model, {"x2": [0, 2, 4, 6]}).rank
    9
    """

    cut: Cut
    values: FloatArray
    tolerance: float

    @property
    def rank(self) -> int:
        """Number of singular values above the tolerance."""
        return int((self.values > self.tolerance * self.values[0]).sum())

    @property
    def entropy(self) -> float:
        """Entropy of entanglement in nats: that of the squared values over their sum.

        At most the log of the rank, and so at most ``cut.value``.
        """
        weights = self.values[self.values > 0] ** 2
        weights = weights[weights > 0] / weights.sum()
        return float(max(0.0, -(weights * np.log(weights)).sum()))

    def __repr__(self) -> str:
        return (
            f"{len(self.cut.part)} leaves against {len(self.cut.rest)}: rank {self.rank} of at "
            f"most {self.cut.rank:,} (singular values above {self.tolerance:.0e} of the largest); "
            f"entropy {self.entropy:.4g} of at most {self.cut.value:.4g} nats"
        )


def schmidt(
    model: object, leaves: LeavesLike, *, tolerance: float = TOLERANCE, limit: int = LIMIT
) -> Schmidt:
    """Singular values, rank and entropy of entanglement between two parts of the leaves.

    Parameters
    ----------
    model
        A complete model, a networkx graph or a pgmpy model.
    leaves
        The one part, as for :func:`mincut`; the other part is all other leaves.
    tolerance
        Singular values below this times the largest count as 0, in [0, 1).
    limit
        Largest number of joint states of all leaves that is tried.

    Returns
    -------
    Schmidt
        Of the joint probabilities of the leaves, all other variables summed out by contracting
        the tables from the leaves to the roots.

    Raises
    ------
    ResourceError
        If the leaves have more than ``limit`` joint states.
    QueryError
        If a leaf is unknown or listed twice, or ``tolerance`` is out of range.
    ModelError
        If the model is not complete, or no configuration has positive weight.

    Examples
    --------
    Two copies of a fair coin are as entangled as two binary variables can be:

    >>> import ghmpp as gh
    >>> model = gh.GHM(states=2, branching=(2,), tables=[[[1, 0], [0, 1]]])
    >>> gh.schmidt(model, {"x1": [0]})
    1 leaves against 1: rank 2 of at most 2 (singular values above 1e-12 of the largest); \
entropy 0.6931 of at most 0.6931 nats
    """
    known = as_model(model)
    known.require_complete()
    if not 0 <= tolerance < 1:
        raise QueryError(f"schmidt: tolerance must lie in [0, 1), got {tolerance}.")
    forest = known.forest()
    require_states(forest, "schmidt")
    partition = read_partition(forest, leaves, "schmidt")
    sizes = {name: len(forest.variables[name].states) for name in partition.part}
    _refuse(prod(size ** len(partition.part[name]) for name, size in sizes.items()), limit)
    order, joint = _joint(partition)
    shaped = joint.reshape([sizes[name] for name, _ in order])
    inside = [k for k, (name, position) in enumerate(order) if partition.part[name][position]]
    outside = [k for k in range(len(order)) if k not in inside]
    rows = prod(shaped.shape[k] for k in inside)
    matrix = shaped.transpose(*inside, *outside).reshape(rows, -1)
    values = np.linalg.svd(matrix, compute_uv=False)
    return Schmidt(mincut(known, leaves), read_only(values), tolerance)


def _refuse(count: int, limit: int) -> None:
    if count > limit:
        size = f"{count:,}" if count < 10**15 else "more than 10^15"
        raise ResourceError(
            f"schmidt: the leaves have {size} joint states, more than limit={limit:,}; gh.mincut "
            "bounds the rank without them, or take a smaller model."
        )


def _joint(partition: Partition) -> tuple[list[Leaf], FloatArray]:
    """The leaves in some order, and the probabilities of their joint states, the last fastest."""
    forest = partition.forest
    below: dict[str, list[Part]] = {}
    for block in reversed(list(forest.blocks.values())):
        found: list[Part] = [([], np.ones((1, block.states))) for _ in range(block.nodes)]
        for edge in forest.children[block.name]:
            sent = _messages(forest, edge, below.pop(edge.child))
            for parent, message in zip(forest.parent_nodes(edge), sent, strict=True):
                found[parent] = _product(found[parent], message)
        below[block.name] = _with_own(partition, block, found)
    whole: Part = [], np.ones((1, 1))
    for name in forest.roots:
        for leaves, weights in below[name]:
            whole = _product(whole, (leaves, weights.sum(axis=1, keepdims=True)))
    order, joint = whole
    if not joint.sum() > 0:
        raise ModelError("schmidt: no configuration of the model has positive weight.")
    return order, (joint / joint.sum()).ravel()


def _messages(forest: Forest, edge: Edge, parts: list[Part]) -> list[Part]:
    """Children summed out: weights with the states of the parents."""
    tables = edge_tables(forest, edge)
    return [
        (leaves, weights @ tables[k % edge.rows].T) for k, (leaves, weights) in enumerate(parts)
    ]


def _product(one: Part, other: Part) -> Part:
    """Weights of the leaves of both, with largest entry 1."""
    weights = one[1][:, None] * other[1]
    largest = weights.max()
    scaled = weights / largest if largest > 0 else weights
    return one[0] + other[0], scaled.reshape(-1, scaled.shape[-1])


def _with_own(partition: Partition, block: Block, parts: list[Part]) -> list[Part]:
    """The unary potential; and leaves as an axis of their own."""
    if block.unary is not None:
        stack = partition.forest.data[block.unary]
        parts = [(x, weights * stack[k % block.unary_rows]) for k, (x, weights) in enumerate(parts)]
    if partition.sides(block) is None:
        return parts
    eye = np.eye(block.states)
    return [
        ([*leaves, (block.variable, int(position))], (weights[:, None] * eye).reshape(-1, len(eye)))
        for position, (leaves, weights) in zip(partition.positions(block), parts, strict=True)
    ]
