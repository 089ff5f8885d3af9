"""pgmpy's names of variables and states, and evidence in them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from numbers import Number
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.errors import EvidenceError, QueryError, UnknownStateError

# Either TabularCPDs or DiscreteFactors over one variable, or likelihood vectors by variable.
VirtualEvidence: TypeAlias = Iterable[Any] | Mapping[Any, ArrayLike]
SHOWN = 12


@dataclass(frozen=True)
class Known:
    """A variable: pgmpy's name, ours, and pgmpy's names of its states in order."""

    name: Hashable
    ours: str
    states: tuple[Hashable, ...]

    @cached_property
    def index(self) -> Mapping[Hashable, int]:
        """Position of every state that evidence may name.

        Where no name is a number, numbers are accepted as positions.
        """
        found = {state: position for position, state in enumerate(self.states)}
        if any(isinstance(state, Number) for state in self.states):
            return found
        return {**{k: k for k in range(len(self.states))}, **found}

    def state(self, value: object) -> int:
        """Position of a state.

        Raises
        ------
        UnknownStateError
            If the variable has no such state; the message lists those that it has.
        """
        if isinstance(value, Hashable) and value in self.index:
            return self.index[value]
        raise UnknownStateError(
            f"evidence: {self.name!r} has no state {value!r}; its states are {listed(self.states)}."
        )


class Vocabulary:
    """The variables of a model.

    Parameters
    ----------
    variables
        In the order of the model.

    Attributes
    ----------
    variables, names
        The same variables by pgmpy's names, and by ours.
    """

    def __init__(self, variables: Iterable[Known]) -> None:
        self.variables = {known.name: known for known in variables}
        self.names = {known.ours: known for known in self.variables.values()}

    def find(self, name: object, where: str = "query") -> Known:
        """The variable of a name.

        Raises
        ------
        QueryError
            If there is none; the message says which there are.
        """
        if isinstance(name, Hashable) and name in self.variables:
            return self.variables[name]
        close = get_close_matches(str(name), [str(known) for known in self.variables], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise QueryError(
            f"{where}: no variable {name!r}; the variables are {listed(self.variables)}.{hint}"
        )

    def wanted(self, variables: object, evidence: Mapping[Any, object] | None) -> list[Known]:
        """The variables of a query, checked.

        Raises
        ------
        QueryError
            If one is unknown, asked twice or observed, or if ``variables`` is no collection.
        """
        if isinstance(variables, str) or not isinstance(variables, Iterable):
            raise QueryError(f"query: variables must be a list, such as [{variables!r}].")
        asked = list(variables)
        common = [name for name in asked if name in (evidence or ())]
        if common:
            raise QueryError(
                f"query: {listed(common)} cannot be both asked and observed; leave it out of "
                "the variables or of the evidence."
            )
        found = [self.find(name) for name in asked]
        if len(set(asked)) < len(asked):
            raise QueryError(f"query: a variable is asked twice in {asked!r}.")
        return found

    def wanted_or_open(
        self, variables: object, evidence: Mapping[Any, object] | None
    ) -> list[Known]:
        """The variables of a query; where none are named, all that are not observed.

        Raises
        ------
        QueryError
            As :meth:`wanted`; or if every variable is observed.
        """
        asked = self.wanted([] if variables is None else variables, evidence)
        found = asked or [self.variables[v] for v in self.variables if v not in (evidence or ())]
        if not found:
            raise QueryError("query: every variable is observed; nothing is left to ask.")
        return found

    def hard(self, evidence: Mapping[Any, object] | None) -> dict[str, int]:
        """Positions of observed states, by our names of the variables.

        Raises
        ------
        QueryError, UnknownStateError
            If a variable or a state is unknown.
        EvidenceError
            If the evidence is no dictionary.
        """
        if evidence is None:
            return {}
        if not isinstance(evidence, Mapping):
            raise EvidenceError(
                f"evidence: expected a dictionary {{variable: state}}, got {evidence!r}."
            )
        found = {}
        for name, value in evidence.items():
            known = self.find(name, "evidence")
            found[known.ours] = known.state(value)
        return found

    def soft(self, virtual_evidence: VirtualEvidence | None) -> dict[str, FloatArray]:
        """Likelihoods with largest entry 1, by our names; several of one variable multiply.

        Raises
        ------
        QueryError
            If a variable is unknown.
        EvidenceError
            If a likelihood has the wrong shape, is negative or not finite, or zero everywhere.
        """
        found: dict[str, FloatArray] = {}
        for name, likelihood in self._likelihoods(virtual_evidence):
            ours = self.find(name, "virtual evidence").ours
            product = found.get(ours, 1.0) * _scaled(name, likelihood)
            found[ours] = _scaled(name, product)
        return found

    def _likelihoods(
        self, virtual_evidence: VirtualEvidence | None
    ) -> Iterable[tuple[Hashable, FloatArray]]:
        """Pairs of a variable and the likelihoods of its states, in our order."""
        if isinstance(virtual_evidence, Mapping):
            for name, vector in virtual_evidence.items():
                known = self.find(name, "virtual evidence")
                yield name, _vector(known, np.asarray(vector, dtype=np.float64))
            return
        for factor in virtual_evidence or ():
            scope = getattr(factor, "variables", None)
            if scope is None or len(scope) != 1:
                raise EvidenceError(
                    "virtual evidence: expected TabularCPDs or DiscreteFactors over one variable, "
                    f"or a dictionary {{variable: likelihoods}}, got {factor!r}."
                )
            known = self.find(scope[0], "virtual evidence")
            vector = _vector(known, np.asarray(factor.values, dtype=np.float64))
            yield scope[0], vector[_order(known, factor.state_names[scope[0]])]


def listed(names: Collection[object]) -> str:
    """Names for a message, not too many."""
    shown = [repr(name) for name in names]
    if len(shown) > SHOWN:
        shown = [*shown[: SHOWN - 2], "...", shown[-1]]
    return ", ".join(shown)


def _vector(known: Known, vector: FloatArray) -> FloatArray:
    """The likelihoods as (states,)."""
    if vector.size != len(known.states):
        raise EvidenceError(
            f"virtual evidence: {known.name!r} has {len(known.states)} states, "
            f"{listed(known.states)}; got likelihoods of shape {vector.shape}."
        )
    return vector.reshape(-1)


def _order(known: Known, names: Sequence[Hashable]) -> list[int]:
    """Where each of our states stands in a factor; by position where it names other states."""
    place = {name: position for position, name in enumerate(names)}
    if set(place) == set(known.states):
        return [place[state] for state in known.states]
    return list(range(len(known.states)))


def _scaled(name: Hashable, likelihood: FloatArray) -> FloatArray:
    """The likelihoods with largest entry 1."""
    largest = likelihood.max()
    if not (np.isfinite(largest) and largest > 0 and (likelihood >= 0).all()):
        raise EvidenceError(
            f"virtual evidence: likelihoods of {name!r} must be finite, >= 0 and not all zero, "
            f"got {likelihood}."
        )
    scaled: FloatArray = likelihood / largest
    return scaled
