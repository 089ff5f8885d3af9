"""Checks of what is declared about spins."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError
from ghmpp.models.entries import real_numbers

# Couplings that differ by more from their transpose are a slip, not rounding.
ASYMMETRY = 1e-12


def read_couplings(couplings: ArrayLike, place: str) -> FloatArray:
    """Symmetric couplings (sites, sites) with zero diagonal.

    Raises
    ------
    ModelError
        If they are not square, finite and symmetric up to rounding.
    """
    matrix = real_numbers(couplings, f"{place}: couplings")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) == 0:
        raise ModelError(f"{place}: couplings must have shape (sites, sites), got {matrix.shape}.")
    _finite(matrix, f"{place}: couplings")
    off = np.abs(matrix - matrix.T)
    if off.max() > ASYMMETRY * max(1.0, float(np.abs(matrix).max())):
        i, j = (int(k) for k in np.unravel_index(int(off.argmax()), off.shape))
        raise ModelError(
            f"{place}: couplings must be symmetric, but [{i}, {j}] is {matrix[i, j]:g} and "
            f"[{j}, {i}] is {matrix[j, i]:g}; pass (A + A.T) / 2, or A + A.T where only one of "
            "the two is filled in."
        )
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 0.0)
    return matrix + 0.0  # -0.0 becomes 0.0


def read_fields(fields: ArrayLike, sites: int, place: str) -> FloatArray:
    """One finite field for each site, from one for each or one for all.

    Raises
    ------
    ModelError
        If there are too few or too many, or one is not finite.
    """
    array = real_numbers(fields, f"{place}: fields")
    if array.shape not in ((), (sites,)):
        raise ModelError(
            f"{place}: fields must be one number or have shape ({sites},), got {array.shape}."
        )
    _finite(array, f"{place}: fields")
    return np.array(np.broadcast_to(array, (sites,))) + 0.0


def read_classes(
    names: str | Mapping[str, int | Sequence[int]] | None, sites: int, place: str
) -> dict[str, tuple[int, ...]]:
    """Positions of the sites of each class.

    Raises
    ------
    ModelError
        If a name is no text, or a site belongs to no class or to two.
    """
    if names is None or isinstance(names, str):
        names = {"x" if names is None else names: sites}
    if not isinstance(names, Mapping):
        raise ModelError(
            f"{place}: names must be a text, or a mapping from names to numbers or positions of "
            f"sites, got {names!r:.80}."
        )
    found: dict[str, tuple[int, ...]] = {}
    start = 0
    for name, given in names.items():
        if not isinstance(name, str) or not name or {"->", " - "} & _parts(name):
            raise ModelError(
                f"{place}: the name of a class must be a text without '->' and ' - ', got {name!r}."
            )
        members = _members(given, start, f"{place}: class {name!r}")
        start += len(members)
        found[name] = tuple(members)
    listed = sorted(site for members in found.values() for site in members)
    if listed != list(range(sites)) or not all(found.values()):
        counts = ", ".join(f"{name}: {len(members)}" for name, members in found.items())
        raise ModelError(
            f"{place}: names must put each of the {sites} sites into one class, none of them "
            f"empty, got {counts or 'no class'}."
        )
    return found


def _members(given: object, start: int, place: str) -> tuple[int, ...]:
    """Positions of a class: the next ones, where a number of them is given."""
    positions = np.asarray(given)
    if positions.dtype.kind not in "iu" or positions.ndim > 1:
        raise ModelError(
            f"{place} must have a number of sites, or a list of their positions, got {given!r:.80}."
        )
    if positions.ndim == 0:
        positions = np.arange(start, start + int(positions))
    return tuple(positions.tolist())


def read_sites(sites: Sequence[Hashable], count: int, place: str) -> tuple[Hashable, ...]:
    """Names of all sites, or of none.

    Raises
    ------
    ModelError
        If there are too few or too many, or one is there twice.
    """
    several = isinstance(sites, Iterable) and not isinstance(sites, str)
    found = tuple(sites) if several else None
    hashable = found is not None and all(isinstance(site, Hashable) for site in found)
    if found is None or not hashable or len(set(found)) != len(found):
        raise ModelError(
            f"{place}: sites must be a list of different names, one for each of the {count} sites, "
            f"got {sites!r:.80}."
        )
    if len(found) not in (0, count):
        raise ModelError(
            f"{place}: sites must name each of the {count} sites once, got {len(found)} names."
        )
    return found


def read_configuration(x: ArrayLike, sites: int, place: str) -> FloatArray:
    """A configuration of spins, (sites,).

    Raises
    ------
    ModelError
        If it has another shape, or other entries than -1 and +1.
    """
    found = real_numbers(x, f"{place}: a configuration")
    if found.shape != (sites,) or not (np.abs(found) == 1).all():
        raise ModelError(
            f"{place}: a configuration must have shape ({sites},) and entries -1 and 1, got "
            f"{x!r:.80}."
        )
    return found


def _parts(name: str) -> set[str]:
    """Which of the separators of other names a name contains."""
    return {mark for mark in ("->", " - ") if mark in name}


def _finite(array: FloatArray, place: str) -> None:
    """Refuse NaN and infinities, with the first place."""
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        at = tuple(int(k) for k in wrong[0])
        raise ModelError(
            f"{place} must be finite, got {array[at]} at {list(at)}; a spin that is known is "
            "given as evidence."
        )
