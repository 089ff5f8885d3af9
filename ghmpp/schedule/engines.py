"""Engines: what makes schedules for declarations that are no trees of messages, by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Protocol, cast

from ghmpp.models.declared import EngineName
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import Output
from ghmpp.schedule.ir import Schedule


class Engine(Protocol):
    """Options of an algorithm, which it writes as a schedule."""

    def build(
        self, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> Schedule:
        """A legal schedule that computes ``outputs`` (pairs of kind and block) approximately.

        Requires: the forest of a declaration, and names of blocks and classes in it.
        """


_ENGINES: Mapping[EngineName, str] = {
    "tree": "gaussian_tree.GaussianTree",
    "naive": "variational.NaiveMeanField",
    "tap": "variational.TAP",
    "loopy": "loopy.LoopyBP",
    "langevin": "langevin.Langevin",
    "thresholding": "thresholding.LayeredThresholding",
    "ista": "thresholding.ISTA",
    "mlista": "thresholding.MLISTA",
    "lista": "thresholding.LISTA",
}
ENGINES: tuple[EngineName, ...] = ("exact", *_ENGINES)


def engine_named(name: str, **options: object) -> Engine:
    """The engine of this name with options; those that are left out have their defaults."""
    module, _, attribute = {**_ENGINES}[cast(EngineName, name)].partition(".")
    made = getattr(import_module(f"ghmpp.schedule.{module}"), attribute)
    return cast(Callable[..., Engine], made)(**options)
