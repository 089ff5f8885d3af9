"""Hierarchies of sparse codes: each layer a linear combination of few atoms of the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray, read_only
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.channels import Given
from ghmpp.models.declared import EngineName, Options
from ghmpp.models.entries import real_numbers
from ghmpp.models.forest import Block, Coupling, Forest, VariableClass
from ghmpp.models.queries import Query


@dataclass(frozen=True, slots=True, repr=False)
class DictionaryCheck:
    """What is known of sparse codes in one dictionary.

    Parameters
    ----------
    name
        Name of the dictionary, "D1" first.
    shape
        Signal dimension, number of atoms.
    coherence
        Largest absolute inner product of two different atoms of unit length, in [0, 1].
    norm
        Largest singular value squared, which bounds the steps of thresholding algorithms.
    """

    name: str
    shape: tuple[int, int]
    coherence: float
    norm: float

    @property
    def unique_below(self) -> float:
        """Fewer atoms than this are the only sparsest code: ``(1 + 1 / coherence) / 2``."""
        return (1 + 1 / self.coherence) / 2 if self.coherence > 0 else float("inf")

    def __repr__(self) -> str:
        signal, atoms = self.shape
        return (
            f"{self.name}: {atoms} atoms in {signal} dimensions, coherence {self.coherence:.4g}, "
            f"codes unique below {self.unique_below:.4g} atoms, squared norm {self.norm:.4g}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class LinearHierarchy:
    r"""Layers of sparse codes, ``x0 = D1 x1``, ``x1 = D2 x2``, ..., of which ``x0`` is seen.

    Compiled by one of the engines of :mod:`ghmpp.schedule.thresholding`; a query for the code of
    a layer is answered by few nonzero numbers.

    Parameters
    ----------
    dictionaries
        D1, D2, ..., each (nodes of the layer above it, atoms); columns are atoms.
    thresholds
        Per layer x1, x2, ... the weight of :math:`|x|_1`, finite and >= 0: one number for each
        layer, or one for all.
    nonnegative
        Whether codes are >= 0; then the soft threshold is a ReLU with a bias.
    name
        For reports.

    Raises
    ------
    ModelError
        If shapes do not follow on each other, an atom is zero, or a threshold is negative.

    Examples
    --------
    >>> model = LinearHierarchy([np.eye(4, 6) + 0.1, np.eye(6)], thresholds=0.2)
    >>> model
    LinearHierarchy 'hierarchy': x0 4 <- x1 6 <- x2 6
    >>> model.check()[1].coherence
    0.0
    """

    dictionaries: tuple[FloatArray, ...]
    thresholds: tuple[float, ...]
    nonnegative: bool
    name: str

    def __init__(
        self,
        dictionaries: Sequence[ArrayLike],
        thresholds: float | Sequence[float] = 0.1,
        *,
        nonnegative: bool = False,
        name: str = "hierarchy",
    ) -> None:
        if not isinstance(dictionaries, (Sequence, np.ndarray)) or isinstance(dictionaries, str):
            raise ModelError(
                f"LinearHierarchy: dictionaries must be a list of matrices, got {dictionaries!r}."
            )
        atoms = tuple(_dictionary(f"D{k}", given) for k, given in enumerate(dictionaries, 1))
        _require_chain(atoms)
        weights = real_numbers(thresholds, "LinearHierarchy: thresholds")
        shapes = ((), (len(atoms),))
        if weights.shape not in shapes or not (np.isfinite(weights) & (weights >= 0)).all():
            raise ModelError(
                "LinearHierarchy: thresholds must be finite and >= 0, one number for each of "
                f"{len(atoms)} layers or one for all, got {thresholds}."
            )
        fields = {
            "dictionaries": atoms,
            "thresholds": tuple(map(float, np.broadcast_to(weights, len(atoms)))),
            "nonnegative": nonnegative,
            "name": name,
        }
        for key, value in fields.items():
            object.__setattr__(self, key, value)

    def check(self) -> tuple[DictionaryCheck, ...]:
        """Coherence and norm of each dictionary, and how many atoms make a code unique."""
        return tuple(
            DictionaryCheck(
                f"D{number}", matrix.shape, coherence(matrix), float(np.linalg.norm(matrix, 2)) ** 2
            )
            for number, matrix in enumerate(self.dictionaries, 1)
        )

    def forest(self, given: tuple[Given, ...] = ()) -> Forest:
        """Blocks ``x0``, ``x1``, ...; dictionaries and thresholds as couplings.

        Raises
        ------
        QueryError
            If something is given through a channel.
        """
        for item in given:
            if item.channel is not None:
                raise QueryError(
                    f"given {item.variable!r}: sparse codes have no noise model; give the numbers "
                    "without a channel."
                )
        sizes = [
            len(self.dictionaries[0]),
            *(matrix.shape[1] for matrix in self.dictionaries),
        ]
        names = [f"x{layer}" for layer in range(len(sizes))]
        function = "relu" if self.nonnegative else "soft"
        couplings: dict[str, Coupling] = {}
        data: dict[str, AnyArray] = {}
        for layer, (matrix, threshold) in enumerate(
            zip(self.dictionaries, self.thresholds, strict=True), 1
        ):
            atoms, weight = f"D{layer}", f"threshold {layer}"
            couplings[atoms] = Coupling(atoms, names[layer], names[layer - 1], atoms)
            couplings[weight] = Coupling(weight, names[layer], names[layer], weight, "constant")
            data[atoms], data[weight] = matrix, np.full(sizes[layer], threshold)
        return Forest(
            self.name,
            {
                name: VariableClass(name, (), None, size, (name,))
                for name, size in zip(names, sizes, strict=True)
            },
            {
                name: Block(name, name, 0, size, 1, function=None if name == "x0" else function)
                for name, size in zip(names, sizes, strict=True)
            },
            {},
            data,
            couplings=couplings,
        )

    def solver(self, query: Query, given: tuple[Given, ...]) -> tuple[EngineName, Options]:
        """Iterated soft thresholding, layer by layer."""
        return "ista", {}

    def question(self) -> tuple[Query, tuple[Given, ...]]:
        """The deepest code given ``x0``."""
        return Query("code", f"x{len(self.dictionaries)}"), (Given("x0"),)

    def require_complete(self) -> None:
        """Nothing is ever missing."""

    def __repr__(self) -> str:
        layers = [
            f"x{layer} {matrix.shape[1]}" for layer, matrix in enumerate(self.dictionaries, 1)
        ]
        return f"LinearHierarchy {self.name!r}: x0 {len(self.dictionaries[0])} <- " + " <- ".join(
            layers
        )


def coherence(dictionary: ArrayLike) -> float:
    r"""Largest :math:`|\langle d_i, d_j \rangle|` of two different atoms of unit length.

    Parameters
    ----------
    dictionary
        Atoms as columns, (nodes, atoms); they need not have unit length.

    Returns
    -------
    float
        In [0, 1]; a code with fewer than ``(1 + 1 / coherence) / 2`` atoms is the only sparsest.

    Examples
    --------
    >>> coherence([[1.0, 0.0, 3.0], [0.0, 1.0, 4.0]])
    0.8
    """
    atoms = _dictionary("coherence", dictionary)
    atoms = atoms / np.linalg.norm(atoms, axis=0)
    inner = np.abs(atoms.T @ atoms)
    np.fill_diagonal(inner, 0.0)
    return float(inner.max())


def _dictionary(name: str, given: ArrayLike) -> FloatArray:
    found = real_numbers(given, name)
    if found.ndim != 2 or found.size == 0 or not np.isfinite(found).all():
        raise ModelError(
            f"{name}: must be a finite matrix (nodes, atoms), got shape {found.shape}"
            f"{'' if np.isfinite(found).all() else ' with NaN or infinity'}."
        )
    if not found.any(axis=0).all():
        empty = int(np.flatnonzero(~found.any(axis=0))[0])
        raise ModelError(f"{name}: atom {empty} is zero.")
    read_only(found)
    return found


def _require_chain(dictionaries: Sequence[FloatArray]) -> None:
    """Refuse dictionaries that do not follow on each other."""
    if not dictionaries:
        raise ModelError("LinearHierarchy: needs at least one dictionary.")
    for number in range(1, len(dictionaries)):
        above, here = dictionaries[number - 1], dictionaries[number]
        if above.shape[1] != len(here):
            raise ModelError(
                f"LinearHierarchy: D{number + 1} must have {above.shape[1]} rows, one for each "
                f"atom of D{number}, got shape {here.shape}."
            )
