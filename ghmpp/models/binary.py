"""Units in {0, 1} and spins in {-1, +1}: the same laws with other parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BinaryUnits:
    """Units s in {0, 1} with the law ``mu(s) ~ exp(<s, W s> / 2 + <v, s>)``.

    Parameters
    ----------
    couplings
        W, shape (sites, sites), symmetric with zero diagonal.
    fields
        v, shape (sites,).
    """

    couplings: FloatArray
    fields: FloatArray


def from_binary(couplings: FloatArray, fields: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Couplings and fields of spins from those of units, ``unit = (1 + spin) / 2``.

    ``A = W / 4`` and ``b = v / 2 + row sums of W / 4``.
    """
    matrix = np.asarray(couplings, dtype=np.float64) / 4
    return matrix, np.asarray(fields, dtype=np.float64) / 2 + matrix.sum(1)


def to_binary(couplings: FloatArray, fields: FloatArray) -> BinaryUnits:
    """Couplings and fields of units from those of spins, ``spin = 2 unit - 1``.

    ``W = 4 A`` and ``v = 2 (b - row sums of A)``: :func:`from_binary` leads back.

    Examples
    --------
    >>> units = to_binary(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1.5, 0.0]))
    >>> units.couplings.tolist(), units.fields.tolist()
    ([[0.0, 4.0], [4.0, 0.0]], [1.0, -2.0])
    """
    return BinaryUnits(4 * couplings, 2 * (fields - couplings.sum(1)))
