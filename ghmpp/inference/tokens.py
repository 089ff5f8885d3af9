"""The class of variables that a model shows as its sequence, and how many rows run together."""

from __future__ import annotations

from collections.abc import Iterator

from ghmpp.errors import QueryError
from ghmpp.models.forest import VariableClass
from ghmpp.models.model import Model

# Bytes of posteriors that a run may return at once.
PORTION = 2**27


def token_class(model: Model, variable: str | None) -> VariableClass:
    """The class called ``variable``, or the only class of leaves.

    Raises
    ------
    QueryError
        If there is no such class, or several classes of leaves.
    """
    forest = model.forest()
    if variable is None and len(forest.leaves) == 1:
        return forest.variables[forest.leaves[0]]
    if variable is None:
        raise QueryError(
            f"tokens: the model has the classes of leaves {', '.join(forest.leaves)}; say which "
            f"with variable=."
        )
    if variable not in forest.variables:
        known = ", ".join(forest.visible)
        raise QueryError(f"tokens: unknown class {variable!r}; the model has {known}.")
    return forest.variables[variable]


def portions(rows: int, tokens: VariableClass) -> Iterator[slice]:
    """Slices of rows whose posteriors fit into :data:`PORTION`, one row at least."""
    size = max(1, PORTION // (8 * tokens.nodes * len(tokens.states)))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))
