"""How wide the junction tree of couplings is, without making it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import TreewidthError
from ghmpp.models.triangulation import junction_forest, width

# Cliques of so many spins plus one are run without asking.
EXACT_WIDTH = 12
# Where every subgraph's smallest degree says that much, no triangulation is tried.
HOPELESS_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Width:
    """Bounds of the treewidth of the couplings.

    Parameters
    ----------
    least
        From the smallest degrees of subgraphs.
    most
        From a triangulation; None where none was tried, as the width is hopeless.
    """

    least: int
    most: int | None

    @property
    def exact(self) -> bool:
        """Whether exact inference is what is done unless another engine is asked for."""
        return self.most is not None and self.most <= EXACT_WIDTH

    def __str__(self) -> str:
        return f"at least {self.least}" if self.most is None else f"at most {self.most}"


def couplings_width(matrix: FloatArray) -> Width:
    """Bounds of the treewidth of the graph of couplings (sites, sites).

    Examples
    --------
    >>> couplings_width(np.ones((4, 4)) - np.eye(4))
    Width(least=3, most=3)
    """
    least = _degeneracy(matrix != 0)
    if least > HOPELESS_WIDTH:
        return Width(least, None)
    names = [str(k) for k in range(len(matrix))]
    pairs = zip(*np.nonzero(np.triu(matrix, 1)), strict=True)
    scopes = [(names[i], names[j]) for i, j in pairs]
    try:
        return Width(least, width(junction_forest(dict.fromkeys(names, 2), scopes)))
    except TreewidthError:
        return Width(least, None)


def _degeneracy(linked: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> int:
    """Largest over subgraphs of the smallest degree: nodes of smallest degree go first."""
    degree = linked.sum(0).astype(np.float64)
    np.subtract(degree, linked.diagonal(), out=degree)
    most = 0
    for _ in range(len(degree)):
        node = int(degree.argmin())
        most = max(most, int(degree[node]))
        if most > HOPELESS_WIDTH:
            return most
        degree -= linked[node]
        degree[node] = np.inf
    return most
