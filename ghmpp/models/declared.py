"""What every declaration other than a hierarchical model has in common, for the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from ghmpp.models.channels import Given
from ghmpp.models.forest import Forest
from ghmpp.models.queries import Query

EngineName = Literal[
    "exact",
    "tree",
    "naive",
    "tap",
    "loopy",
    "langevin",
    "thresholding",
    "ista",
    "mlista",
    "lista",
]
Options: TypeAlias = Mapping[str, float | int | str | bool | None]


@runtime_checkable
class FieldModel(Protocol):
    """A declaration that becomes blocks and couplings, and is solved by an engine."""

    @property
    def name(self) -> str:
        """Name of the model."""

    def forest(self, given: tuple[Given, ...] = ()) -> Forest:
        """Blocks, couplings and their numbers, which may depend on how noisy what is given is."""

    def solver(self, query: Query, given: tuple[Given, ...]) -> tuple[EngineName, Options]:
        """The engine that answers if none is asked for, and its options."""

    def question(self) -> tuple[Query, tuple[Given, ...]]:
        """What is asked, and given, where nothing is said."""

    def require_complete(self) -> None:
        """Refuse a model that has parameters without value."""
