"""What the constructors of this folder ask of their arguments."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ghmpp.errors import ModelError

Seed: TypeAlias = int | np.random.Generator
"""A seed, or a generator that goes on from where it stands."""


def require_whole(place: str, **given: tuple[int, int]) -> None:
    """Refuse numbers that are not whole or below their least value: ``name=(number, least)``."""
    for name, (number, least) in given.items():
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least:
            raise ModelError(f"{place}: {name} must be a whole number >= {least}, got {number!r}.")


def require_probability(place: str, name: str, number: float) -> None:
    """Refuse what does not lie in [0, 1]."""
    if not 0 <= number <= 1:
        raise ModelError(f"{place}: {name} must lie in [0, 1], got {number!r}.")


def require_scale(place: str, name: str, number: float) -> None:
    """Refuse what is negative or not finite."""
    if not (np.isfinite(number) and number >= 0):
        raise ModelError(f"{place}: {name} must be finite and >= 0, got {number!r}.")
