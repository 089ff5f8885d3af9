"""Couplings and fields of pairwise models as the blocks and couplings of a forest.

A class of sites is one block. What acts on it stands in ``Forest.couplings`` by name:

=====================  ===========================================================================
name                   meaning
=====================  ===========================================================================
``"a - b"``            couplings of the sites of a (target) and b (source), stored once per pair
``"a field"``          constant: the field on each site
``"a curvature"``      constant: n of the weight ``exp(-n s^2 / 2)`` of each site with a prior
``"a onsager"``        diagonal: the constant Onsager correction, see :mod:`.spins_overlap`
``"a estimate"``       diagonal, of a real class: part of its mean that is a multiple of itself
=====================  ===========================================================================

``Forest.data["a prior"]`` are values and log weights of sites that are no spins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, read_only
from ghmpp.models.forest import Block, Coupling, Forest, VariableClass

SPINS = (-1, 1)
# Matrices with fewer entries than this share are kept as lists of entries.
SPARSE = 0.1


def interaction(target: str, source: str) -> str:
    """Name of the coupling between two classes."""
    return f"{target} - {source}"


def spins_forest(
    name: str,
    matrix: FloatArray,
    fields: FloatArray,
    classes: Mapping[str, tuple[int, ...]],
    onsager: FloatArray,
) -> Forest:
    """The forest of spins: one block with two states per class.

    Parameters
    ----------
    name
        Name of the model.
    matrix, fields
        Couplings (sites, sites), symmetric with zero diagonal, and fields (sites,).
    classes
        Positions of the sites of each class.
    onsager
        Constant Onsager correction of each site, (sites,), >= 0.
    """
    draft = Draft(name)
    for each, sites in classes.items():
        draft.spins(each, len(sites))
    names = list(classes)
    for k, target in enumerate(names):
        rows = list(classes[target])
        draft.constant(f"{target} field", target, fields[rows])
        draft.diagonal(f"{target} onsager", target, onsager[rows])
        for source in names[k:]:
            draft.between(target, source, matrix[np.ix_(rows, list(classes[source]))])
    return draft.forest()


class Draft:
    """A forest of fields under construction: blocks first, then what acts on them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.variables: dict[str, VariableClass] = {}
        self.data: dict[str, AnyArray] = {}
        self.couplings: dict[str, Coupling] = {}

    def spins(self, name: str, nodes: int) -> None:
        """A class of spins."""
        self.variables[name] = VariableClass(
            name, SPINS, read_only(np.array(SPINS, dtype=np.float64)), nodes, (name,)
        )

    def real(self, name: str, nodes: int) -> None:
        """A class of real numbers."""
        self.variables[name] = VariableClass(name, (), None, nodes, (name,))

    def constant(self, name: str, block: str, field: FloatArray) -> None:
        """A field that reads nothing; none where it is zero."""
        if field.any():
            self._add(Coupling(name, block, block, name, "constant"), field)

    def diagonal(self, name: str, block: str, factors: FloatArray) -> None:
        """A factor for each site; none where all are zero."""
        if factors.any():
            self._add(Coupling(name, block, block, name, "diagonal"), factors)

    def between(self, target: str, source: str, matrix: FloatArray) -> None:
        """Couplings of two classes, (target nodes, source nodes); none where they are zero."""
        name = interaction(target, source)
        entries = np.nonzero(matrix)
        if len(entries[0]) == 0:
            return
        if len(entries[0]) >= SPARSE * matrix.size:
            self._add(Coupling(name, source, target, name), matrix)
            return
        index = f"{name} index"
        self.data[index] = read_only(np.stack(entries).astype(np.int64))
        self._add(Coupling(name, source, target, name, "sparse", index), matrix[entries])

    def forest(self) -> Forest:
        """What was drafted."""
        blocks = {
            name: Block(name, name, 0, each.nodes, max(len(each.states), 1))
            for name, each in self.variables.items()
        }
        return Forest(self.name, self.variables, blocks, {}, self.data, couplings=self.couplings)

    def _add(self, coupling: Coupling, numbers: FloatArray) -> None:
        self.couplings[coupling.name] = coupling
        self.data[coupling.key] = read_only(np.array(numbers, dtype=np.float64))


def matrix_of(forest: Forest, coupling: Coupling) -> FloatArray:
    """A coupling as a dense matrix, (target nodes, source nodes)."""
    numbers: FloatArray = forest.data[coupling.key]
    if coupling.kind == "dense":
        return numbers
    if coupling.kind == "diagonal":
        return np.diag(numbers)
    assert coupling.index is not None
    sizes = (forest.blocks[coupling.target].nodes, forest.blocks[coupling.source].nodes)
    dense = np.zeros(sizes)
    np.add.at(dense, tuple(forest.data[coupling.index]), numbers)
    return dense


def interactions(forest: Forest) -> Iterator[Coupling]:
    """The couplings between classes of sites, each pair of classes once."""
    sites = [name for name in forest.blocks if not observed_only(forest, name)]
    names = {interaction(a, b) for a in sites for b in sites}
    yield from (each for name, each in forest.couplings.items() if name in names)


def observed_only(forest: Forest, block: str) -> bool:
    """Whether a block is observed and inferred through others only: real, without a prior."""
    real = forest.variables[forest.blocks[block].variable].real
    return real and f"{block} prior" not in forest.data


def joint_matrix(forest: Forest) -> tuple[FloatArray, dict[str, slice]]:
    """All interactions as one symmetric matrix, and where each block stands in it."""
    places: dict[str, slice] = {}
    size = 0
    for block in forest.blocks.values():
        if not observed_only(forest, block.name):
            places[block.name] = slice(size, size + block.nodes)
            size += block.nodes
    matrix = np.zeros((size, size))
    for coupling in interactions(forest):
        rows, columns = places[coupling.target], places[coupling.source]
        dense = matrix_of(forest, coupling)
        matrix[rows, columns] = dense
        matrix[columns, rows] = dense.T
    return matrix, places
