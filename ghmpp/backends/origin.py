"""What a network was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ghmpp.models.channels import Given
from ghmpp.models.model import Model
from ghmpp.models.queries import Query

Option: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """The declaration behind a network: enough to make one of the same shape again.

    Parameters
    ----------
    model
        What was compiled.
    queries, given, simplify
        The other arguments of :func:`ghmpp.compiler.compile`.
    options
        The arguments of :meth:`ghmpp.compiler.Program.network`, by name.
    """

    model: Model
    queries: tuple[Query, ...]
    given: tuple[Given, ...]
    simplify: bool
    options: Mapping[str, Option]

    def __deepcopy__(self, memo: object) -> Origin:
        return self  # copies of a network have the same origin
