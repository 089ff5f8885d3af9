"""A discrete model as a list of factors: what files and other libraries describe.

This is where every import starts and every export ends. It knows nothing of trees;
:mod:`ghmpp.models.assembly` makes a model of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray
from ghmpp.models.potentials import PriorLike
from ghmpp.models.states import StatesLike


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A variable as it stands in somebody else's model."""

    states: StatesLike
    values: ArrayLike | None = None
    prior: PriorLike | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A table over variables, one axis each, linear, entries >= 0; None = to be learned.

    ``child`` is the variable that the table is a distribution of, given all others; None where
    the table is no conditional distribution.
    """

    variables: tuple[str, ...]
    table: AnyArray | None
    child: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """A discrete model: variables by name, and the factors whose product is its mass."""

    name: str
    nodes: Mapping[str, Node]
    factors: tuple[Factor, ...]
