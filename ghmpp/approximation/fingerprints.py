"""Fingerprints of arrays, and how the arrays at hand differ from those that were certified."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ghmpp._arrays import AnyArray

LAYERS = ("collect.", "distribute.")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an array is, without its numbers.

    Parameters
    ----------
    name
        Of the array.
    dtype, shape
        As numpy says them.
    sha256
        Of dtype, shape and bytes (little-endian, in C order).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str

    @staticmethod
    def of(name: str, array: AnyArray) -> Fingerprint:
        """That of an array."""
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        shape = tuple(int(size) for size in array.shape)
        digest = hashlib.sha256(f"{array.dtype.name} {shape} ".encode())
        digest.update(plain.tobytes())
        return Fingerprint(name, array.dtype.name, shape, digest.hexdigest())

    @staticmethod
    def from_json(record: dict[str, Any]) -> Fingerprint:
        """That of the content of a file; LookupError and its like if it is broken."""
        shape = tuple(int(size) for size in record["shape"])
        return Fingerprint(record["name"], record["dtype"], shape, record["sha256"])


def joint_sha256(fingerprints: Iterable[Fingerprint]) -> str:
    """One hash of several arrays with their names."""
    digest = hashlib.sha256()
    for each in fingerprints:
        digest.update(f"{each.name} {each.sha256}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """An array that is not the one that was certified, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


def compare(
    fingerprints: Iterable[Fingerprint], found: Mapping[str, AnyArray]
) -> tuple[dict[str, AnyArray], list[Difference]]:
    """The arrays with the shapes that they must have, and what is wrong with them.

    Missing arrays, and those of another shape, are NaN: nothing is guaranteed of them.
    """
    names = dict(found)
    chosen, differences = {}, []
    for each in fingerprints:
        array = names.pop(_known_as(each.name, names), None)
        why = _difference(each, array)
        if why is not None:
            differences.append(Difference(each.name, why))
        if array is None or array.shape != each.shape:
            array = np.full(each.shape, np.nan)
        chosen[each.name] = array
    extra = [name for name in names if name.startswith(LAYERS)]
    return chosen, differences + [Difference(name, "not certified") for name in extra]


def _difference(certified: Fingerprint, array: AnyArray | None) -> str | None:
    if array is None:
        return "missing"
    if array.shape != certified.shape:
        return f"shape {tuple(array.shape)} instead of {certified.shape}"
    if Fingerprint.of(certified.name, array) == certified:
        return None
    if array.dtype.name != certified.dtype:
        same = Fingerprint.of(certified.name, array.astype(certified.dtype)) == certified
        return f"{array.dtype.name} instead of {certified.dtype}" + (
            "" if same else ", other numbers"
        )
    return "other numbers"


def _known_as(name: str, names: Mapping[str, AnyArray]) -> str:
    """The name that an array has at hand.

    A wrapper puts its own name before it; torch puts an underscore behind what it reserves.
    """
    if name in names:
        return name
    head, place, *rest = name.split(".")
    reserved = ".".join((head, f"{place}_", *rest))
    if reserved in names:
        return reserved
    return next((each for each in names if each.endswith(f".{name}")), name)
