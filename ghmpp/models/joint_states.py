"""Tables between hidden classes of joint states, as tables over the variables themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ghmpp._arrays import AnyArray


def joint_table(
    above: Sequence[str], below: Sequence[str], sizes: Mapping[str, int], table: AnyArray
) -> tuple[tuple[str, ...], AnyArray]:
    """The table over all variables of two joint states; shared variables have one axis.

    Parameters
    ----------
    above, below
        Variables of the parent's and of the child's joint state, in axis order.
    sizes
        States by variable.
    table
        Shape (parent's joint states, child's joint states), C order, last variable fastest. What
        disagrees about a shared variable is left out: it is impossible.

    Examples
    --------
    >>> kept = np.kron(np.eye(2), [[0.9, 0.1], [0.1, 0.9]])
    >>> scope, table = joint_table(["c", "x"], ["c", "y"], {"c": 2, "x": 2, "y": 2}, kept)
    >>> scope, table.shape, table[1, 0]
    (('c', 'x', 'y'), (2, 2, 2), array([0.9, 0.1]))
    """
    names = (*above, *below)
    scope = tuple(dict.fromkeys(names))
    entries = table.reshape([sizes[name] for name in names])
    axes = [scope.index(name) for name in names]
    return scope, np.einsum(entries, axes, range(len(scope)))
