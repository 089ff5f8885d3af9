"""Which parameters the law of what is observed determines, and which directions it cannot see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.channels import Given
from ghmpp.models.convert import as_model
from ghmpp.models.model import Model
from ghmpp.models.tables import share
from ghmpp.observables.coordinates import Coordinates, chosen, differentiable, entries
from ghmpp.observables.scores import read_given, weighted_scores
from ghmpp.schedule.build import LOG_EVIDENCE

if TYPE_CHECKING:
    from pandas import DataFrame

# Singular values below this times the largest count as 0; rounding leaves about 1e-15.
TOLERANCE = 1e-9
DRAWS = 3
ATTEMPTS = 50
NAMED = 6


@dataclass(frozen=True, eq=False, repr=False)
class Identifiability:
    """How many parameters the law of the observed variables depends on, locally.

    Parameters
    ----------
    observed
        The classes whose states are observed.
    parameters
        Names of the coordinates.
    rank
        Rank of the derivative of the law in them, at random values: the generic rank, up to
        chance and to the tolerance. It is the dimension of the family of laws.
    kept, dropped
        The smallest singular value that counts and the largest that does not, relative to the
        largest of all; 0 where there is none.
    directions
        Columns: independent directions in which no probability changes at the random values,
        one row per parameter.
    """

    observed: tuple[str, ...]
    parameters: tuple[str, ...]
    rank: int
    kept: float
    dropped: float
    directions: DataFrame

    @property
    def deficiency(self) -> int:
        """Number of independent directions that cannot be seen."""
        return len(self.parameters) - self.rank

    def __repr__(self) -> str:
        lines = [
            f"{len(self.parameters):,} parameters, rank {self.rank:,}, deficiency "
            f"{self.deficiency:,}, observing {', '.join(self.observed)}; singular values "
            f"{self.kept:.1e} kept, {self.dropped:.1e} dropped"
        ]
        for _, column in list(self.directions.items())[:NAMED]:
            moved = column[column != 0]
            terms = [f"{value:+.3g} {name}" for name, value in list(moved.items())[:NAMED]]
            more = f" and {len(moved) - NAMED:,} more" if len(moved) > NAMED else ""
            lines.append(f"  unseen: {', '.join(terms)}{more}")
        if self.deficiency > NAMED:
            lines.append(f"  and {self.deficiency - NAMED:,} more directions")
        return "\n".join(lines)


def identifiability(
    model: object,
    observed: str | Sequence[str] | None = None,
    *,
    parameters: Collection[str] | None = None,
    coordinates: Coordinates = "log-odds",
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> Identifiability:
    r"""Rank of the derivative of the law of some variables in the parameters, at random values.

    The rank of :math:`\partial_j \log p(x)` over all states x of what is observed is the same at
    almost all parameters. If it equals their number, the law determines them locally: finitely
    many values (such as those with hidden states renamed) give the same law. A singular value
    decomposition counts what exceeds ``tolerance``; the largest rank at three random values is
    taken.

    Parameters
    ----------
    model
        A model; free tables and symbols without value are allowed where they are drawn.
    observed
        Classes whose states are observed; None = all leaves.
    parameters
        Names of symbols and keys of tables and priors that are unknown, and drawn; None = all.
        Others keep their values.
    coordinates
        Of table entries, see :mod:`ghmpp.observables.coordinates`: "log-odds" for conditional
        probabilities; "log" also counts the scales of tables, which no law determines.
    seed
        Of the random values: rows of tables are uniform among distributions over their positive
        entries, symbols near their values.
    tolerance
        See above.

    Raises
    ------
    QueryError
        If a class or parameter is unknown.
    ResourceError
        If there are too many states of what is observed.
    ModelError
        If what is not drawn has no value, or no random values of the symbols are valid.

    Examples
    --------
    A hidden coin with two visible copies has 5 parameters but only 3 degrees of freedom:

    >>> import ghmpp as gh
    >>> model = gh.Model("copies")
    >>> hidden = model.root("hidden", 2, prior=[0.5, 0.5])
    >>> left = hidden.children("left", 1, 2)
    >>> right = hidden.children("right", 1, 2)
    >>> found = identifiability(model)
    >>> found.rank, found.deficiency
    (3, 2)

    References
    ----------
    .. [1] L. A. Goodman, Exploratory latent structure analysis using both identifiable and
       unidentifiable models, Biometrika 61 (1974), 215-231.
    """
    from pandas import DataFrame

    known = as_model(model)
    if isinstance(observed, Given):
        raise QueryError("identifiability: observe states; name the classes.")
    names = [item.variable for item in read_given(known.forest(), observed)]
    rng = np.random.default_rng(seed)
    best: tuple[int, FloatArray, FloatArray] | None = None
    labels: tuple[str, ...] = ()
    for _ in range(DRAWS):
        at = _drawn(known, parameters, rng)
        found = differentiable(at, [LOG_EVIDENCE], names, parameters, coordinates)
        labels = found.names
        triangle = np.zeros((0, len(labels)))
        for _, scores in weighted_scores(at, found, names):
            triangle = _triangle(np.concatenate([triangle, scores]))
        values, axes = _singular(triangle)
        rank = int((values > tolerance * values.max(initial=0.0)).sum())
        if best is None or rank > best[0]:
            best = rank, values, axes
    assert best is not None
    rank, values, axes = best
    relative = [*(values / max(values.max(initial=0.0), 1e-300)), 0.0]
    directions = _sparse(axes[rank:])
    return Identifiability(
        tuple(names),
        labels,
        rank,
        float(relative[rank - 1]) if rank else 0.0,
        float(relative[rank]),
        DataFrame(directions.T, index=list(labels)),
    )


def _drawn(model: Model, parameters: Collection[str] | None, rng: np.random.Generator) -> Model:
    """The model at random values of its parameters."""
    forest = model.forest()
    symbols, keys = chosen(model, parameters)
    shapes: dict[str, tuple[int, ...]] = {
        edge.key: (edge.rows, forest.blocks[edge.parent].states, forest.blocks[edge.child].states)
        for edge in forest.edges.values()
    }
    shapes |= {
        block.unary: (block.unary_rows, block.states)
        for block in forest.blocks.values()
        if block.unary is not None
    }
    stacks = {}
    for key in keys:
        stack = forest.data.get(key)
        stack = np.ones(shapes[key]) if stack is None else (np.asarray(stack) > 0).astype(float)
        each = entries(model, key, stack)
        weights = rng.exponential(size=len(each.positions))
        drawn = np.zeros(stack.size)
        drawn[each.positions] = share(weights[None], each.rows)[0]
        stacks[key] = drawn.reshape(stack.shape)
    return _bound(model.with_tables(stacks), symbols, rng)


def _bound(model: Model, symbols: Sequence[str], rng: np.random.Generator) -> Model:
    """The model with symbols near their values; those without value, or 0, near 1/2."""
    if not symbols:
        return model
    refused: ModelError | None = None
    near = {name: model.parameters[name] or 0.5 for name in symbols}
    for _ in range(ATTEMPTS):
        try:
            return model.bind(
                **{name: value * np.exp(rng.normal(0, 0.3)) for name, value in near.items()}
            )
        except ModelError as error:
            refused = error
    raise ModelError(
        f"identifiability: no valid random values of {', '.join(symbols)} were found; bind them to "
        f"values around which others are valid ({refused})."
    )


def _triangle(rows: FloatArray) -> FloatArray:
    """Fewer rows with the same singular values and right singular vectors."""
    return np.asarray(np.linalg.qr(rows, mode="r"))


def _singular(triangle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Singular values, as many as columns, and right singular vectors, largest first."""
    size = triangle.shape[1]
    square = np.zeros((max(size, len(triangle)), size))
    square[: len(triangle)] = triangle
    _, values, axes = np.linalg.svd(square, full_matrices=False)
    return values, axes


def _sparse(basis: FloatArray) -> FloatArray:
    """Another basis of the same space, with as many zeros as elimination gives, (k, size)."""
    basis = basis.copy()
    for row in range(len(basis)):
        column = int(np.argmax(np.abs(basis[row])))
        basis[row] /= basis[row, column]
        others = np.arange(len(basis)) != row
        basis[others] -= np.outer(basis[others, column], basis[row])
    basis[np.abs(basis) < TOLERANCE] = 0.0
    return basis
