"""Linear maps between the nodes of two blocks."""

from __future__ import annotations

from torch import Tensor

from ghmpp.models.forest import Coupling


def through(
    coupling: Coupling,
    numbers: Tensor,
    index: Tensor | None,
    x: Tensor,
    sizes: tuple[int, int],
    *,
    transposed: bool,
) -> Tensor:
    """What a coupling that is no constant makes of a field.

    Parameters
    ----------
    coupling
        Which map.
    numbers, index
        Its entries, and for a sparse one their positions, int64 (2, entries).
    x
        A field, (source nodes, batch).
    sizes
        Nodes of the coupling's target and source.
    transposed
        Whether the map leads from the target to the source.

    Returns
    -------
    tensor of shape (target nodes, batch)
    """
    if coupling.kind == "dense":
        return (numbers.t() if transposed else numbers) @ x
    if coupling.kind == "diagonal":
        return numbers[:, None] * x
    assert index is not None
    to, source = (index[1], index[0]) if transposed else (index[0], index[1])
    shares = numbers[:, None] * x.index_select(0, source)
    return x.new_zeros(sizes[transposed], x.shape[1]).index_add(0, to, shares)
